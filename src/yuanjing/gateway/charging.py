"""The money's half of an exchange: what is reserved, the bill, and the record that must be durable before the end."""

from collections.abc import Sequence
from typing import Protocol

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.pricing import ChatPrice, charge_nanos
from yuanjing.domain.usage import UsageRecord, UsageStatus, split_charge
from yuanjing.gateway.attempt import Attempt
from yuanjing.gateway.billing import Bounds, own_count
from yuanjing.gateway.claims import HeldClaim
from yuanjing.gateway.conversation import ClientSide, Conversation, Desk, State
from yuanjing.gateway.directory import KeyEntry, OfferEntry, Route
from yuanjing.gateway.purse import Purse, Purses
from yuanjing.gateway.request import ChatRequest
from yuanjing.gateway.routing import all_shut
from yuanjing.gateway.settlement import Spooler
from yuanjing.gateway.translate.wire import Bill

_OPERATION = "chat"
UNACKNOWLEDGED = "The answer cannot be charged at the moment, so it is not complete; try again"


class Till(Desk, Protocol):
    """What charging needs of its process."""

    purses: Purses
    spooler: Spooler

    def is_fresh(self) -> bool:
        """Whether the node's last heartbeat is young enough to acknowledge answers."""
        ...

    def note_shut(self, model: str, now: float) -> None:
        """No channel of the model may be tried: say so, now and then."""
        ...


