"""The audit log, on every store."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.util import await_only
from tests.support.audit import KEY, event, found_in, write_events

from yuanjing.adapters.sql import StoreOptions, alone, open_store
from yuanjing.adapters.sql.work import Work
from yuanjing.domain.audit import STREAMS, Action, AuditEvent, AuditHead, AuditRow, is_sealed
from yuanjing.domain.errors import NotFoundError
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.audit import AuditFilter
from yuanjing.ports.store import Store, Tx

MADE = [
    event(n, id=f"aud_{n:02}", at=100.0 + n, customer_id="cus_a" if n % 2 else None, subject=f"key_{n % 3}")
    for n in range(12)
]


@pytest.fixture
async def events(store: Store) -> list[AuditEvent]:
    for one in MADE:
        await store.write(lambda tx, it=one: tx.audit.append(it))
    return MADE


async def _ids(store: Store, **where: Any) -> list[int]:
    found = await store.read(lambda tx: tx.audit.list(AuditFilter(**({"limit": 99} | where))))
    return [int(one.id[4:]) for one in found]


async def test_events_are_kept_as_they_are_newest_first(store: Store, events: list[AuditEvent]):
    found = await store.read(lambda tx: tx.audit.list(AuditFilter(limit=99)))
    assert found == events[::-1]
    assert await _ids(store, limit=3) == [11, 10, 9]
    assert await _ids(store, limit=3, before="aud_09") == [8, 7, 6]


@pytest.mark.usefixtures("events")
async def test_events_are_found_by_what_is_asked(store: Store):
    assert await _ids(store, customer_id="cus_a") == [11, 9, 7, 5, 3, 1]
    assert await _ids(store, subject="key_2", customer_id="cus_a") == [11, 5]
    assert await _ids(store, actor="user 3") == [10, 3]
    assert await _ids(store, actor="visitor") == [10, 6, 2]
    assert await _ids(store, actions=(MADE[4].action, MADE[7].action)) == [7, 4]
    assert await _ids(store, since=109.0) == [11, 10, 9]
    assert await _ids(store, customer_id="nobody") == []


async def test_events_of_a_customer_are_counted(store: Store):
    for n in range(5):
        one = event(n, at=float(n), customer_id="cus_a" if n else None, action=Action.SIGN_IN_FAILED)
        await store.write(lambda tx, it=one: tx.audit.append(it))

    def counts(tx: Tx) -> list[int]:
        return [
            tx.audit.count("cus_a", Action.SIGN_IN_FAILED, since=2.0),
            tx.audit.count("cus_a", Action.SIGN_IN_FAILED, since=9.0),
            tx.audit.count("cus_a", Action.KEY_CREATED, since=0.0),
            tx.audit.count("cus_b", Action.SIGN_IN_FAILED, since=0.0),
        ]

    assert await store.read(counts) == [3, 0, 0, 0]


@pytest.mark.usefixtures("events")
async def test_the_chains_are_whole_and_their_heads_sealed(store: Store):
    heads = await store.read(lambda tx: tx.audit.heads())
    rows = await store.read(lambda tx: list(tx.audit.scan()))
    assert [head.stream for head in heads if isinstance(head, AuditHead)] == list(range(STREAMS))
    assert sum(head.number for head in heads if isinstance(head, AuditHead)) == len(rows) == len(MADE)
    places = [(row.stream, row.number) for row in rows if isinstance(row, AuditRow)]
    assert places == sorted(places)
    for head in heads:
        assert isinstance(head, AuditHead)
        assert await store.read(lambda tx, it=head: tx.audit.is_sealed(it))
        assert not await store.read(lambda tx, it=head: tx.audit.is_sealed(replace(it, number=it.number + 1)))
        found = await store.read(lambda tx, it=head: tx.audit.hash_of(it.stream, it.number))
        assert found == (head.hash if head.number else None)
    assert (await found_in(store)).told == []


async def test_before_the_first_event_there_is_nothing(store: Store):
    assert await store.read(lambda tx: (tx.audit.heads(), list(tx.audit.scan()))) == ([], [])
    assert (await found_in(store)).told == []


async def test_an_event_is_there_only_if_what_it_records_is(store: Store):
    def fail(tx: Tx) -> None:
        tx.audit.append(MADE[0])
        raise NotFoundError("no")

    with pytest.raises(NotFoundError):
        await store.write(fail)
    assert await _ids(store) == []
    with pytest.raises(RuntimeError):
        await store.read(lambda tx: tx.audit.append(MADE[0]))
    assert await store.write(lambda tx: [tx.audit.append(one) for one in MADE]) == [None] * len(MADE)
    assert await _ids(store) == list(range(11, -1, -1))
    assert (await found_in(store)).told == []


@pytest.mark.usefixtures("events")
async def test_the_oldest_are_removed_and_the_rest_still_fits(store: Store):
    assert await store.write(lambda tx: tx.audit.purge(100.0, 99)) == 0
    assert await store.write(lambda tx: tx.audit.purge(106.0, 99)) == 6
    assert await _ids(store) == [11, 10, 9, 8, 7, 6]
    assert (await found_in(store)).told == []
    await store.write(lambda tx: tx.audit.append(event(20)))
    assert await store.write(lambda tx: tx.audit.purge(10.0**10, 1)) <= STREAMS
    assert (await found_in(store)).told == []
    while await store.write(lambda tx: tx.audit.purge(10.0**10, 2)):
        pass
    assert await _ids(store) == []
    assert (await found_in(store)).told == []
    await store.write(lambda tx: tx.audit.append(event(21)))
    assert (await found_in(store)).told == []


async def test_a_younger_row_keeps_those_after_it(store: Store):
    """Clocks differ; what is removed is a beginning of the stream."""
    made = [event(n, id=f"aud_{n}", at=at, customer_id="cus_a") for n, at in enumerate((1.0, 9.0, 2.0))]
    for one in made:
        await store.write(lambda tx, it=one: tx.audit.append(it))
    assert await store.write(lambda tx: tx.audit.purge(5.0, 99)) == 1
    assert await _ids(store) == [2, 1]
    assert (await found_in(store)).told == []


async def test_many_who_record_at_once_make_whole_chains(sql_store: Store, other_store: Store):
    def work(n: int) -> Callable[[Tx], None]:
        def append(tx: Tx) -> None:
            for k in (n, n + 1, n + 2):  # several streams in one unit of work, in different orders
                tx.audit.append(event(k, customer_id=f"cus_{k % 11}"))

        return append

    stores, turn = (sql_store, other_store), asyncio.Semaphore(10)

    async def write(n: int) -> None:
        async with turn:
            await stores[n % 2].write(work(n))

    async with asyncio.TaskGroup() as group:
        for n in range(60):
            group.create_task(write(n))
    assert len(await sql_store.read(lambda tx: tx.audit.list(AuditFilter(limit=999)))) == 180
    assert (await found_in(sql_store)).told == []


@pytest.mark.parametrize("sql_url", ["postgres"], indirect=True)
async def test_heads_that_another_has_just_made_are_found(
    sql_store: Store, other_store: Store, monkeypatch: pytest.MonkeyPatch
):
    """The first two events of all at once, the one between two looks of the other; SQLite has one writer at a time."""
    first = Work.first

    def late(work: Work, statement: sa.Executable, **params: object) -> sa.Row[Any] | None:
        monkeypatch.setattr(Work, "first", first)
        await_only(other_store.write(lambda tx: tx.audit.append(event(3))))
        return first(work, statement, **params)

    monkeypatch.setattr(Work, "first", late)
    await sql_store.write(lambda tx: tx.audit.append(event(3)))
    assert (await found_in(sql_store)).told == []
    assert len(await sql_store.read(lambda tx: tx.audit.list(AuditFilter(limit=9)))) == 2


async def test_a_store_with_a_key_seals_with_it(sql_url: str):
    for key, others in ((KEY, b""), (b"another", KEY)):
        store = await open_store(sql_url, options=StoreOptions(synchronous="off", audit_key=key), clock=ManualClock())
        await write_events(store, 30)
        heads = [head for head in await store.read(lambda tx: tx.audit.heads()) if isinstance(head, AuditHead)]
        await store.close()
        if key == KEY:
            assert all(is_sealed(key, head) and not is_sealed(others, head) for head in heads)
            assert await _told_with_our_key(sql_url) == 0
        else:  # who writes with another key breaks the seals
            assert not any(is_sealed(one, head) for head in heads for one in (key, others))
    assert await _told_with_our_key(sql_url) == STREAMS


async def _told_with_our_key(url: str) -> int:
    store = await open_store(url, options=StoreOptions(synchronous="off", audit_key=KEY), clock=ManualClock())
    told = (await found_in(store)).told
    await store.close()
    return len(told)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_rows SET subject = subject || 'x' WHERE number = 2 AND stream = 2",
        "UPDATE audit_rows SET at = at + 1e-6 WHERE number = 2 AND stream = 2",
        "UPDATE audit_rows SET customer_id = NULL WHERE number = 2 AND stream = 2",
        "UPDATE audit_rows SET action = 'nothing' WHERE number = 2 AND stream = 2",
        "DELETE FROM audit_rows WHERE number = 1 AND stream = 2",
        "DELETE FROM audit_rows WHERE stream = 2 AND number = (SELECT max(number) FROM audit_rows WHERE stream = 2)",
        "DELETE FROM audit_heads WHERE stream = 2",
        "UPDATE audit_heads SET number = number - 1 WHERE stream = 2",
    ],
)
async def test_what_is_changed_behind_its_back_is_seen(sql_url: str, sql_store: Store, statement: str):
    def fill(tx: Tx) -> None:
        for n in range(8):
            tx.audit.append(event(n, customer_id="cus_8"))

    await sql_store.write(fill)
    (first, *_) = await sql_store.read(lambda tx: list(tx.audit.scan()))
    assert isinstance(first, AuditRow)
    text = sa.text(statement.replace("stream = 2", f"stream = {first.stream}"))
    assert (
        await alone.run_alone(alone.parse_url(sql_url), lambda conn: conn.execute(text).rowcount, may_write=True) == 1
    )
    assert (await found_in(sql_store)).told != []
    await sql_store.write(fill)  # work goes on
    assert (await found_in(sql_store)).told != []
