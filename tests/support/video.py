"""A small world of video tasks for tests: customers with money, an offer, providers in memory, and workers to drive."""

import asyncio
import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from yuanjing.adapters.memory.video_upstream import MemoryPace, MemoryVideoUpstream
from yuanjing.domain import ledger
from yuanjing.domain.artifacts import Artifact, ArtifactKind, MediaFacts
from yuanjing.domain.catalog import Offer, Operation, Provider
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.holds import Hold, HoldPurpose
from yuanjing.domain.identity import Customer
from yuanjing.domain.ledger import Balances
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import TEXTS, Failure, FailureKind, MediaInput, Size, VideoMeter
from yuanjing.domain.video_offers import VideoLimits, VideoModel, VideoSpec
from yuanjing.domain.video_pricing import VideoPrice, VideoRate
from yuanjing.domain.videos import RateConditions, TaskQuote, TaskStep, VideoRequest, VideoTask
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.tasks import TaskFilter
from yuanjing.ports.upstream import ChannelAccess, VideoUpstream
from yuanjing.usecases.artifacts.results import CopiedResult
from yuanjing.usecases.movements import Movements
from yuanjing.worker.counters import WorkerCounters
from yuanjing.worker.supervisor import Supervisor
from yuanjing.worker.video import VideoChannel, VideoDirectory, VideoEngine, VideoOptions, VideoParts

YUAN = 10**9
PRICE_NANOS = YUAN // 10
"""Of a second of video."""
START_NANOS = 1000 * YUAN
KEY = "memory-key"
SECONDS = 5
OFFER = Offer(
    id="v" * 21,
    model="m-1",
    operation=Operation.TEXT_TO_VIDEO,
    label="M",
    provider_label="Memory",
    providers={"memory": "m-1"},
    video=VideoSpec(family="m", models=(VideoModel(name="m-1"),)),
)
PRICE = VideoPrice(
    id="price_video",
    offer_id=OFFER.id,
    version=1,
    effective_from=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    rates=(VideoRate(meter=VideoMeter.VIDEO_SECONDS, amount_nanos=PRICE_NANOS, per=1),),
)
QUOTE = TaskQuote(
    conditions=RateConditions(model="m-1", resolution="", has_audio=True, is_off_peak=False, has_video_input=False),
    meters={VideoMeter.VIDEO_SECONDS: SECONDS},
    expected={VideoMeter.VIDEO_SECONDS: SECONDS},
    input_seconds=Decimal(0),
)
LIMITS = VideoLimits(lost_seconds=120, deadline_seconds=600, queries_per_second=1000, submits_per_minute=60_000)


class Log:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **kw: object) -> None:
        self.lines.append((event, kw))

    warning = info

    def events(self) -> list[str]:
        return [event for event, _ in self.lines]


class Source:
    """A directory that a test may change."""

    def __init__(self, *channels: VideoChannel, offers: Sequence[Offer] = (OFFER,)) -> None:
        self.channels = {channel.id: channel for channel in channels}
        self.offers = {offer.id: offer for offer in offers}
        self.limits = {"memory": LIMITS}

    async def load(self) -> VideoDirectory:
        return VideoDirectory(offers=dict(self.offers), channels=dict(self.channels), limits=dict(self.limits))


class FakeDelivery:
    """Gives every file by an address; `fail_next` queues errors."""

    def __init__(self) -> None:
        self.fail_next: list[Exception] = []

    async def deliver(self, *_: object, media, artifacts, **__: object):
        if self.fail_next:
            raise self.fail_next.pop(0)
        assert all(item.artifact_id in artifacts for item in media)
        return tuple(MediaInput(role=item.role, url=f"https://files.test/{item.artifact_id}") for item in media)


