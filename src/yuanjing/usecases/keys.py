"""API keys: made once, shown once, checked in constant time."""

import dataclasses
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from yuanjing.domain.audit import SYSTEM, Action, Actor
from yuanjing.domain.errors import InvalidInputError, NotFoundError, YuanjingError
from yuanjing.domain.identity import (
    KEY_ID_LENGTH,
    KEY_SECRET_LENGTH,
    ApiKey,
    AuthenticationError,
    BudgetPeriod,
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
from yuanjing.kit.text import is_storable
from yuanjing.ports.store import Store, Topic, Tx
from yuanjing.usecases.audit import record
from yuanjing.usecases.budgets import restarted
from yuanjing.usecases.key_finder import KeyFinder
from yuanjing.usecases.pages import page_size

NAME_LENGTH_MAX = 100
LIST_LENGTH_MAX = 200
LIMIT_MAX = 10**9
_DAY_SECONDS = 86_400.0
_MAPPED_BITS = 96
"""The bits before an IPv4 address in `::ffff:0:0/96`, RFC 4291, 2.5.5.2."""


class TooManyKeysError(YuanjingError):
    """The customer has as many keys as it may have."""

    code = "too_many_keys"

    def __init__(self, keys_max: int) -> None:
        super().__init__(
            f"A customer may have {keys_max} keys; revoke some (those made within the last day count also then)"
        )


class KeyRevokedError(YuanjingError):
    """A revoked key stays as it is."""

    code = "key_revoked"

    def __init__(self) -> None:
        super().__init__("The key is revoked, which is final; make another one")


_NOBODY = (
    ApiKey(
        id="",
        customer_id="",
        book=Book.TEST,
        name="",
        public_id="",
        digest=bytes(DIGEST_BYTES),
        limits=KeyLimits(),
        created_at=0.0,
    ),
    Customer(id="", mobile="", name="", created_at=0.0),
)
"""Looked at in the place of a key that does not exist."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyTerms:
    """What may change of a key."""

    name: str
    limits: KeyLimits
    expires_at: float | None


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
    keys_max: int | None = None,
    by: Actor = SYSTEM,
) -> tuple[ApiKey, str]:
    """Make a key. The second value is the key itself: the only time that anyone sees it.

    The allow-list names offers: an id stays, for that offer alone; an alias is replaced by its model's name, for all of
    that model. Operators are not bound by `keys_max`. `by` is who is recorded as having made it.

    Raises:
        NotFoundError: no such customer.
        InvalidInputError: a limit cannot be used, an unknown model, or an expiry in the past.
        TooManyKeysError: the customer has `keys_max` already.
    """
    terms = _checked(KeyTerms(name=name, limits=limits or KeyLimits(), expires_at=expires_at))
    if expires_at is not None and expires_at <= clock.unix():
        raise InvalidInputError("the key would have expired already", param="expires_at")
    checked = terms.limits
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
        if tx.customers.lock(customer_id) is None:  # whoever makes another key at the same time waits
            raise NotFoundError(f"there is no customer {customer_id[:40]!r}", param="customer")
        if keys_max is not None and tx.keys.count(customer_id, since=clock.unix() - _DAY_SECONDS) >= keys_max:
            raise TooManyKeysError(keys_max)
        limits_now = dataclasses.replace(checked, models=_resolve_models(tx, checked.models))
        key = dataclasses.replace(draft, limits=limits_now)
        tx.keys.add(key)
        _record(tx, key.created_at, by, Action.KEY_CREATED, key, book=key.book.value)
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


async def change_key(
    store: Store,
    clock: Clock,
    *,
    customer_id: str,
    key_id: str,
    change: Callable[[KeyTerms], KeyTerms],
    by: Actor = SYSTEM,
) -> ApiKey:
    """Change a customer's key; the gateways read it again at once.

    A budget that is set, taken away, or given another period counts from now on.

    Raises:
        NotFoundError: the customer has no such key.
        KeyRevokedError: it is revoked.
        InvalidInputError: a limit cannot be used, an unknown model, or a new expiry in the past.
    """

    def work(tx: Tx) -> ApiKey:
        tx.keys.budget(own_key(tx, customer_id, key_id).id)  # locks: changes of a key wait for each other
        key = own_key(tx, customer_id, key_id)
        if key.revoked_at is not None:
            raise KeyRevokedError
        now = clock.unix()
        terms = _checked(change(KeyTerms(name=key.name, limits=key.limits, expires_at=key.expires_at)))
        if terms.expires_at is not None and terms.expires_at != key.expires_at and terms.expires_at <= now:
            raise InvalidInputError("the key would have expired already", param="expires_at")
        models = (
            key.limits.models if terms.limits.models == key.limits.models else _resolve_models(tx, terms.limits.models)
        )
        changed = dataclasses.replace(
            key,
            name=terms.name,
            limits=dataclasses.replace(terms.limits, models=models),
            expires_at=terms.expires_at,
        )
        if changed == key:
            return key
        if _budget_kind(changed.limits) != _budget_kind(key.limits):
            tx.keys.save_budget(key.id, restarted(tx, changed, now))
        tx.keys.save(changed)
        tx.signals.emit(Topic.KEY, key.public_id, now)
        _record(tx, now, by, Action.KEY_CHANGED, key, fields=_differing(key, changed))
        return changed

    return await store.write(work)


def own_key(tx: Tx, customer_id: str, key_id: str) -> ApiKey:
    """A key of this customer, by its id.

    Raises:
        NotFoundError: there is none; another customer's is none.
    """
    key = tx.keys.get(key_id) if is_storable(key_id) else None
    if key is None or key.customer_id != customer_id:
        raise NotFoundError("There is no such key", param="key_id")
    return key


async def revoke_own_key(store: Store, clock: Clock, customer_id: str, key_id: str, *, by: Actor = SYSTEM) -> ApiKey:
    """End a customer's key for ever; see `revoke_key`.

    Raises:
        NotFoundError: the customer has no such key.
    """
    await store.read(lambda tx: own_key(tx, customer_id, key_id))
    return await revoke_key(store, clock, key_id, by=by)


async def revoke_key(store: Store, clock: Clock, key_id: str, *, by: Actor = SYSTEM) -> ApiKey:
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
            _record(tx, now, by, Action.KEY_REVOKED, key)
            return dataclasses.replace(key, revoked_at=now)
        return key

    return await store.write(work)


async def authenticate(finder: KeyFinder, clock: Clock, pepper: bytes, presented: str) -> Caller:
    """Who presents this key.

    An unknown id and a revoked key cost the same work as a wrong secret, so that the time of the answer says nothing.

    Raises:
        AuthenticationError: the key may not be used, for whatever reason.
    """
    if not is_well_formed(presented):
        raise AuthenticationError
    found = await finder.find(public_id_of(presented))
    key, customer = found or _NOBODY
    is_right = is_same_digest(keyed_digest(pepper, presented), key.digest)
    is_usable = key.is_usable(clock.unix()) and customer.disabled_at is None
    if found is None or not is_right or not is_usable:
        raise AuthenticationError
    return Caller(key=key, customer=customer)


def _record(tx: Tx, at: float, by: Actor, action: Action, key: ApiKey, **more: str | list[str]) -> None:
    details = {"public_id": key.public_id, **more}
    record(tx, at, by, action, key.id, customer_id=key.customer_id, details=details)


def _differing(before: ApiKey, after: ApiKey) -> list[str]:
    """The names of what a change has changed."""
    names = [name for name in ("name", "expires_at") if getattr(before, name) != getattr(after, name)]
    limits = (field.name for field in dataclasses.fields(KeyLimits))
    return [*names, *(name for name in limits if getattr(before.limits, name) != getattr(after.limits, name))]


def _checked(terms: KeyTerms) -> KeyTerms:
    if len(terms.name) > NAME_LENGTH_MAX or not terms.name.isprintable():
        raise InvalidInputError(f"name: at most {NAME_LENGTH_MAX} printable characters", param="name")
    return dataclasses.replace(terms, limits=_check_limits(terms.limits))


def _budget_kind(limits: KeyLimits) -> BudgetPeriod | None:
    """For which time spending is counted; None if it is not. A budget that only changes its amount goes on counting."""
    return None if limits.budget_nanos is None else limits.budget_period


def _check_limits(limits: KeyLimits) -> KeyLimits:
    """The limits with their networks in one written form."""
    for name in ("requests_per_minute", "tokens_per_minute", "concurrency"):
        value = getattr(limits, name)
        if value is not None and not 1 <= value <= LIMIT_MAX:
            raise InvalidInputError(f"{name}: from 1 to {LIMIT_MAX}", param=name)
    if limits.budget_nanos is not None and not 1 <= limits.budget_nanos <= AMOUNT_NANOS_MAX:
        raise InvalidInputError("budget: more than zero, at most a thousand million CNY", param="budget")
    if max(len(limits.models), len(limits.networks)) > LIST_LENGTH_MAX:
        longer = "models" if len(limits.models) >= len(limits.networks) else "networks"
        raise InvalidInputError(f"{longer}: at most {LIST_LENGTH_MAX}", param=longer)
    try:
        networks = tuple(_network(text.strip()) for text in limits.networks)
    except ValueError as error:
        raise InvalidInputError(f"networks: {error}; write 10.0.0.0/8 or 192.0.2.7", param="networks") from error
    return dataclasses.replace(limits, networks=networks)


def _network(text: str) -> str:
    """The network in one written form; what is IPv4 written as IPv6 becomes IPv4, as the addresses of callers do.

    Raises:
        ValueError: it is none, or an address of one link only.
    """
    if "%" in text:
        raise ValueError("an address with a zone (%) says nothing outside its own machine")
    network = ipaddress.ip_network(text)
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return str(network)
    return f"{mapped}/{network.prefixlen - _MAPPED_BITS}"


def _resolve_models(tx: Tx, names: tuple[str, ...]) -> tuple[str, ...]:
    """An offer's id as it is, every other name as that of the model."""
    if not names:
        return ()
    offers = tx.catalog.offers()
    models = {name: offer.model for offer in offers for name in (offer.model, *offer.aliases)}
    models |= {offer.id: offer.id for offer in offers}
    for name in names:
        if name not in models:
            raise InvalidInputError(f"models: there is no offer {name[:60]!r}", param="models")
    return tuple(dict.fromkeys(models[name] for name in names))
