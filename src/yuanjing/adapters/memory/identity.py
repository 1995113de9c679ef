"""Customers and API keys in memory."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.errors import AlreadyExistsError, NotFoundError
from yuanjing.domain.identity import ApiKey, Customer
from yuanjing.domain.money import Book
from yuanjing.ports.identity import KeyBudget


class MemoryCustomers:
    """See `yuanjing.ports.store.CustomerTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._customers: dict[str, Customer] = {}

    def add(self, customer: Customer) -> None:
        """See the port."""
        if customer.id in self._customers or self.by_mobile(customer.mobile) is not None:
            raise AlreadyExistsError("a customer with that id or mobile number exists")
        self._journal.put(self._customers, customer.id, customer)

    def get(self, customer_id: str) -> Customer | None:
        """See the port."""
        return self._customers.get(customer_id)

    def by_mobile(self, mobile: str) -> Customer | None:
        """See the port."""
        return next((c for c in self._customers.values() if c.mobile == mobile), None)

    def list(self, *, after: str | None, limit: int) -> list[Customer]:
        """See the port."""
        ids = [id_ for id_ in sorted(self._customers) if after is None or id_ > after]
        return [self._customers[id_] for id_ in ids[:limit]]

    def lock(self, customer_id: str) -> Customer | None:
        """See the port."""
        return self._customers.get(customer_id)

    def save(self, customer: Customer) -> None:
        """See the port."""
        other = self.by_mobile(customer.mobile)
        if other is not None and other.id != customer.id:
            raise AlreadyExistsError("a customer with that mobile number exists")
        kept = self._customers[customer.id]
        self._journal.put(self._customers, customer.id, replace(customer, created_at=kept.created_at))


class MemoryKeys:
    """See `yuanjing.ports.store.KeyTable`."""

    def __init__(self, journal: Journal, customers: MemoryCustomers) -> None:
        self._journal = journal
        self._customers = customers
        self._keys: dict[str, ApiKey] = {}
        self._budgets: dict[str, KeyBudget] = {}

    def add(self, key: ApiKey) -> None:
        """See the port."""
        if self._customers.get(key.customer_id) is None:
            raise NotFoundError(f"customer {key.customer_id} does not exist")
        if key.id in self._keys or any(
            key.public_id == other.public_id or key.digest == other.digest for other in self._keys.values()
        ):
            raise AlreadyExistsError("a key with that id, public id or digest exists")
        self._journal.put(self._keys, key.id, key)
        self._journal.put(self._budgets, key.id, KeyBudget(period_start=0.0, spent_nanos=0, held_nanos=0))

    def get(self, key_id: str) -> ApiKey | None:
        """See the port."""
        return self._keys.get(key_id)

    def by_public_id(self, public_id: str) -> ApiKey | None:
        """See the port."""
        return next((key for key in self._keys.values() if key.public_id == public_id), None)

    def with_customers(self, public_ids: Collection[str]) -> Mapping[str, tuple[ApiKey, Customer]]:
        """See the port."""
        keys = (key for key in self._keys.values() if key.public_id in public_ids)
        owned = ((key, self._customers.get(key.customer_id)) for key in keys)
        return {key.public_id: (key, customer) for key, customer in owned if customer is not None}

    def list(self, customer_id: str, *, after: str | None, limit: int, book: Book | None = None) -> list[ApiKey]:
        """See the port."""
        keys = [self._keys[id_] for id_ in sorted(self._keys) if after is None or id_ > after]
        return [key for key in keys if key.customer_id == customer_id and book in (None, key.book)][:limit]

    def count(self, customer_id: str, *, since: float) -> int:
        """See the port."""
        its = [key for key in self._keys.values() if key.customer_id == customer_id]
        return len([key for key in its if key.revoked_at is None or key.created_at >= since])

    def save(self, key: ApiKey) -> None:
        """See the port."""
        kept = self._keys[key.id]
        changed = replace(kept, name=key.name, limits=key.limits, expires_at=key.expires_at)
        self._journal.put(self._keys, key.id, changed)

    def revoke(self, key_id: str, at: float) -> bool:
        """See the port."""
        key = self._keys.get(key_id)
        if key is None or key.revoked_at is not None:
            return False
        self._journal.put(self._keys, key_id, replace(key, revoked_at=at))
        return True

    def budget(self, key_id: str) -> KeyBudget | None:
        """See the port."""
        return self._budgets.get(key_id)

    def budgets(self, key_ids: Collection[str]) -> Mapping[str, KeyBudget]:
        """See the port."""
        return {key_id: self._budgets[key_id] for key_id in key_ids if key_id in self._budgets}

    def scan_budgets(self) -> Iterator[tuple[str, KeyBudget]]:
        """See the port."""
        yield from sorted(self._budgets.items())

    def save_budget(self, key_id: str, budget: KeyBudget) -> None:
        """See the port."""
        if key_id not in self._budgets:
            raise NotFoundError(f"key {key_id} does not exist")
        self._journal.put(self._budgets, key_id, budget)
