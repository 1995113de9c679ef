"""Ledger entries of a customer's accounts: in pages, by reason and time, and all of them one page after the other."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from yuanjing.domain.errors import InvalidInputError
from yuanjing.domain.ledger import Entry, Reason
from yuanjing.domain.money import Book
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.customers import AccountKind, account_of
from yuanjing.usecases.pages import page_size

CHUNK = 500
"""How many entries are read at once."""
LOOKED_AT_MAX = 1000
"""How many entries one page looks at; with a rare reason it may then hold few, or none, of them."""
_MONTH_MAX = 2**31


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryFilter:
    """Which entries are wanted; None means any.

    Attributes:
        posted_from, posted_until: posted at this Unix time or later, and before that one.
    """

    book: Book
    kind: AccountKind = AccountKind.AVAILABLE
    reason: Reason | None = None
    posted_from: float | None = None
    posted_until: float | None = None

    def matches(self, entry: Entry) -> bool:
        """Whether reason and time fit."""
        return (
            self.reason in (None, entry.reason)
            and (self.posted_from is None or entry.created_at >= self.posted_from)
            and (self.posted_until is None or entry.created_at < self.posted_until)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryPage:
    """Entries, newest first; further ones may be below `next_version`, if it is not None."""

    entries: Sequence[Entry]
    next_version: int | None


async def list_entries(
    store: Store, customer_id: str, where: EntryFilter, *, before_version: int | None = None, limit: int = 50
) -> EntryPage:
    """A page of entries, newest first, below `before_version`.

    Raises:
        InvalidInputError: the page is too large.
    """
    account, size = account_of(customer_id, where.kind), page_size(limit)
    return await store.read(lambda tx: _page(tx, account, where, before_version, size))


async def stream_entries(
    store: Store, customer_id: str, where: EntryFilter, *, rows_max: int = 1_000_000
) -> AsyncGenerator[Sequence[Entry]]:
    """All such entries, newest first; each page is a unit of work of its own, so that nothing is held in between.

    Raises:
        InvalidInputError: more than `rows_max` lie between them, so many would have to be read.
    """
    account = account_of(customer_id, where.kind)
    spans = await store.read(lambda tx: _spans(tx, account, where))
    if sum(last - first + 1 for first, last in spans) > rows_max:
        raise InvalidInputError(
            f"from: more than {rows_max} entries would have to be read, whatever their reason; ask for a shorter time",
            param="from",
        )
    before: int | None = None
    while True:
        page = await list_entries(store, customer_id, where, before_version=before, limit=CHUNK)
        yield page.entries
        before = page.next_version
        if before is None:
            return


async def stream_span(
    store: Store, book: Book, account: str, first_version: int, last_version: int
) -> AsyncGenerator[Sequence[Entry]]:
    """The entries of these versions, oldest first, read likewise."""
    for start in range(first_version, last_version + 1, CHUNK):
        below = min(start + CHUNK, last_version + 1)

        def work(tx: Tx, start: int = start, below: int = below) -> list[Entry]:
            return tx.ledger.entries(book, account, before_version=below, limit=below - start)

        yield (await store.read(work))[::-1]


def _page(tx: Tx, account: str, where: EntryFilter, before: int | None, limit: int) -> EntryPage:
    spans = _spans(tx, account, where)
    found: list[Entry] = []
    looked_at = 0
    top = _top(spans, before)
    while top and len(found) < limit and looked_at < LOOKED_AT_MAX:
        size = min(CHUNK, LOOKED_AT_MAX - looked_at) if where.reason else limit - len(found)
        for entry in tx.ledger.entries(where.book, account, before_version=top, limit=size):
            looked_at += 1
            top = entry.version
            if where.matches(entry):
                found.append(entry)
            if len(found) == limit:
                break
        top = _top(spans, top)
    return EntryPage(entries=found, next_version=top or None)


def _top(spans: Sequence[tuple[int, int]], before: int | None) -> int:
    """One more than the highest version below `before` that lies in one of the spans; 0 if none does."""
    below = [(first, last + 1 if before is None else min(last + 1, before)) for first, last in spans]
    return max((top for first, top in below if top > first), default=0)


def _spans(tx: Tx, account: str, where: EntryFilter) -> list[tuple[int, int]]:
    """The runs of versions within which such entries are: by time, and by the months that have the reason."""
    newest = tx.ledger.entries(where.book, account, before_version=None, limit=1)
    top = newest[0].version if newest else 0
    first = 1 if where.posted_from is None else _count_before(tx, where.book, account, top, where.posted_from) + 1
    last = top if where.posted_until is None else _count_before(tx, where.book, account, top, where.posted_until)
    if where.reason is None:
        spans = [(first, last)]
    else:
        months = tx.ledger.months(where.book, [account], last=_MONTH_MAX)
        spans = [
            (max(first, month.first_version), min(last, month.last_version))
            for month in months
            if month.reason is where.reason
        ]
    return [(low, high) for low, high in spans if low <= high]


def _count_before(tx: Tx, book: Book, account: str, top: int, at: float) -> int:
    """How many entries were posted before this time, found by halving: versions rise with time, but for clocks."""
    low, high = 0, top
    while low < high:
        middle = (low + high + 1) // 2
        (entry,) = tx.ledger.entries(book, account, before_version=middle + 1, limit=1)
        if entry.created_at < at:
            low = middle
        else:
            high = middle - 1
    return low
