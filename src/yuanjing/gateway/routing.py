"""Which channels to try, in which order, and what a channel's failure means to the client.

Priority first, then weight. A retry goes to the next channel, before the first byte only, from the untouched request.
"""

import random
from dataclasses import dataclass

import msgspec

from yuanjing.gateway.directory import Route

_BAD_REQUEST = 400
_SERVER_ERROR = 500
_MESSAGE_MAX = 500
_WAIT_DIGITS_MAX = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why an attempt failed: the code for the client, and whether another channel may do better."""

    code: str
    message: str
    kind: str
    is_retryable: bool
    retry_after_seconds: int | None = None


_UNAVAILABLE_TEXT = "The provider is temporarily unavailable; try again in a moment"
_BALANCE_CODES = frozenset(
    {
        "arrearage",
        "accountoverdueerror",
        "serviceoverdue",
        "exceeded_current_quota_error",
        "insufficient_quota",
        "creditinsufficient",
    }
)
_BALANCE_TEXTS = ("insufficient balance", "arrear", "account is in good standing")
"""What some services say in the text alone, under a code that means something else."""
_AUTH_CODES = frozenset(
    {
        "invalid_api_key",
        "authenticationerror",
        "invalid_authentication_error",
        "accessdenied",
        "access_denied",
        "servicenotopen",
        "modelnotopen",
        "permission_denied",
    }
)
_MODERATION_WORDS = (
    "data_inspection_failed",
    "datainspectionfailed",
    "sensitivecontent",
    "content_filter",
    "content_policy",
)
_LENGTH_WORDS = ("context_length_exceeded", "maximum context length", "range of input length")
_AUTH_STATUSES = frozenset({401, 403})
_BALANCE_STATUS = 402
_HIDDEN_STATUSES = {404: "model_missing", 408: "unavailable", 429: "rate_limited"}


class _ErrorObject(msgspec.Struct, gc=False):
    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    param: str | None = None


class _ErrorAnswer(msgspec.Struct, gc=False):
    error: _ErrorObject | str | None = None
    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    param: str | None = None


_decode_answer = msgspec.json.Decoder(_ErrorAnswer).decode
_decode_object = msgspec.json.Decoder(_ErrorObject | str).decode


def order_routes(routes: tuple[Route, ...], choose: random.Random) -> list[Route]:
    """The routes in the order in which to try them: by priority, within one priority a weighted shuffle."""
    if len(routes) == 1:
        return [routes[0]]
    keyed = [
        (r.channel.priority, -(choose.random() ** (1.0 / max(1, r.channel.weight))), i) for i, r in enumerate(routes)
    ]
    keyed.sort()
    return [routes[i] for _, _, i in keyed]


def failure_of_answer(status: int, body: bytes, retry_after: bytes | None) -> Failure:
    """What an error answer (status 400 and above) means."""
    try:
        answer = _decode_answer(body)
    except (msgspec.MsgspecError, RecursionError):
        answer = _ErrorAnswer()
    error = answer.error
    if isinstance(error, str):
        error = _ErrorObject(message=error)
    if error is None:
        error = _ErrorObject(message=answer.message, type=answer.type, code=answer.code, param=answer.param)
    is_wait = retry_after is not None and retry_after.isdigit() and len(retry_after) <= _WAIT_DIGITS_MAX
    wait = int(retry_after) if retry_after is not None and is_wait else None
    return _classify(status, error, wait)


def failure_of_event(detail: bytes) -> Failure:
    """What an error object inside a 200 means; its status is not known, so the codes decide."""
    try:
        error = _decode_object(detail)
    except (msgspec.MsgspecError, RecursionError):
        error = _ErrorObject()
    if isinstance(error, str):
        error = _ErrorObject(message=error)
    status = error.code if isinstance(error.code, int) and error.code >= _BAD_REQUEST else 0
    is_client_fault = "invalid" in (error.type or "") and str(error.code).lower() not in _AUTH_CODES
    return _classify(status or (_BAD_REQUEST if is_client_fault else _SERVER_ERROR), error, None)


def broken(reason: str) -> Failure:
    """The connection did not bring a whole answer."""
    return Failure(code="provider_unavailable", message=_UNAVAILABLE_TEXT, kind=reason, is_retryable=True)


def timed_out(reason: str, *, is_retryable: bool) -> Failure:
    """The provider was silent for too long."""
    message = "The provider did not answer in time; try again, or ask for a shorter answer"
    return Failure(code="provider_timeout", message=message, kind=reason, is_retryable=is_retryable)


def bad_answer(reason: str) -> Failure:
    """The provider's bytes are not an answer."""
    message = "The provider sent an answer that is not valid; try again"
    return Failure(code="provider_bad_answer", message=message, kind=reason, is_retryable=True)


def _classify(status: int, error: _ErrorObject, wait: int | None) -> Failure:
    code = str(error.code or "").lower()
    words = f"{code} {(error.type or '').lower()} {(error.message or '').lower()}"
    is_moderated = any(word in words for word in _MODERATION_WORDS)
    kind = _hidden_kind(status, code, (error.type or "").lower(), words)
    if kind is not None and not (is_moderated and kind == "unavailable"):
        return _hidden(kind, wait if kind in ("rate_limited", "unavailable") else None)
    if is_moderated:
        message = error.message or "The content was refused by the provider's policy"
        return _shown("content_policy_violation", message, "moderated")
    if any(word in words for word in _LENGTH_WORDS):
        return _shown("context_length_exceeded", error.message or "The request is too long for the model", "too_long")
    return _shown("invalid_request", error.message or "The provider refused the request as invalid", "invalid_input")


def _hidden_kind(status: int, code: str, error_type: str, words: str) -> str | None:
    """The provider's own trouble, if it is that; what is the request's fault is shown instead."""
    if code in _BALANCE_CODES or error_type in _BALANCE_CODES or status == _BALANCE_STATUS:
        return "provider_balance"
    if any(text in words for text in _BALANCE_TEXTS):
        return "provider_balance"
    if code in _AUTH_CODES or status in _AUTH_STATUSES:
        return "provider_auth"
    if status in _HIDDEN_STATUSES:
        return _HIDDEN_STATUSES[status]
    return "unavailable" if status >= _SERVER_ERROR or status < _BAD_REQUEST else None


def _hidden(kind: str, wait: int | None) -> Failure:
    """The provider's own trouble: another channel may do better, and the customer is told no more than that."""
    return Failure(
        code="provider_unavailable", message=_UNAVAILABLE_TEXT, kind=kind, is_retryable=True, retry_after_seconds=wait
    )


def _shown(code: str, message: str, kind: str) -> Failure:
    return Failure(code=code, message=message[:_MESSAGE_MAX], kind=kind, is_retryable=False)
