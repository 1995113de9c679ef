"""Customers and their money, as operators handle them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from yuanjing.domain import ledger
from yuanjing.domain.audit import SYSTEM, Action, Actor
from yuanjing.domain.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from yuanjing.domain.identity import Customer
from yuanjing.domain.ledger import Balances, Entry, Transfer
from yuanjing.domain.money import Book, format_amount
from yuanjing.domain.promotions import Lot
from yuanjing.domain.redemptions import CAUSE_PREFIX
from yuanjing.kit.clock import Clock
from yuanjing.kit.ids import sortable_id
from yuanjing.kit.mobiles import masked_mobile, parse_mobile
from yuanjing.ports.store import Store, Topic, Tx
from yuanjing.usecases.audit import record
from yuanjing.usecases.pages import page_size
from yuanjing.usecases.promotions import Gift, give_promotion

NAME_LENGTH_MAX = 100
NOTE_LENGTH_MAX = 200
VERSION_MAX = 2**63 - 1


class AccountKind(StrEnum):
    """Which of a customer's accounts."""

    AVAILABLE = "available"
    HELD = "held"
    PROMOTION = "promotion"


_ACCOUNTS = {
    AccountKind.AVAILABLE: ledger.available,
    AccountKind.HELD: ledger.held,
    AccountKind.PROMOTION: ledger.promotion,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantReceipt:
    """What a grant did; `is_new` is False when the same cause had been granted before."""

    transfer: Transfer
    is_new: bool
    balances: Balances


def account_of(customer_id: str, kind: AccountKind) -> str:
    """The name of one of the customer's accounts."""
    return _ACCOUNTS[kind](customer_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class PromotionReceipt:
    """What a grant of promotion money did; `is_new` is False when the same cause had been granted before."""

    lot: Lot
    is_new: bool
    balances: Balances


async def create_customer(
    store: Store, clock: Clock, *, mobile: str, name: str = "", test_grant_nanos: int, by: Actor = SYSTEM
) -> Customer:
    """Make a customer and give it play money of the test book, once; `by` is who is recorded as having done it.

    Raises:
        InvalidInputError: not a mobile number, or the name is too long.
        AlreadyExistsError: a customer has that number.
    """
    customer = Customer(
        id=sortable_id("cus"),
        mobile=_read_mobile(mobile),
        name=_read_text(name.strip(), "name", NAME_LENGTH_MAX),
        created_at=clock.unix(),
    )

    def work(tx: Tx) -> None:
        other = tx.customers.by_mobile(customer.mobile)
        if other is not None:
            raise AlreadyExistsError(f"customer {other.id} has the mobile {other.mobile}", param="mobile")
        add_customer(tx, customer, test_grant_nanos, by)

    await store.write(work)
    return customer


def add_customer(tx: Tx, customer: Customer, test_grant_nanos: int, by: Actor) -> None:
    """Insert a customer and give it play money of the test book, within a unit of work.

    Raises:
        AlreadyExistsError: a customer has that number.
    """
    tx.customers.add(customer)
    if test_grant_nanos:
        tx.ledger.post([ledger.grant(Book.TEST, customer.id, test_grant_nanos, cause=f"welcome:{customer.id}")])
    details = {"mobile": masked_mobile(customer.mobile)}
    record(tx, customer.created_at, by, Action.CUSTOMER_CREATED, customer.id, customer_id=customer.id, details=details)


async def find_customer(store: Store, id_or_mobile: str) -> Customer:
    """One customer by id, or by mobile number in any usual form.

    Raises:
        NotFoundError: there is none.
    """
    return await store.read(lambda tx: _find(tx, id_or_mobile))


async def list_customers(store: Store, *, after: str | None = None, limit: int = 100) -> list[Customer]:
    """Customers in the order of their ids, above `after`; at most `pages.PAGE_SIZE_MAX`."""
    return await store.read(lambda tx: tx.customers.list(after=after, limit=page_size(limit)))


async def customer_balances(store: Store, customer_id: str) -> Mapping[Book, Balances]:
    """What the customer has in both books.

    Raises:
        NotFoundError: no such customer.
    """

    def work(tx: Tx) -> Mapping[Book, Balances]:
        customer = _find(tx, customer_id)
        return {book: tx.ledger.balances(book, customer.id) for book in Book}

    return await store.read(work)


async def customer_entries(
    store: Store,
    customer_id: str,
    book: Book,
    *,
    account_kind: AccountKind = AccountKind.AVAILABLE,
    before_version: int | None = None,
    limit: int = 50,
) -> list[Entry]:
    """Ledger entries of one of the customer's accounts, newest first, below `before_version`.

    Raises:
        NotFoundError: no such customer.
        InvalidInputError: no such version can be, or the page is too large.
    """
    if before_version is not None and not 0 <= before_version <= VERSION_MAX:
        raise InvalidInputError(f"before: from 0 to {VERSION_MAX}", param="before")

    def work(tx: Tx) -> list[Entry]:
        account = account_of(_find(tx, customer_id).id, account_kind)
        return tx.ledger.entries(book, account, before_version=before_version, limit=page_size(limit))

    return await store.read(work)


async def grant_money(  # noqa: PLR0913  # the parts of one transfer
    store: Store,
    clock: Clock,
    *,
    customer_id: str,
    book: Book,
    amount_nanos: int,
    cause: str | None = None,
    note: str = "",
    by: Actor = SYSTEM,
) -> GrantReceipt:
    """Give money to a customer.

    Args:
        store: the ledger.
        clock: for the signal's time.
        customer_id: an id or a mobile number.
        book: play money of the test book, or real money of the live book.
        amount_nanos: more than zero.
        cause: the caller's name of this grant; the same cause grants once. Without it every call grants.
        note: for operators, such as who granted it and why.
        by: who is recorded as having granted it.

    Raises:
        NotFoundError: no such customer.
        InvalidInputError: nothing to grant, a text is too long, or the cause is empty.
        AlreadyExistsError: the same cause was used for another amount, customer or book.
    """
    _check_amount(amount_nanos)
    text = _read_text(note.strip(), "note", NOTE_LENGTH_MAX)
    reason = sortable_id("grant") if cause is None else _read_cause(cause)

    def work(tx: Tx) -> GrantReceipt:
        customer = _find(tx, customer_id)
        transfer = ledger.grant(book, customer.id, amount_nanos, cause=reason, note=text)
        (is_new,) = tx.ledger.post([transfer])
        if is_new:
            tx.signals.emit(Topic.FUNDS, f"{book}:{customer.id}", clock.unix())
            _record_grant(tx, clock.unix(), by, transfer.id, customer.id, _granted(book, amount_nanos, reason))
        return GrantReceipt(transfer=transfer, is_new=is_new, balances=tx.ledger.balances(book, customer.id))

    return await store.write(work)


async def grant_promotion(  # noqa: PLR0913  # the parts of one grant
    store: Store,
    clock: Clock,
    *,
    customer_id: str,
    book: Book,
    amount_nanos: int,
    expires_at: float | None = None,
    cause: str | None = None,
    note: str = "",
    by: Actor = SYSTEM,
) -> PromotionReceipt:
    """Give promotion money, which is spent before what is available, to a customer; see `grant_money`.

    `expires_at` is the Unix time from which what is left of it is collected.

    Raises:
        NotFoundError: no such customer.
        InvalidInputError: nothing to grant, it would have expired, a text is too long, or the cause is empty.
        AlreadyExistsError: the same cause was used for something else.
    """
    _check_amount(amount_nanos)
    text = _read_text(note.strip(), "note", NOTE_LENGTH_MAX)
    reason = sortable_id("grant") if cause is None else _read_cause(cause)
    if reason.startswith(CAUSE_PREFIX):
        raise InvalidInputError(f"cause: {CAUSE_PREFIX}… are those of redeem codes", param="cause")
    now = clock.unix()
    if expires_at is not None and expires_at <= now:
        raise InvalidInputError("the money would have expired already", param="expires_at")

    def work(tx: Tx) -> PromotionReceipt:
        customer = _find(tx, customer_id)
        gift = Gift(
            customer_id=customer.id,
            book=book,
            amount_nanos=amount_nanos,
            expires_at=expires_at,
            cause=reason,
            note=text,
        )
        lot, is_new = give_promotion(tx, gift, now)
        if is_new:
            details = {**_granted(book, amount_nanos, reason), "promotion": lot.id}
            _record_grant(tx, now, by, lot.id, customer.id, details)
        return PromotionReceipt(lot=lot, is_new=is_new, balances=tx.ledger.balances(book, customer.id))

    return await store.write(work)


def _granted(book: Book, amount_nanos: int, cause: str) -> dict[str, str]:
    return {"book": book.value, "amount": format_amount(amount_nanos), "cause": cause}


def _record_grant(tx: Tx, at: float, by: Actor, subject: str, customer_id: str, details: dict[str, str]) -> None:
    record(tx, at, by, Action.MONEY_GRANTED, subject, customer_id=customer_id, details=details)


def _check_amount(amount_nanos: int) -> None:
    if amount_nanos <= 0:
        raise InvalidInputError("the amount must be more than zero", param="amount")


def _find(tx: Tx, id_or_mobile: str) -> Customer:
    if id_or_mobile.startswith("cus_"):
        customer = tx.customers.get(id_or_mobile)
    else:
        try:
            customer = tx.customers.by_mobile(parse_mobile(id_or_mobile))
        except ValueError:
            customer = None
    if customer is None:
        raise NotFoundError(f"there is no customer {id_or_mobile[:40]!r}", param="customer")
    return customer


def _read_mobile(text: str) -> str:
    try:
        return parse_mobile(text)
    except ValueError as error:
        raise InvalidInputError(f"mobile: {error}", param="mobile") from error


def _read_text(text: str, param: str, length_max: int) -> str:
    if len(text) > length_max or not text.isprintable():
        raise InvalidInputError(f"{param}: at most {length_max} printable characters", param=param)
    return text


def _read_cause(text: str) -> str:
    """An empty cause, from a script's unset variable, would be the same one for every grant after the first."""
    cause = _read_text(text.strip(), "cause", NAME_LENGTH_MAX)
    if not cause:
        raise InvalidInputError("cause: write a name of this grant, or leave it out to grant each time", param="cause")
    return cause
