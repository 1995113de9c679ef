"""What customers see and change of themselves: their profile, and the play money of the test book."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from yuanjing.domain import ledger
from yuanjing.domain.alerts import BalanceAlert
from yuanjing.domain.days import day_of, start_of
from yuanjing.domain.errors import InvalidInputError, NotFoundError, YuanjingError
from yuanjing.domain.identity import Customer, Language
from yuanjing.domain.ledger import Balances
from yuanjing.domain.money import Book
from yuanjing.domain.signin import Factors
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store, Topic, Tx
from yuanjing.usecases.customers import NAME_LENGTH_MAX


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountPolicy:
    """Limits; each is a setting.

    Attributes:
        keys_max: keys of one customer.
        test_grant_nanos: up to this a customer may fill the test book again.
        test_grants_per_day_max: so many times a day of UTC+8.
        export_rows_max: ledger entries in one file.
    """

    keys_max: int = 100
    test_grant_nanos: int = 0
    test_grants_per_day_max: int = 10
    export_rows_max: int = 1_000_000


class TooManyGrantsError(YuanjingError):
    """The test book was filled often enough today."""

    code = "rate_limit_exceeded"

    def __init__(self, grants_max: int, wait_seconds: float) -> None:
        super().__init__(f"The test book can be filled {grants_max} times a day; try again tomorrow")
        self.retry_after_seconds = wait_seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileTerms:
    """What customers may change of themselves; `low_balance_nanos` is the line below which they want to be told."""

    name: str
    language: Language | None
    low_balance_nanos: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A customer, its line for notices, and how it signs in."""

    customer: Customer
    alert: BalanceAlert
    factors: Factors


@dataclass(frozen=True, kw_only=True, slots=True)
class TestGrant:
    """What was given of play money, and what the customer has after it."""

    granted_nanos: int
    balances: Mapping[Book, Balances]


async def read_profile(store: Store, customer_id: str) -> Profile:
    """The customer.

    Raises:
        NotFoundError: there is none.
    """
    return await store.read(lambda tx: _profile(tx, customer_id))


async def change_profile(store: Store, customer_id: str, change: Callable[[ProfileTerms], ProfileTerms]) -> Profile:
    """Change what may change.

    Raises:
        NotFoundError: there is no such customer.
        InvalidInputError: the name is too long, or the line is not above zero.
    """

    def work(tx: Tx) -> Profile:
        customer = tx.customers.lock(customer_id)
        if customer is None:
            raise NotFoundError("There is no such customer")
        alert = tx.alerts.lock(customer_id)
        terms = _checked(
            change(ProfileTerms(name=customer.name, language=customer.language, low_balance_nanos=alert.below_nanos))
        )
        tx.customers.save(dataclasses.replace(customer, name=terms.name, language=terms.language))
        drawn = alert.drawn(terms.low_balance_nanos)
        if drawn != alert:
            tx.alerts.save(drawn)
        return _profile(tx, customer_id)

    return await store.write(work)


async def fill_test_book(store: Store, clock: Clock, policy: AccountPolicy, customer_id: str) -> TestGrant:
    """Give play money, so that the customer owns as much of it as a new one; nothing if it owns that already.

    Raises:
        TooManyGrantsError: it was done often enough today.
    """

    def work(tx: Tx) -> TestGrant:
        # An account that is not there yet is not locked either: who is late then finds a cause that was used.
        tx.ledger.lock_balances(Book.TEST, [customer_id])
        now, granted = clock.unix(), 0
        cause = _free_cause(tx, policy, customer_id, now)
        missing = policy.test_grant_nanos - tx.ledger.owned(Book.TEST, [customer_id])[customer_id]
        if missing > 0:
            if cause is None:
                wait_seconds = start_of(day_of(now) + 1) - now
                raise TooManyGrantsError(policy.test_grants_per_day_max, wait_seconds)
            (is_new,) = tx.ledger.post([ledger.grant(Book.TEST, customer_id, missing, cause=cause)])
            granted = missing if is_new else 0
            tx.signals.emit(Topic.FUNDS, f"{Book.TEST}:{customer_id}", now)
        return TestGrant(granted_nanos=granted, balances={book: tx.ledger.balances(book, customer_id) for book in Book})

    return await store.write(work)


def _free_cause(tx: Tx, policy: AccountPolicy, customer_id: str, now: float) -> str | None:
    """The name of the day's next grant; the names count them, so that no number has to be kept. None: no more today."""
    day = day_of(now)
    for number in range(1, policy.test_grants_per_day_max + 1):
        cause = f"refill:{customer_id}:{day}:{number}"
        if tx.ledger.transfer(f"grant:{cause}") is None:
            return cause
    return None


def _profile(tx: Tx, customer_id: str) -> Profile:
    customer = tx.customers.get(customer_id)
    if customer is None:
        raise NotFoundError("There is no such customer")
    return Profile(customer=customer, alert=tx.alerts.lock(customer_id), factors=tx.factors.lock(customer_id))


def _checked(terms: ProfileTerms) -> ProfileTerms:
    name = terms.name.strip()
    if len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidInputError(f"name: at most {NAME_LENGTH_MAX} printable characters", param="name")
    if terms.low_balance_nanos is not None and terms.low_balance_nanos <= 0:
        raise InvalidInputError("low_balance: more than zero, or null for no notices", param="low_balance")
    return dataclasses.replace(terms, name=name)
