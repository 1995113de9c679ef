"""One request's life: received → admitted → sent → answering → settled; client gone, upstream gone, time out.

An exchange is what uvicorn's protocol keeps in place of an ASGI cycle. Everything in it is a callback; coroutines are
used only for connecting and, in admission, for what is not in memory.
"""

import random
from collections.abc import Sequence
from typing import Protocol

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.idempotency import IdempotentRequest
from yuanjing.domain.pricing import ChatPrice
from yuanjing.domain.usage import UsageStatus
from yuanjing.gateway import client
from yuanjing.gateway.attempt import Attempt, connect_failure
from yuanjing.gateway.billing import USAGE_TOKENS_FACTOR
from yuanjing.gateway.charging import UNACKNOWLEDGED, ChargedConversation, Till
from yuanjing.gateway.claims import Claims
from yuanjing.gateway.conversation import ClientSide, State
from yuanjing.gateway.directory import ChannelState, Directory, KeyEntry, OfferEntry, Route, drains
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.purse import Purse
from yuanjing.gateway.request import ChatRequest
from yuanjing.gateway.routing import Failure, may_one, tell_health, timed_out
from yuanjing.gateway.translate.llmage_openai import LlmageAnswer
from yuanjing.gateway.translate.openai_openai import OpenAIAnswer
from yuanjing.gateway.translate.wire import AnswerContext
from yuanjing.gateway.upstream import Spawn, UpstreamConnection

_INTERNAL = "Internal error; tell us the request id"
_STOPPING = "The service is restarting; try again in a moment"
_REPLAYED = "replayed"
_NO_ROUTES: Sequence[Route] = ()
# Each use of an Enum's member through its class is a call in Python 3.11.
_OPENAI = Dialect.OPENAI
_COMPLETED = UsageStatus.COMPLETED


class Services(Till, Protocol):
    """What exchanges need of their process."""

    directory: Directory
    spawn: Spawn
    claims: Claims
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

    def give_up(self, exchange: "Exchange", error: Exception) -> None:
        """An error that is a bug has hit the exchange: report it, and end the exchange."""
        ...

    async def load_key(self, key: str, digest: bytes) -> KeyEntry | None:
        """Ask the store for a key that is not in memory."""
        ...

    def may_retry(self) -> bool:
        """Whether one more retry fits into the budget of all."""
        ...

    def note(self, event: str, exchange: "Exchange", **fields: str | float | None) -> None:
        """Write a log line about an exchange; never content."""
        ...

    def note_refusal(self, event: str, exchange: "Exchange", **fields: str | float | None) -> None:
        """The same about what is the client's own fault, or ours for a moment: nobody has to look at it."""
        ...

    def note_channel(self, channel_id: str, kind: str, now: float, *, is_shut: bool) -> None:
        """A channel has failed: say so, now and then, also where another channel serves its requests."""
        ...


