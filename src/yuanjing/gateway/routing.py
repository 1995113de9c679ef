"""Which channels to try, in which order, and what a channel's failure means to the client.

Priority first, then weight by health. A retry goes to the next channel, before the first byte only, from the untouched
request. Channels that are shut are passed over (see `health`).
"""

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from yuanjing.gateway.directory import ChannelState, Route
from yuanjing.gateway.health import FailedTry

_BAD_REQUEST = 400
_SERVER_ERROR = 500
_MESSAGE_MAX = 500
_PARAM_MAX = 100
_WAIT_DIGITS_MAX = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why an attempt failed: the code for the client, and whether another channel may do better."""

    code: str
    message: str
    kind: str
    is_retryable: bool
    retry_after_seconds: int | None = None
    param: str | None = None
    is_sure: bool = False
    """The status itself says so, not words that a request may have provoked."""

    @property
    def is_of_channel(self) -> bool:
        """Whether it tells against the channel, and not against the request or ourselves."""
        return self.kind not in _NOT_OF_CHANNEL

    @property
    def is_answer(self) -> bool:
        """Whether the channel has done its work: what is wrong is the request."""
        return self.kind in _ANSWERED


_ANSWERED = frozenset({"invalid_input", "moderated", "too_long"})
_NOT_OF_CHANNEL = _ANSWERED | {"saturated", "stopping", "total time"}
_UNAVAILABLE_TEXT = "The provider is temporarily unavailable; try again in a moment"
_MODERATED_TEXT = "The provider's content policy refused this content; change the request"
_WAIT_SECONDS_MAX = 60
"""One channel must not tell clients to stay away for a day."""
_OUR_TROUBLE: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...] = (
    (
        "provider_balance",
        re.compile(
            r"arrearage|accountoverdue|serviceoverdue|(pre|post)paidbilloverdue|commoditynotpurchased|billing"
            r"|exceeded_current_quota|insufficient_quota|creditinsufficient|.*freetieronly|quotaexceeded|setlimitexceeded"
        ),
        re.compile(
            r"insufficient[ _](account )?(balance|credits?|funds)|in arrears|account is (overdue|in good standing)"
            r"|(balance|credits?) (is|are) (too low|insufficient|not enough)|credit balance|billing (hard )?limit"
            r"|plan and billing|exceeded your current quota|欠费|余额不足|请充值"
        ),
    ),
    (
        "provider_auth",
        re.compile(
            r"invalid_?api_?key|(invalid_)?authentication_?error|access_?denied|.*\.accessdenied|servicenotopen"
            r"|modelnotopen|permission_denied|unauthorized"
        ),
        re.compile(
            r"(incorrect|invalid|missing|no|valid|your) api[ _-]?key|api[ _-]?key (is |was )?(not|in|expired|provided)"
            r"|\bsk-[a-z0-9*]"
        ),
    ),
    (
        "rate_limited",
        re.compile(r"limit_(requests|burst_rate)|limitrequests|throttling|rate_?limit|serveroverloaded"),
        re.compile(r"rate limit (is |was )?(exceeded|reached)|too many requests|requests? (was|were|is) throttled"),
    ),
)
"""A provider's trouble with us: how its codes or types begin, and what some services say in the text alone, under a
code that means something else. The texts are whole phrases: a bad request may quote the customer's own words."""
_MODERATION_WORDS = (
    "data_inspection_failed",
    "datainspectionfailed",
    "sensitivecontent",
    "content_filter",
    "content_policy",
)
_LENGTH_WORDS = (
    "context_length_exceeded",
    "maximum context length",
    "range of input length",
    "exceed max message tokens",
    "exceeded model token limit",
    "exceeded max context length",
)
"""OpenAI; vLLM and DeepSeek; DashScope; Ark; Moonshot; Ollama."""
_SURE_STATUSES = (401, 402)
_HIDDEN_STATUSES = {
    401: "provider_auth",
    402: "provider_balance",
    403: "provider_auth",
    404: "model_missing",
    408: "unavailable",
    429: "rate_limited",
}


class _ErrorObject(msgspec.Struct, gc=False):
    """An error in a provider's words; fields of the wrong type must not cost us the others."""

    message: object = None
    type: object = None
    code: object = None
    param: object = None

    @property
    def text(self) -> str:
        return self.message if isinstance(self.message, str) else ""

    @property
    def words(self) -> tuple[str, str]:
        """Code and type in lower case."""
        return str(self.code or "").lower(), str(self.type or "").lower()


class _ErrorAnswer(msgspec.Struct, gc=False):
    error: object = None
    message: object = None
    type: object = None
    code: object = None
    param: object = None


_decode_answer = msgspec.json.Decoder(_ErrorAnswer).decode
_decode_any = msgspec.json.Decoder().decode


def order_routes(routes: tuple[Route, ...], choose: random.Random, clock: Callable[[], float]) -> Sequence[Route]:
    """The routes in the order in which to try them: by priority, within one a shuffle by weight and health."""
    if len(routes) == 1:
        return routes
    now = clock()
    keyed = [(r.channel.priority, -(choose.random() ** (1.0 / _weight(r, now))), i) for i, r in enumerate(routes)]
    keyed.sort()
    return [routes[i] for _, _, i in keyed]


def _weight(route: Route, now: float) -> float:
    channel = route.channel
    return max(1, channel.weight) * channel.health.weight(now, channel.ended)


