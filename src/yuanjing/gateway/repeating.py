"""Admission of requests that name themselves: the first goes on, the others are answered as the first was."""

from collections.abc import Callable
from dataclasses import dataclass

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.idempotency import (
    OTHER_MESSAGE,
    RUNNING_MESSAGE,
    Claim,
    Found,
    InvalidIdempotencyKeyError,
    Standing,
    content_digest,
    key_digest,
)
from yuanjing.gateway.claims import HeldClaim
from yuanjing.gateway.directory import KeyEntry
from yuanjing.gateway.exchange import Exchange, Services
from yuanjing.gateway.request import ChatRequest, RequestError

_BLANKS = b" \t"
GoOn = Callable[[Services, Exchange, KeyEntry], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """A request that names itself, set aside until its claim is decided."""

    claim: Claim
    body: bytes
    go_on: GoOn


def begin_claim(gateway: Services, exchange: Exchange, key: KeyEntry, go_on: GoOn) -> None:
    """Leave the fast way to claim the request's name; `go_on` is called if it is the first.

    Raises:
        RequestError: the name is not acceptable.
    """
    name = exchange.idempotency_key
    assert name is not None
    try:
        digest = key_digest(name.strip(_BLANKS))
    except InvalidIdempotencyKeyError as error:
        raise RequestError(error.code, error.message, error.param) from error
    body = exchange.take_body()
    exchange.usage_id = gateway.new_id()
    content = content_digest(b"POST", exchange.dialect.value.encode(), body)
    claim = Claim(key_id=key.id, digest=digest, content=content, usage_id=exchange.usage_id)
    gateway.spawn(_claim(gateway, exchange, key, _Asked(claim=claim, body=body, go_on=go_on)))


async def _claim(gateway: Services, exchange: Exchange, key: KeyEntry, asked: _Asked) -> None:
    """Claim the name, then go on as the first, or answer as the first was answered."""
    try:
        found = await gateway.claims.claim(asked.claim)
        if found.standing is Standing.NEW:
            _begin_first(gateway, exchange, key, asked)
        elif not exchange.is_over:
            _answer_retry(gateway, exchange, key, found, asked.body)
    except StoreUnavailableError:
        exchange.refuse("store_unavailable", "The Idempotency-Key cannot be checked at the moment; try again")
    except Exception as error:  # noqa: BLE001  # whatever it is, the client gets an end; `give_up` logs it
        gateway.give_up(exchange, error)


def _begin_first(gateway: Services, exchange: Exchange, key: KeyEntry, asked: _Asked) -> None:
    """The name is the request's own; from here on it is admitted like any other."""
    held = HeldClaim(gateway.claims, asked.claim)
    if exchange.is_over:  # its client has left, or its time is up
        held.release()
        return
    exchange.held_claim = held
    exchange.put_back_body(asked.body)
    asked.go_on(gateway, exchange, key)


def _answer_retry(gateway: Services, exchange: Exchange, key: KeyEntry, found: Found, body: bytes) -> None:
    """Another request came first under this name. A retry counts as a request of its API key, without tokens."""
    meter, now, first = key.meter, gateway.now(), found.first
    if key.has_limits:
        if not meter.admit(key.limits, now, gateway.processes):
            refuse_often(gateway, exchange, key)
            return
        meter.finish(0, now)
    if found.standing is Standing.OTHER:
        exchange.refuse("idempotency_mismatch", OTHER_MESSAGE)
    elif found.standing is Standing.RUNNING or first is None:
        exchange.refuse("idempotency_in_progress", RUNNING_MESSAGE)
    elif first.answer is None:
        message = (
            f"The first request with this Idempotency-Key was answered and charged (usage {first.usage_id}), but its "
            "answer was too large to be kept; choose a new key to ask again"
        )
        exchange.refuse("answer_not_kept", message)
    else:
        exchange.replay(first, first.answer, is_stream=ChatRequest(exchange.dialect, body).is_stream)


def refuse_often(gateway: Services, exchange: Exchange, key: KeyEntry) -> None:
    """The limits of the API key do not allow the request now."""
    wait = key.meter.wait_seconds(key.limits, gateway.now(), gateway.processes)
    message = f"Too many requests for the limits of this API key; try again in {wait} s"
    exchange.refuse("rate_limit_exceeded", message, retry_after_seconds=wait)
