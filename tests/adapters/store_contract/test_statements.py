"""Statements and entries of customers over every store: they are what the ledger says, whatever was posted."""

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from yuanjing.adapters.sql import alone
from yuanjing.domain import ledger
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.ledger import Entry, Reason, Transfer
from yuanjing.domain.money import Book
from yuanjing.domain.statements import Statement, month_of, month_start, read_month
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.damage import DamagedError
from yuanjing.ports.store import Store
from yuanjing.usecases import entries
from yuanjing.usecases.customers import AccountKind, account_of
from yuanjing.usecases.entries import EntryFilter, list_entries, stream_entries, stream_span
from yuanjing.usecases.statements import list_statements, read_statement

SEPTEMBER, NOVEMBER = read_month("2026-09"), read_month("2026-11")
CUSTOMERS = ("cus_a", "cus_b")
A = ledger.available("cus_a")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(dt.datetime.fromisoformat("2026-09-29T12:00:00+08:00"))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that pages have several, and several pages are needed."""
    monkeypatch.setattr(entries, "CHUNK", 7)
    monkeypatch.setattr(entries, "LOOKED_AT_MAX", 20)


class Life:
    """Two customers whose money moves in all the ways there are, over some months, with a clock that may go back."""

    def __init__(self, store: Store, clock: ManualClock, seed: int) -> None:
        self.store, self.clock = store, clock
        self._random = random.Random(seed)  # noqa: S311  # dice of a test, no secret of anybody
        self._number = 0
        self._money: defaultdict[tuple[Book, str], list[int]] = defaultdict(lambda: [0, 0])

    async def live(self, postings: int) -> None:
        for _ in range(postings):
            batch = [self._transfer() for _ in range(self._random.randint(1, 6))]
            await self.store.write(lambda tx, batch=batch: tx.ledger.post(batch))
            if self._random.random() < 0.1:
                self.clock.jump(-self._random.uniform(0, 5_000))
            else:
                self.clock.advance(self._random.uniform(0, 250_000))

    def _transfer(self) -> Transfer:
        self._number += 1
        book, customer, name = self._random.choice(list(Book)), self._random.choice(CUSTOMERS), str(self._number)
        money = self._money[book, customer]
        amount = self._random.randint(1, 10**12)
        kind = self._random.randrange(6)
        if kind == 1 and money[0] >= amount:
            money[0] -= amount
            money[1] += amount
            return ledger.place_hold(book, customer, amount, hold_id=f"hold_{name}", part=1)
        if kind == 2 and money[1] >= amount:
            money[1] -= amount
            return ledger.settle_hold(book, customer, amount, hold_id="hold_1", cause=name)
        if kind == 3 and money[1] >= amount:
            money[1] -= amount
            money[0] += amount
            return ledger.release_hold(book, customer, amount, hold_id="hold_1", part=self._number)
        if kind == 4 and money[0] >= amount:
            money[0] -= amount
            return ledger.refund(book, customer, amount, method="x", id_=f"ref_{name}")
        money[0] += amount
        if kind == 5:
            return ledger.top_up(book, customer, amount, method="x", number=f"yj{name}")
        return ledger.grant(book, customer, amount, cause=name)


@pytest.fixture
async def life(store: Store, clock: ManualClock) -> Life:
    made = Life(store, clock, 7)
    await made.live(60)
    return made


async def all_entries(store: Store) -> list[Entry]:
    return await store.read(lambda tx: [one for one in tx.ledger.scan_entries() if isinstance(one, Entry)])


def of(found: Sequence[Entry], book: Book, account: str) -> list[Entry]:
    return [one for one in found if (one.book, one.account) == (book, account)]


async def test_every_month_of_every_account_is_what_the_ledger_says(life: Life) -> None:
    """`opening + sum of its entries = closing`, both are running balances, and the months follow on each other."""
    store, clock = life.store, life.clock
    everything = await all_entries(store)
    months = range(SEPTEMBER - 1, month_of(clock.unix()) + 1)
    assert len(months) >= 4
    count = 0
    for customer in CUSTOMERS:
        for book in Book:
            before: Statement | None = None
            for month in months:
                made = await read_statement(store, clock, customer, book, month)
                assert made.opening_nanos == (before.closing_nanos if before else 0)
                assert made.opening_nanos + sum(line.amount_nanos for line in made.lines) == made.closing_nanos
                for account in made.accounts:
                    rows = of(everything, book, account.account)
                    its = rows[account.first_version - 1 : account.last_version]
                    count += len(its)
                    ends = [
                        (rows[n - 1].balance_after_nanos if n else 0)
                        for n in (account.first_version - 1, account.last_version)
                    ]
                    assert [account.opening_nanos, account.closing_nanos] == ends
                    sums: defaultdict[Reason, list[int]] = defaultdict(lambda: [0, 0])
                    for one in its:
                        sums[one.reason][0] += 1
                        sums[one.reason][1] += one.amount_nanos
                    assert {line.reason: [line.entries, line.amount_nanos] for line in account.lines} == sums
                    assert [
                        one
                        async for page in stream_span(
                            store, book, account.account, account.first_version, account.last_version
                        )
                        for one in page
                    ] == its
                before = made
            assert before is not None
            assert (
                before.closing_nanos
                == (await store.read(lambda tx, b=book, c=customer: tx.ledger.owned(b, [c])))[customer]
            )
    assert count == len([one for one in everything if one.account.startswith("customer:")])


async def test_the_list_of_months(life: Life) -> None:
    store, clock = life.store, life.clock
    found = await list_statements(store, clock, "cus_a", Book.LIVE)
    assert [one.month for one in found] == sorted({one.month for one in found}, reverse=True)
    for total in found:
        made = await read_statement(store, clock, "cus_a", Book.LIVE, total.month)
        assert (total.opening_nanos, total.closing_nanos) == (made.opening_nanos, made.closing_nanos)
        assert total.is_final == made.is_final
    assert len(found) >= 3
    assert [one.is_final for one in found][-1]
    first, rest = found[0], found[1:]
    assert await list_statements(store, clock, "cus_a", Book.LIVE, limit=1) == [first]
    assert await list_statements(store, clock, "cus_a", Book.LIVE, before=first.month, limit=2) == rest[:2]
    assert await list_statements(store, clock, "cus_none", Book.LIVE) == []
    with pytest.raises(InvalidInputError):
        await list_statements(store, clock, "cus_a", Book.LIVE, limit=0)


async def test_a_month_that_has_not_begun_has_no_statement(life: Life) -> None:
    coming = month_of(life.clock.unix()) + 1
    with pytest.raises(NotFoundError):
        await read_statement(life.store, life.clock, "cus_a", Book.LIVE, coming)
    nobodys = await read_statement(life.store, life.clock, "cus_none", Book.LIVE, coming - 1)
    assert (nobodys.opening_nanos, nobodys.closing_nanos, nobodys.lines, nobodys.is_final) == (0, 0, [], False)


async def test_a_month_that_the_clock_has_not_reached_again_can_be_read(store: Store, clock: ManualClock) -> None:
    clock.jump(40 * 86_400)
    await store.write(lambda tx: tx.ledger.post([ledger.grant(Book.LIVE, "cus_a", 5, cause="early")]))
    clock.jump(-40 * 86_400)
    made = await read_statement(store, clock, "cus_a", Book.LIVE, NOVEMBER)
    assert (made.closing_nanos, made.is_final) == (5, False)


async def test_entries_come_in_pages(life: Life) -> None:
    rows = of(await all_entries(life.store), Book.LIVE, A)[::-1]
    where, before = EntryFilter(book=Book.LIVE), None
    got: list[Entry] = []
    while True:
        page = await list_entries(life.store, "cus_a", where, before_version=before, limit=4)
        assert len(page.entries) <= 4
        got += page.entries
        before = page.next_version
        if before is None:
            break
    assert got == rows
    assert len(rows) > 20
    for limit in (0, 1001):
        with pytest.raises(InvalidInputError):
            await list_entries(life.store, "cus_a", where, limit=limit)
    nobodys = await list_entries(life.store, "cus_none", where)
    assert (nobodys.entries, nobodys.next_version) == ([], None)


@pytest.mark.parametrize("reason", [None, Reason.TOPUP, Reason.HOLD, Reason.OVERRUN])
@pytest.mark.parametrize("kind", [AccountKind.AVAILABLE, AccountKind.HELD, AccountKind.PROMOTION])
async def test_entries_by_reason_and_account(life: Life, reason: Reason | None, kind: AccountKind) -> None:
    account = account_of("cus_b", kind)
    rows = [one for one in of(await all_entries(life.store), Book.TEST, account) if reason in (None, one.reason)]
    where = EntryFilter(book=Book.TEST, kind=kind, reason=reason)
    got = [one async for page in stream_entries(life.store, "cus_b", where) for one in page]
    assert got == rows[::-1]


async def test_entries_by_time(store: Store, clock: ManualClock) -> None:
    """With a clock that only rises the bounds are exact."""
    times: list[float] = []
    for number in range(30):
        times.append(clock.unix())
        posted = [ledger.grant(Book.LIVE, "cus_a", n + 1, cause=f"{number}-{n}") for n in range(number % 3 + 1)]
        await store.write(lambda tx, posted=posted: tx.ledger.post(posted))
        clock.advance(3_600)
    rows = of(await all_entries(store), Book.LIVE, A)
    for start, end in (
        (None, times[3]),
        (times[3], None),
        (times[3], times[9]),
        (times[9], times[3]),
        (times[29] + 1, None),
        (times[5], times[5] + 1),
    ):
        where = EntryFilter(book=Book.LIVE, posted_from=start, posted_until=end)
        expected = [
            one for one in rows if (start is None or one.created_at >= start) and (end is None or one.created_at < end)
        ]
        for reason in (None, Reason.GRANT):
            got = [one async for page in stream_entries(store, "cus_a", replace(where, reason=reason)) for one in page]
            assert got == expected[::-1]
    assert month_start(SEPTEMBER) < times[0]


async def test_a_page_looks_at_so_many_entries_and_no_more(store: Store) -> None:
    """A rare reason between many others: pages that hold nothing lead on to the one that does."""
    posted = [ledger.top_up(Book.LIVE, "cus_a", 5, method="x", number="first")]
    posted += [ledger.grant(Book.LIVE, "cus_a", 1, cause=str(number)) for number in range(45)]
    posted += [ledger.top_up(Book.LIVE, "cus_a", 5, method="x", number="last")]
    await store.write(lambda tx: tx.ledger.post(posted))
    where = EntryFilter(book=Book.LIVE, reason=Reason.TOPUP)
    sizes: list[int] = []
    before: int | None = None
    while True:
        page = await list_entries(store, "cus_a", where, before_version=before, limit=50)
        sizes.append(len(page.entries))
        before = page.next_version
        if before is None:
            break
    assert sizes == [1, 0, 1]


@pytest.mark.parametrize(
    "change", ["amount_nanos = amount_nanos + 1", "entries = entries + 1, last_version = last_version + 1"]
)
async def test_a_statement_that_the_ledger_does_not_bear_out_is_not_shown(
    sql_store: Store, sql_url: str, clock: ManualClock, change: str
) -> None:
    await sql_store.write(lambda tx: tx.ledger.post([ledger.grant(Book.LIVE, "cus_a", 5, cause="x")]))
    made = await read_statement(sql_store, clock, "cus_a", Book.LIVE, SEPTEMBER)
    assert made.closing_nanos == 5
    statement = sa.text(f"UPDATE account_months SET {change}")  # noqa: S608  # our own words
    await alone.run_alone(alone.parse_url(sql_url), lambda conn: conn.execute(statement), may_write=True)
    with pytest.raises(DamagedError):
        await read_statement(sql_store, clock, "cus_a", Book.LIVE, SEPTEMBER)
