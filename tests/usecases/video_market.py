"""A market of videos for tests: customers with money and keys, offers with prices, and workers who end tasks."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from tests.edge.videos import FIRST, I2V, T2V, video_offer

from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.domain import ledger
from yuanjing.domain.artifacts import Artifact, ArtifactKind, IncomingFile, MediaFacts
from yuanjing.domain.catalog import Channel, Operation, Provider
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.identity import ApiKey, Caller, Customer, KeyLimits
from yuanjing.domain.ledger import Balances
from yuanjing.domain.money import Book
from yuanjing.domain.parameters import MediaValue
from yuanjing.domain.tasks import Failure, FailureKind, TaskState, VideoMeter
from yuanjing.domain.video_offers import VideoLimits, VideoSpec
from yuanjing.domain.video_pricing import VideoPrice, VideoRate
from yuanjing.domain.videos import Outcome, TaskMedia, TaskStep, VideoTask
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.tasks import TaskFilter
from yuanjing.usecases.artifacts.intake import TakenMedia
from yuanjing.usecases.verify import verify
from yuanjing.usecases.videos import SubmittedVideo, VideoParts, VideoPolicy, Videos
from yuanjing.usecases.videos.finishing import finish_succeeded, finish_unsuccessful

YUAN = 10**9
PRICE_NANOS = YUAN // 10
CEILING = 5 * PRICE_NANOS
OFFERS = (
    video_offer(T2V, "dream", Operation.TEXT_TO_VIDEO),
    video_offer(I2V, "dream", Operation.IMAGE_TO_VIDEO, FIRST),
)
FAILURE = Failure(kind=FailureKind.MODERATED, text="refused", code="E1")


def price_of(offer_id: str, version: int = 1, **changes: object) -> VideoPrice:
    values: dict[str, object] = {
        "id": f"price_{offer_id[0]}{version}",
        "offer_id": offer_id,
        "version": version,
        "effective_from": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "rates": (VideoRate(meter=VideoMeter.VIDEO_SECONDS, amount_nanos=PRICE_NANOS * version, per=1),),
    }
    return VideoPrice(**(values | changes))  # type: ignore[arg-type]


def key_of(customer_id: str, book: Book = Book.LIVE, **limits: object) -> ApiKey:
    name = f"{customer_id[4:]}_{book.value}" + ("_limited" if limits else "")
    return ApiKey(
        id=f"key_{name}",
        customer_id=customer_id,
        book=book,
        name=name,
        public_id=name,
        digest=name.encode(),
        limits=KeyLimits(**limits),  # type: ignore[arg-type]
        created_at=0.0,
    )


class FakeIntake:
    """Keeps what it took; `failure` is raised by the next one."""

    def __init__(self) -> None:
        self.kept: dict[str, TakenMedia] = {}
        self.failure: Exception | None = None

    async def take(
        self, spec: VideoSpec, media: Sequence[MediaValue], *, customer_id: str, task_id: str, expires_at: float
    ) -> TakenMedia:
        if self.failure is not None:
            raise self.failure
        assert all(spec.rule(item.role) is not None for item in media)
        artifacts = tuple(
            Artifact(
                id=f"art_{task_id}_{n}",
                path=f"/{task_id}/{n}",
                blob=f"{task_id}/{n}",
                kind=ArtifactKind.INPUT,
                customer_id=customer_id,
                task_id=task_id,
                facts=MediaFacts(media_type="image/png", size_bytes=10),
                sha256="0" * 64,
                created_at=0.0,
                expires_at=expires_at,
            )
            for n in range(len(media))
        )
        items = (TaskMedia(role=m.role, artifact_id=a.id) for m, a in zip(media, artifacts, strict=True))
        taken = TakenMedia(media=tuple(items), artifacts=artifacts)
        self.kept[task_id] = taken
        return taken

    async def drop(self, taken: TakenMedia) -> None:
        del self.kept[next(task_id for task_id, kept in self.kept.items() if kept is taken)]


class FakeDelivery:
    """Says that these channels, by id, cannot be given files."""

    def __init__(self) -> None:
        self.closed: set[str] = set()

    async def can_give(self, channel: Channel, protocol: str, form: str, taken: TakenMedia) -> bool:
        assert (protocol, form) == ("ark", ""), (protocol, form)
        assert taken.media
        return channel.id not in self.closed


@dataclass(kw_only=True)
class Market:
    """See the module."""

    store: Store
    clock: ManualClock
    intake: FakeIntake = field(default_factory=FakeIntake)
    delivery: FakeDelivery = field(default_factory=FakeDelivery)
    policy: VideoPolicy = field(default_factory=lambda: VideoPolicy(lease_wait_seconds=0.06))

    def __post_init__(self) -> None:
        self.videos = self.open()

    def open(self, store: Store | None = None, policy: VideoPolicy | None = None) -> Videos:
        """The use cases as another process has them."""
        return Videos(
            VideoParts(
                store=store or self.store,
                clock=self.clock,
                intake=self.intake,
                delivery=self.delivery,
                policy=policy or self.policy,
            )
        )

    async def prepare(self, *keys: ApiKey, yuan: int = 10) -> None:
        """Customers a and b with money in both books, offers, prices, channels, and these keys besides."""

        def work(tx: Tx) -> None:
            for provider_id in ("p", "q"):
                tx.catalog.save_provider(_provider(provider_id))
            for offer in OFFERS:
                tx.catalog.save_offer(offer)
                tx.catalog.add_price(price_of(offer.id))
            for book in Book:
                tx.catalog.save_channel(channel_of(book))
            for number, customer_id in enumerate(("cus_a", "cus_b")):
                tx.customers.add(customer_of(customer_id, number))
                for book in Book:
                    tx.ledger.post([ledger.grant(book, customer_id, yuan * YUAN, cause=f"{book}:{customer_id}")])
                    tx.keys.add(key_of(customer_id, book))
            for key in keys:
                tx.keys.add(key)

        await self.store.write(work)

    def caller(self, customer_id: str = "cus_a", book: Book = Book.LIVE, **limits: object) -> Caller:
        return Caller(key=key_of(customer_id, book, **limits), customer=customer_of(customer_id, 0))

    async def submit(self, caller: Caller | None = None, *, videos: Videos | None = None, **fields: object):
        """A task of five seconds, unless the fields say otherwise."""
        wanted = {"llmid": T2V, "prompt": "a cat"} | fields
        return await (videos or self.videos).submit(
            caller or self.caller(),
            {name: [value] for name, value in wanted.items()},
            dialect=Dialect.LLMAGE,
            request_id="req_1",
        )

    async def claim(self, submitted: SubmittedVideo, step: TaskStep = TaskStep.COPYING, **changes: object) -> VideoTask:
        """The task under a worker's claim, at this step."""
        now = self.clock.unix()

        def work(tx: Tx) -> VideoTask:
            steps = [one for one in TaskStep if one is not TaskStep.DONE]
            found = tx.tasks.claim("w", steps, at=now, until=now + 60, limit=1000)
            mine = next(one for one in found if one.id == submitted.task.id)
            tx.tasks.unclaim("w", {one.id: one.claim.token for one in found if one.claim and one is not mine})
            state = TaskState.RUNNING if step is TaskStep.COPYING else TaskState.QUEUED
            outcome = Outcome(meters={VideoMeter.VIDEO_SECONDS: Decimal(5)}, details={"SR": 720}, ended_at=now)
            moved = replace(mine, step=step, state=state, outcome=outcome if step is TaskStep.COPYING else None)
            known = {"submissions": 1, "channel_id": "ch_live", "upstream_task_id": f"up-{mine.id}"} | changes
            moved = replace(moved, **known)
            assert tx.tasks.save(moved, "moved on")
            return moved

        return await self.store.write(work)

    async def succeed(self, task: VideoTask, *, store: Store | None = None, **changes: object) -> VideoTask | None:
        """Let it have succeeded."""
        return await (store or self.store).write(lambda tx: self.finish(tx, task, **changes))

    def finish(
        self, tx: Tx, task: VideoTask, *, seconds: str = "5.04", size: tuple[int, int] = (1280, 720)
    ) -> VideoTask | None:
        price = tx.catalog.price(task.price_id)
        assert isinstance(price, VideoPrice)
        width, height = size
        facts = MediaFacts(media_type="video/mp4", size_bytes=9, width=width, height=height, seconds=Decimal(seconds))
        return finish_succeeded(
            tx,
            task,
            video=replace(result(task, ArtifactKind.VIDEO), facts=facts),
            cover=result(task, ArtifactKind.COVER),
            measured=facts,
            price=price,
            at=self.clock.unix(),
        )

    async def fail(self, task: VideoTask, state: TaskState = TaskState.FAILED, flag: str = "") -> VideoTask | None:
        at = self.clock.unix()
        return await self.store.write(lambda tx: finish_unsuccessful(tx, task, state, FAILURE, at, flag))

    async def balances(self, customer_id: str = "cus_a", book: Book = Book.LIVE) -> Balances:
        return await self.store.read(lambda tx: tx.ledger.balances(book, customer_id))

    async def task(self, task_id: str) -> VideoTask:
        found = await self.store.read(lambda tx: tx.tasks.get(task_id))
        assert found is not None
        return found

    async def tasks(self) -> list[VideoTask]:
        return await self.store.read(lambda tx: tx.tasks.list(TaskFilter(limit=1000)))

    async def problems(self) -> list[str]:
        """What `verify` finds wrong."""
        report = await verify(self.store, MemorySpoolFolder(), self.clock)
        return [f"{breach.check}: {breach.subject}: {breach.message}" for breach in report.breaches]

    async def add_past(self, *seconds: float) -> None:
        """Videos that have taken so long."""
        for each in seconds:
            task = await self.claim(await self.submit())
            self.clock.advance(each)
            await self.succeed(task)


