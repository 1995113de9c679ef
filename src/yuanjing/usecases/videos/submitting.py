"""Submitting a video: understood, priced, its files taken in, its money held; then it is a task."""

import datetime as dt
import json
import secrets
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal

from yuanjing.domain.catalog import Channel, Offer, Provider
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import AlreadyExistsError, NotFoundError, StoreUnavailableError
from yuanjing.domain.idempotency import (
    Claim,
    IdempotencyMismatchError,
    IdempotencyRunningError,
    IdempotentRequest,
    Standing,
)
from yuanjing.domain.identity import Caller
from yuanjing.domain.parameters import Fields, ParameterError, ResolvedVideo, resolve_video
from yuanjing.domain.video_pricing import VideoPrice, VideoQuote, ceiling_of, quote_video
from yuanjing.domain.videos import TaskMedia, VideoRequest, VideoTask
from yuanjing.kit.ids import sortable_id, usage_id
from yuanjing.ports.store import Tx
from yuanjing.usecases.artifacts.intake import TakenMedia
from yuanjing.usecases.idempotency import look_up
from yuanjing.usecases.videos.counting import task_quote
from yuanjing.usecases.videos.gate import IntakeGate
from yuanjing.usecases.videos.parts import (
    ModelNotAllowedError,
    ProviderUnavailableError,
    QuotedVideo,
    SubmittedVideo,
    UndeliverableFilesError,
    VideoParts,
)
from yuanjing.usecases.videos.placing import Placement, Placer
from yuanjing.usecases.videos.shelf import Shelf, Shelves

_ID_FIRST, _IDS = 10**17, 9 * 10**17
_ID_TRIES = 3
_UNKNOWN = frozenset({"unknown_llmid", "model_not_found"})
_DAY_SECONDS = 86_400.0


def new_task_id() -> str:
    """18 random digits, the look of the seed's sample; nobody can count on from one to the next."""
    return str(_ID_FIRST + secrets.randbelow(_IDS))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mark:
    """Under which names a submission is known."""

    task_id: str
    dialect: Dialect
    request_id: str
    claim: Claim | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Order:
    """What is asked for, by whom, and what it is sold at."""

    caller: Caller
    resolved: ResolvedVideo
    price: VideoPrice
    channels: Sequence[tuple[Channel, Provider]]


class Submitter:
    """See the module."""

    def __init__(self, parts: VideoParts, shelves: Shelves) -> None:
        self._parts = parts
        self._shelves = shelves
        self._placer = Placer(parts.store, parts.clock, parts.policy)
        self._gate = IntakeGate(parts.store, parts.clock, parts.policy.tasks_per_customer_max)

    async def offers(self, caller: Caller) -> list[Offer]:
        """Those that are there now and that the caller's key may use."""
        shelf = await self._shelves.shelf()
        return shelf.allowed(caller, self._parts.clock.now())

    async def first_of(self, claim: Claim) -> SubmittedVideo | None:
        """See `Videos.first_of`."""
        return await self._parts.store.read(lambda tx: _first_of(tx, claim))

    async def submit(
        self, caller: Caller, fields: Fields, *, dialect: Dialect, request_id: str, claim: Claim | None = None
    ) -> SubmittedVideo:
        """See `Videos.submit`."""
        order = await self._order(caller, fields)
        tries = 0
        while True:
            mark = _Mark(task_id=new_task_id(), dialect=dialect, request_id=request_id, claim=claim)
            tries += 1
            try:
                return await self._make(order, mark)
            except AlreadyExistsError:
                if tries == _ID_TRIES:
                    raise
            except IdempotencyRunningError:
                assert claim is not None
                first = await self.first_of(claim)
                if first is not None:
                    return first
                if tries == _ID_TRIES:  # those that came first were refused, one after the other
                    raise

    async def quote(self, caller: Caller, fields: Fields) -> QuotedVideo:
        """See `Videos.quote`."""
        order = await self._order(caller, fields)
        return QuotedVideo(
            resolved=order.resolved, price_id=order.price.id, ceiling_nanos=ceiling_of(_nanos(order, seconds=None))
        )

    async def _order(self, caller: Caller, fields: Fields) -> _Order:
        shelf, now = await self._shelves.shelf(), self._parts.clock.now()
        resolved = _resolved(fields, shelf, caller, now)
        price = shelf.price(resolved.offer.id, now)
        channels = [
            (channel, shelf.providers[channel.provider_id])
            for channel in shelf.serving(resolved.offer, caller.key.book)
        ]
        if price is None or not channels:
            raise ProviderUnavailableError
        return _Order(caller=caller, resolved=resolved, price=price, channels=channels)

    async def _make(self, order: _Order, mark: _Mark) -> SubmittedVideo:
        taken = await self._take(order, mark.task_id)
        try:
            await self._check_delivery(order, taken)
            request = replace(order.resolved.request, media=taken.media)
            quote = quote_video(order.resolved.offer, order.price, request)
            task = self._task(order, mark, request, quote)
            await self._placer.place(
                Placement(
                    task=task,
                    key=order.caller.key,
                    artifacts=taken.artifacts,
                    expires_at=task.created_at + _life_seconds(order.channels),
                    text="; ".join(("submitted", *order.resolved.warnings)),
                    named=None if mark.claim is None else _named(mark.claim, task, order.resolved.warnings),
                )
            )
        except StoreUnavailableError:
            raise  # the task may be there after all, and need its files; if not, they are swept up later
        except Exception:
            await self._parts.intake.drop(taken)
            raise
        return SubmittedVideo(task=task, quote=quote, warnings=order.resolved.warnings)

    async def _take(self, order: _Order, task_id: str) -> TakenMedia:
        """The request's files; who cannot have the task anyhow is told before they are brought here."""
        spec = order.resolved.offer.video
        assert spec is not None, order.resolved.offer.id
        least = _nanos(order, seconds=Decimal(0))
        async with self._gate.passed(order.caller, least) if order.resolved.media else nullcontext():
            return await self._parts.intake.take(
                spec,
                order.resolved.media,
                customer_id=order.caller.customer.id,
                task_id=task_id,
                expires_at=self._parts.clock.unix() + self._parts.policy.input_seconds + _life_seconds(order.channels),
            )

    async def _check_delivery(self, order: _Order, taken: TakenMedia) -> None:
        """Refuse files that none who could serve the offer can be given."""
        spec = order.resolved.offer.video
        assert spec is not None, order.resolved.offer.id
        if not taken.media:
            return
        for channel, provider in order.channels:
            if await self._parts.delivery.can_give(channel, provider.protocol, spec.form, taken):
                return
        raise UndeliverableFilesError

    def _task(self, order: _Order, mark: _Mark, request: VideoRequest, quote: VideoQuote) -> VideoTask:
        resolved, key, at = order.resolved, order.caller.key, self._parts.clock.unix()
        return VideoTask(
            id=mark.task_id,
            book=key.book,
            customer_id=key.customer_id,
            key_id=key.id,
            dialect=mark.dialect,
            request_id=mark.request_id,
            offer_id=resolved.offer.id,
            requested_offer_id=resolved.requested.id,
            model=resolved.offer.model,
            operation=resolved.offer.operation,
            request=request,
            price_id=order.price.id,
            quote=task_quote(resolved.offer, order.price, request, quote),
            ceiling_nanos=ceiling_of(quote.charge.total_nanos),
            hold_id=sortable_id("hold"),
            usage_id=usage_id(),
            created_at=at,
            next_at=at,
        )