class FakeCopier:
    """Makes artifacts of nothing; `fail_next` queues errors, `measured_seconds` is what files turn out to have."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.fail_next: list[Exception] = []
        self.measured_seconds: Decimal | None = None
        self.copied: list[str] = []
        self.origins: list[str] = []
        self.gate: asyncio.Event | None = None
        self.expected: Size | None = None
        self.notes: tuple[str, ...] = ()

    async def copy(self, task: VideoTask, *, allowed_origin: str = "", expected: Size | None = None) -> CopiedResult:
        self.expected = expected
        self.origins.append(allowed_origin)
        if self.gate is not None:
            await self.gate.wait()
        if self.fail_next:
            raise self.fail_next.pop(0)
        self.copied.append(task.id)
        assert task.outcome is not None
        seconds = self.measured_seconds or task.outcome.delivered_seconds
        facts = MediaFacts(media_type="video/mp4", size_bytes=1000, width=1280, height=720, seconds=seconds)
        video = make_artifact(task, f"art_{task.id}_v", ArtifactKind.VIDEO, facts, self.clock.unix())
        cover_facts = MediaFacts(media_type="image/jpeg", size_bytes=10)
        cover = make_artifact(task, f"art_{task.id}_c", ArtifactKind.COVER, cover_facts, self.clock.unix())
        return CopiedResult(video=video, cover=cover, measured=facts, notes=self.notes)


def make_artifact(task: VideoTask, artifact_id: str, kind: ArtifactKind, facts: MediaFacts, now: float) -> Artifact:
    return Artifact(
        id=artifact_id,
        path=f"/tmp/{artifact_id}",  # noqa: S108  # the look of the seed's keys
        blob=f"{task.id}/{artifact_id}",
        kind=kind,
        customer_id=task.customer_id,
        task_id=task.id,
        facts=facts,
        sha256="0" * 64,
        created_at=now,
        expires_at=now + 7 * 86_400,
    )


class Worker:
    """An engine that runs, until `stop` or `kill`."""

    def __init__(self, world: "VideoWorld", store: Store, options: VideoOptions, copier: FakeCopier) -> None:
        self.log = Log()
        self.passes = WorkerCounters()
        self.engine = VideoEngine(
            options,
            VideoParts(
                store=store,
                clock=world.clock,
                logger=self.log,
                source=world.source,
                delivery=world.delivery,
                copier=copier,
            ),
        )
        supervisor = Supervisor(world.clock, self.log, self.passes, backoff_max_seconds=0.01)
        self._stop = asyncio.Event()
        self._task = asyncio.ensure_future(self.engine.run(supervisor, self._stop))

    @property
    def counters(self):
        return self.engine.counters

    @property
    def is_idle(self) -> bool:
        return not any(self.counters.in_hand.values())

    async def settle(self) -> None:
        """Until it has looked twice and has nothing in hand, or has ended."""
        seen, looks = self.passes.passes["video"], 0
        async with asyncio.timeout(10):
            while looks < 2 and not self._task.done():
                await asyncio.sleep(0)
                if self.is_idle and self.passes.passes["video"] > seen:
                    looks, seen = looks + 1, self.passes.passes["video"]
                elif not self.is_idle:
                    looks = 0

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.wait_for(self._task, 10)

    async def kill(self) -> None:
        """Nothing of it goes on, and nothing is given back."""
        self._task.cancel()
        await asyncio.wait([self._task])


def quick_options(owner: str = "w1", **changes: object) -> VideoOptions:
    values: dict[str, object] = {"owner": owner, "look_seconds": 0.001, "refresh_seconds": 0.001, "stop_seconds": 0.2}
    return VideoOptions(**(values | changes))  # type: ignore[arg-type]


@dataclass(kw_only=True)
class VideoWorld:
    """Everything around the workers."""

    store: Store
    clock: ManualClock
    upstream: MemoryVideoUpstream
    source: Source
    delivery: FakeDelivery
    copier: FakeCopier
    workers: list[Worker] = field(default_factory=list)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    def channel(self, channel_id: str = "ch_1", **changes: object) -> VideoChannel:
        return channel_of(self.upstream, id=channel_id, **changes)

    def start(self, owner: str = "w1", *, store: Store | None = None, **changes: object) -> Worker:
        worker = Worker(self, store or self.store, quick_options(owner, **changes), self.copier)
        self.workers.append(worker)
        return worker

    async def submit(self, prompt: str = "a cat", *, customer_id: str = "cus_a", **changes: object) -> str:
        """A task with its hold, as the use case makes it; its id."""
        number = next(self.numbers)
        task = make_task(number, self.clock.unix(), prompt, customer_id=customer_id, **changes)
        await place(self.store, task)
        return task.id

    async def add_artifact(self, task_id: str, artifact_id: str) -> None:
        """An input file of the task."""
        task = await self.task(task_id)
        facts = MediaFacts(media_type="image/png", size_bytes=10)
        made = make_artifact(task, artifact_id, ArtifactKind.INPUT, facts, self.clock.unix())
        await self.store.write(lambda tx: tx.artifacts.add(made))

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass in steps, after each of which every worker does what is due."""
        await self.settle()
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            seconds -= step
            await self.settle()

    async def pass_time_without_settling(self, seconds: int) -> None:
        """Likewise, where something is held up that would never be done."""
        for _ in range(seconds):
            self.clock.advance(1)
            await asyncio.sleep(0.005)

    async def settle(self) -> None:
        for worker in self.workers:
            await worker.settle()

    async def until(
        self, condition: Callable[[VideoTask], bool], task_id: str, *, seconds: float = 600, step: float = 1.0
    ) -> VideoTask:
        """Let time pass until the task is so."""
        for _ in range(int(seconds / step)):
            await self.settle()
            task = await self.task(task_id)
            if condition(task):
                return task
            self.clock.advance(step)
        raise AssertionError(await self.task(task_id), await self.events(task_id))

    async def ended(self, task_id: str, *, seconds: float = 600, step: float = 1.0) -> VideoTask:
        return await self.until(lambda task: task.state.is_final, task_id, seconds=seconds, step=step)

    async def in_step(self, step: TaskStep, task_id: str) -> VideoTask:
        return await self.until(lambda task: task.step is step, task_id)

    async def cancel(self, task_id: str) -> bool:
        return await self.store.write(lambda tx: tx.tasks.request_cancel(task_id, self.clock.unix()))

    async def task(self, task_id: str) -> VideoTask:
        found = await self.store.read(lambda tx: tx.tasks.get(task_id))
        assert found is not None
        return found

    async def tasks(self) -> list[VideoTask]:
        return await self.store.read(lambda tx: tx.tasks.list(TaskFilter(limit=100_000, is_ascending=True)))

    async def events(self, task_id: str) -> list[str]:
        return [event.text for event in await self.store.read(lambda tx: tx.tasks.events(task_id))]

    async def balances(self, customer_id: str = "cus_a") -> Balances:
        return await self.store.read(lambda tx: tx.ledger.balances(Book.LIVE, customer_id))

    async def check_money(self, charged: int, *, held: int = 0, customer_id: str = "cus_a") -> None:
        """Exactly so many tasks were charged in full; nothing else has moved."""
        balances = await self.balances(customer_id)
        charge = charged * SECONDS * PRICE_NANOS
        held_nanos = held * SECONDS * PRICE_NANOS
        assert balances.held_nanos == held_nanos, balances
        assert balances.available_nanos == START_NANOS - charge - held_nanos, balances


