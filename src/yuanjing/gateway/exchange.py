"""One request's life: received → admitted → sent → answering → settled; client gone, upstream gone, time out.

An exchange is what uvicorn's protocol keeps in place of an ASGI cycle. Everything in it is a callback; coroutines are
used only for connecting and, in admission, for what is not in memory.
"""

import random
from typing import Protocol

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.pricing import ChatPrice
from yuanjing.domain.usage import UsageRecord, UsageStatus
from yuanjing.gateway import client
from yuanjing.gateway.attempt import Attempt, connect_failure
from yuanjing.gateway.billing import USAGE_TOKENS_FACTOR, Bounds, own_count
from yuanjing.gateway.conversation import ClientSide, Conversation, Desk, State
from yuanjing.gateway.directory import Directory, KeyEntry, OfferEntry, Route, drains
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.purse import Purse, Purses
from yuanjing.gateway.request import ChatRequest, token_limit_field
from yuanjing.gateway.routing import Failure, timed_out
from yuanjing.gateway.settlement import Amounts, Spooler, amounts
from yuanjing.gateway.translate.llmage_openai import LlmageAnswer
from yuanjing.gateway.translate.openai_openai import OpenAIAnswer
from yuanjing.gateway.translate.wire import AnswerContext, Bill
from yuanjing.gateway.upstream import Spawn, UpstreamConnection

_OPERATION = "chat"
_UNACKNOWLEDGED = "The answer cannot be charged at the moment, so it is not complete; try again"


class Services(Desk, Protocol):
    """What exchanges need of their process."""

    directory: Directory
    purses: Purses
    spooler: Spooler
    spawn: Spawn
    random: random.Random
    pepper: bytes
    processes: int
    draining: int
    exchanges: "set[Exchange]"

    def admit(self, exchange: "Exchange") -> None:
        """Begin the admission of an exchange whose body is complete."""
        ...

    def early_refusal(self, exchange: "Exchange") -> tuple[str, str] | None:
        """Code and text of what can be refused from the head alone, without asking the store."""
        ...

    def refusal(self) -> str | None:
        """The error code with which everything is refused at the moment, or None."""
        ...

    def is_fresh(self) -> bool:
        """Whether the node's last heartbeat is young enough to acknowledge answers."""
        ...

    async def load_key(self, key: str, digest: bytes) -> KeyEntry | None:
        """Ask the store for a key that is not in memory."""
        ...

    def note(self, event: str, exchange: "Exchange", **fields: str | float | None) -> None:
        """Write a log line about an exchange."""
        ...


