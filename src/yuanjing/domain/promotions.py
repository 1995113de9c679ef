"""Promotion money: what the platform gives away, in lots that may expire.

The ledger knows one account of promotion money for each customer; which lot a nano-yuan in it belongs to is found out
when somebody asks, and always in the same way: what was spent is taken from the lot that expires first. What open holds
have of it is not spent, and counts as money of the lots that expire first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from yuanjing.domain.money import AMOUNT_NANOS_MAX, Book


@dataclass(frozen=True, kw_only=True, slots=True)
class Lot:
    """One grant of promotion money. What was spent of it is what is neither left nor expired.

    Attributes:
        amount_nanos: what was given.
        left_nanos: what was not spent and has not expired, when the lot was last looked at; see `attribute`.
        expired_nanos: what was collected after its expiry.
        expires_at: Unix time from which it is collected; None if it never is.
        cause: the name of the grant, unique in the ledger.
        created_at: Unix time.
    """

    id: str
    book: Book
    customer_id: str
    amount_nanos: int
    left_nanos: int
    expired_nanos: int = 0
    expires_at: float | None = None
    cause: str
    created_at: float

    def __post_init__(self) -> None:
        assert 0 < self.amount_nanos <= AMOUNT_NANOS_MAX, self
        assert self.left_nanos >= 0, self
        assert self.expired_nanos >= 0, self
        assert self.left_nanos + self.expired_nanos <= self.amount_nanos, self

    def is_expired(self, at: float) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= at


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """What of an expired lot goes back to the platform; `before` is the lot before that, `after` the one after."""

    before: Lot
    after: Lot

    @property
    def amount_nanos(self) -> int:
        """How much; more than zero."""
        return self.before.left_nanos - self.after.left_nanos


def in_order(lots: Sequence[Lot]) -> list[Lot]:
    """The lots in the order in which they are spent: the first to expire first, those that never do last."""
    return sorted(lots, key=lambda lot: (lot.expires_at is None, lot.expires_at or 0, lot.created_at, lot.id))


def attribute(lots: Sequence[Lot], total_nanos: int) -> list[Lot]:
    """The lots in order, with what is left of each.

    Args:
        lots: all of one customer, in one book, that had something left when they were last looked at.
        total_nanos: the customer's promotion money now, in its account and in open holds.
    """
    spent = sum(lot.left_nanos for lot in lots) - total_nanos
    assert total_nanos >= 0, total_nanos
    assert spent >= 0, (lots, total_nanos)
    after: list[Lot] = []
    for lot in in_order(lots):
        taken = min(spent, lot.left_nanos)
        spent -= taken
        after.append(replace(lot, left_nanos=lot.left_nanos - taken) if taken else lot)
    return after


def collect(lots: Sequence[Lot], held_nanos: int, at: float) -> list[Collection]:
    """What is to be collected of lots that have expired, none of it from open holds.

    Args:
        lots: as `attribute` returns them.
        held_nanos: the promotion money in open holds; it counts as money of the lots that expire first.
        at: now.
    """
    held = held_nanos
    collections: list[Collection] = []
    for lot in in_order(lots):
        if not lot.is_expired(at):
            break
        kept = min(held, lot.left_nanos)
        held -= kept
        free = lot.left_nanos - kept
        if free:
            after = replace(lot, left_nanos=kept, expired_nanos=lot.expired_nanos + free)
            collections.append(Collection(before=lot, after=after))
    return collections
