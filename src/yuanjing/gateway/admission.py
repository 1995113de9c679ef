"""Admission: key → customer, limits, offer, ceiling → purse. What has to wait leaves and comes back here."""

import contextlib
import datetime as dt
import ipaddress
import time

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.identity import KEY_LENGTH, is_well_formed
from yuanjing.domain.pricing import ChatPrice, affordable_output_tokens, ceiling_nanos
from yuanjing.gateway.billing import estimated_tokens
from yuanjing.gateway.directory import KeyEntry, OfferEntry
from yuanjing.gateway.exchange import Exchange, Services
from yuanjing.gateway.lease_source import Refill
from yuanjing.gateway.purse import Purse, Waiter
from yuanjing.gateway.repeating import begin_claim, refuse_often
from yuanjing.gateway.request import ChatRequest, RequestError
from yuanjing.gateway.routing import may_one, order_routes
from yuanjing.kit.digest import keyed_digest

_BEARER = "bearer "
_CLAMP_ROUNDS = 2
_PLACES = {
    Dialect.OPENAI: ("/v1/models", "/v1/videos"),
    Dialect.LLMAGE: ("/llmage/v1/models", "/llmage/v1/video/generations"),
}
"""Where each dialect lists its models, and makes videos."""
_KEY_MESSAGE = "The API key is missing, unknown, expired or revoked; send Authorization: Bearer <your key>"


def presented_key(authorization: bytes | None) -> str | None:
    """The key in an `Authorization` header; the angle brackets of copied examples are taken off."""
    if authorization is None:
        return None
    text = authorization.decode("latin-1").strip()
    if text[:7].lower() != _BEARER:
        return None
    key = text[7:].strip().removeprefix("<").removesuffix(">")
    return key if len(key) == KEY_LENGTH and is_well_formed(key) else None


def early_refusal(gateway: Services, exchange: Exchange) -> tuple[str, str] | None:
    """Why a request cannot be admitted, as far as its head and our memory tell; None if its body is worth asking for.

    A key that is not in memory is looked up when the body is there, as for every other request.
    """
    if (refusal := gateway.refusal()) is not None:
        return refusal, "The service is restarting or overloaded; try again in a moment"
    key = presented_key(exchange.authorization)
    if key is None:
        return "invalid_api_key", _KEY_MESSAGE
    digest, now = keyed_digest(gateway.pepper, key), gateway.now()
    entry = gateway.directory.keys.get(digest, now)
    is_expired = entry is not None and time.time() >= entry.expires_at  # noqa: TID251  # see `admit_key`
    if is_expired or (entry is None and gateway.directory.keys.is_unknown(digest, now)):
        return "invalid_api_key", _KEY_MESSAGE
    return None


def admit(gateway: Services, exchange: Exchange) -> None:
    """Begin the admission of a request whose body is complete."""
    if (refusal := gateway.refusal()) is not None:
        exchange.refuse(refusal, "The service is restarting or overloaded; try again in a moment")
        return
    header, known = exchange.authorization, exchange.side.known_key
    keys, now = gateway.directory.keys, gateway.now()
    if known is not None and known[0] == header and keys.holds(known[1], now):
        admit_key(gateway, exchange, known[1])
        return
    key = presented_key(header)
    if header is None or key is None:
        exchange.refuse("invalid_api_key", _KEY_MESSAGE)
        return
    digest = keyed_digest(gateway.pepper, key)
    entry = keys.get(digest, now)
    if entry is not None:
        exchange.side.known_key = (header, entry)
        admit_key(gateway, exchange, entry)
    elif keys.is_unknown(digest, now):
        exchange.refuse("invalid_api_key", _KEY_MESSAGE)
    else:
        gateway.spawn(_load_key(gateway, exchange, key, digest))


