"""The double-entry ledger: accounts, immutable transfers, and the only postings that exist.

Every transfer takes `amount_nanos` from one account and gives it to another of the same book, so each book sums to
zero at all times. Its id is made by its cause, which makes repeating it harmless. Customers' accounts never go below
zero; the platform's may (`grants` and `clearing:…` are where money comes from, `overrun` is where it is lost).
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from yuanjing.domain.money import AMOUNT_NANOS_MAX, Book

REVENUE = "revenue"
GRANTS = "grants"
OVERRUN = "overrun"
SECOND = ":more"
"""How the id of the second transfer of one cause ends."""


class Reason(StrEnum):
    """Why a transfer exists; the closed list."""

    TOPUP = "topup"
    GRANT = "grant"
    HOLD = "hold"
    SETTLE = "settle"
    RELEASE = "release"
    REFUND = "refund"
    CORRECTION = "correction"
    OVERRUN = "overrun"
    EXPIRE = "expire"


def available(customer_id: str) -> str:
    """The account of money that the customer may still commit."""
    return f"customer:{customer_id}:available"


def held(customer_id: str) -> str:
    """The account of money that is reserved by open holds."""
    return f"customer:{customer_id}:held"


def promotion(customer_id: str) -> str:
    """The account of promotion money: it is spent before what is available, may expire, and is never paid out."""
    return f"customer:{customer_id}:promotion"


def accounts_of(customer_id: str) -> tuple[str, str, str]:
    """All accounts of a customer; what is in them is what it owns."""
    return available(customer_id), held(customer_id), promotion(customer_id)


def clearing(method: str) -> str:
    """The account that mirrors what a payment method owes the platform."""
    return f"clearing:{method}"


def may_go_negative(account: str) -> bool:
    """Whether the account may be below zero: the platform's may, a customer's never."""
    return not account.startswith("customer:")


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer:
    """One immutable movement of money.

    Attributes:
        id: unique within the ledger and made by the cause; repeating it with the same content changes nothing.
        amount_nanos: more than zero.
        debit: the account that gives.
        credit: the account that receives.
        hold_id: the hold that this places, settles or releases.
        corrects: the id of the transfer that this one repairs.
        note: a short text for operators, such as who granted money and why.
    """

    id: str
    book: Book
    reason: Reason
    amount_nanos: int
    debit: str
    credit: str
    hold_id: str | None = None
    corrects: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        assert 0 < self.amount_nanos <= AMOUNT_NANOS_MAX, self
        assert self.debit != self.credit, self


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One side of a transfer on one account, with the running balance.

    Attributes:
        amount_nanos: what the account received; negative if it gave. `balance_after_nanos - balance_before_nanos`.
        version: counts the account's entries from 1, so that a gap is visible.
        created_at: Unix time of posting.
    """

    transfer_id: str
    book: Book
    account: str
    reason: Reason
    amount_nanos: int
    balance_before_nanos: int
    balance_after_nanos: int
    version: int
    created_at: float
    hold_id: str | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Balances:
    """A customer's posted accounts in one book, in nano-yuan."""

    available_nanos: int
    held_nanos: int
    promotion_nanos: int

    @property
    def spendable_nanos(self) -> int:
        """What the customer may still commit: promotion money, and after it what is available."""
        return self.available_nanos + self.promotion_nanos


def grant(book: Book, customer_id: str, amount_nanos: int, *, cause: str, note: str = "") -> Transfer:
    """Money given by the platform (play money of the test book, or an operator's gift)."""
    return Transfer(
        id=f"grant:{cause}",
        book=book,
        reason=Reason.GRANT,
        amount_nanos=amount_nanos,
        debit=GRANTS,
        credit=available(customer_id),
        note=note,
    )


