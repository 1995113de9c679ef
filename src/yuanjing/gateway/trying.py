"""The channels' half of an exchange: which are tried, in which order, and over which connection.

Everything here is a callback but for connecting, which has to wait.
"""

import random
from collections.abc import Sequence
from typing import Protocol

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.pricing import ChatPrice
from yuanjing.gateway.attempt import Attempt, connect_failure
from yuanjing.gateway.billing import USAGE_TOKENS_FACTOR, estimated_tokens
from yuanjing.gateway.charging import ChargedConversation, Till
from yuanjing.gateway.conversation import ClientSide, State
from yuanjing.gateway.directory import ChannelState, KeyEntry, OfferEntry, Route
from yuanjing.gateway.purse import Purse
from yuanjing.gateway.request import ChatRequest
from yuanjing.gateway.routing import Failure, may_one, not_served
from yuanjing.gateway.translate.llmage_openai import LlmageAnswer
from yuanjing.gateway.translate.openai_openai import OpenAIAnswer
from yuanjing.gateway.translate.wire import AnswerContext
from yuanjing.gateway.upstream import Spawn, UpstreamConnection

_NO_ROUTES: Sequence[Route] = ()
_OPENAI = Dialect.OPENAI  # each use of an Enum's member through its class is a call in Python 3.11


class Dispatch(Till, Protocol):
    """What trying channels needs of its process."""

    spawn: Spawn
    random: random.Random
    processes: int

    def may_retry(self) -> bool:
        """Whether one more retry fits into the budget of all."""
        ...

    def note_shut(self, model: str, now: float) -> None:
        """No channel of the model may be tried: say so, now and then."""
        ...


class RoutedConversation(ChargedConversation):
    """A request with the channels that it may go to, and the one that it is at."""

    __slots__ = (
        "_channel",
        "_deadline",
        "_dispatch",
        "_heard_at",
        "_is_paused",
        "_next",
        "_quiet_since",
        "_retried_stale",
        "_routes",
        "_sent_at",
        "_tried_at",
        "_watermarked_at",
    )

    def __init__(self, side: ClientSide, dispatch: Dispatch, dialect: Dialect) -> None:
        super().__init__(side, dispatch, dialect)
        self._dispatch = dispatch
        self._routes = _NO_ROUTES
        self._channel: ChannelState | None = None
        """The channel that counts this request among those under way."""
        self._next = 0  # the first of the routes that have not been tried or passed over
        self._retried_stale = self._is_paused = False
        self._deadline = self._heard_at = self._tried_at = self._quiet_since = self._watermarked_at = 0.0
        self._sent_at = 0.0

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
            self.refuse_unserved(self._offer, self._routes)  # since it was admitted

    # attempts

    def _try(self) -> bool:
        """To the next channel that may be tried; False if there is none."""
        routes, count = self._routes, len(self._routes)
        while self._next < count:
            route = routes[self._next]
            self._next += 1
            channel = route.channel
            needs_look = channel.health.shut_until or channel.capacity.has_minute
            if channel.in_flight < channel.capacity.most and (not needs_look or self._fits(channel)):
                self._try_on(route)
                return True
        return False

    def _fits(self, channel: ChannelState) -> bool:
        """Whether a channel that is shut or limited takes this request; if so, its minute has counted it."""
        dispatch, health, capacity = self._dispatch, channel.health, channel.capacity
        now = dispatch.now()
        if health.shut_until > now:
            return False
        if capacity.has_minute:
            assert self._request is not None
            self.capacity_tokens = estimated_tokens(self._request, self._offer.limits)
            if not capacity.take(now, dispatch.processes, self.capacity_tokens):
                return False
        return health.may_try(now)

    def _try_on(self, route: Route) -> None:
        request, dispatch, entry = self._request, self._dispatch, self._offer
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
        attempt = self._attempt = Attempt(self, route, answer, dispatch.options, is_stream=request.is_stream)
        channel.in_flight += 1
        channel.held += self._is_paused
        self._channel = channel
        self.state = State.SENT
        now = self._heard_at = self._tried_at = dispatch.now()
        if not self._sent_at:
            self._sent_at = self._quiet_since = self._watermarked_at = now
            self._deadline = now + dispatch.options.total_seconds
        connection = channel.pool.take()
        if connection is None:
            dispatch.spawn(self._connect(attempt, route))
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

    def _first_byte(self, now: float) -> None:
        seconds = now - self._t0
        self._first_byte_ms = int(seconds * 1000)
        attempt, request = self._attempt, self._request
        assert attempt is not None
        assert request is not None
        health, capacity = attempt.route.channel.health, attempt.route.channel.capacity
        if request.is_stream:  # a plain answer begins when all of it is made
            capacity.first_bytes += 1
            capacity.first_byte_seconds += now - self._tried_at
        if health.in_row or health.shut_until:
            health.answered(self._tried_at)
        self._dispatch.counters.first_byte.observe(seconds)

    def _may_retry(self, attempt: Attempt, failure: Failure) -> bool:
        dispatch = self._dispatch
        if attempt.has_output or self._is_detached or not failure.is_retryable:
            return False
        is_next = self._next < len(self._routes) and self._attempts <= dispatch.options.retries_max
        now = dispatch.now()
        return is_next and now < self._deadline and may_one(self._routes, self._next, now) and dispatch.may_retry()

    def _leave_channel(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.in_flight -= 1
            channel.held -= self._is_paused

    def _hold_back(self, *, is_paused: bool) -> None:
        """Whether the provider is to wait for the client."""
        if self._channel is not None:
            self._channel.held += is_paused - self._is_paused
        self._is_paused = is_paused

    def _channel_id(self) -> str | None:
        return self._attempt.route.channel.id if self._attempt is not None else None

    def refuse_unserved(self, offer: OfferEntry, routes: Sequence[Route]) -> None:
        """No channel of the offer takes a request now."""
        dispatch, now = self._dispatch, self._dispatch.now()
        failure = not_served(routes, now, dispatch.processes)
        if failure.kind == "shut":
            dispatch.note_shut(offer.offer.model, now)
        self.refuse(failure.code, failure.message, retry_after_seconds=failure.retry_after_seconds)

    def _forget_routes(self) -> None:
        """It is over: nothing of it is kept."""
        self._request = self._attempt = None
        self._routes = _NO_ROUTES

    # what the exchange makes of an attempt, see `AttemptOwner`

    def on_attempt_heard(self) -> None:
        """The provider is at work."""
        raise NotImplementedError

    def on_attempt_output(self, data: bytes) -> None:
        """Bytes for the client."""
        raise NotImplementedError

    def on_attempt_done(self, output: bytes, body: bytes) -> None:
        """The answer is whole."""
        raise NotImplementedError

    def on_attempt_failed(self, failure: Failure) -> None:
        """It has come to nothing, or broke."""
        raise NotImplementedError
