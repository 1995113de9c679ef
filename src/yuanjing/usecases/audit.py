"""Recording who has changed what, within the unit of work that changes it; and reading it again."""

from collections.abc import Mapping, Sequence

from yuanjing.domain.audit import (
    SECURITY_ACTIONS,
    SYSTEM,
    Action,
    Actor,
    ActorKind,
    AuditEvent,
    details_of,
)
from yuanjing.kit.clock import Clock
from yuanjing.kit.ids import sortable_id
from yuanjing.ports.audit import AuditFilter
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.pages import page_size

_HOUR_SECONDS = 3600.0
_PURGED_MAX = 500
"""Rows of each stream in one unit of work."""


def record(  # noqa: PLR0913  # the parts of one event
    tx: Tx,
    at: float,
    by: Actor,
    action: Action,
    subject: str,
    *,
    customer_id: str | None = None,
    details: Mapping[str, str | int | Sequence[str]] | None = None,
) -> None:
    """Record what this unit of work does; `details` hold no secret, no whole mobile number and nobody's content."""
    tx.audit.append(
        AuditEvent(
            id=sortable_id("aud"),
            at=at,
            actor=by,
            action=action,
            subject=subject,
            customer_id=customer_id,
            details=details_of(details or {}),
        )
    )


def record_failure(tx: Tx, at: float, address: str, customer_id: str, proof: str, *, per_hour: int) -> None:
    """Record a failed try to show to be this customer, unless so many were recorded within the last hour.

    Whoever goes on trying would fill the log otherwise. The last one that is recorded says that more may follow.
    """
    known = tx.audit.count(customer_id, Action.SIGN_IN_FAILED, since=at - _HOUR_SECONDS)
    if known >= per_hour:
        return
    details = {"proof": proof} if known + 1 < per_hour else {"proof": proof, "more": "not recorded within the hour"}
    visitor = Actor(kind=ActorKind.VISITOR, address=address)
    record(tx, at, visitor, Action.SIGN_IN_FAILED, customer_id, customer_id=customer_id, details=details)


async def list_events(store: Store, where: AuditFilter) -> list[AuditEvent]:
    """Events, newest first.

    Raises:
        InvalidInputError: the page is too large.
        DamagedError: one cannot be read.
    """
    page_size(where.limit)
    return await store.read(lambda tx: tx.audit.list(where))


async def list_security_events(
    store: Store, customer_id: str, *, before: str | None = None, limit: int = 50
) -> list[AuditEvent]:
    """What happened to a customer's account, newest first, below the id `before`.

    Raises:
        InvalidInputError: the page is too large.
        DamagedError: one cannot be read.
    """
    where = AuditFilter(
        limit=page_size(limit), actions=frozenset(SECURITY_ACTIONS), customer_id=customer_id, before=before
    )
    return await store.read(lambda tx: tx.audit.list(where))


async def purge_audit(store: Store, clock: Clock, *, days: int) -> int:
    """Remove what is older, oldest first and so many rows at once; how many. That is recorded too.

    The heads keep what the removed rows came to, so what is left can be verified.
    """
    now = clock.unix()

    def work(tx: Tx) -> int:
        removed = tx.audit.purge(now - days * 86_400.0, _PURGED_MAX)
        if removed:
            record(tx, now, SYSTEM, Action.LOG_PURGED, "audit", details={"rows": removed, "older_than_days": days})
        return removed

    return await store.write(work)
