"""API keys: made once, shown once, checked in constant time."""

import dataclasses
import ipaddress

from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.identity import (
    KEY_ID_LENGTH,
    KEY_SECRET_LENGTH,
    ApiKey,
    AuthenticationError,
    Caller,
    Customer,
    KeyLimits,
    format_key,
    is_well_formed,
    public_id_of,
)
from yuanjing.domain.money import AMOUNT_NANOS_MAX, Book
from yuanjing.kit.clock import Clock
from yuanjing.kit.digest import DIGEST_BYTES, is_same_digest, keyed_digest
from yuanjing.kit.ids import random_base62, sortable_id
from yuanjing.ports.store import Store, Topic, Tx
from yuanjing.usecases.pages import page_size

NAME_LENGTH_MAX = 100
LIST_LENGTH_MAX = 200
LIMIT_MAX = 10**9


async def create_key(  # noqa: PLR0913  # keyword-only, one for each column that the caller decides
    store: Store,
    clock: Clock,
    pepper: bytes,
    *,
    customer_id: str,
    book: Book,
    name: str = "",
    limits: KeyLimits | None = None,
    expires_at: float | None = None,
) -> tuple[ApiKey, str]:
    """Make a key. The second value is the key itself: the only time that anyone sees it.

    Model names of the allow-list are those of offers; an alias is replaced by its model's name.

    Raises:
        NotFoundError: no such customer.
        InvalidInputError: a limit cannot be used, an unknown model, or an expiry in the past.
    """
    if len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidInputError(f"name: at most {NAME_LENGTH_MAX} printable characters", param="name")
    if expires_at is not None and expires_at <= clock.unix():
        raise InvalidInputError("the key would have expired already", param="expires_at")
    checked = _check_limits(limits or KeyLimits())
    public_id = random_base62(KEY_ID_LENGTH)
    text = format_key(book, public_id, random_base62(KEY_SECRET_LENGTH))
    draft = ApiKey(
        id=sortable_id("key"),
        customer_id=customer_id,
        book=book,
        name=name,
        public_id=public_id,
        digest=keyed_digest(pepper, text),
        limits=checked,
        created_at=clock.unix(),
        expires_at=expires_at,
    )

    def work(tx: Tx) -> ApiKey:
        if tx.customers.get(customer_id) is None:
            raise NotFoundError(f"there is no customer {customer_id[:40]!r}", param="customer")
        limits_now = dataclasses.replace(checked, models=_resolve_models(tx, checked.models))
        key = dataclasses.replace(draft, limits=limits_now)
        tx.keys.add(key)
        return key

    return await store.write(work), text


async def list_keys(store: Store, customer_id: str, *, after: str | None = None, limit: int = 100) -> list[ApiKey]:
    """A customer's keys in the order of their ids, revoked and expired ones too.

    Raises:
        NotFoundError: no such customer.
        InvalidInputError: the page is too large.
    """

    def work(tx: Tx) -> list[ApiKey]:
        if tx.customers.get(customer_id) is None:
            raise NotFoundError(f"there is no customer {customer_id[:40]!r}", param="customer")
        return tx.keys.list(customer_id, after=after, limit=page_size(limit))

    return await store.read(work)


async def revoke_key(store: Store, clock: Clock, key_id: str) -> ApiKey:
    """End a key for ever; revoking it again changes nothing. `key_id` is its id or its public id.

    Raises:
        NotFoundError: no such key.
    """

    def work(tx: Tx) -> ApiKey:
        key = tx.keys.get(key_id) if key_id.startswith("key_") else tx.keys.by_public_id(key_id)
        if key is None:
            raise NotFoundError(f"there is no key {key_id[:40]!r}", param="key")
        now = clock.unix()
        if tx.keys.revoke(key.id, now):
            tx.signals.emit(Topic.KEY, key.public_id, now)
            return dataclasses.replace(key, revoked_at=now)
        return key

    return await store.write(work)


async def find_key(store: Store, public_id: str) -> tuple[ApiKey, Customer] | None:
    """A key and its customer by the eight characters that name it; revoked and expired ones too."""

    def work(tx: Tx) -> tuple[ApiKey, Customer] | None:
        key = tx.keys.by_public_id(public_id)
        customer = tx.customers.get(key.customer_id) if key else None
        return (key, customer) if key and customer else None

    return await store.read(work)


async def authenticate(store: Store, clock: Clock, pepper: bytes, presented: str) -> Caller:
    """Who presents this key.

    An unknown id costs the same work as a wrong secret, so that the time of the answer says nothing.

    Raises:
        AuthenticationError: the key may not be used, for whatever reason.
    """
    if not is_well_formed(presented):
        raise AuthenticationError
    found = await find_key(store, public_id_of(presented))
    expected = found[0].digest if found else bytes(DIGEST_BYTES)
    is_right = is_same_digest(keyed_digest(pepper, presented), expected)
    if found is None or not is_right:
        raise AuthenticationError
    key, customer = found
    if not key.is_usable(clock.unix()) or customer.disabled_at is not None:
        raise AuthenticationError
    return Caller(key=key, customer=customer)


def _check_limits(limits: KeyLimits) -> KeyLimits:
    """The limits with their networks in one written form."""
    for name in ("requests_per_minute", "tokens_per_minute", "concurrency"):
        value = getattr(limits, name)
        if value is not None and not 1 <= value <= LIMIT_MAX:
            raise InvalidInputError(f"{name}: from 1 to {LIMIT_MAX}", param=name)
    if limits.budget_nanos is not None and not 1 <= limits.budget_nanos <= AMOUNT_NANOS_MAX:
        raise InvalidInputError("budget: more than zero, at most a thousand million CNY", param="budget")
    if max(len(limits.models), len(limits.networks)) > LIST_LENGTH_MAX:
        raise InvalidInputError(f"at most {LIST_LENGTH_MAX} models and networks", param="models")
    try:
        networks = tuple(str(ipaddress.ip_network(text.strip())) for text in limits.networks)
    except ValueError as error:
        raise InvalidInputError(f"networks: {error}; write 10.0.0.0/8 or 192.0.2.7", param="networks") from error
    return dataclasses.replace(limits, networks=networks)


def _resolve_models(tx: Tx, names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        return ()
    models = {name: offer.model for offer in tx.catalog.offers() for name in (offer.id, offer.model, *offer.aliases)}
    for name in names:
        if name not in models:
            raise InvalidInputError(f"models: there is no offer {name[:60]!r}", param="models")
    return tuple(dict.fromkeys(models[name] for name in names))