async def _load_key(gateway: Services, exchange: Exchange, key: str, digest: bytes) -> None:
    """Ask the store for a key that is not in memory, then go on."""
    try:
        entry = await gateway.load_key(key, digest)
    except YuanjingError as error:
        exchange.refuse(error.code, "The key cannot be checked at the moment; try again")
        return
    if exchange.is_over:
        return
    if entry is None:
        exchange.refuse("invalid_api_key", _KEY_MESSAGE)
    else:
        admit_key(gateway, exchange, entry)


def admit_key(gateway: Services, exchange: Exchange, key: KeyEntry) -> None:
    """The key is known: read the request, find what it asks for, and set its ceiling aside."""
    wall = time.time()  # noqa: TID251  # the hot path reads the wall clock once per request, without an object between
    try:
        _check_key(exchange, key, wall)
        if exchange.idempotency_key is not None and exchange.held_claim is None:
            begin_claim(gateway, exchange, key, admit_key)
            return
        request = ChatRequest(exchange.dialect, exchange.take_body())
        offer, price = _find(gateway, key, request, wall)
    except RequestError as error:
        exchange.refuse(error.code, error.message, error.param)
        return
    routes = offer.routes[key.book_name]
    if routes[0].channel.health.shut_until and not may_one(routes, 0, gateway.now()):
        exchange.refuse_unserved(offer, routes)
        return
    # Counted last of all checks, since what is counted must be finished again.
    tokens = estimated_tokens(request, offer.limits) if key.limits.tokens_per_minute is not None else 0
    if key.has_limits and not key.meter.admit(key.limits, gateway.now(), gateway.processes, tokens):
        refuse_often(gateway, exchange, key)
        return
    exchange.estimated_tokens = tokens
    exchange.take(key, request, offer, price, order_routes(routes, gateway.random, gateway.now))
    exchange.usage_id = exchange.usage_id or gateway.new_id()
    exchange.started_at = wall
    reserve(gateway, exchange, None, _CLAMP_ROUNDS)


def _check_key(exchange: Exchange, key: KeyEntry, wall: float) -> None:
    if wall >= key.expires_at:
        raise RequestError("invalid_api_key", _KEY_MESSAGE)
    if key.networks and not _is_in(exchange.client_address(), key):
        message = "This API key may not be used from this address; see its IP allow-list"
        raise RequestError("ip_not_allowed", message)


def _find(gateway: Services, key: KeyEntry, request: ChatRequest, wall: float) -> tuple[OfferEntry, ChatPrice]:
    """The offer that the request names, if the key may use it, with the price that holds now."""
    offer = gateway.directory.offer(request.model)
    price = offer.price_at(wall) if offer is not None else None
    if offer is None or price is None:
        raise _no_such_model(gateway, request, wall)
    if key.models is not None and not key.models & {offer.offer.model, offer.offer.id, request.model}:
        message = f"This API key may not use the model '{offer.offer.model}'"
        raise RequestError("model_not_allowed", message, "model")
    if request.n > offer.limits.choices_max:
        message = _text(request, "n", f"'n' must be at most {offer.limits.choices_max}")
        raise RequestError("invalid_parameter", message, "n")
    if offer.refused_fields or request.tool_types:
        request.refuse(offer.refused_fields, offer.refused_tools)
    if not offer.routes[key.book_name]:
        raise RequestError("provider_unavailable", "No provider is available for this model at the moment")
    return offer, price


def _no_such_model(gateway: Services, request: ChatRequest, wall: float) -> RequestError:
    """Nothing that chats has this name; who names a model of something else is told where that is had."""
    models, videos = _PLACES[request.dialect]
    name = request.model[:100]
    other = gateway.directory.others.get(request.model)
    if other is not None and other.is_enabled(dt.datetime.fromtimestamp(wall, dt.UTC)):
        message = f"The model '{name}' makes videos and does not chat; make them with POST {videos}, see GET {models}"
    else:
        message = f"The model '{name}' does not exist; see GET {models}"
    return RequestError("model_not_found", message, "model")


def _text(request: ChatRequest, name: str, message: str) -> str:
    return f"Invalid parameter: {name}" if request.dialect is Dialect.LLMAGE else message


