"""The rows of customers and their API keys."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from yuanjing.domain.identity import ApiKey, Customer
from yuanjing.domain.money import Book


class CustomerTable(Protocol):
    """Customers."""

    def add(self, customer: Customer) -> None:
        """Insert.

        Raises:
            AlreadyExistsError: the id or the mobile exists.
        """
        ...

    def get(self, customer_id: str) -> Customer | None:
        """One customer by id."""
        ...

    def by_mobile(self, mobile: str) -> Customer | None:
        """One customer by E.164 mobile number."""
        ...

    def list(self, *, after: str | None, limit: int) -> list[Customer]:
        """Customers in the order of their ids, above `after`."""
        ...

    def lock(self, customer_id: str) -> Customer | None:
        """One customer by id, locked until the end of the unit of work."""
        ...

    def save(self, customer: Customer) -> None:
        """Write all of an existing customer but its id and when it was created.

        Raises:
            AlreadyExistsError: another customer has the mobile.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyBudget:
    """Where a key's budget stands in its current period.

    Attributes:
        counted_from: since then spending is counted; 0 if that is the key's whole life.
    """

    period_start: float
    spent_nanos: int
    held_nanos: int
    counted_from: float = 0.0


class KeyTable(Protocol):
    """API keys and their budgets."""

    def add(self, key: ApiKey) -> None:
        """Insert, with an empty budget.

        Raises:
            AlreadyExistsError: the id, public id or digest exists.
            NotFoundError: no such customer.
        """
        ...

    def get(self, key_id: str) -> ApiKey | None:
        """One key by `key_…` id."""
        ...

    def by_public_id(self, public_id: str) -> ApiKey | None:
        """One key by the eight characters in its written form; revoked and expired ones too."""
        ...

    def with_customers(self, public_ids: Collection[str]) -> Mapping[str, tuple[ApiKey, Customer]]:
        """The same for some of them, each with its customer; those that are not there are missing."""
        ...

    def list(self, customer_id: str, *, after: str | None, limit: int, book: Book | None = None) -> list[ApiKey]:
        """A customer's keys, of one book if it is given, in the order of their ids, above `after`."""
        ...

    def count(self, customer_id: str, *, since: float) -> int:
        """How many keys of the customer are not revoked, or were made since then."""
        ...

    def save(self, key: ApiKey) -> None:
        """Write what may change of an existing key: name, limits and expiry."""
        ...

    def revoke(self, key_id: str, at: float) -> bool:
        """Revoke; False if it does not exist or is revoked already."""
        ...

    def budget(self, key_id: str) -> KeyBudget | None:
        """Where the budget stands, locked; None if the key does not exist."""
        ...

    def budgets(self, key_ids: Collection[str]) -> Mapping[str, KeyBudget]:
        """Where the budgets of these keys stand, not locked."""
        ...

    def scan_budgets(self) -> Iterator[tuple[str, KeyBudget]]:
        """Where every key's budget stands, streamed; for `verify`."""
        ...

    def save_budget(self, key_id: str, budget: KeyBudget) -> None:
        """Write it.

        Raises:
            NotFoundError: no such key.
        """
        ...
