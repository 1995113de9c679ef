"""What operators do about how a customer signs in: locks, lost authenticators, open sessions, and keeping one out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from yuanjing.domain.audit import SYSTEM, Action, Actor
from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.identity import ApiKey, Customer
from yuanjing.domain.signin import Session
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store, Topic, Tx
from yuanjing.usecases.audit import record

_EVERYBODYS = ""
"""No session has this id."""
_PAGE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Unlocked:
    """What was undone.

    Attributes:
        was_locked: passwords, or one-time passwords, did not count.
        had_authenticator: one was taken away, with its recovery codes.
        ended_sessions: how many sessions ended with it.
    """

    was_locked: bool
    had_authenticator: bool = False
    ended_sessions: int = 0


async def unlock_customer(
    store: Store, clock: Clock, customer_id: str, *, takes_authenticator: bool = False, by: Actor = SYSTEM
) -> Unlocked:
    """Let passwords and one-time passwords count again; on wish take the authenticator away, and end all sessions.

    Here and below `by` is who is recorded as having done it.
    """

    def work(tx: Tx) -> Unlocked:
        factors, now = tx.factors.lock(customer_id), clock.unix()
        after = replace(factors, failures=0, locked_until=0.0, totp_failures=0, totp_locked_until=0.0)
        ended = 0
        if takes_authenticator:
            after = replace(after, totp_secret=None, totp_pending=None, recovery_digests=())
            ended = tx.sessions.end_others(customer_id, _EVERYBODYS, now)
        if after != factors:
            tx.factors.save(after)
        done = Unlocked(
            was_locked=now < max(factors.locked_until, factors.totp_locked_until),
            had_authenticator=takes_authenticator and factors.has_totp,
            ended_sessions=ended,
        )
        if after != factors or ended:
            details = {"authenticator_removed": str(done.had_authenticator), "ended_sessions": ended}
            _record(tx, now, by, Action.CUSTOMER_UNLOCKED, customer_id, details)
        return done

    return await store.write(work)


async def disable_customer(store: Store, clock: Clock, customer_id: str, *, by: Actor = SYSTEM) -> tuple[Customer, int]:
    """Keep a customer out: sessions end (how many is the second value), and no key counts any more.

    What runs goes on, and is charged. Disabling again changes nothing.
    """
    now = clock.unix()

    def work(tx: Tx) -> tuple[Customer, int]:
        customer = _locked(tx, customer_id)
        ended = tx.sessions.end_others(customer_id, _EVERYBODYS, now)
        if customer.disabled_at is not None:
            return customer, ended
        _record(tx, now, by, Action.CUSTOMER_DISABLED, customer_id, {"ended_sessions": ended})
        return _saved(tx, replace(customer, disabled_at=now), now), ended

    return await store.write(work)


async def enable_customer(store: Store, clock: Clock, customer_id: str, *, by: Actor = SYSTEM) -> Customer:
    """Let a customer in again, with the keys that were not revoked."""

    def work(tx: Tx) -> Customer:
        customer = _locked(tx, customer_id)
        if customer.disabled_at is None:
            return customer
        _record(tx, clock.unix(), by, Action.CUSTOMER_ENABLED, customer_id)
        return _saved(tx, replace(customer, disabled_at=None), clock.unix())

    return await store.write(work)


async def open_sessions(store: Store, clock: Clock, customer_id: str) -> list[Session]:
    """The customer's sessions that count, newest first."""
    found = await store.read(lambda tx: tx.sessions.list(customer_id))
    return [one for one in found if one.is_open(clock.unix())]


async def end_sessions(
    store: Store, clock: Clock, customer_id: str, session_id: str | None = None, *, by: Actor = SYSTEM
) -> int:
    """End one of the customer's sessions, or all; how many.

    Raises:
        NotFoundError: the customer has no such session, or it has ended.
    """
    now = clock.unix()

    def work(tx: Tx) -> int:
        if session_id is None:
            ended = tx.sessions.end_others(customer_id, _EVERYBODYS, now)
        else:
            ended = int(tx.sessions.end(customer_id, session_id, now))
        if ended:
            details = {"ended_sessions": ended, **({"session": session_id} if session_id else {})}
            _record(tx, now, by, Action.SESSIONS_ENDED, customer_id, details)
        return ended

    ended = await store.write(work)
    if session_id is not None and not ended:
        raise NotFoundError("there is no such session", param="session")
    return ended


def _record(
    tx: Tx, at: float, by: Actor, action: Action, customer_id: str, details: Mapping[str, str | int] | None = None
) -> None:
    record(tx, at, by, action, customer_id, customer_id=customer_id, details=details)


def _locked(tx: Tx, customer_id: str) -> Customer:
    customer = tx.customers.lock(customer_id)
    if customer is None:
        raise NotFoundError(f"there is no customer {customer_id[:40]!r}", param="customer")
    return customer


def _saved(tx: Tx, customer: Customer, at: float) -> Customer:
    """Written; the gateways read each of the customer's keys again."""
    tx.customers.save(customer)
    for key in _keys(tx, customer.id):
        if key.is_usable(at):
            tx.signals.emit(Topic.KEY, key.public_id, at)
    return customer


def _keys(tx: Tx, customer_id: str) -> Iterator[ApiKey]:
    after: str | None = None
    while page := tx.keys.list(customer_id, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id