def a_file(name: str = "a.png") -> IncomingFile:
    return IncomingFile(name=name, size_bytes=10, place=Path("/nowhere") / name)


def customer_of(customer_id: str, number: int) -> Customer:
    return Customer(id=customer_id, mobile=f"+861380000000{number}", name="", created_at=0.0)


def result(task: VideoTask, kind: ArtifactKind) -> Artifact:
    return Artifact(
        id=f"art_{task.id}_{kind.value}",
        path=f"/{task.id}/{kind.value}",
        blob=f"{task.id}/{kind.value}",
        kind=kind,
        customer_id=task.customer_id,
        task_id=task.id,
        facts=MediaFacts(media_type="video/mp4", size_bytes=10),
        sha256="0" * 64,
        created_at=0.0,
        expires_at=10.0**10,
    )


def _provider(provider_id: str) -> Provider:
    return Provider(
        id=provider_id,
        label="P",
        label_zh="P",
        protocol="ark",
        base_url="http://p.test",
        sandbox_path="",
        video=VideoLimits(),
    )


def channel_of(book: Book, channel_id: str = "") -> Channel:
    return Channel(
        id=channel_id or f"ch_{book.value}",
        provider_id="p",
        book=book,
        name=channel_id or book.value,
        base_url="http://p.test",
        credential=b"x",
    )
