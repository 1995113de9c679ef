"""The money's half of an exchange: what is reserved, the bill, and the record that must be durable before the end."""

from typing import Protocol

from yuanjing.domain.pricing import ChatPrice
from yuanjing.domain.usage import UsageRecord, UsageStatus
from yuanjing.gateway.attempt import Attempt
from yuanjing.gateway.billing import Bounds, own_count
from yuanjing.gateway.conversation import Conversation, Desk, State
from yuanjing.gateway.directory import KeyEntry, OfferEntry
from yuanjing.gateway.purse import Purse, Purses
from yuanjing.gateway.request import ChatRequest
from yuanjing.gateway.settlement import Amounts, Spooler, amounts
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


class ChargedConversation(Conversation):
    """A request with its reservation. The reservation is resolved once: by what is charged, or by nothing."""

    key: KeyEntry
    started_at = 0.0
    _request: ChatRequest | None = None
    _offer: OfferEntry
    _price: ChatPrice
    _attempt: Attempt | None = None
    _attempts: int = 0
    _purse: Purse | None = None
    _hold_id = ""
    _ceiling = 0
    _charge = 0
    _input_max = 0
    _output_max = 0
    _is_metered = False
    _is_detached = False
    _first_byte_ms = 0
    _last = b""
    _outcome = ""

    _till: Till

    def _bill(self) -> tuple[Bill, Amounts]:
        request, attempt = self._request, self._attempt
        assert request is not None
        assert attempt is not None
        context = attempt.answer.context
        usage = context.usage()
        is_estimated = usage is None
        if usage is None:
            bounds = Bounds(input_tokens=self._input_max, output_tokens=self._output_max)
            usage = own_count(request, context, self._offer.limits, bounds)
        amount = amounts(self._price, usage, self._ceiling)
        return Bill(usage=usage, charge_nanos=amount.charge_nanos, is_estimated=is_estimated), amount

    def _record(self, status: UsageStatus, bill: Bill, amount: Amounts) -> UsageRecord:
        attempt, request = self._attempt, self._request
        assert attempt is not None
        assert request is not None
        return UsageRecord(
            id=self.usage_id,
            book=self.key.book,
            customer_id=self.key.customer_id,
            key_id=self.key.id,
            offer_id=self._offer.offer.id,
            model=self._offer.offer.model,
            operation=_OPERATION,
            channel_id=attempt.route.channel.id,
            hold_id=self._hold_id,
            price_id=self._price.id,
            meters=bill.usage.meters(),
            ceiling_nanos=self._ceiling,
            charge_nanos=amount.charge_nanos,
            overrun_nanos=amount.overrun_nanos,
            is_estimated=bill.is_estimated,
            is_stream=request.is_stream,
            status=status,
            request_id=self.request_id,
            upstream_request_id=attempt.upstream_request_id,
            upstream_model=attempt.route.upstream_model,
            attempts=self._attempts,
            started_at=self.started_at,
            first_byte_ms=self._first_byte_ms,
            duration_ms=int((self._till.now() - self._t0) * 1000),
        )

    def _settle(self, status: UsageStatus, bill: Bill, amount: Amounts) -> None:
        """Hand the record over; the reservation stays until it is known what became of it."""
        till, counters = self._till, self._till.counters
        record = self._record(status, bill, amount)
        self.state = State.SETTLING
        self._outcome = status.value
        self._charge = amount.charge_nanos
        self._finish_metered(bill.usage.input_tokens + bill.usage.output_tokens)
        counters.input_tokens += bill.usage.input_tokens
        counters.output_tokens += bill.usage.output_tokens
        counters.charged_nanos[self.key.book_name] += amount.charge_nanos
        counters.overrun_nanos += amount.overrun_nanos
        counters.estimated += bill.is_estimated
        till.spooler.add(record, self)

    def _resolve(self, charge_nanos: int) -> None:
        """The charge leaves the purse, the rest of the reservation is free again."""
        purse, self._purse = self._purse, None
        if purse is not None:
            self._till.purses.settle(purse, self._hold_id, self._ceiling, charge_nanos)

    def _release(self) -> None:
        """Nothing is charged: the reservation is free again."""
        self._resolve(0)
        self._finish_metered(0)

    def _finish_metered(self, tokens: int) -> None:
        if self._is_metered:
            self._is_metered = False
            self.key.meter.finish(tokens, self._till.now())

    # what became of the record, see `Settled`

    def on_durable(self) -> None:
        """The usage is on disk: the answer may end."""
        if self.is_over:
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
        self._resolve(0 if is_refused else self._charge)
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