class Exchange(Conversation):
    """One request on the hot path: what it was admitted to, its attempts, its bill."""

    key: KeyEntry
    started_at = 0.0
    _request: ChatRequest | None = None
    _offer: OfferEntry
    _price: ChatPrice
    _routes: list[Route]
    _context: AnswerContext
    _attempt: Attempt | None = None
    _attempts = 0
    _retried_stale = False
    _purse: Purse | None = None
    _hold_id = ""
    _ceiling = 0
    _input_max = 0
    _output_max = 0
    _is_metered = False
    _is_detached = False
    _is_paused = False
    _deadline = 0.0
    _heard_at = 0.0
    _quiet_since = 0.0
    _watermarked_at = 0.0
    _sent_at = 0.0
    _done_at = 0.0
    _first_byte_ms = 0
    _last = b""

    def __init__(self, side: ClientSide, services: Services, dialect: Dialect) -> None:
        super().__init__(side, services, dialect)
        self._services = services

    def _early_refusal(self) -> tuple[str, str] | None:
        return self._services.early_refusal(self)

    def _admit(self) -> None:
        self._services.exchanges.add(self)
        self.state = State.ADMITTING
        self._services.admit(self)

    # admission's results

    def take(
        self, key: KeyEntry, request: ChatRequest, offer: OfferEntry, price: ChatPrice, routes: list[Route]
    ) -> None:
        """What admission has found; the key's limits are counted from here on."""
        self.key = key
        self._request = request
        self._offer = offer
        self._price = price
        self._routes = routes
        self._is_metered = key.has_limits

    def admitted(self) -> tuple[ChatRequest, OfferEntry, ChatPrice]:
        """What `take` was given."""
        assert self._request is not None
        return self._request, self._offer, self._price

    def send(self, purse: Purse, ceiling_nanos: int, bounds: tuple[int, int], clamp_to: int | None) -> None:
        """The ceiling is reserved, made of these most tokens of input and output: to the first channel."""
        assert purse.hold_id is not None
        self._purse = purse
        self._hold_id = purse.hold_id
        self._ceiling = ceiling_nanos
        self._input_max, self._output_max = bounds
        self._clamp_to = clamp_to
        self._deadline = self._services.now() + self._services.options.total_seconds
        self._try()

    # attempts

    def _try(self) -> None:
        request, services = self._request, self._services
        assert request is not None
        route = self._routes[self._attempts]
        self._attempts += 1
        channel = route.channel
        channel.attempts += 1
        offer = self._offer.offer
        self._context = AnswerContext(
            usage_id=self.usage_id,
            model=offer.model,
            renames_model=route.upstream_model != offer.model,
            renames_reasoning="reasoning_field" in channel.provider.quirks,
            includes_usage=request.includes_usage,
            keeps_usage=request.keeps_usage,
            tokens_max=USAGE_TOKENS_FACTOR * self._offer.limits.context_tokens,
            choices=request.n,
        )
        answer = OpenAIAnswer(self._context) if self.dialect is Dialect.OPENAI else LlmageAnswer(self._context)
        attempt = self._attempt = Attempt(self, route, answer, services.options, is_stream=request.is_stream)
        channel.in_flight += 1
        self.state = State.SENT
        now = self._heard_at = services.now()
        if not self._sent_at:
            self._sent_at = self._quiet_since = self._watermarked_at = now
        connection = channel.pool.take()
        if connection is None:
            services.spawn(self._connect(attempt, route))
        else:
            self._send_over(connection, attempt, route)

    def _send_over(self, connection: UpstreamConnection, attempt: Attempt, route: Route) -> None:
        body = self._upstream_body(route)
        connection.send(attempt, route.channel.head + b"%d\r\n\r\n" % len(body), body)
        if self._is_paused:  # the client has not yet read what went before
            connection.pause_reading()

    def _upstream_body(self, route: Route) -> bytes:
        assert self._request is not None
        limit_field = token_limit_field(route.channel.provider.quirks)
        return self._request.upstream_body(route.upstream_model_json, self._clamp_to, limit_field)

    async def _connect(self, attempt: Attempt, route: Route) -> None:
        try:
            connection = await route.channel.pool.connect()
        except (OSError, TimeoutError, UnicodeError) as error:  # the last: a host name that cannot be one
            if not attempt.is_over:
                attempt.is_over = True
                self.on_attempt_failed(connect_failure(error))
            return
        if attempt.is_over:
            route.channel.pool.give_back(connection)
            return
        self._send_over(connection, attempt, route)

    def on_attempt_heard(self) -> None:
        """See `AttemptOwner`."""
        self._heard_at = self._services.now()

    def on_attempt_output(self, data: bytes) -> None:
        """See `AttemptOwner`."""
        now = self._heard_at = self._services.now()
        if self.state is State.SENT:
            self.state = State.ANSWERING
            self._first_byte(now)
        if not self._is_detached:
            self._quiet_since = now
            self._write_stream(data)

    def _first_byte(self, now: float) -> None:
        seconds = now - self._t0
        self._first_byte_ms = int(seconds * 1000)
        self._services.counters.first_byte.observe(seconds)

    def on_attempt_done(self, output: bytes, body: bytes) -> None:
        """See `AttemptOwner`: the answer is whole; it ends for the client when the bill is durable."""
        request, attempt = self._request, self._attempt
        assert request is not None
        assert attempt is not None
        self._leave_channel()
        now = self._done_at = self._services.now()
        if self.state is State.SENT:
            self._first_byte(now)
        if self._is_detached:
            self._settle(UsageStatus.CLIENT_GONE, *self._bill())
            return
        if not request.is_stream and not self._services.is_fresh():
            self._release()  # nothing has been delivered, and nothing may be acknowledged
            self._fail("store_unavailable", _UNACKNOWLEDGED, None)
            return
        bill, amount = self._bill()
        answer = attempt.answer
        self._last = output + answer.finish(bill) if request.is_stream else answer.plain(body, bill)
        self._settle(UsageStatus.COMPLETED, bill, amount)

    def on_attempt_failed(self, failure: Failure) -> None:
        """See `AttemptOwner`: the next channel if the client has seen nothing, else the end."""
        attempt = self._attempt
        assert attempt is not None
        attempt.is_over = True
        channel = attempt.route.channel
        self._leave_channel()
        if failure.is_retryable or failure.kind != "invalid_input":
            channel.failures += 1
            self._services.counters.attempts_failed[(channel.id, failure.kind)] += 1
        if attempt.is_stale and not self._retried_stale and not self._is_detached:
            self._retried_stale = True
            self._attempts -= 1
            channel.pool.close_idle(0.0)  # whatever ended this one has ended those that were idle with it
            self._try()
        elif self._is_detached and not attempt.is_accepted:
            self._release()
            self._end()
        elif self._may_retry(attempt, failure):
            self._try()
        elif attempt.has_output or self._is_detached:
            self._end_broken(failure)
        else:
            self._release()
            self._services.note("attempts failed", self, kind=failure.kind, channel=channel.id)
            self._fail(failure.code, failure.message, failure.retry_after_seconds, failure.param)

    def _may_retry(self, attempt: Attempt, failure: Failure) -> bool:
        options = self._services.options
        if attempt.has_output or self._is_detached or not failure.is_retryable:
            return False
        is_next = self._attempts < len(self._routes) and self._attempts <= options.retries_max
        return is_next and self._services.now() < self._deadline

    def _leave_channel(self) -> None:
        if self._attempt is not None:
            self._attempt.route.channel.in_flight -= 1

    def _end_broken(self, failure: Failure) -> None:
        """A stream that broke after its first byte: what was delivered is charged, `[DONE]` is not said."""
        self._services.counters.upstream_broke += 1
        bill, amount = self._bill()
        if not self._is_detached:
            assert self._attempt is not None
            self._last = self._attempt.answer.error_event(failure.code, failure.message)
        self._services.note("stream broke", self, kind=failure.kind)
        self._settle(UsageStatus.CLIENT_GONE if self._is_detached else UsageStatus.UPSTREAM_BROKE, bill, amount)

    # settling

    def _bill(self) -> tuple[Bill, Amounts]:
        assert self._request is not None
        usage = self._context.usage()
        is_estimated = usage is None
        if usage is None:
            bounds = Bounds(input_tokens=self._input_max, output_tokens=self._output_max)
            usage = own_count(self._request, self._context, self._offer.limits, bounds)
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
            duration_ms=int((self._services.now() - self._t0) * 1000),
        )

    def _settle(self, status: UsageStatus, bill: Bill, amount: Amounts) -> None:
        assert self._purse is not None
        services, counters = self._services, self._services.counters
        self.state = State.SETTLING
        services.purses.settle(self._purse, self._hold_id, self._ceiling, amount.charge_nanos)
        if self._is_metered:
            self._is_metered = False
            self.key.meter.finish(bill.usage.input_tokens + bill.usage.output_tokens, services.now())
        counters.input_tokens += bill.usage.input_tokens
        counters.output_tokens += bill.usage.output_tokens
        counters.charged_nanos[self.key.book_name] += amount.charge_nanos
        counters.overrun_nanos += amount.overrun_nanos
        counters.estimated += bill.is_estimated
        services.spooler.add(self._record(status, bill, amount), self)

    def on_durable(self) -> None:
        """The usage is on disk: the answer may end."""
        if self._is_detached or self.disconnected:
            self._end()
        elif not self._services.is_fresh():
            self._end_unacknowledged()
        elif self._request is not None and self._request.is_stream:
            self._end_stream(self._last)
        else:
            self._end_plain(self._last)

    def on_not_durable(self) -> None:
        """The usage could not be written: the answer must not look complete."""
        if self._is_detached or self.disconnected:
            self._end()
        else:
            self._end_unacknowledged()

    def _end_unacknowledged(self) -> None:
        self._fail("store_unavailable", _UNACKNOWLEDGED, None)

    def _error_event(self, code: str, message: str) -> bytes:
        assert self._attempt is not None
        return self._attempt.answer.error_event(code, message)

    def _left(self) -> None:
        services = self._services
        services.exchanges.discard(self)
        if self._is_detached:
            services.draining -= 1
        now = services.now()
        if self._done_at:
            services.counters.own_time.observe(self._sent_at - self._t0 + now - self._done_at)
        if now - self._t0 >= services.options.log_slow_request_seconds:
            services.note("slow request", self, seconds=round(now - self._t0, 3))

    def _release(self) -> None:
        """Nothing is charged: the reservation is free again."""
        if self._purse is not None:
            self._services.purses.settle(self._purse, self._hold_id, self._ceiling, 0)
            self._purse = None
        if self._is_metered:
            self._is_metered = False
            self.key.meter.finish(0, self._services.now())

    # the client leaves, is slow, or the process stops

    def client_gone(self) -> None:
        """The client's connection is lost."""
        if self.is_over or self.disconnected:
            return
        self.disconnected = True
        self._services.counters.client_gone += 1
        attempt = self._attempt
        if self.state in (State.RECEIVING, State.ADMITTING) or attempt is None:
            self._release()
            self._end()
        elif self.state is not State.SETTLING:
            is_sent = attempt.connection is not None
            if is_sent and drains(attempt.route) and self._services.draining < self._services.options.drain_streams_max:
                self._detach()
            else:
                self._cancel(attempt)

    def _detach(self) -> None:
        """Read on without the client: the provider bills to the end, and tells the exact usage there."""
        self._is_detached = True
        self._services.draining += 1
        self._services.counters.drained += 1
        self._deadline = min(self._deadline, self._services.now() + self._services.options.drain_seconds)
        self.resume()

    def _cancel(self, attempt: Attempt) -> None:
        """Stop the provider; charge what it has made, if it had accepted the request at all."""
        attempt.abandon()
        self._leave_channel()
        if attempt.is_accepted:
            self._settle(UsageStatus.CLIENT_GONE, *self._bill())
        else:
            self._release()
            self._end()

    def pause(self) -> None:
        """The client reads too slowly: hold the provider back."""
        self._is_paused = True
        if self._attempt is not None and self._attempt.connection is not None:
            self._attempt.connection.pause_reading()

    def resume(self) -> None:
        """The client has caught up."""
        self._is_paused = False
        self._heard_at = self._services.now()
        if self._attempt is not None and self._attempt.connection is not None:
            self._attempt.connection.resume_reading()

    def stop(self) -> None:
        """The drain time of a stopping process is over: end now, charging what was delivered."""
        if self.state in (State.SENT, State.ANSWERING):
            self._time_out(timed_out("stopping", is_retryable=False))
        elif self.state in (State.RECEIVING, State.ADMITTING):
            self.refuse("shutting_down", "The service is restarting; try again in a moment")

    def tick(self, now: float) -> None:
        """Called some times a second: every time limit of an exchange is watched here."""
        options = self._services.options
        if self.state is State.ADMITTING:
            self._tick_admitting(now, options)
        if self.state not in (State.SENT, State.ANSWERING):
            return
        if now >= self._deadline:
            self._time_out(timed_out("total time", is_retryable=False))
            return
        assert self._request is not None
        is_stream = self._request.is_stream
        if not self._is_paused:
            limit = options.plain_answer_seconds
            if is_stream:
                limit = options.first_byte_seconds if self.state is State.SENT else options.idle_seconds
            if now - self._heard_at >= limit:
                # a plain answer may be in the making all that time, and is paid for: it is not begun anew elsewhere
                self._time_out(timed_out("silence", is_retryable=is_stream and self.state is State.SENT))
                return
        if is_stream:
            self._tick_stream(now, options)

    def _tick_admitting(self, now: float, options: GatewayOptions) -> None:
        """A store that does not answer at all must not hold a request for ever."""
        if not self._deadline:
            self._deadline = now + options.admission_seconds
        elif now >= self._deadline:
            self.refuse("store_unavailable", "The request cannot be admitted at the moment; try again")

    def _tick_stream(self, now: float, options: GatewayOptions) -> None:
        if not self._is_detached and now - self._quiet_since >= options.keepalive_comment_seconds:
            self._quiet_since = now
            self._write_stream(client.KEEPALIVE_COMMENT)
        if self.state is State.ANSWERING and now - self._watermarked_at >= options.watermark_seconds:
            self._watermarked_at = now
            bill, amount = self._bill()
            self._services.spooler.add_watermark(self._record(UsageStatus.INTERRUPTED, bill, amount))

    def _time_out(self, failure: Failure) -> None:
        attempt = self._attempt
        assert attempt is not None
        attempt.abandon()
        self.on_attempt_failed(failure)
