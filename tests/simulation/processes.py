"""Gateways and workers as they live: real ones, each made as `bootstrap` makes it, on a simulated machine.

A process is started, and started again when it has ended, by its supervisor, which is the world. It ends by being
killed, by finding itself fenced, or by a store that cannot be reached when it starts.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from tests.simulation.chance import SimulatedClock
from tests.simulation.goods import LIMITS, PEPPER, VIDEO
from tests.simulation.loop import Machine, Process, SimulationLoop
from tests.simulation.plan import Plan
from tests.simulation.storage import Connection, Database, FragileWriter, end_spool
from tests.simulation.studio import Studio
from tests.support.payments import FakeMethod
from tests.support.video import FakeCopier, FakeDelivery
from tests.usecases.video_market import FakeDelivery as FakeCheck
from tests.usecases.video_market import FakeIntake

from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.bootstrap.services import Services
from yuanjing.bootstrap.sources import ChatClaims, Directory, Leases, NodeLife
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.holds import LeasePolicy
from yuanjing.domain.money import Book
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.runtime import Gateway, GatewayParts
from yuanjing.kit.secretbox import SecretBox
from yuanjing.ports.payments import Payment, PaymentOrder, PaymentRefusedError, PaymentStart, PaymentState
from yuanjing.ports.upstream import ChannelAccess
from yuanjing.usecases.leases import LeaseKeeper
from yuanjing.usecases.nodes import register_node
from yuanjing.usecases.topups import Notifications, Refunds, TopUpParts, TopUpPolicy, TopUps
from yuanjing.usecases.videos import VideoParts, VideoPolicy, Videos
from yuanjing.worker.options import WorkerOptions
from yuanjing.worker.topups import TopUpLoops
from yuanjing.worker.video import VideoChannel, VideoDirectory, VideoEngine, VideoOptions
from yuanjing.worker.video import VideoParts as EngineParts
from yuanjing.worker.worker import Chore, Worker

TTL_SECONDS = 900
SILENT_SECONDS = 4.0
GATEWAY_OPTIONS = GatewayOptions(
    heartbeat_fresh_seconds=2.5,
    signal_poll_seconds=0.8,
    tick_seconds=0.8,
    lease_idle_seconds=1.5,
    watermark_seconds=0.7,
    first_byte_seconds=2.0,
    plain_answer_seconds=3.0,
    idle_seconds=3.0,
    total_seconds=8.0,
    drain_seconds=3.0,
    admission_seconds=4.0,
    settling_seconds=3.0,
    connect_seconds=1.0,
    breaker="all",
    close_seconds=2.0,
    spool_retry_seconds=0.5,
)
"""Everything that waits, waits a part of its usual time; the order of those times is as in production."""
_RESTART_SECONDS = 0.3
_BUGS = ("a bug", "background work failed", "a pass of a loop failed", "could not be ended", "cannot be written; its")
_WORKER_BUGS = ("worker.loop_failed", "worker.node_trouble", "worker.spool_trouble")
_VIDEO_BUGS = ("video.job_failed", "video.copy_failed", "video.submission_failed", "video.call_failed")


@dataclass
class Place:
    """A machine with its disk, which may be away for a time with all that is on it."""

    machine: Machine
    spools: MemorySpoolFolder = field(default_factory=MemorySpoolFolder)
    is_away: bool = False


class SimulatedLog:
    """Keeps what tells of a fault in the program."""

    def __init__(self, process: Process, bugs: list[str], trace: Callable[[str], None]) -> None:
        self._process = process
        self._bugs = bugs
        self._trace = trace

    def info(self, event: str, **fields: object) -> None:
        self._trace(f"{self._process.name} says {event}")
        if any(word in event for word in (*_BUGS, *_WORKER_BUGS, *_VIDEO_BUGS)):
            self._bugs.append(f"{self._process.name}: {event} {fields}")

    warning = info
    error = info


class Cashier(FakeMethod):
    """The payment method in memory; of an order that never reached it, it says that nobody has paid it.

    An order that was closed cannot be begun or paid any more.
    """

    async def start(self, order: PaymentOrder) -> PaymentStart:
        if order.number in self.payments:
            raise PaymentRefusedError("it is closed")
        return await super().start(order)

    def pay(self, number: str, amount: int, upstream: str = "up-1") -> bool:
        if self.payments[number].state is not PaymentState.WAITING:
            return False
        super().pay(number, amount, upstream)
        return True

    async def query(self, number: str) -> Payment:
        self.payments.setdefault(number, Payment(number=number, state=PaymentState.WAITING))
        return await super().query(number)


@dataclass
class Surroundings:
    """What all processes share."""

    loop: SimulationLoop
    plan: Plan
    clock: SimulatedClock
    database: Database
    studio: Studio
    method: Cashier
    bugs: list[str]
    trace: Callable[[str], None]

    def topups(self, store: Connection) -> TopUpParts:
        """For the use cases of top-ups."""
        return TopUpParts(
            store=store,
            clock=self.clock,
            methods={self.method.name: self.method},
            policy=TopUpPolicy(first_check_seconds=1.0, refund_seconds=2.0),
            subject="s",
            return_url=lambda id_: id_,
            notify_url=lambda name: name,
        )


class Slot:
    """Where one process lives after the other: a node of a machine, or its worker."""

    def __init__(self, around: Surroundings, place: Place, name: str) -> None:
        self.around = around
        self.place = place
        self.name = name
        self.process = Process(name, place.machine)
        self.process.is_alive = False
        self.lives = 0
        self.is_wanted = True

    def start(self) -> None:
        """Begin a new life, unless there is one."""
        if self.process.is_alive or self.place.is_away or not self.is_wanted:
            return
        self.lives += 1
        self.process = Process(f"{self.name}.{self.lives}", self.place.machine)
        self.around.loop.start(self.process)
        self.around.trace(f"{self.process.name} starts")
        self.around.loop.post(self.process, lambda: self.around.loop.create_task(self._live(self.process)))

    async def _live(self, process: Process) -> None:
        try:
            await self.live(process, Connection(self.around.database, process))
        except YuanjingError as error:  # as a real one ends that cannot do its duties
            self.around.trace(f"{process.name} ends: {error!r}")
        if process.is_alive:
            self.end()

    async def live(self, process: Process, store: Connection) -> None:
        """The whole life of one process."""
        raise NotImplementedError

    def end(self) -> None:
        """The process is gone, as after SIGKILL; its supervisor starts the next one."""
        if not self.process.is_alive:
            return
        self.around.trace(f"{self.process.name} is gone")
        self.around.loop.end(self.process)
        self.on_end()
        self.around.loop.post(self.around.loop.world, self.start, delay=_RESTART_SECONDS)

    def on_end(self) -> None:
        """What the system does for a process that has ended."""


class GatewaySlot(Slot):
    """A gateway, and what its HTTP beside the hot path does."""

    def __init__(self, around: Surroundings, place: Place, name: str) -> None:
        super().__init__(around, place, name)
        self.gateway: Gateway | None = None
        self.videos: Videos | None = None
        self.topups: TopUps | None = None
        self.notifications: Notifications | None = None
        self.refunds: Refunds | None = None
        self.store: Connection | None = None
        self.late: set[tuple[str, int]] = set()
        """Lives that were paused, cut off or away: what they spooled may have come after their take-over."""
        self.incarnation = 0
        self.on_kept: Callable[[], None] = lambda: None
        self._stop = asyncio.Event()

    async def live(self, process: Process, store: Connection) -> None:
        around, clock = self.around, self.around.clock
        self.gateway, self._stop = None, asyncio.Event()
        log = SimulatedLog(process, around.bugs, around.trace)
        spools = self.place.spools
        node = await register_node(
            store, clock, node_id=self.name, machine=self.place.machine.name, role="gateway", spools=spools
        )
        self.incarnation = node.incarnation
        services = Services(
            settings=cast("Any", SimpleNamespace(upstream_connections_max=3)),
            store=store,
            clock=clock,
            pepper=PEPPER,
            box=_BOX,
            spools=spools,
            probe=cast("Any", None),
        )
        keeper = LeaseKeeper(store, clock, LeasePolicy(), TTL_SECONDS)
        gateway = Gateway(
            GatewayParts(
                options=GATEWAY_OPTIONS,
                clock=clock,
                log=log,
                pepper=PEPPER,
                directory=Directory(services, log),
                leases=Leases(keeper, node),
                claims=ChatClaims(services, node),
                node=NodeLife(services, keeper, node, log),
                spool=FragileWriter(spools.create(node.id, node.incarnation), around.plan, self.on_kept),
                on_fenced=self._stop.set,
                on_broken=self._stop.set,
            )
        )
        gateway.exchanges = cast("Any", _Exchanges())
        await gateway.start()
        self._open(store)
        self.gateway = gateway
        await self._stop.wait()
        self.gateway = None
        await gateway.stop()

    def _open(self, store: Connection) -> None:
        around = self.around
        parts = around.topups(store)
        self.store = store
        self.topups, self.notifications, self.refunds = TopUps(parts), Notifications(parts), Refunds(parts)
        self.videos = Videos(
            VideoParts(
                store=store,
                clock=around.clock,
                intake=FakeIntake(),
                delivery=FakeCheck(),
                policy=VideoPolicy(lease_wait_seconds=GATEWAY_OPTIONS.lease_wait_seconds),
            )
        )

    def stop(self) -> None:
        """As SIGTERM does; it is not started again."""
        self.is_wanted = False
        if self.process.is_alive:
            self.around.loop.post(self.process, self._stop.set)

    def on_end(self) -> None:
        self.gateway = None
        end_spool(self.place.spools.readers(), self.name)


class WorkerSlot(Slot):
    """The worker of a machine, video engine and top-ups included."""

    _stop = asyncio.Event()

    async def live(self, process: Process, store: Connection) -> None:
        around, clock = self.around, self.around.clock
        self._stop = stop = asyncio.Event()
        log = SimulatedLog(process, around.bugs, around.trace)
        options = WorkerOptions(
            machine=self.place.machine.name,
            post_seconds=0.6,
            post_batch_rows=3,
            observe_seconds=0.9,
            silent_seconds=SILENT_SECONDS,
            expire_seconds=2.0,
            expire_patience_seconds=7.0,
            lease_ttl_seconds=TTL_SECONDS,
            backoff_max_seconds=1.0,
            stop_seconds=2.0,
        )
        worker = Worker(options, store=store, spools=self.place.spools, clock=clock, logger=log)
        if around.plan.video_share:
            worker.video = self._engine(process, store, log)
        topups = TopUpLoops(around.topups(store), log, stop)
        worker.chores = (
            Chore(name="topups", run=topups.sweep, pause_seconds=3.0),
            Chore(name="refunds", run=topups.sweep_refunds, pause_seconds=3.0),
        )
        await worker.run(stop)

    def _engine(self, process: Process, store: Connection, log: SimulatedLog) -> VideoEngine:
        clock = self.around.clock
        options = VideoOptions(
            owner=process.name,
            claim_seconds=3.0,
            look_seconds=0.9,
            look_seconds_min=0.2,
            refresh_seconds=5.0,
            retry_seconds_max=2.0,
            wait_seconds=30.0,
            copy_seconds=20.0,
            call_seconds=2.0,
            stop_seconds=1.0,
        )
        return VideoEngine(
            options,
            EngineParts(
                store=store,
                clock=clock,
                logger=log,
                source=_Source(self.around.studio),
                delivery=FakeDelivery(),
                copier=cast("Any", FakeCopier(cast("Any", clock))),
            ),
        )

    def stop(self) -> None:
        """As SIGTERM does; it is not started again."""
        self.is_wanted = False
        if self.process.is_alive:
            self.around.loop.post(self.process, self._stop.set)


class _Source:
    """The channels of video: one in each book, into the same studio."""

    def __init__(self, studio: Studio) -> None:
        self._channels = {
            f"ch_v0_{book}": VideoChannel(
                id=f"ch_v0_{book}",
                name=f"v0 {book}",
                provider_id="v",
                book=book,
                access=ChannelAccess(base_url="http://v.test", credential="memory-key"),
                upstream=studio,
                limits=LIMITS,
            )
            for book in Book
        }

    async def load(self) -> VideoDirectory:
        return VideoDirectory(offers={VIDEO.id: VIDEO}, channels=self._channels, limits={"v": LIMITS})


class _Exchanges(dict[Any, None]):
    """A set that remembers the order: a set of objects goes by their addresses, which no seed repeats."""

    def add(self, one: Any) -> None:
        self[one] = None

    def discard(self, one: Any) -> None:
        self.pop(one, None)


_BOX = SecretBox([bytes(32)])
