"""Top-ups as operators see them: of all customers, with their refunds and what was told of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.topups import KeptNotification, Refund, TopUp
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.topups import TopUpFilter
from yuanjing.usecases.pages import page_size


@dataclass(frozen=True, kw_only=True, slots=True)
class TopUpReport:
    """A top-up with all that belongs to it, oldest first."""

    topup: TopUp
    refunds: Sequence[Refund]
    notifications: Sequence[KeptNotification]


async def list_topups(store: Store, where: TopUpFilter, *, customer_id: str | None = None) -> list[TopUp]:
    """Top-ups, newest first; of a customer if one is given.

    Raises:
        InvalidInputError: the limit is out of bounds.
    """
    page_size(where.limit)
    return await store.read(lambda tx: tx.topups.list(replace(where, customer_id=customer_id)))


async def show_topup(store: Store, name: str) -> TopUpReport:
    """One by its id or number.

    Raises:
        NotFoundError: there is none.
    """

    def work(tx: Tx) -> TopUpReport:
        topup = find(tx, name)
        return TopUpReport(
            topup=topup,
            refunds=tx.topups.refunds(topup.id),
            notifications=tx.topups.notifications(topup.number),
        )

    return await store.read(work)


def find(tx: Tx, name: str) -> TopUp:
    """A top-up by its id or number.

    Raises:
        NotFoundError: there is none.
    """
    topup = tx.topups.get(name) or tx.topups.lock(name)
    if topup is None:
        raise NotFoundError(f"there is no top-up {name[:40]!r}", param="topup")
    return topup
