"""Promotion money: giving it, showing it, and collecting what has expired.

Which lot a customer's promotion money belongs to is found out under the lock of its accounts: nobody moves any of it
meanwhile, and what open holds have of it changes with the account of held money only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from yuanjing.domain import ledger
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.ledger import Balances
from yuanjing.domain.money import Book
from yuanjing.domain.promotions import Lot, attribute, collect
from yuanjing.kit.clock import Clock
from yuanjing.kit.ids import sortable_id
from yuanjing.ports.store import Store, Topic, Tx
from yuanjing.usecases.movements import Movements
from yuanjing.usecases.pages import page_size

_CUSTOMERS_AT_ONCE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Gift:
    """Promotion money to be given.

    Attributes:
        expires_at: Unix time from which what is left of it is collected; None if it never is.
        cause: unique in the ledger; the same cause gives once.
        note: for operators, such as who gave it and why.
    """

    customer_id: str
    book: Book
    amount_nanos: int
    expires_at: float | None
    cause: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pot:
    """A customer's promotion money in one book: its open lots as they were kept, and how much there is now."""

    lots: list[Lot]
    total_nanos: int
    held_nanos: int

    @property
    def is_sound(self) -> bool:
        return self.total_nanos <= sum(lot.left_nanos for lot in self.lots)

    def attributed(self) -> list[Lot]:
        return attribute(self.lots, self.total_nanos)


def give_promotion(tx: Tx, gift: Gift, at: float) -> tuple[Lot, bool]:
    """Give promotion money within a unit of work; False, and the lot of then, if its cause has given before.

    The caller moves no other money in it.

    Raises:
        AlreadyExistsError: the cause was used for something else.
    """
    book, customer_id = gift.book, gift.customer_id
    balances = tx.ledger.lock_balances(book, [customer_id], is_to_open=True)[customer_id]
    transfer = ledger.grant_promotion(book, customer_id, gift.amount_nanos, cause=gift.cause, note=gift.note)
    known = tx.promotions.by_cause(gift.cause)
    if known is not None:
        if tx.ledger.transfer(transfer.id) != transfer:
            raise AlreadyExistsError(f"{gift.cause} was the cause of another grant", param="cause")
        return known, False
    pot = _pot(tx, book, customer_id, balances)
    _save_changed(tx, pot.lots, pot.attributed())
    tx.ledger.post([transfer])
    lot = Lot(
        id=sortable_id("promo"),
        book=book,
        customer_id=customer_id,
        amount_nanos=gift.amount_nanos,
        left_nanos=gift.amount_nanos,
        expires_at=gift.expires_at,
        cause=gift.cause,
        created_at=at,
    )
    tx.promotions.add(lot)
    tx.signals.emit(Topic.FUNDS, f"{book}:{customer_id}", at)
    return lot, True


def lots_now(tx: Tx, book: Book, customer_id: str, balances: Balances) -> dict[str, Lot]:
    """A customer's lots in one book that were open, by their ids, with what is left of them now.

    What a lot keeps is how it stood when it was last looked at. The balances are of the same unit of work; in one that
    writes they are locked.
    """
    return {lot.id: lot for lot in _pot(tx, book, customer_id, balances).attributed()}


async def list_promotions(store: Store, customer_id: str, *, before: str | None = None, limit: int = 50) -> list[Lot]:
    """A customer's lots, newest first, below the id `before`, with what is left of them now.

    Raises:
        InvalidInputError: the page is too large.
    """

    def work(tx: Tx) -> list[Lot]:
        now: dict[str, Lot] = {}
        for book in Book:
            now |= lots_now(tx, book, customer_id, tx.ledger.balances(book, customer_id))
        page = tx.promotions.list(customer_id, before=before, limit=page_size(limit))
        return [now.get(lot.id, lot) for lot in page]

    return await store.read(work)


async def open_promotions(store: Store, customer_id: str) -> list[Lot]:
    """A customer's lots that have something left, by book, in the order in which they are spent."""

    def work(tx: Tx) -> list[Lot]:
        pots = [_pot(tx, book, customer_id, tx.ledger.balances(book, customer_id)) for book in Book]
        return [lot for pot in pots for lot in pot.attributed() if lot.left_nanos]

    return await store.read(work)


async def expire_promotions(store: Store, clock: Clock) -> int:
    """Collect what is left of lots whose time is over; how many lots something was collected of.

    What open holds have of it is left to them: it was set aside in time. It is collected when it comes back.
    """
    collected = 0
    last: tuple[str, Book] | None = None
    while True:

        def due(tx: Tx, after: tuple[str, Book] | None = last) -> list[tuple[str, Book]]:
            return tx.promotions.due(clock.unix(), _CUSTOMERS_AT_ONCE, after=after)

        found = await store.read(due)
        for customer_id, book in found:

            def work(tx: Tx, customer_id: str = customer_id, book: Book = book) -> int:
                return _expire(tx, book, customer_id, clock.unix())

            collected += await store.write(work)
        if len(found) < _CUSTOMERS_AT_ONCE:
            return collected
        last = found[-1]


def _expire(tx: Tx, book: Book, customer_id: str, at: float) -> int:
    """Collect from one customer; from one whose lots do not add up nothing is, which `verify` tells."""
    balances = tx.ledger.lock_balances(book, [customer_id])[customer_id]
    pot = _pot(tx, book, customer_id, balances)
    if not pot.is_sound:
        return 0
    lots = {lot.id: lot for lot in pot.attributed()}
    collections = collect(list(lots.values()), pot.held_nanos, at)
    moves = Movements(tx, at)
    for one in collections:
        lots[one.after.id] = one.after
        moves.transfer(
            ledger.expire_promotion(
                book, customer_id, one.amount_nanos, lot_id=one.before.id, left_nanos=one.before.left_nanos
            )
        )
    moves.apply()
    _save_changed(tx, pot.lots, list(lots.values()))
    return len(collections)


def _pot(tx: Tx, book: Book, customer_id: str, balances: Balances) -> _Pot:
    lots = tx.promotions.open_of_customer(book, customer_id)
    held = sum(hold.promotion_nanos for hold in tx.holds.open_of_customer(book, customer_id))
    return _Pot(lots=lots, total_nanos=balances.promotion_nanos + held, held_nanos=held)


def _save_changed(tx: Tx, before: Sequence[Lot], after: Sequence[Lot]) -> None:
    known = {lot.id: lot for lot in before}
    tx.promotions.save(*(lot for lot in after if lot != known[lot.id]))