def grant_promotion(book: Book, customer_id: str, amount_nanos: int, *, cause: str, note: str = "") -> Transfer:
    """Promotion money given by the platform; see `domain.promotions` for what becomes of it."""
    given = grant(book, customer_id, amount_nanos, cause=cause, note=note)
    return replace(given, credit=promotion(customer_id))


def expire_promotion(book: Book, customer_id: str, amount_nanos: int, *, lot_id: str, left_nanos: int) -> Transfer:
    """Collect expired promotion money; `left_nanos` is what the lot had left before, and names the occasion."""
    return Transfer(
        id=f"expire:{lot_id}:{left_nanos}",
        book=book,
        reason=Reason.EXPIRE,
        amount_nanos=amount_nanos,
        debit=promotion(customer_id),
        credit=GRANTS,
    )


def top_up(book: Book, customer_id: str, amount_nanos: int, *, method: str, number: str) -> Transfer:
    """Money that a payment method has taken in; `number` is the order's, which can be credited once."""
    return Transfer(
        id=f"topup:{number}",
        book=book,
        reason=Reason.TOPUP,
        amount_nanos=amount_nanos,
        debit=clearing(method),
        credit=available(customer_id),
    )


def refund(book: Book, customer_id: str, amount_nanos: int, *, method: str, id_: str) -> Transfer:
    """Money on its way back to the payer; it leaves the balance before the payment method is asked."""
    return Transfer(
        id=f"refund:{id_}",
        book=book,
        reason=Reason.REFUND,
        amount_nanos=amount_nanos,
        debit=available(customer_id),
        credit=clearing(method),
    )


def return_refund(book: Book, customer_id: str, amount_nanos: int, *, method: str, id_: str) -> Transfer:
    """The payment method has refused a refund: the money is the customer's again."""
    return Transfer(
        id=f"correction:refund:{id_}",
        book=book,
        reason=Reason.CORRECTION,
        amount_nanos=amount_nanos,
        debit=clearing(method),
        credit=available(customer_id),
        corrects=f"refund:{id_}",
    )


def retake_refund(book: Book, customer_id: str, amount_nanos: int, *, method: str, id_: str) -> Transfer:
    """A refund whose money is the customer's again has moved after all: the money leaves the balance once more."""
    return Transfer(
        id=f"correction:correction:refund:{id_}",
        book=book,
        reason=Reason.CORRECTION,
        amount_nanos=amount_nanos,
        debit=available(customer_id),
        credit=clearing(method),
        corrects=f"correction:refund:{id_}",
    )


def place_hold(book: Book, customer_id: str, amount_nanos: int, *, hold_id: str, part: int) -> Transfer:
    """Reserve money, to open a hold or to extend it; `part` is unique among the placements of this hold."""
    return Transfer(
        id=f"hold:{hold_id}:{part}",
        book=book,
        reason=Reason.HOLD,
        amount_nanos=amount_nanos,
        debit=available(customer_id),
        credit=held(customer_id),
        hold_id=hold_id,
    )


def settle_hold(book: Book, customer_id: str, amount_nanos: int, *, hold_id: str, cause: str) -> Transfer:
    """Charge a part of a hold; `cause` names the batch of usage, or the task, that is charged."""
    return Transfer(
        id=f"settle:{cause}:{hold_id}",
        book=book,
        reason=Reason.SETTLE,
        amount_nanos=amount_nanos,
        debit=held(customer_id),
        credit=REVENUE,
        hold_id=hold_id,
    )


def settle_late(book: Book, customer_id: str, amount_nanos: int, *, cause: str) -> Transfer:
    """Charge usage whose lease was closed before its spool came back."""
    return Transfer(
        id=f"settle:{cause}:late:{book}:{customer_id}",
        book=book,
        reason=Reason.SETTLE,
        amount_nanos=amount_nanos,
        debit=available(customer_id),
        credit=REVENUE,
    )


