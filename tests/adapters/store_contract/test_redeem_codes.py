"""Redeem codes, on every store; and fifty who redeem one at once."""

import asyncio
from dataclasses import replace

import pytest
from tests.adapters.store_contract.builders import LIVE, customer, redeem_code

from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.redemptions import RedeemCode, RedeemCodeLimitError, WrongRedeemCodeError
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.redemptions import CodeWish, Redemption, Redemptions, create_codes
from yuanjing.usecases.signin.failures import AddressFailures
from yuanjing.usecases.verify import verify

PEPPER = b"pepper"


@pytest.fixture
async def codes(store: Store) -> list[RedeemCode]:
    made = [
        redeem_code(1),
        redeem_code(2, money_days=None, customer_max=None, expires_at=None, note=""),
        redeem_code(3, batch_id="batch_2", revoked_at=5.0),
        redeem_code(4, batch_id="batch_2", customer_id="cus_a", redeemed_at=7.0),
        redeem_code(5, customer_id="cus_a", redeemed_at=7.0),
        redeem_code(6, customer_id="cus_a", redeemed_at=6.5),
        redeem_code(7, customer_id="cus_b", redeemed_at=9.0),
    ]

    def fill(tx: Tx) -> None:
        tx.customers.add(customer())
        tx.customers.add(customer("cus_b", "+8613800000002"))
        tx.redeem_codes.add(*made)

    await store.write(fill)
    return made


async def test_codes_are_kept_found_and_redeemed(store: Store, codes: list[RedeemCode]):
    first = codes[0]

    def found(tx: Tx) -> list[RedeemCode | None]:
        return [
            tx.redeem_codes.get("code_1"),
            tx.redeem_codes.lock(first.digest),
            tx.redeem_codes.get("\0"),
            tx.redeem_codes.lock(b"none"),
        ]

    assert await store.write(found) == [first, first, None, None]
    for twin in (redeem_code(1, digest=b"new"), redeem_code(9, digest=first.digest)):
        with pytest.raises(AlreadyExistsError):
            await store.write(lambda tx, it=twin: tx.redeem_codes.add(it))
    redeemed = replace(first, customer_id="cus_b", redeemed_at=10.5)
    await store.write(lambda tx: tx.redeem_codes.save(replace(redeemed, amount_nanos=5)))
    assert await store.read(lambda tx: tx.redeem_codes.get("code_1")) == redeemed
    assert await store.read(lambda tx: list(tx.redeem_codes.scan_redeemed())) == [redeemed, *codes[3:]]


async def test_pages_of_codes(store: Store, codes: list[RedeemCode]):
    def pages(tx: Tx) -> list[list[str]]:
        looks = [
            (None, None, 2),
            (None, "code_6", 2),
            ("batch_2", None, 9),
            ("batch_2", "code_4", 9),
            ("none", None, 9),
        ]
        found = [tx.redeem_codes.list(batch_id=batch, before=before, limit=limit) for batch, before, limit in looks]
        return [[code.id[-1] for code in page] for page in found]

    assert await store.read(pages) == [["7", "6"], ["5", "4"], ["4", "3"], ["3"], []]

    def redeemed(tx: Tx) -> list[list[str]]:
        looks = [(None, 9), (None, 2), ((7.0, "code_4"), 9), ((7.0, "code_5"), 1), ((6.5, "code_6"), 9)]
        found = [tx.redeem_codes.redeemed("cus_a", before=before, limit=limit) for before, limit in looks]
        return [[code.id[-1] for code in page] for page in found]

    assert await store.read(redeemed) == [["5", "4", "6"], ["5", "4"], ["6"], ["4"], []]
    assert len(codes) == 7


@pytest.mark.usefixtures("codes")
async def test_only_what_nobody_has_redeemed_is_revoked(store: Store):
    assert await store.write(lambda tx: tx.redeem_codes.revoke("batch_1", 99.5)) == 2
    assert (
        await store.write(lambda tx: [tx.redeem_codes.revoke(n, 100.0) for n in ("batch_1", "code_4", "x")]) == [0] * 3
    )
    found = await store.read(lambda tx: tx.redeem_codes.list(batch_id=None, before=None, limit=9))
    assert [code.revoked_at for code in found] == [None, None, None, None, 5.0, 99.5, 99.5]


@pytest.mark.usefixtures("codes")
async def test_codes_of_a_batch_are_counted_by_customer(store: Store):
    def counts(tx: Tx) -> list[int]:
        looks = [("batch_1", "cus_a"), ("batch_2", "cus_a"), ("batch_1", "cus_b"), ("batch_2", "cus_b")]
        return [tx.redeem_codes.count_redeemed(*look) for look in looks]

    assert await store.read(counts) == [2, 1, 1, 0]


def desk(store: Store, clock: ManualClock) -> Redemptions:
    counts = [AddressFailures(clock, failures_max=1000, window_seconds=3600) for _ in range(2)]
    return Redemptions(store=store, clock=clock, pepper=PEPPER, of_customers=counts[0], of_addresses=counts[1])


async def _redeem(own: Redemptions, customer_id: str, text: str) -> Redemption | Exception:
    try:
        return await own.redeem(customer_id, "192.0.2.1", text)
    except (WrongRedeemCodeError, RedeemCodeLimitError) as error:
        return error


async def test_fifty_at_once_credit_once(sql_store: Store, other_store: Store, clock: ManualClock):
    await sql_store.write(lambda tx: tx.customers.add(customer()))
    await sql_store.write(lambda tx: tx.customers.add(customer("cus_b", "+8613800000002")))
    ((_, text),) = await create_codes(sql_store, clock, PEPPER, CodeWish(amount_nanos=7))
    desks = [desk(sql_store, clock), desk(other_store, clock)]
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(_redeem(desks[n % 2], ("cus_a", "cus_b")[n // 2 % 2], text)) for n in range(50)]
    done = [one.result() for one in tries]
    winners = {one.code.customer_id for one in done if isinstance(one, Redemption)}
    assert len(winners) == 1
    assert len({one.lot.id for one in done if isinstance(one, Redemption)}) == 1
    assert {type(one) for one in done} == {Redemption, WrongRedeemCodeError}
    balances = await sql_store.read(lambda tx: [tx.ledger.balances(LIVE, id_) for id_ in ("cus_a", "cus_b")])
    assert sum(one.promotion_nanos for one in balances) == 7
    assert (await verify(sql_store, MemorySpoolFolder(), clock)).breaches == []


async def test_the_limit_of_a_batch_holds_when_all_come_at_once(
    sql_store: Store, other_store: Store, clock: ManualClock
):
    await sql_store.write(lambda tx: tx.customers.add(customer()))
    made = await create_codes(sql_store, clock, PEPPER, CodeWish(amount_nanos=7, count=12, customer_max=3))
    desks = [desk(sql_store, clock), desk(other_store, clock)]
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(_redeem(desks[n % 2], "cus_a", text)) for n, (_, text) in enumerate(made)]
    kinds = [type(one.result()) for one in tries]
    assert (kinds.count(Redemption), kinds.count(RedeemCodeLimitError)) == (3, 9)
    assert (await sql_store.read(lambda tx: tx.ledger.balances(LIVE, "cus_a"))).promotion_nanos == 21
