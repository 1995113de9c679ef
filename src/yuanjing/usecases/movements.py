"""What one unit of work does to holds, key budgets and the ledger, gathered and then done in one order of locks.

The order of locks in every unit of work of the money use cases is: node, spool position, holds, budgets, accounts; each
kind sorted by id. Callers lock nodes and holds before they gather movements; `apply` does the rest. A unit of work
locks its holds in one call and applies once: a second time would lock out of order.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from yuanjing.domain.errors import InsufficientFundsError
from yuanjing.domain.holds import Hold
from yuanjing.domain.ledger import Transfer, place_hold, release_hold, settle_hold, split
from yuanjing.domain.money import Book
from yuanjing.ports.store import Store, Topic, Tx
from yuanjing.usecases.budgets import move_budget

T = TypeVar("T")

LAST_PART = 0
"""The part number of the release that take-over or expiry makes; owners count theirs from 1."""

_ATTEMPTS_MAX = 8


async def write_contended(store: Store, work: Callable[[Tx], T]) -> T:
    """Run a unit of work that decides by a balance which it reads before it moves money.

    Another process may take that money between the two statements; then the move is refused, nothing has happened, and
    the work decides again with the new balance.

    Raises:
        InsufficientFundsError: refused every time.
    """
    for _ in range(_ATTEMPTS_MAX - 1):
        try:
            return await store.write(work)
        except InsufficientFundsError:
            continue
    return await store.write(work)


@dataclass(frozen=True, kw_only=True, slots=True)
class Late:
    """Usage whose lease was closed, or did not cover it, when it came: charged from what its customers had left.

    Attributes:
        charge_nanos: what it costs.
        shortfall_nanos: what of that they did not have: the platform's loss.
    """

    rows: int = 0
    charge_nanos: int = 0
    shortfall_nanos: int = 0

    def __add__(self, other: "Late") -> "Late":
        return Late(
            rows=self.rows + other.rows,
            charge_nanos=self.charge_nanos + other.charge_nanos,
            shortfall_nanos=self.shortfall_nanos + other.shortfall_nanos,
        )


class Movements:
    """Gathers moves of money around holds; nothing is written before `apply`. `late` is what of it came late."""

    def __init__(self, tx: Tx, at: float) -> None:
        self._tx = tx
        self.at = at
        self.late = Late()
        self._transfers: list[Transfer] = []
        self._added: dict[str, Hold] = {}
        self._changed: dict[str, Hold] = {}
        self._budgets: dict[str, tuple[int, int]] = {}
        self._funded: set[tuple[Book, str]] = set()

    def open_lease(self, hold: Hold, *, part: int) -> None:
        """Place a new hold with the amount, and the promotion money in it, that it names."""
        self._added[hold.id] = hold
        self._place(hold, hold.amount_nanos, hold.promotion_nanos, part)

    def extend(self, hold: Hold, amount_nanos: int, *, promotion_nanos: int = 0, part: int, expires_at: float) -> None:
        """Put more money into an open hold, so much of it promotion money."""
        after = hold.extended(amount_nanos, promotion_nanos=promotion_nanos, expires_at=expires_at)
        self._changed[hold.id] = after
        self._place(hold, amount_nanos, promotion_nanos, part)

    def settle(self, hold: Hold, amount_nanos: int, *, cause: str) -> str:
        """Charge a part of an open hold; the transfer's id."""
        transfer = settle_hold(hold.book, hold.customer_id, amount_nanos, hold_id=hold.id, cause=cause)
        self._transfers.append(transfer)
        self._changed[hold.id] = hold.settled(amount_nanos, at=self.at)
        self._move_budget(hold.key_id, -amount_nanos, amount_nanos)
        return transfer.id

    def release(self, hold: Hold, amount_nanos: int, *, part: int) -> Hold:
        """Give a part of an open hold back; the hold after it."""
        transfer = release_hold(hold.book, hold.customer_id, amount_nanos, hold_id=hold.id, part=part)
        after = hold.released(amount_nanos).closed_if_done(self.at)
        self._transfers += split(transfer, hold.promotion_nanos - after.promotion_nanos)
        self._move_budget(hold.key_id, -amount_nanos, 0)
        self._changed[hold.id] = after
        return after

    def resolve(self, hold: Hold) -> None:
        """Give back all that remains of an open hold and close it, whoever may have been waiting for it."""
        if hold.remaining_nanos:
            hold = self.release(hold, hold.remaining_nanos, part=LAST_PART)
            self.tell_of_funds(hold.book, hold.customer_id)
        self._changed[hold.id] = replace(hold, closed_at=self.at)

    def latest(self, hold: Hold) -> Hold:
        """The hold as it is after the moves gathered so far; what moves it next starts from there."""
        return self._changed.get(hold.id, hold)

    def save(self, hold: Hold) -> None:
        """Write changed marks of a hold."""
        self._changed[hold.id] = hold

    def transfer(self, *transfers: Transfer) -> None:
        """Any other posting."""
        self._transfers += transfers

    def spend_budget(self, key_id: str, amount_nanos: int) -> None:
        """Count a charge that no hold covers against the key's budget, if it has one."""
        self._move_budget(key_id, 0, amount_nanos)

    def tell_of_funds(self, book: Book, customer_id: str) -> None:
        """Signal that the customer, who may have been refused, has money again."""
        self._funded.add((book, customer_id))

    def apply(self) -> None:
        """Write everything.

        Raises:
            InsufficientFundsError: a customer's account would go below zero.
        """
        for key_id in sorted(self._budgets):
            held_nanos, spent_nanos = self._budgets[key_id]
            move_budget(self._tx, key_id, self.at, held_nanos=held_nanos, spent_nanos=spent_nanos)
        is_new = self._tx.ledger.post(self._transfers) if self._transfers else []
        assert all(is_new), [t.id for t, new in zip(self._transfers, is_new, strict=True) if not new]
        self._tx.holds.add(*(self._added[hold_id] for hold_id in sorted(self._added)))
        for hold_id in sorted(self._changed):
            self._tx.holds.save(self._changed[hold_id])
        for book, customer_id in sorted(self._funded):
            self._tx.signals.emit(Topic.FUNDS, f"{book}:{customer_id}", self.at)

    def _place(self, hold: Hold, amount_nanos: int, promotion_nanos: int, part: int) -> None:
        transfer = place_hold(hold.book, hold.customer_id, amount_nanos, hold_id=hold.id, part=part)
        self._transfers += split(transfer, promotion_nanos)
        self._move_budget(hold.key_id, amount_nanos, 0)

    def _move_budget(self, key_id: str | None, held_nanos: int, spent_nanos: int) -> None:
        if key_id is not None:
            held, spent = self._budgets.get(key_id, (0, 0))
            self._budgets[key_id] = (held + held_nanos, spent + spent_nanos)