def release_hold(book: Book, customer_id: str, amount_nanos: int, *, hold_id: str, part: int) -> Transfer:
    """Give reserved money back to the customer; `part` is unique among the releases of this hold."""
    return Transfer(
        id=f"release:{hold_id}:{part}",
        book=book,
        reason=Reason.RELEASE,
        amount_nanos=amount_nanos,
        debit=held(customer_id),
        credit=available(customer_id),
        hold_id=hold_id,
    )


def book_overrun(book: Book, amount_nanos: int, *, cause: str) -> Transfer:
    """What a provider's usage costs above what was held: the platform's loss, never the customer's."""
    return Transfer(
        id=f"overrun:{cause}:{book}",
        book=book,
        reason=Reason.OVERRUN,
        amount_nanos=amount_nanos,
        debit=OVERRUN,
        credit=REVENUE,
    )


def split(transfer: Transfer, promotion_nanos: int) -> list[Transfer]:
    """The transfer, with so much of its amount from or to the customer's promotion money, the rest as it was.

    Promotion money is taken first and given back last. The first of two transfers has the id of the cause, the second
    that id and `SECOND`.
    """
    cash_nanos = transfer.amount_nanos - promotion_nanos
    assert promotion_nanos >= 0, transfer
    assert cash_nanos >= 0, transfer
    if not promotion_nanos:
        return [transfer]
    is_taken = account_kind(transfer.debit) == "available"
    customer_id = customer_of(transfer.debit)
    assert customer_id is not None, transfer
    account = promotion(customer_id)
    part = replace(transfer, amount_nanos=promotion_nanos)
    part = replace(part, debit=account) if is_taken else replace(part, credit=account)
    if not cash_nanos:
        return [part]
    rest = replace(transfer, amount_nanos=cash_nanos)
    first, second = (part, rest) if is_taken else (rest, part)
    return [first, replace(second, id=f"{second.id}{SECOND}")]


_SHAPES: dict[Reason, tuple[tuple[str, str], ...]] = {
    Reason.TOPUP: (("clearing", "available"),),
    Reason.GRANT: (("grants", "available"), ("grants", "promotion")),
    Reason.HOLD: (("available", "held"), ("promotion", "held")),
    Reason.SETTLE: (("held", "revenue"), ("available", "revenue"), ("promotion", "revenue")),
    Reason.RELEASE: (("held", "available"), ("held", "promotion")),
    Reason.REFUND: (("available", "clearing"), ("revenue", "available")),
    Reason.OVERRUN: (("overrun", "revenue"),),
    Reason.EXPIRE: (("promotion", "grants"),),
}


def account_kind(account: str) -> str:
    """What an account is for: `available`, `held`, `promotion`, `clearing`, or the platform's account by its name."""
    return account.rpartition(":")[2] if account.startswith("customer:") else account.partition(":")[0]


def customer_of(account: str) -> str | None:
    """The customer that the account belongs to; None for the platform's."""
    return account.split(":", 2)[1] if account.startswith("customer:") else None


def cause_of(entry: Entry) -> str:
    """What an entry was for, as customers may see it: its hold, or the number of its order or refund; else empty.

    Ids of other transfers name processes of the platform, or what operators have called a grant.
    """
    if entry.hold_id is not None:
        return entry.hold_id
    words = entry.transfer_id.split(":")
    return words[-1] if words[-2:-1] in (["topup"], ["refund"]) else ""


def is_posting(transfer: Transfer) -> bool:
    """Whether one of the postings of this module, or a correction, could have made this transfer."""
    customers = {customer_of(transfer.debit), customer_of(transfer.credit)} - {None}
    if len(customers) > 1:
        return False
    if transfer.reason is Reason.CORRECTION:
        return transfer.corrects is not None
    kinds = (account_kind(transfer.debit), account_kind(transfer.credit))
    if kinds not in _SHAPES[transfer.reason] or not transfer.id.startswith(f"{transfer.reason}:"):
        return False
    return (transfer.hold_id is not None) == ("held" in kinds)
