"""One request's life: received → admitted → sent → answering → settled; client gone, upstream gone, time out.

An exchange is what uvicorn's protocol keeps in place of an ASGI cycle. Everything in it is a callback; coroutines are
used only for connecting and, in admission, for what is not in memory.
"""

from typing import Protocol

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.idempotency import IdempotentRequest
from yuanjing.domain.usage import UsageStatus
from yuanjing.gateway import client
from yuanjing.gateway.attempt import Attempt
from yuanjing.gateway.charging import UNACKNOWLEDGED
from yuanjing.gateway.claims import Claims
from yuanjing.gateway.conversation import ClientSide, State
from yuanjing.gateway.directory import Directory, KeyEntry, drains
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.routing import Failure, tell_health, timed_out
from yuanjing.gateway.trying import Dispatch, RoutedConversation

_INTERNAL = "Internal error; tell us the request id"
_STOPPING = "The service is restarting; try again in a moment"
_REPLAYED = "replayed"
_COMPLETED = UsageStatus.COMPLETED  # each use of an Enum's member through its class is a call in Python 3.11


class Services(Dispatch, Protocol):
    """What exchanges need of their process."""

    directory: Directory
    claims: Claims
    pepper: bytes
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

    def note(self, event: str, exchange: "Exchange", **fields: str | float | None) -> None:
        """Write a log line about an exchange; never content."""
        ...

    def note_refusal(self, event: str, exchange: "Exchange", **fields: str | float | None) -> None:
        """The same about what is the client's own fault, or ours for a moment: nobody has to look at it."""
        ...

    def note_channel(self, channel_id: str, kind: str, now: float, *, is_shut: bool) -> None:
        """A channel has failed: say so, now and then, also where another channel serves its requests."""
        ...


class Exchange(RoutedConversation):
    """One request on the hot path: what becomes of its attempts, and its end."""

    __slots__ = ("_done_at", "_services", "_settling_until")

    def __init__(self, side: ClientSide, services: Services, dialect: Dialect) -> None:
        super().__init__(side, services, dialect)
        self._services = services
        self._done_at = self._settling_until = 0.0

    def _early_refusal(self) -> tuple[str, str] | None:
        return self._services.early_refusal(self)

    def _admit(self) -> None:
        self._services.exchanges.add(self)
        self.state = State.ADMITTING
        self._services.admit(self)

    def replay(self, first: IdempotentRequest, body: bytes, *, is_stream: bool) -> None:
        """Give the first request's answer again; nothing is charged."""
        self._outcome = _REPLAYED
        self._services.counters.replayed += 1
        self._answer_again(first, body, is_stream=is_stream)

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

    def _end_broken(self, failure: Failure) -> None:
        """A stream that broke after its first byte: what was delivered is charged, `[DONE]` is not said."""
        self._services.counters.upstream_broke += 1
        bill = self._bill()
        if not self._is_detached:
            assert self._attempt is not None
            self._last = self._attempt.answer.error_event(failure.code, failure.message)
        self._services.note("stream broke", self, kind=failure.kind, channel=self._channel_id())
        self._settle(UsageStatus.CLIENT_GONE if self._is_detached else UsageStatus.UPSTREAM_BROKE, bill)

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
        self._forget_routes()
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
        self._hold_back(is_paused=True)
        if self._attempt is not None and self._attempt.connection is not None:
            self._attempt.connection.pause_reading()

    def resume(self) -> None:
        """The client has caught up."""
        self._hold_back(is_paused=False)
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
