"""Parts of a worker that die at a chosen moment, as with `kill -9`: what they were about to do never happens.

Or they sleep from then on, as with `SIGSTOP`: what they were about to do happens when they wake.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from yuanjing.ports.store import Store, Tx

T = TypeVar("T")


class _DiedError(Exception):
    """Rolls the unit of work back."""


class Fate:
    """Counts the moments at which a worker could die, and lets it die at one of them."""

    def __init__(self, dies_at: int) -> None:
        self.moments = 0
        self.is_dead = False
        self._dies_at = dies_at

    def is_now(self) -> bool:
        """One more moment; whether it is the last."""
        self.moments += 1
        self.is_dead = self.is_dead or self.moments > self._dies_at
        return self.is_dead

    async def be_dead(self) -> None:
        """For ever."""
        await asyncio.Event().wait()

    async def pass_moment(self) -> None:
        """Die here, if it is time."""
        if self.is_now():
            await self.be_dead()


class Sleep(Fate):
    """The moment is not the last: the worker knows of nothing that happens until `wake`, and then goes on."""

    def __init__(self, sleeps_at: int) -> None:
        super().__init__(sleeps_at)
        self._woken = asyncio.Event()

    def is_now(self) -> bool:
        return not self._woken.is_set() and super().is_now()

    def wake(self) -> None:
        self.is_dead = False
        self._woken.set()

    async def be_dead(self) -> None:
        await self._woken.wait()


class MortalStore:
    """A store as one worker sees it: it may die before each commit that changes tasks, and after it."""

    def __init__(self, store: Store, fate: Fate) -> None:
        self._store = store
        self._fate = fate

    @property
    def counters(self):
        return self._store.counters

    async def write(self, work: Callable[[Tx], T]) -> T:
        if self._fate.is_dead:
            await self._fate.be_dead()
        has_changed = False

        def watched(tx: Tx) -> T:
            nonlocal has_changed
            spy = _SpyTx(tx)
            result = work(spy)  # type: ignore[arg-type]
            has_changed = spy.tasks.has_changed
            if has_changed and self._fate.is_now():
                raise _DiedError
            return result

        try:
            result = await self._store.write(watched)
        except _DiedError:
            await self._fate.be_dead()
            return await self.write(work)  # it only slept
        if has_changed:
            await self._fate.pass_moment()
        return result

    async def read(self, work: Callable[[Tx], T]) -> T:
        if self._fate.is_dead:
            await self._fate.be_dead()
        return await self._store.read(work)

    async def close(self) -> None:
        raise NotImplementedError


class _SpyTx:
    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.tasks = _SpyTasks(tx.tasks)

    def __getattr__(self, name: str) -> object:
        return getattr(self._tx, name)


class _SpyTasks:
    def __init__(self, table: object) -> None:
        self._table = table
        self.has_changed = False

    def __getattr__(self, name: str) -> object:
        method = getattr(self._table, name)
        if name not in {"claim", "save", "postpone", "unclaim"}:
            return method

        def watched(*values: object, **named: object) -> object:
            result = method(*values, **named)
            self.has_changed = self.has_changed or name != "claim" or bool(result)
            return result

        return watched


class Mortal:
    """Anything whose coroutines may die before they begin, and after they have ended but before that is known."""

    def __init__(self, inner: object, fate: Fate) -> None:
        self._inner = inner
        self._fate = fate

    def __getattr__(self, name: str) -> object:
        found = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def watched(*values: object, **named: object) -> object:
            await self._fate.pass_moment()
            try:
                return await found(*values, **named)
            finally:
                await self._fate.pass_moment()

        return watched