class ChargedConversation(Conversation):
    """A request with its reservation. The reservation is resolved once: by what is charged, or by nothing."""

    __slots__ = (
        "_attempt",
        "_attempts",
        "_ceiling",
        "_charge",
        "_first_byte_ms",
        "_hold_id",
        "_input_max",
        "_is_detached",
        "_is_metered",
        "_last",
        "_marked",
        "_offer",
        "_outcome",
        "_output_max",
        "_price",
        "_purse",
        "_request",
        "_till",
        "estimated_tokens",
        "held_claim",
        "key",
        "started_at",
    )
    key: KeyEntry
    _offer: OfferEntry
    _price: ChatPrice

    def __init__(self, side: ClientSide, till: Till, dialect: Dialect) -> None:
        super().__init__(side, till, dialect)
        self._till = till
        self.started_at = 0.0
        self._request: ChatRequest | None = None
        self._attempt: Attempt | None = None
        self._purse: Purse | None = None
        self._hold_id = self._outcome = ""
        self._attempts: int = 0
        self._ceiling = self._charge = self._input_max = self._output_max = self._first_byte_ms = 0
        self._marked = 0
        """The dearest watermark: it is charged if no record takes its place."""
        self._is_metered = self._is_detached = False
        self.estimated_tokens = 0
        """What admission has counted of the key's tokens a minute."""
        self._last = b""
        self.held_claim: HeldClaim | None = None
        """Of a request that names itself, until it has ended."""

    def _bill(self) -> Bill:
        """What the usage costs, never above the ceiling; the rest is overrun."""
        request, attempt = self._request, self._attempt
        assert request is not None
        assert attempt is not None
        context = attempt.answer.context
        usage = context.usage()
        is_estimated = usage is None
        if usage is None:
            bounds = Bounds(input_tokens=self._input_max, output_tokens=self._output_max)
            usage = own_count(request, context, self._offer.limits, bounds)
        charge, overrun = split_charge(charge_nanos(self._price, usage), self._ceiling)
        return Bill(usage=usage, charge_nanos=charge, overrun_nanos=overrun, is_estimated=is_estimated)

    def _record(self, status: UsageStatus, bill: Bill) -> UsageRecord:
        attempt, request = self._attempt, self._request
        assert attempt is not None
        assert request is not None
        key, offer, route = self.key, self._offer.offer, attempt.route
        return UsageRecord(
            id=self.usage_id,
            book=key.book,
            customer_id=key.customer_id,
            key_id=key.id,
            offer_id=offer.id,
            model=offer.model,
            operation=_OPERATION,
            channel_id=route.channel.id,
            hold_id=self._hold_id,
            price_id=self._price.id,
            meters=bill.usage.meters(),
            ceiling_nanos=self._ceiling,
            charge_nanos=bill.charge_nanos,
            overrun_nanos=bill.overrun_nanos,
            is_estimated=bill.is_estimated,
            is_stream=request.is_stream,
            status=status,
            request_id=self.request_id,
            upstream_request_id=attempt.upstream_request_id,
            upstream_model=route.upstream_model,
            attempts=self._attempts,
            started_at=self.started_at,
            first_byte_ms=self._first_byte_ms,
            duration_ms=int((self._till.now() - self._t0) * 1000),
        )

    def _settle(self, status: UsageStatus, bill: Bill) -> None:
        """Hand the record over; the reservation stays until it is known what became of it."""
        till, counters = self._till, self._till.counters
        record, usage = self._record(status, bill), bill.usage
        self.state = State.SETTLING
        self._outcome = status
        self._charge = bill.charge_nanos
        if self._is_metered:
            self._finish_metered(usage.input_tokens + usage.output_tokens)
        counters.input_tokens += usage.input_tokens
        counters.output_tokens += usage.output_tokens
        counters.charged_nanos[self.key.book_name] += bill.charge_nanos
        counters.overrun_nanos += bill.overrun_nanos
        counters.estimated += bill.is_estimated
        if self.held_claim is not None:
            record.kept = self.held_claim.end(self._clamp_to)
        till.spooler.add(record, self)

    def _mark(self) -> None:
        """Note how far the answer has come, for the case that the process dies."""
        bill = self._bill()
        self._marked = max(self._marked, bill.charge_nanos)
        watermark = self._record(UsageStatus.INTERRUPTED, bill)
        if self.held_claim is not None:
            watermark.kept = self.held_claim.so_far()
        self._till.spooler.add_watermark(watermark)

    def _resolve(self, charge_nanos: int) -> None:
        """The charge leaves the purse, the rest of the reservation is free again."""
        purse, self._purse = self._purse, None
        if purse is not None:
            self._till.purses.settle(purse, self._hold_id, self._ceiling, charge_nanos)

    def _release(self) -> None:
        """Nothing is charged: the reservation is free again."""
        self._resolve(0)
        if self._is_metered:
            self._finish_metered(0)
        if self.held_claim is not None:
            self._let_go()

    def refuse_shut(self, offer: OfferEntry, routes: Sequence[Route]) -> None:
        """No channel of the offer may be tried now."""
        now = self._till.now()
        self._till.note_shut(offer.offer.model, now)
        failure = all_shut(routes, now)
        self.refuse(failure.code, failure.message, retry_after_seconds=failure.retry_after_seconds)

    def _let_go(self) -> None:
        """Free the key, unless a record that was handed over decides over it."""
        held = self.held_claim
        if held is not None and self.state != State.SETTLING:
            self.held_claim = None
            held.release()

    def _finish_metered(self, tokens: int) -> None:
        self._is_metered = False
        self.key.meter.finish(tokens, self._till.now(), self.estimated_tokens)

    # what became of the record, see `Settled`

    def on_durable(self) -> None:
        """The usage is on disk: the answer may end."""
        if self.response_complete:
            return
        self._resolve(self._charge)
        if self._is_detached or self.disconnected:
            self._end()
        elif not self._till.is_fresh():
            self._end_unacknowledged()
        elif self._request is not None and self._request.is_stream:
            self._end_stream(self._last)
        else:
            self._end_plain(self._last)

    def on_not_durable(self, *, is_refused: bool) -> None:
        """The usage could not be written: the answer must not look complete."""
        if self.is_over:
            return
        # What may have reached the disk may be posted, so that its money is not spent a second time.
        self._resolve(self._marked if is_refused else max(self._charge, self._marked))
        if is_refused and self.held_claim is not None:
            self.held_claim.release()
        if self._is_detached or self.disconnected:
            self._end()
        else:
            self._end_unacknowledged()

    def _end_unacknowledged(self) -> None:
        self._fail("store_unavailable", UNACKNOWLEDGED, None)

    def _fail(self, code: str, message: str, retry_after_seconds: int | None, param: str | None = None) -> None:
        self._outcome = code
        super()._fail(code, message, retry_after_seconds, param)

    def _error_event(self, code: str, message: str) -> bytes:
        assert self._attempt is not None
        return self._attempt.answer.error_event(code, message)
