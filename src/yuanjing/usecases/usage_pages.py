"""A customer's own usage: in pages, by day, and all of it for a file."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from yuanjing.domain.days import day_of
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.identity import ApiKey
from yuanjing.domain.money import Book
from yuanjing.domain.usage import PostedUsage
from yuanjing.kit.clock import Clock
from yuanjing.kit.text import is_storable
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.usages import DaysFilter, UsageFilter, UsageSum
from yuanjing.usecases.usages import UsageExplanation, explain_found

_EXPORT_PAGE_ROWS = 500
_SUMS_MAX = 10_000
"""So many sums are told at once: for more, fewer days or a coarser grouping are to be asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UsagePolicy:
    """Limits; each is a setting.

    Attributes:
        days_max: how many days may be added up at once.
        export_rows_max: how many records one file may have.
    """

    days_max: int = 366
    export_rows_max: int = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageDays:
    """Sums of one book, and what they all come to."""

    book: Book
    sums: Sequence[UsageSum]
    total: UsageSum


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnUsage:
    """What customers can ask of their usage. A key of another customer is as one that does not exist."""

    store: Store
    clock: Clock
    policy: UsagePolicy = UsagePolicy()

    async def list(self, customer_id: str, where: UsageFilter) -> Sequence[PostedUsage]:
        """One page, newest first; of the live book, unless the filter names another or a key, which has one.

        Raises:
            NotFoundError: the customer has no such key.
        """
        return await self.store.read(lambda tx: tx.usages.list(_own(tx, customer_id, where)))

    async def show(self, customer_id: str, usage_id: str) -> UsageExplanation:
        """One record, explained.

        Raises:
            NotFoundError: the customer has no such record.
            DamagedError: it, or its price, is not what it was when it was posted, or it does not add up.
        """
        return await self.store.read(lambda tx: explain_found(tx, usage_id, customer_id))

    async def days(self, where: DaysFilter, *, book: Book | None) -> UsageDays:
        """Usage added up; the book as with `list`.

        Raises:
            NotFoundError: the customer has no such key.
            InvalidInputError: there are too many days, or too many sums.
        """
        if not where.first <= where.last:
            raise InvalidInputError("to: it is before from", param="to")
        if where.last - where.first >= self.policy.days_max:
            raise InvalidInputError(f"from: at most {self.policy.days_max} days at once", param="from")

        def work(tx: Tx) -> tuple[Book, Sequence[UsageSum]]:
            its_book = _book(tx, where.customer_id, where.key_id, book)
            return its_book, tx.usages.sum_days(replace(where, book=its_book, limit=_SUMS_MAX + 1))

        its_book, sums = await self.store.read(work)
        if len(sums) > _SUMS_MAX:
            raise InvalidInputError(f"group: that makes more than {_SUMS_MAX} sums; ask for less", param="group")
        return UsageDays(book=its_book, sums=sums, total=_total(sums))

    async def export(self, customer_id: str, where: UsageFilter) -> AsyncGenerator[Sequence[PostedUsage]]:
        """All records that the filter wants, newest first, page by page, each read in a unit of work of its own.

        Raises:
            NotFoundError: the customer has no such key.
            InvalidInputError: its days have more than one file may have, of all operations together.
        """
        until = self.clock.unix() if where.posted_until is None else where.posted_until
        wanted = await self.store.read(lambda tx: self._countable(tx, customer_id, where, until))
        while True:
            page = await self.store.read(lambda tx, wanted=wanted: tx.usages.list(wanted))
            yield page
            if len(page) < wanted.limit:
                return
            wanted = replace(wanted, before=(page[-1].posted_at, page[-1].record.id))

    def _countable(self, tx: Tx, customer_id: str, where: UsageFilter, until: float) -> UsageFilter:
        """The filter of the first page, if there are not too many; the days know how many there are."""
        own = _own(tx, customer_id, where)
        assert own.book is not None
        days = DaysFilter(
            customer_id=customer_id,
            book=own.book,
            first=day_of(where.posted_from or 0.0),
            last=day_of(until),
            key_id=own.key_id,
            model=own.model,
        )
        if sum(one.requests for one in tx.usages.sum_days(days)) > self.policy.export_rows_max:
            raise InvalidInputError(
                f"from: these days have more than {self.policy.export_rows_max} records, of all operations;"
                " ask for fewer days",
                param="from",
            )
        return replace(own, limit=_EXPORT_PAGE_ROWS)


def _total(sums: Sequence[UsageSum]) -> UsageSum:
    return UsageSum(
        day=None,
        key_id=None,
        model=None,
        requests=sum(one.requests for one in sums),
        input_tokens=sum(one.input_tokens for one in sums),
        output_tokens=sum(one.output_tokens for one in sums),
        charge_nanos=sum(one.charge_nanos for one in sums),
    )


def _own(tx: Tx, customer_id: str, where: UsageFilter) -> UsageFilter:
    return replace(where, customer_id=customer_id, book=_book(tx, customer_id, where.key_id, where.book))


def _book(tx: Tx, customer_id: str, key_id: str | None, book: Book | None) -> Book:
    """The one that is asked for, else the key's, else the live one; the key must be the customer's."""
    key = own_key(tx, customer_id, key_id) if key_id is not None else None
    return book or (key.book if key is not None else Book.LIVE)


def own_key(tx: Tx, customer_id: str, key_id: str) -> ApiKey:
    """A key of the customer.

    Raises:
        NotFoundError: the customer has none with this id.
    """
    key = tx.keys.get(key_id) if is_storable(key_id) else None
    if key is None or key.customer_id != customer_id:
        raise NotFoundError("You have no such key", param="key")
    return key