def tell_health(failure: Failure, channel: ChannelState, now: float, tried_at: float, *, has_other: bool) -> bool:
    """Let the channel's health know how a try has ended; whether that has shut it.

    `has_other`: another channel of the model comes after this one.
    """
    if failure.is_answer:
        channel.health.answered(tried_at)
    if not failure.is_of_channel:
        return False
    failed = FailedTry(
        kind=failure.kind,
        is_sure=failure.is_sure,
        tried_at=tried_at,
        ended=channel.ended,
        has_other=has_other,
        wait_seconds=failure.retry_after_seconds,
    )
    return channel.health.failed(failed, now)


def may_one(routes: Sequence[Route], begin: int, now: float) -> bool:
    """Whether one of the routes from `begin` on may be tried now; no probe goes by asking."""
    return any(routes[i].channel.health.shut_until <= now for i in range(begin, len(routes)))


def all_shut(routes: Sequence[Route], now: float) -> Failure:
    """No channel of the model takes a request before the first of them may be tried again."""
    wait = min(route.channel.health.shut_until for route in routes) - now
    return Failure(
        code="provider_unavailable",
        message=_UNAVAILABLE_TEXT,
        kind="shut",
        is_retryable=False,
        retry_after_seconds=max(1, min(math.ceil(wait), _WAIT_SECONDS_MAX)),
    )


def failure_of_answer(status: int, body: bytes, retry_after: bytes | None) -> Failure:
    """What an error answer (status 400 and above) means."""
    try:
        answer = _decode_answer(body)
    except (msgspec.MsgspecError, RecursionError):
        answer = _ErrorAnswer()
    flat = _ErrorObject(message=answer.message, type=answer.type, code=answer.code, param=answer.param)
    error = flat if answer.error is None else _error_object(answer.error)
    is_wait = retry_after is not None and retry_after.isdigit() and len(retry_after) <= _WAIT_DIGITS_MAX
    wait = min(int(retry_after), _WAIT_SECONDS_MAX) if retry_after is not None and is_wait else None
    return _classify(status, error, wait)


def failure_of_event(detail: bytes) -> Failure:
    """What an error object inside a 200 means; its status is not known, so the codes decide."""
    try:
        error = _error_object(_decode_any(detail))
    except (msgspec.MsgspecError, RecursionError):
        error = _ErrorObject()
    if isinstance(error.code, int) and error.code >= _BAD_REQUEST:
        return _classify(error.code, error, None)
    return _classify(_BAD_REQUEST if "invalid" in error.words[1] else _SERVER_ERROR, error, None)


def _error_object(error: object) -> _ErrorObject:
    """An error as providers write it: an object, or its text alone."""
    if isinstance(error, dict):
        fields = cast("dict[str, object]", error)
        return _ErrorObject(**{name: fields.get(name) for name in ("message", "type", "code", "param")})
    return _ErrorObject(message=error)


def broken(reason: str) -> Failure:
    """The connection did not bring a whole answer."""
    return Failure(code="provider_unavailable", message=_UNAVAILABLE_TEXT, kind=reason, is_retryable=True)


def saturated() -> Failure:
    """The channel has as many connections as it may have, and none became free in time: our limit, not its fault."""
    message = "All connections to the model's provider are in use; try again in a moment"
    return Failure(code="overloaded", message=message, kind="saturated", is_retryable=True)


def timed_out(reason: str, *, is_retryable: bool) -> Failure:
    """The provider was silent for too long."""
    message = "The provider did not answer in time; try again, or ask for a shorter answer"
    return Failure(code="provider_timeout", message=message, kind=reason, is_retryable=is_retryable)


def bad_answer(reason: str) -> Failure:
    """The provider's bytes are not an answer."""
    message = "The provider sent an answer that is not valid; try again"
    return Failure(code="provider_bad_answer", message=message, kind=reason, is_retryable=True)


def _classify(status: int, error: _ErrorObject, wait: int | None) -> Failure:
    code, error_type = error.words
    words = f"{code} {error_type} {error.text.lower()}"
    is_moderated = any(word in words for word in _MODERATION_WORDS)
    kind = _hidden_kind(status, error)
    if kind is not None and not (is_moderated and kind == "unavailable"):
        return _hidden(
            kind, wait if kind in ("rate_limited", "unavailable") else None, is_sure=status in _SURE_STATUSES
        )
    if is_moderated:
        return _shown("content_policy_violation", _MODERATED_TEXT, "moderated")
    param = error.param if isinstance(error.param, str) else None
    if any(word in words for word in _LENGTH_WORDS):
        return _shown(
            "context_length_exceeded", error.text or "The request is too long for the model", "too_long", param
        )
    return _shown(
        "invalid_request", error.text or "The provider refused the request as invalid", "invalid_input", param
    )


def _hidden_kind(status: int, error: _ErrorObject) -> str | None:
    """The provider's own trouble, if it is that; what is the request's fault is shown instead."""
    code, error_type = error.words
    text = error.text.lower()
    for kind, codes, texts in _OUR_TROUBLE:
        if codes.match(code) or codes.match(error_type) or texts.search(text):
            return kind
    if status in _HIDDEN_STATUSES:
        return _HIDDEN_STATUSES[status]
    return "unavailable" if status >= _SERVER_ERROR or status < _BAD_REQUEST else None


def _hidden(kind: str, wait: int | None, *, is_sure: bool) -> Failure:
    """The provider's own trouble: another channel may do better, and the customer is told no more than that."""
    return Failure(
        code="provider_unavailable",
        message=_UNAVAILABLE_TEXT,
        kind=kind,
        is_retryable=True,
        retry_after_seconds=wait,
        is_sure=is_sure,
    )


def _shown(code: str, message: str, kind: str, param: str | None = None) -> Failure:
    return Failure(
        code=code,
        message=message[:_MESSAGE_MAX],
        kind=kind,
        is_retryable=False,
        param=None if param is None else param[:_PARAM_MAX],
    )
