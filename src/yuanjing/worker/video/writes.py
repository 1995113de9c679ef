"""Units of work that come while others are being written are written together, in one transaction."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.ports.store import Store, Tx

T = TypeVar("T")

_TOGETHER_MAX = 64


@dataclass(kw_only=True, slots=True)
class _Unit:
    work: Callable[[Tx], object]
    done: asyncio.Future[Any]


class Writes:
    """For units that touch nothing but rows which this worker has claimed: together they cannot block other workers.

    A commit costs more than what is committed, and with SQLite all processes wait for one another's.
    """

    def __init__(self, store: Store, start: Callable[[Coroutine[None, None, None]], object]) -> None:
        self._store = store
        self._start = start
        self._waiting: deque[_Unit] = deque()
        self._is_writing = False

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Do it in a transaction, with others or alone; see `Store.write`. It is done again if another one fails."""
        unit = _Unit(work=work, done=asyncio.get_running_loop().create_future())
        self._waiting.append(unit)
        if not self._is_writing:
            self._is_writing = True
            self._start(self._write_all())
        return cast("T", await unit.done)

    async def _write_all(self) -> None:
        units: list[_Unit] = []
        try:
            while self._waiting:
                units = [self._waiting.popleft() for _ in range(min(len(self._waiting), _TOGETHER_MAX))]
                await self._write_together([unit for unit in units if not unit.done.done()])
        finally:
            self._is_writing = False
            for unit in (*units, *self._waiting):
                unit.done.cancel()  # of use only if this has been cancelled itself
            self._waiting.clear()

    async def _write_together(self, units: list[_Unit]) -> None:
        """What fails together is done one by one, so that each fails by its own fault."""
        if not units:
            return
        try:
            results = await self._store.write(lambda tx: [unit.work(tx) for unit in units])
        except Exception as error:  # noqa: BLE001  # it is the caller's
            if len(units) > 1 and not isinstance(error, StoreUnavailableError):
                for unit in units:
                    await self._write_together([unit])
                return
            for unit in units:
                if not unit.done.done():
                    unit.done.set_exception(error)
        else:
            for unit, result in zip(units, results, strict=True):
                if not unit.done.done():
                    unit.done.set_result(result)