class Exchange(ChargedConversation):
    """One request on the hot path: what it was admitted to, its attempts, its end."""

    __slots__ = (
        "_channel",
        "_deadline",
        "_done_at",
        "_heard_at",
        "_is_paused",
        "_next",
        "_quiet_since",
        "_retried_stale",
        "_routes",
        "_sent_at",
        "_services",
        "_settling_until",
        "_tried_at",
        "_watermarked_at",
    )

    def __init__(self, side: ClientSide, services: Services, dialect: Dialect) -> None:
        super().__init__(side, services, dialect)
        self._services = services
        self._routes = _NO_ROUTES
        self._channel: ChannelState | None = None
        """The channel that counts this request among those under way."""
        self._next = 0  # the first of the routes that have not been tried or passed over
        self._retried_stale = self._is_paused = False
        self._deadline = self._heard_at = self._tried_at = self._quiet_since = self._watermarked_at = 0.0
        self._sent_at = self._done_at = self._settling_until = 0.0

    def _early_refusal(self) -> tuple[str, str] | None:
        return self._services.early_refusal(self)

    def _admit(self) -> None:
        self._services.exchanges.add(self)
        self.state = State.ADMITTING
        self._services.admit(self)

    # admission's results

    def take(
        self, key: KeyEntry, request: ChatRequest, offer: OfferEntry, price: ChatPrice, routes: Sequence[Route]
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
        if not self._try():
            self.refuse_shut(self._offer, self._routes)  # since it was admitted

    def replay(self, first: IdempotentRequest, body: bytes, *, is_stream: bool) -> None:
        """Give the first request's answer again; nothing is charged."""
        self._outcome = _REPLAYED
        self._services.counters.replayed += 1
        self._answer_again(first, body, is_stream=is_stream)

    # attempts

    def _try(self) -> bool:
        """To the next channel that may be tried; False if there is none."""
        routes, count = self._routes, len(self._routes)
        while self._next < count:
            route = routes[self._next]
            self._next += 1
            health = route.channel.health
            if not health.shut_until or health.may_try(self._services.now()):
                self._try_on(route)
                return True
        return False

    def _try_on(self, route: Route) -> None:
        request, services, entry = self._request, self._services, self._offer
        assert request is not None
        self._attempts += 1
        channel = route.channel
        channel.attempts += 1
        context = AnswerContext(
            usage_id=self.usage_id,
            model=entry.offer.model,
            renames_model=route.renames_model,
            renames_reasoning=route.renames_reasoning,
            includes_usage=request.includes_usage,
            keeps_usage=request.keeps_usage,
            tokens_max=USAGE_TOKENS_FACTOR * entry.limits.context_tokens,
            choices=request.n,
        )
        answer = OpenAIAnswer(context) if self.dialect is _OPENAI else LlmageAnswer(context)
        attempt = self._attempt = Attempt(self, route, answer, services.options, is_stream=request.is_stream)
        channel.in_flight += 1
        self._channel = channel
        self.state = State.SENT
        now = self._heard_at = self._tried_at = services.now()
        if not self._sent_at:
            self._sent_at = self._quiet_since = self._watermarked_at = now
            self._deadline = now + services.options.total_seconds
        connection = channel.pool.take()
        if connection is None:
            services.spawn(self._connect(attempt, route))
        else:
            self._send_over(connection, attempt, route)

    def _send_over(self, connection: UpstreamConnection, attempt: Attempt, route: Route) -> None:
        assert self._request is not None
        body = self._request.upstream_body(route.upstream_model_json, self._clamp_to, route.limit_field)
        connection.send(attempt, route.channel.head + b"%d\r\n\r\n" % len(body), body)
        if self._is_paused:  # the client has not yet read what went before
            connection.pause_reading()

    async def _connect(self, attempt: Attempt, route: Route) -> None:
        try:
            connection = await route.channel.pool.connect()
        except Exception as error:
            if not attempt.is_over:
                attempt.is_over = True
                self.on_attempt_failed(connect_failure(error))
            if not isinstance(error, (OSError, UnicodeError)):  # the last: a host name that cannot be one
                raise  # to be logged as what it is
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
        if self.state == State.SENT:
            self.state = State.ANSWERING
            self._first_byte(now)
        if self.held_claim is not None:
            self.held_claim.add(data)
        if not self._is_detached:
            self._quiet_since = now
            self._write_stream(data)

    def _first_byte(self, now: float) -> None:
        seconds = now - self._t0
        self._first_byte_ms = int(seconds * 1000)
        assert self._attempt is not None
        health = self._attempt.route.channel.health
        if health.in_row or health.shut_until:
            health.answered(self._tried_at)
        self._services.counters.first_byte.observe(seconds)

    def on_attempt_done(self, output: bytes, body: bytes) -> None:
        """See `AttemptOwner`: the answer is whole; it ends for the client when the bill is durable."""
        request, attempt = self._request, self._attempt
        assert request is not None
        assert attempt is not None
        self._leave_channel()
        now = self._done_at = self._services.now()
        attempt.route.channel.health.succeeded_at = now
        if self.state == State.SENT:
            self._first_byte(now)
        if self._is_detached and self.held_claim is None:
            self._settle(UsageStatus.CLIENT_GONE, self._bill())
            return
        if not request.is_stream and not self._is_detached and not self._services.is_fresh():
            self._release()  # nothing has been delivered, and nothing may be acknowledged
            self._fail("store_unavailable", UNACKNOWLEDGED, None)
            return
        bill, answer = self._bill(), attempt.answer
        self._last = output + answer.finish(bill) if request.is_stream else answer.plain(body, bill)
        if self.held_claim is not None:
            self.held_claim.add_last(self._last)
        self._settle(UsageStatus.CLIENT_GONE if self._is_detached else _COMPLETED, bill)

    def on_attempt_failed(self, failure: Failure) -> None:
        """See `AttemptOwner`: the next channel if the client has seen nothing, else the end."""
        attempt = self._attempt
        assert attempt is not None
        attempt.is_over = True
        channel = attempt.route.channel
        now = self._services.now()
        self._leave_channel()
        self._services.counters.attempts_failed[(channel.id, failure.kind)] += 1
        # A kept connection that the provider was just closing: it never saw the request. Later it may have.
        is_unseen = attempt.is_stale and now - self._tried_at < self._services.options.upstream_stale_seconds
        if is_unseen and not self._retried_stale and not self._is_detached:
            self._retried_stale = True
            self._attempts -= 1
            channel.pool.close_idle(0.0)  # whatever ended this one has ended those that were idle with it
            self._try_on(attempt.route)
            return
        if not self._is_paused:  # a provider that is held back by us may give up
            is_shut = tell_health(failure, channel, now, self._tried_at, has_other=self._next < len(self._routes))
            if failure.is_of_channel:
                self._services.note_channel(channel.id, failure.kind, now, is_shut=is_shut)
        if self._is_detached and not attempt.is_accepted:
            self._release()
            self._end()
        elif self._may_retry(attempt, failure) and self._try():
            self._services.counters.retries += 1
        elif attempt.has_output or self._is_detached:
            self._end_broken(failure)
        else:
            self._fail_without(failure)

    def _fail_without(self, failure: Failure) -> None:
        """Nothing was had of a provider, and nothing is charged."""
        self._release()
        note = self._services.note if failure.is_of_channel else self._services.note_refusal
        note("attempts failed", self, kind=failure.kind, channel=self._channel_id())
        self._fail(failure.code, failure.message, failure.retry_after_seconds, failure.param)

    def _may_retry(self, attempt: Attempt, failure: Failure) -> bool:
        services = self._services
        if attempt.has_output or self._is_detached or not failure.is_retryable:
            return False
        is_next = self._next < len(self._routes) and self._attempts <= services.options.retries_max
        now = services.now()
        return is_next and now < self._deadline and may_one(self._routes, self._next, now) and services.may_retry()

    def _leave_channel(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.in_flight -= 1

    def _end_broken(self, failure: Failure) -> None:
        """A stream that broke after its first byte: what was delivered is charged, `[DONE]` is not said."""
        self._services.counters.upstream_broke += 1
        bill = self._bill()
        if not self._is_detached:
            assert self._attempt is not None
            self._last = self._attempt.answer.error_event(failure.code, failure.message)
        self._services.note("stream broke", self, kind=failure.kind, channel=self._channel_id())
        self._settle(UsageStatus.CLIENT_GONE if self._is_detached else UsageStatus.UPSTREAM_BROKE, bill)

    def _channel_id(self) -> str | None:
        return self._attempt.route.channel.id if self._attempt is not None else None

    def _left(self) -> None:
        services = self._services
        services.exchanges.discard(self)
        if self._is_detached:
            services.draining -= 1
        now = services.now()
        if self._done_at:
            services.counters.own_time.observe(self._sent_at - self._t0 + now - self._done_at)
        if now - self._t0 >= services.options.log_slow_request_seconds:
            self._note_slow(now)
        # The connection keeps us until its next request; what we hold may be megabytes.
        self._request = self._attempt = None
        self._routes = _NO_ROUTES
        self._last = b""

    def _note_slow(self, now: float) -> None:
        self._services.note(
            "slow request",
            self,
            usage=self.usage_id,
            model=self._offer.offer.model if self._request is not None else None,
            channel=self._channel_id(),
            outcome=self._outcome,
            attempts=self._attempts,
            first_byte_ms=self._first_byte_ms,
            seconds=round(now - self._t0, 3),
        )

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
        elif self.state != State.SETTLING:
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
        """Stop the provider; charge what it has made, if it had begun at all."""
        has_begun = self._may_have_begun(attempt)
        attempt.abandon()
        self._leave_channel()
        if has_begun:
            self._settle(UsageStatus.CLIENT_GONE, self._bill())
        else:
            self._outcome = UsageStatus.CLIENT_GONE
            self._release()
            self._end()

    def _may_have_begun(self, attempt: Attempt) -> bool:
        """Whether the provider works on it as far as we know, and charges us.

        The head of a stream says so. That of a plain answer comes when all of it is made, so that one who leaves before
        is charged for the input: else anybody could have providers read and write for nothing.
        """
        assert self._request is not None
        return attempt.is_accepted or (attempt.connection is not None and not self._request.is_stream)

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

    def stop(self, code: str = "shutting_down", message: str = _STOPPING) -> None:
        """End now, charging what was delivered: the drain time is over, or nothing can be charged any more."""
        if self.state in (State.SENT, State.ANSWERING):
            self._time_out(Failure(code=code, message=message, kind="stopping", is_retryable=False))
        elif self.state in (State.RECEIVING, State.ADMITTING):
            self.refuse(code, message)

    def crash(self) -> None:
        """A bug has hit this request: end it with its money in order. A bill that was handed over counts."""
        if self.is_over:
            return
        if self._attempt is not None:
            self._attempt.abandon()
        self._leave_channel()
        self.keep_alive = False
        self._resolve(max(self._charge, self._marked) if self.state == State.SETTLING else self._marked)
        self._release()
        self._fail("internal_error", _INTERNAL, None)

    def tick(self, now: float) -> None:
        """Called some times a second: every time limit of an exchange is watched here."""
        options = self._services.options
        if self.state not in (State.SENT, State.ANSWERING):
            self._tick_waiting(now, options)
            return
        if now >= self._deadline:
            self._time_out(timed_out("total time", is_retryable=False))
            return
        assert self._request is not None
        is_stream = self._request.is_stream
        if not self._is_paused:
            limit = options.plain_answer_seconds
            if is_stream:
                limit = options.first_byte_seconds if self.state == State.SENT else options.idle_seconds
            if now - self._heard_at >= limit:
                # a plain answer may be in the making all that time, and is paid for: it is not begun anew elsewhere
                self._time_out(timed_out("silence", is_retryable=is_stream and self.state == State.SENT))
                return
        if is_stream:
            self._tick_stream(now, options)

    def _tick_waiting(self, now: float, options: GatewayOptions) -> None:
        """A store that does not answer, or a bill that nobody tells about, must not hold a request for ever."""
        if self.state == State.ADMITTING:
            if not self._deadline:
                self._deadline = now + options.admission_seconds
            elif now >= self._deadline:
                self.refuse("store_unavailable", "The request cannot be admitted at the moment; try again")
        elif self.state == State.SETTLING:
            if not self._settling_until:
                self._settling_until = now + options.settling_seconds
            elif now >= self._settling_until:
                self._services.give_up(self, TimeoutError("nobody told what became of the bill"))

    def _tick_stream(self, now: float, options: GatewayOptions) -> None:
        if not self._is_detached and now - self._quiet_since >= options.keepalive_comment_seconds:
            self._quiet_since = now
            self._write_stream(client.KEEPALIVE_COMMENT)
        if self.state == State.ANSWERING and now - self._watermarked_at >= options.watermark_seconds:
            self._watermarked_at = now
            self._mark()

    def _time_out(self, failure: Failure) -> None:
        attempt = self._attempt
        assert attempt is not None
        if self._is_detached and not attempt.is_accepted:  # read on for long enough; the provider has not failed
            self._cancel(attempt)
            return
        attempt.abandon()
        self.on_attempt_failed(failure)
