"""What entries come to by month: with the entries, on every store, and after a migration."""

import datetime as dt
import random

import pytest
import sqlalchemy as sa
from tests.adapters.store_contract.builders import LIVE, TEST, grant, place
from tests.adapters.store_contract.test_migrations import empty_url as empty_url  # noqa: PLC0414  # the fixture

from yuanjing.adapters.sql import alone, migrate, open_store, upgrade
from yuanjing.domain import ledger
from yuanjing.domain.errors import InsufficientFundsError
from yuanjing.domain.ledger import Reason
from yuanjing.domain.statements import AccountMonth, month_of, read_month
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.breaches import only_sound

NOVEMBER = read_month("2026-11")
A, HELD = ledger.available("cus_a"), ledger.held("cus_a")


def start(text: str) -> ManualClock:
    return ManualClock(dt.datetime.fromisoformat(text))


@pytest.fixture
def clock() -> ManualClock:
    return start("2026-11-30T23:59:00+08:00")


def row(account: str, reason: Reason, amount: int, versions: tuple[int, ...], month: int = NOVEMBER) -> AccountMonth:
    return AccountMonth(
        book=TEST,
        account=account,
        month=month,
        reason=reason,
        entries=len(versions),
        amount_nanos=amount,
        first_version=versions[0],
        last_version=versions[-1],
    )


async def months(store: Store, *accounts: str, last: int = NOVEMBER + 9) -> list[AccountMonth]:
    return await store.read(lambda tx: tx.ledger.months(TEST, accounts, last=last))


async def test_entries_are_added_to_the_month_in_which_they_are_posted(store: Store, clock: ManualClock) -> None:
    await store.write(lambda tx: tx.ledger.post([grant(amount=100), place(amount=30), grant(amount=7)]))
    await store.write(lambda tx: tx.ledger.post([place(amount=5, hold="hold_2"), grant(amount=9, book=LIVE)]))
    clock.advance(60)
    await store.write(lambda tx: tx.ledger.post([grant(amount=1), grant("cus_b", 4)]))

    assert await months(store, A, HELD) == [
        row(A, Reason.GRANT, 107, (1, 3)),
        row(A, Reason.HOLD, -35, (2, 4)),
        row(A, Reason.GRANT, 1, (5,), NOVEMBER + 1),
        row(HELD, Reason.HOLD, 35, (1, 2)),
    ]
    assert await months(store, A, last=NOVEMBER) == [
        row(A, Reason.GRANT, 107, (1, 3)),
        row(A, Reason.HOLD, -35, (2, 4)),
    ]
    assert await months(store) == await months(store, "customer:cus_none:available") == []
    everything = await store.read(lambda tx: list(only_sound(tx.ledger.scan_months())))
    assert len(everything) == 6
    assert everything == sorted(everything, key=lambda one: (one.book, one.account, one.month, one.reason))


async def test_what_is_not_posted_is_not_added(store: Store) -> None:
    first = grant(amount=10, cause="once")
    await store.write(lambda tx: tx.ledger.post([first]))

    def work(tx: Tx) -> None:
        assert tx.ledger.post([first, first]) == [False, False]
        with pytest.raises(InsufficientFundsError):
            tx.ledger.post([grant(amount=1), place(amount=12)])

    await store.write(work)
    with pytest.raises(ZeroDivisionError):
        await store.write(lambda tx: (tx.ledger.post([grant(amount=5)]), 1 / 0))
    assert await months(store, A) == [row(A, Reason.GRANT, 10, (1,))]


async def test_an_accounts_months_never_go_back(store: Store, clock: ManualClock) -> None:
    clock.advance(60)
    await store.write(lambda tx: tx.ledger.post([grant(amount=1)]))
    clock.jump(-120)
    await store.write(lambda tx: tx.ledger.post([grant(amount=2), place(amount=3), grant("cus_b", 4)]))
    assert await months(store, A) == [
        row(A, Reason.GRANT, 3, (1, 2), NOVEMBER + 1),
        row(A, Reason.HOLD, -3, (3,), NOVEMBER + 1),
    ]
    assert await months(store, ledger.available("cus_b")) == [row(ledger.available("cus_b"), Reason.GRANT, 4, (1,))]


async def test_months_are_added_up_from_what_was_there_before(empty_url: str) -> None:
    """Amounts and months as the program itself would have added them up, clocks that went back included."""
    rng = random.Random(4)  # noqa: S311  # dice of a test, no secret of anybody
    await upgrade(empty_url)
    clock = start("2026-10-31T23:00:00+08:00")
    store = await open_store(empty_url, clock=clock)
    for number in range(40):
        if rng.random() < 0.3:
            clock.jump(-rng.uniform(0, 40_000))
        else:
            clock.advance(rng.uniform(0, 300_000))
        name = f"cus_{number % 3}"
        posted = [grant(name, 100 + number), place(name, number + 1, hold=f"hold_{number}")]
        await store.write(lambda tx, posted=posted: tx.ledger.post(posted))
    expected = await store.read(lambda tx: list(only_sound(tx.ledger.scan_months())))
    assert len({one.month for one in expected}) >= 3
    assert month_of(clock.unix()) >= NOVEMBER
    await store.close()
    await migrate.downgrade(empty_url, "0004")
    assert "account_months" not in await alone.run_alone(
        alone.parse_url(empty_url), lambda conn: sa.inspect(conn).get_table_names(), may_write=False
    )
    await upgrade(empty_url)
    store = await open_store(empty_url)
    assert await store.read(lambda tx: list(only_sound(tx.ledger.scan_months()))) == expected
    await store.close()