def _named(claim: Claim, task: VideoTask, warnings: Sequence[str]) -> IdempotentRequest:
    """The row that gives this task to whoever asks for it again."""
    return IdempotentRequest(
        key_id=claim.key_id,
        digest=claim.digest,
        content=claim.content,
        usage_id=task.usage_id,
        changed_at=task.created_at,
        task_id=task.id,
        is_done=True,
        answer=json.dumps(warnings).encode(),
    )


def _first_of(tx: Tx, claim: Claim) -> SubmittedVideo | None:
    found = look_up(tx, claim)
    if found is None:
        return None
    row = found.first
    if found.standing is not Standing.DONE or row is None or row.task_id is None:
        raise IdempotencyMismatchError
    task = tx.tasks.get(row.task_id)
    if task is None or task.deleted_at is not None:
        raise NotFoundError("Task not found")
    return SubmittedVideo(task=task, quote=None, warnings=tuple(json.loads(row.answer or b"[]")), is_replayed=True)


def _resolved(fields: Fields, shelf: Shelf, caller: Caller, now: dt.datetime) -> ResolvedVideo:
    """What is asked for; of what the key may not use it is told that it exists, as the list of models tells others."""
    try:
        return resolve_video(fields, shelf.allowed(caller, now))
    except ParameterError as error:
        if error.code not in _UNKNOWN or not caller.key.limits.models:
            raise
        try:
            resolve_video(fields, shelf.enabled(now))
        except ParameterError as again:
            if again.code == error.code:
                raise error from None
        raise ModelNotAllowedError(error.param) from error


def _nanos(order: _Order, *, seconds: Decimal | None) -> int:
    """What the task costs if each of its clips is of that length: 0 gives the least, None the most that they may be."""
    media = (TaskMedia(role=item.role, artifact_id="", seconds=seconds) for item in order.resolved.media)
    request = replace(order.resolved.request, media=tuple(media))
    return quote_video(order.resolved.offer, order.price, request).charge.total_nanos


def _life_seconds(channels: Sequence[tuple[Channel, Provider]]) -> float:
    """The longest that a task may take, with the time to copy its files, and a day."""
    longest = max(
        max(one.deadline_seconds, one.off_peak_deadline_seconds) + one.lost_seconds + one.result_seconds
        for _, provider in channels
        if (one := provider.video) is not None
    )
    return longest + _DAY_SECONDS
