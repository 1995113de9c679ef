"""Video tasks without their use cases: they are made at once, and stand as a test says."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from yuanjing.domain.artifacts import Artifact, ArtifactKind, MediaFacts
from yuanjing.domain.catalog import Offer, Operation
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import NotFoundError, YuanjingError
from yuanjing.domain.idempotency import Claim, IdempotencyMismatchError
from yuanjing.domain.identity import Caller
from yuanjing.domain.parameters import Fields, ResolvedVideo, resolve_video
from yuanjing.domain.tasks import MediaRole, Size, TaskState, VideoMeter
from yuanjing.domain.video_offers import MediaRule, Pixels, VideoModel, VideoSpec
from yuanjing.domain.videos import RateConditions, TaskQuote, VideoTask
from yuanjing.ports.tasks import TaskFilter
from yuanjing.usecases.videos import QuotedVideo, SubmittedVideo, VideoView, Viewer, viewer_of

T2V, I2V, R2V, ONLY_R2V = ("t" * 21, "i" * 21, "r" * 21, "o" * 21)
NAMES = {
    "first_frame": ["image1_file", "image_file1"],
    "last_frame": ["image2_file", "image_file2"],
    "reference_image": ["image_files"],
}
PARAMETERS: dict[str, object] = {
    "type": "object",
    "required": ["prompt"],
    "x-media": NAMES,
    "properties": {
        "prompt": {"type": "string"},
        "resolution": {"type": "string", "enum": ["480p", "720p"], "default": "720p"},
        "duration": {
            "type": "integer",
            "minimum": 3,
            "maximum": 15,
            "default": 5,
            "x-aliases": ["seconds"],
            "x-unit": "seconds",
        },
    },
}
FIRST = MediaRule(
    role=MediaRole.FIRST_FRAME, field="image1_file", is_required=True, media_types=("image/png",), size_bytes_max=10**6
)
REFERENCES = replace(FIRST, role=MediaRole.REFERENCE_IMAGE, field="image_files", count_max=3)


QUOTE = TaskQuote(
    conditions=RateConditions(
        model="dream", resolution="720p", has_audio=True, is_off_peak=False, has_video_input=False
    ),
    meters={VideoMeter.VIDEO_SECONDS: 5},
    expected={VideoMeter.VIDEO_SECONDS: 5},
    input_seconds=Decimal(0),
)
PIXELS = (Pixels(resolution="720p", ratio="16:9", size=Size(width=1280, height=720)),)


def video_offer(llmid: str, model: str, operation: Operation, *media: MediaRule, label: str = "Doubao") -> Offer:
    """An offer of video."""
    models = (VideoModel(name=model), VideoModel(name=f"{model}-fast"))
    spec = VideoSpec(family=model, models=models, media=media, pixels=PIXELS)
    return Offer(
        id=llmid,
        model=model,
        operation=operation,
        label=model,
        provider_label=label,
        providers={"p": model},
        video=spec,
        parameters=PARAMETERS,
        aliases=(f"{model}-alias",),
    )


OFFERS = (
    video_offer(T2V, "dream", Operation.TEXT_TO_VIDEO),
    video_offer(I2V, "dream", Operation.IMAGE_TO_VIDEO, FIRST),
    video_offer(R2V, "dream", Operation.REFERENCE_TO_VIDEO, REFERENCES),
    video_offer(ONLY_R2V, "horse", Operation.REFERENCE_TO_VIDEO, REFERENCES, label="Alibaba Cloud"),
)


def artifact(task: VideoTask, kind: ArtifactKind, name: str) -> Artifact:
    """A file of a task."""
    facts = MediaFacts(media_type="video/mp4", size_bytes=10, width=864, height=496, seconds=Decimal("5.04"))
    return Artifact(
        id=f"art_{kind.value}_{task.id}",
        path=f"/tmp/1/2/3/4/{task.id}/{name}",  # noqa: S108  # no path of a disk
        blob=f"{task.id}/{name}",
        kind=kind,
        customer_id=task.customer_id,
        task_id=task.id,
        facts=facts,
        sha256="0" * 64,
        created_at=task.created_at,
        expires_at=task.created_at + 1000,
    )


@dataclass
class FakeVideos:
    """Tasks of one platform, newest last.

    Attributes:
        under_way_max: what it tells of its limit.
        failure: raised by the next submission.
    """

    under_way_max: int = 1000
    now: float = 1_793_000_000.25
    tasks: list[VideoTask] = field(default_factory=list[VideoTask])
    resolved: list[ResolvedVideo] = field(default_factory=list[ResolvedVideo])
    request_ids: list[str] = field(default_factory=list[str])
    failure: YuanjingError | None = None
    seconds_left: int | None = 40
    deleted: list[str] = field(default_factory=list[str])
    named: dict[tuple[str, bytes], tuple[bytes, SubmittedVideo]] = field(default_factory=dict)

    async def offers(self, caller: Caller) -> Sequence[Offer]:
        return [offer for offer in OFFERS if caller.key.limits.allows_offer(offer.id, offer.model)]

    async def first_of(self, claim: Claim) -> SubmittedVideo | None:
        made = self.named.get(claim.place)
        if made is not None and made[0] != claim.content:
            raise IdempotencyMismatchError
        return made and replace(made[1], is_replayed=True)

    async def submit(
        self, caller: Caller, fields: Fields, *, dialect: Dialect, request_id: str, claim: Claim | None = None
    ) -> SubmittedVideo:
        if self.failure is not None:
            raise self.failure
        found = resolve_video(fields, await self.offers(caller))
        number = len(self.tasks)
        task = VideoTask(
            id=f"{9 * 10**17 + number}",
            book=caller.key.book,
            customer_id=caller.customer.id,
            key_id=caller.key.id,
            dialect=dialect,
            request_id=request_id,
            offer_id=found.offer.id,
            requested_offer_id=found.requested.id,
            model=found.offer.model,
            operation=found.offer.operation,
            request=found.request,
            price_id="price_1",
            quote=QUOTE,
            ceiling_nanos=3 * 10**9,
            hold_id=f"hold_{number}",
            usage_id=f"usage{number:016}",
            created_at=self.now + number,
        )
        self.tasks.append(task)
        self.resolved.append(found)
        self.request_ids.append(request_id)
        submitted = SubmittedVideo(task=task, quote=None, warnings=found.warnings)
        if claim is not None:
            self.named[claim.place] = claim.content, submitted
        return submitted

    async def quote(self, caller: Caller, fields: Fields) -> QuotedVideo:
        found = resolve_video(fields, await self.offers(caller))
        return QuotedVideo(resolved=found, price_id="price_1", ceiling_nanos=3 * 10**9)

    async def find(self, who: Caller | Viewer, task_id: str) -> VideoView:
        for task in self._own(who):
            if task.id == task_id:
                return self._view(task)
        raise NotFoundError("Task not found")

    def _own(self, who: Caller | Viewer) -> list[VideoTask]:
        viewer = viewer_of(who)
        mine = [task for task in self.tasks if task.customer_id == viewer.customer_id]
        return [task for task in mine if viewer.book in (None, task.book)]

    async def list(self, who: Caller | Viewer, where: TaskFilter) -> Sequence[VideoView]:
        found = sorted(self._own(who), key=lambda task: (task.created_at, task.id), reverse=not where.is_ascending)
        if where.before is not None:
            found = [t for t in found if ((t.created_at, t.id) < where.before) is not where.is_ascending]
            found = [t for t in found if (t.created_at, t.id) != where.before]
        wanted = {"offer_id": where.offer_id, "model": where.model, "operation": where.operation}
        for name, value in wanted.items():
            found = [t for t in found if value in (None, getattr(t, name))]
        found = [t for t in found if not where.states or t.state in where.states]
        found = [t for t in found if where.created_from is None or t.created_at >= where.created_from]
        found = [t for t in found if where.created_until is None or t.created_at < where.created_until]
        return [self._view(task) for task in found[: where.limit]]

    async def delete(self, who: Caller | Viewer, task_id: str) -> VideoView:
        view = await self.find(who, task_id)
        self.deleted.append(task_id)
        return view

    def become(self, number: int, **changes: object) -> VideoTask:
        """Let a task stand so."""
        self.tasks[number] = replace(self.tasks[number], **changes)  # type: ignore[arg-type]
        return self.tasks[number]

    def _view(self, task: VideoTask) -> VideoView:
        is_done = task.state is TaskState.SUCCEEDED
        return VideoView(
            task=task,
            video=artifact(task, ArtifactKind.VIDEO, "video.mp4") if is_done else None,
            cover=artifact(task, ArtifactKind.COVER, "cover.jpeg") if is_done else None,
            progress=100 if is_done else 0,
            seconds_left=None if task.state.is_final else self.seconds_left,
        )
