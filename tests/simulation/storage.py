"""The database as a process sees it, and its spool's disk: both may be slow, away, or lose what they were told.

A unit of work that is on its way is the database's affair: it may still be committed when the process that sent it has
died, and then nobody hears of it. The units themselves are never interleaved: how databases keep them apart is what the
contract suite of the stores tests on real ones.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tests.simulation.loop import Process, SimulationLoop
from tests.simulation.plan import Fate, Plan

from yuanjing.adapters.memory.spool import MemorySpool, MemorySpoolWriter
from yuanjing.adapters.memory.store import MemoryStore
from yuanjing.domain.errors import SpoolError, StoreUnavailableError
from yuanjing.domain.usage import UsageRecord
from yuanjing.ports.store import StoreCounters, Tx

T = TypeVar("T")
_GIVES_UP_SECONDS = 0.5


class Database:
    """The one store of all processes, and whether it can be reached."""

    def __init__(self, store: MemoryStore, loop: SimulationLoop, plan: Plan) -> None:
        self.store = store
        self.loop = loop
        self.plan = plan
        self.is_away = False
        self.on_commit: Callable[[Process], None] = lambda _: None
        """Told of each commit before its answer leaves; it may end the process that waits for it."""

    def do(self, work: Callable[[Tx], T], *, may_write: bool = True) -> T:
        """Run a unit of work now, without faults."""
        unit = self.store.write(work) if may_write else self.store.read(work)
        unit.send(None)
        try:
            unit.send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError("a store in memory takes exactly one turn")


class Connection:
    """One process's store; see `yuanjing.ports.store.Store`."""

    def __init__(self, database: Database, process: Process) -> None:
        self.counters = StoreCounters()
        self._database = database
        self._process = process

    async def write(self, work: Callable[[Tx], T]) -> T:
        return await self._call(work, may_write=True)

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self._call(work, may_write=False)

    async def close(self) -> None:
        """There is nothing to close."""

    async def _call(self, work: Callable[[Tx], T], *, may_write: bool) -> T:
        loop = self._database.loop
        if not self._process.is_alive:  # the last breath of a coroutine whose process is gone
            raise StoreUnavailableError("the process has ended")
        answer = loop.create_future()
        fate = self._database.plan.fate()
        loop.post(loop.world, self._arrive, answer, work, fate, "write" if may_write else "read", delay=fate.delay)
        return await answer

    def _arrive(self, answer: Any, work: Callable[[Tx], object], fate: Fate, mode: str) -> None:
        database, process = self._database, self._process
        if database.is_away or fate.is_lost_before:
            self._reply(answer, fate.answer_delay + _GIVES_UP_SECONDS, StoreUnavailableError("the database is away"))
            return
        before, database.loop.current = database.loop.current, process  # whose clock counts
        try:
            result, error = database.do(work, may_write=mode == "write"), None
        except Exception as raised:  # noqa: BLE001  # it is the caller's
            result, error = None, raised
        finally:
            database.loop.current = before
        if mode == "write" and error is None:
            database.on_commit(process)
        if fate.is_lost_after:
            self._reply(answer, fate.answer_delay, StoreUnavailableError("the answer was lost"))
        else:
            self._reply(answer, fate.answer_delay, error, result)

    def _reply(self, answer: Any, delay: float, error: Exception | None, result: object = None) -> None:
        def arrive() -> None:
            if answer.done():  # whoever asked has gone away
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        self._database.loop.post(self._process, arrive, delay=delay)


class FragileWriter:
    """A spool whose disk fails now and then, with or without having kept what it was given."""

    def __init__(self, writer: MemorySpoolWriter, plan: Plan, on_kept: Callable[[], None]) -> None:
        """`on_kept` is told when rows are on the disk, before anybody else knows."""
        self._writer = writer
        self._plan = plan
        self._is_broken = False
        self._on_kept = on_kept
        self.forget = writer.forget
        self.close = writer.close
        self.is_disk_well = writer.is_disk_well

    def append(self, records: Sequence[UsageRecord], watermarks: Sequence[UsageRecord]) -> int:
        """See `SpoolWriter.append`."""
        if self._is_broken:
            raise SpoolError("the disk has failed before")
        if self._plan.chance(self._plan.disk_share):
            self._is_broken = True
            if self._plan.choose.random() < 0.5:
                self._writer.append(records, watermarks)
            raise SpoolError("input/output error")
        seq = self._writer.append(records, watermarks)
        self._on_kept()
        return seq

    @property
    def depth(self) -> int:
        return self._writer.depth

    @property
    def room(self) -> int:
        return 0 if self._is_broken else self._writer.room

    @property
    def size_bytes(self) -> int:
        return self._writer.size_bytes


def end_spool(readers: Sequence[MemorySpool], node_id: str) -> None:
    """Let go of the locks that a process of this node held, as its end does."""
    for reader in readers:
        if reader.node_id == node_id:
            reader.kill()