async def place(store: Store, task: VideoTask) -> None:
    """Write a new task with its hold, as the use case does."""
    hold = Hold(
        id=task.hold_id,
        book=task.book,
        customer_id=task.customer_id,
        purpose=HoldPurpose.TASK,
        amount_nanos=task.ceiling_nanos,
        created_at=task.created_at,
        expires_at=task.created_at + 3 * 86_400,
        parts=1,
    )

    def work(tx: Tx) -> None:
        moves = Movements(tx, task.created_at)
        moves.open_lease(hold, part=1)
        moves.apply()
        tx.tasks.add(task, "submitted")

    await store.write(work)


def make_task(number: int, now: float, prompt: str = "a cat", **changes: object) -> VideoTask:
    """A task that is just created."""
    request: dict[str, object] = {"model": "m-1", "prompt": prompt, "duration_seconds": SECONDS}
    request |= changes.pop("request", {})  # type: ignore[arg-type]
    values: dict[str, object] = {
        "id": f"{number:018d}",
        "book": Book.LIVE,
        "customer_id": "cus_a",
        "key_id": "key_a",
        "dialect": Dialect.LLMAGE,
        "request_id": "req_1",
        "offer_id": OFFER.id,
        "requested_offer_id": OFFER.id,
        "model": OFFER.model,
        "operation": OFFER.operation,
        "request": VideoRequest(**request),  # type: ignore[arg-type]
        "price_id": PRICE.id,
        "quote": QUOTE,
        "ceiling_nanos": SECONDS * PRICE_NANOS,
        "hold_id": f"hold_{number}",
        "usage_id": f"use{number:018d}",
        "created_at": now,
        "next_at": now,
    }
    return VideoTask(**(values | changes))  # type: ignore[arg-type]


def channel_of(upstream: VideoUpstream, **changes: object) -> VideoChannel:
    values: dict[str, object] = {
        "id": "ch_1",
        "name": "one",
        "provider_id": "memory",
        "book": Book.LIVE,
        "access": ChannelAccess(base_url="http://memory.test", credential=KEY),
        "upstream": upstream,
        "limits": LIMITS,
    }
    return VideoChannel(**(values | changes))  # type: ignore[arg-type]


@asynccontextmanager
async def video_world(store: Store, clock: ManualClock, **upstream_options: object):
    """A world with one channel and one customer; its workers are stopped at the end."""
    pace = MemoryPace(queue_seconds=2, run_seconds=6)
    upstream = MemoryVideoUpstream(clock, **({"pace": pace} | upstream_options))  # type: ignore[arg-type]
    world = VideoWorld(
        store=store,
        clock=clock,
        upstream=upstream,
        source=Source(channel_of(upstream)),
        delivery=FakeDelivery(),
        copier=FakeCopier(clock),
    )
    await store.write(_prepare)
    try:
        yield world
    finally:
        for worker in world.workers:
            await worker.kill()


def failure(kind: FailureKind, **changes: object) -> Failure:
    return Failure(**({"kind": kind, "text": TEXTS[kind], "code": kind.value} | changes))  # type: ignore[arg-type]


def _prepare(tx: Tx) -> None:
    tx.catalog.save_provider(
        Provider(
            id="memory",
            label="Memory",
            label_zh="内存",
            protocol="memory",
            base_url="http://memory.test",
            sandbox_path="",
            video=LIMITS,
        )
    )
    tx.catalog.save_offer(OFFER)
    tx.catalog.add_price(PRICE)
    for number, customer_id in enumerate(("cus_a", "cus_b")):
        tx.customers.add(Customer(id=customer_id, mobile=f"+8613800000{number:03d}", name="", created_at=0.0))
        tx.ledger.post([ledger.grant(Book.LIVE, customer_id, START_NANOS, cause=f"start-{customer_id}")])