def _is_in(address: str, key: KeyEntry) -> bool:
    with contextlib.suppress(ValueError):
        client = ipaddress.ip_address(address)
        if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped is not None:
            client = client.ipv4_mapped
        return any(client in network for network in key.networks)
    return False


def reserve(gateway: Services, exchange: Exchange, clamp_to: int | None, rounds: int) -> None:
    """Set the ceiling aside and send; what the purse does not hold is asked of the ledger."""
    request, offer, price = exchange.admitted()
    limits = offer.limits
    input_max = request.input_tokens_max(limits)
    output_max = request.n * (request.output_tokens_max(limits) if clamp_to is None else clamp_to)
    ceiling = ceiling_nanos(price, input_max, output_max)
    purse = _purse(gateway, exchange.key)
    if purse.reserve(ceiling):
        exchange.send(purse, ceiling, (input_max, output_max), clamp_to)
        if purse.free < purse.spent >> 1:
            gateway.purses.renew(purse)
        return
    floor = ceiling_nanos(price, input_max, request.n * _floor(gateway, request, offer))

    def wake(refill: Refill | None) -> None:
        if exchange.is_over:
            return
        if refill is None:
            reserve(gateway, exchange, clamp_to, rounds)
        else:
            _short(gateway, exchange, refill, rounds)

    gateway.purses.wait(
        purse,
        Waiter(
            ceiling_nanos=ceiling,
            floor_nanos=floor,
            deadline=gateway.now() + gateway.options.lease_wait_seconds,
            wake=wake,
        ),
    )


def _purse(gateway: Services, key: KeyEntry) -> Purse:
    """The key's purse, remembered on the key as long as it is in use."""
    purse = key.purse
    if purse is None or purse.is_dropped:
        purse = key.purse = gateway.purses.get(key.purse_key)
    return purse


def _floor(gateway: Services, request: ChatRequest, offer: OfferEntry) -> int:
    """The smallest output that a clamped request is admitted with; reasoning cannot be clamped."""
    asked = request.output_tokens_max(offer.limits)
    if offer.limits.reasoning_tokens_max:
        return asked
    return min(asked, gateway.options.clamp_output_tokens_min)


def _short(gateway: Services, exchange: Exchange, refill: Refill, rounds: int) -> None:
    """The money does not cover the ceiling: clamp the answer to what the customer can pay, or refuse."""
    if refill.available_nanos < 0:
        exchange.refuse("store_unavailable", "The balance cannot be checked at the moment; try again")
        return
    request, offer, price = exchange.admitted()
    purse = _purse(gateway, exchange.key)
    clamp_to = _affordable(request, offer, price, refill.available_nanos + purse.free)
    if rounds and clamp_to >= _floor(gateway, request, offer) and not offer.limits.reasoning_tokens_max:
        is_less = clamp_to < request.output_tokens_max(offer.limits)  # else others gave money back meanwhile
        reserve(gateway, exchange, clamp_to if is_less else None, rounds - 1)
    elif refill.is_budget and _may_fit_later(gateway, exchange, refill.available_nanos + refill.budget_held_nanos):
        message = "This request does not fit into the API key's budget beside those that are running; try again later"
        exchange.refuse("budget_held", message)
    elif refill.is_budget:
        exchange.refuse("budget_exceeded", "This API key has reached its budget; raise it or wait for its next period")
    else:
        exchange.refuse("insufficient_balance", "Insufficient balance: top up, or ask for a shorter answer")


def _may_fit_later(gateway: Services, exchange: Exchange, amount_nanos: int) -> bool:
    """Whether the shortest answer that is admitted costs no more than this."""
    request, offer, price = exchange.admitted()
    floor = ceiling_nanos(price, request.input_tokens_max(offer.limits), request.n * _floor(gateway, request, offer))
    return floor <= amount_nanos


def _affordable(request: ChatRequest, offer: OfferEntry, price: ChatPrice, amount_nanos: int) -> int:
    return affordable_output_tokens(price, request.input_tokens_max(offer.limits), amount_nanos) // request.n
