"""Payments at the simulated Alipay over real HTTP: however they are told of, each is credited once and exactly."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from tests.support.alipay import Simulated, notification
from tests.support.shop import YUAN, Shop, open_shop

from yuanjing.adapters.sql import StoreOptions, open_store
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.topups import PayWay, TopUpState, Verdict
from yuanjing.ports.topups import TopUpFilter
from yuanjing.usecases.topups.orders import TooManyOrdersError


@pytest.mark.parametrize("way", ["page", "wap", "qr"])
async def test_each_way_from_the_order_to_the_balance(shop: Shop, way: str):
    made = await shop.order(way, "12.34")
    assert (made["state"], made["amount"], made["way"]) == ("created", "12.34", way)
    payment = made["payment"]
    assert [name for name, value in payment.items() if value] == (["qr_text", "qr_svg"] if way == "qr" else ["url"])
    if way == "qr":
        assert payment["qr_svg"].startswith("<svg")
    assert await shop.show(made) == {name: value for name, value in made.items() if name != "payment"}
    await shop.check(0)
    await shop.pay(made)
    (sent,) = await shop.attempts(made["number"], 1)
    assert (sent["status"], sent["answer"], sent["is_taken"]) == (200, "success", True)
    shown = await shop.show(made)
    assert (shown["state"], shown["refunded"]) == ("credited", "0.00")
    assert shown["paid_at"] is not None
    assert await shop.verdicts(made["number"]) == [Verdict.CREDITED]
    assert (await shop.row(made)).upstream_id == shop.box.trade(made["number"])["trade_no"]
    await shop.check(12_340_000_000)


async def test_the_answer_is_seven_bytes_and_nothing_else(shop: Shop):
    made = await shop.order()
    await shop.pay(made, "lost")
    body = notification(made["number"], made["amount"], shop.box.trade(made["number"])["trade_no"])
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        for _ in range(2):
            answer = await client.post(shop.url + "/callbacks/payments/alipay", content=body)
            assert (answer.status_code, answer.content) == (200, b"success")
            assert answer.headers["content-length"] == "7"
            assert "set-cookie" not in answer.headers
    await shop.check(10 * YUAN)


@pytest.mark.parametrize(
    ("fault", "sends"),
    [("", 1), ("early", 1), ("duplicate", 2), ("burst", 50), ("finished_first", 2), ("blank", 1)],
)
async def test_however_a_payment_is_told_it_is_credited_once(shop: Shop, fault: str, sends: int):
    made = await shop.order()
    await shop.pay(made, fault)
    found = await shop.attempts(made["number"], sends)
    assert [one["answer"] for one in found] == ["success"] * sends
    verdicts = await shop.verdicts(made["number"])
    assert sorted(verdicts) == sorted([Verdict.CREDITED, *[Verdict.REPEATED] * (sends - 1)])
    await shop.check(10 * YUAN)


@pytest.fixture(params=["sqlite", "postgres"])
async def sql_shop(request: pytest.FixtureRequest, tmp_path: Path, box: Simulated):
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    else:
        from yuanjing.adapters.sql import upgrade  # noqa: PLC0415  # only here

        url = f"sqlite:///{tmp_path}/store.db"
        await upgrade(url)
    store = await open_store(url, options=StoreOptions(synchronous="off", busy_seconds=10.0))
    async with open_shop(box, tmp_path, store) as made:
        yield made
    await store.close()


async def test_fifty_notifications_polls_and_sweeps_at_once_credit_once_in_sql(sql_shop: Shop):
    shop = sql_shop
    topup, begun = await shop.orders.start(shop.customer, "alipay", PayWay.PAGE, 10 * YUAN)
    made = {"id": topup.id, "number": topup.number, "payment": {"url": begun.url}}
    await shop.enter(made)
    async with asyncio.TaskGroup() as group:
        group.create_task(shop.pay(made, "burst"))
        for _ in range(10):
            group.create_task(shop.orders.show(shop.customer, topup.id, ask=True))
            group.create_task(shop.orders.sweep())
    found = await shop.attempts(topup.number, 50)
    assert [one["answer"] for one in found] == ["success"] * 50
    verdicts = await shop.verdicts(topup.number)
    assert len(verdicts) == 50
    assert verdicts.count(Verdict.CREDITED) <= 1
    assert set(verdicts) <= {Verdict.CREDITED, Verdict.REPEATED}
    await shop.check(10 * YUAN)


async def test_many_orders_at_once_are_no_more_than_may_be_open_in_sql(sql_shop: Shop):
    shop = sql_shop
    object.__setattr__(shop.parts.policy, "open_max", 3)

    async def start() -> bool:
        try:
            await shop.orders.start(shop.customer, "alipay", PayWay.PAGE, YUAN)
        except TooManyOrdersError:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(start()) for _ in range(15)]
    assert sum(task.result() for task in tasks) == 3
    await shop.check(0)


async def test_a_lost_notification_is_made_good_by_the_page_that_waits(shop: Shop):
    made = await shop.order()
    returned = await shop.pay(made, "lost")
    query = parse_qs(urlsplit(returned.headers["location"]).query)
    assert query["out_trade_no"] == [made["number"]]  # what the browser brings back is signed, and counts for nothing
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        assert (await client.get(returned.headers["location"])).status_code == 200
    await shop.check(0)
    assert (await shop.show(made))["state"] == "credited"
    assert await shop.verdicts(made["number"]) == []
    await shop.check(10 * YUAN)


async def test_a_lost_notification_is_made_good_by_the_sweep(shop: Shop):
    made = await shop.order("qr")
    await shop.pay(made, "lost")
    assert await shop.orders.sweep() == 0
    await shop.advance(5)
    assert await shop.orders.sweep() == 1
    await shop.check(10 * YUAN)
    await shop.advance(86_400)
    assert await shop.orders.sweep() == 0


async def test_a_late_notification_of_a_swept_order_changes_nothing(shop: Shop):
    made = await shop.order()
    await shop.pay(made, "late", seconds="3600")
    await shop.advance(5)
    await shop.orders.sweep()
    await shop.check(10 * YUAN)
    await shop.advance(3600)
    assert (await shop.attempts(made["number"], 1))[0]["answer"] == "success"
    assert await shop.verdicts(made["number"]) == [Verdict.REPEATED]
    await shop.check(10 * YUAN)


async def test_a_payment_after_the_customer_has_closed_the_order_is_credited_and_flagged(shop: Shop):
    made = await shop.order("qr")  # nobody has opened it, so Alipay cannot close it
    answer = await shop.browser.post(f"/api/topups/{made['id']}/close")
    assert (answer.status_code, answer.json()["state"]) == (200, "closed")
    await shop.pay(made)
    await shop.attempts(made["number"], 1)
    assert (await shop.show(made))["state"] == "credited"
    assert (await shop.row(made)).flag == "paid after it was closed"
    await shop.check(10 * YUAN)


async def test_a_lost_payment_of_an_order_that_was_closed_is_found_after_its_expiry(shop: Shop):
    made = await shop.order("qr")
    await shop.browser.post(f"/api/topups/{made['id']}/close")
    await shop.pay(made, "lost")
    await shop.check(0)
    await shop.advance(1800 + 601)
    assert await shop.orders.sweep() == 1
    await shop.check(10 * YUAN)
    await shop.advance(86_400)
    assert await shop.orders.sweep() == 0


async def test_an_order_that_the_customer_closes_cannot_be_paid_any_more(shop: Shop):
    made = await shop.order()
    await asyncio.to_thread(shop.box.cashier, made["number"])
    answer = await shop.browser.post(f"/api/topups/{made['id']}/close")
    assert answer.json()["state"] == "closed"
    assert "TRADE_HAS_CLOSE" in (await shop.press(made, "pay")).text
    again = await shop.browser.post(f"/api/topups/{made['id']}/close")
    assert again.json() == answer.json()
    await shop.check(0)


async def test_closing_an_order_that_is_paid_credits_it(shop: Shop):
    made = await shop.order()
    await shop.pay(made, "lost")
    answer = await shop.browser.post(f"/api/topups/{made['id']}/close")
    assert (answer.status_code, answer.json()["state"]) == (200, "credited")
    await shop.check(10 * YUAN)


async def test_an_order_that_nobody_pays_ends_at_alipay_and_here(shop: Shop):
    made = await shop.order()
    await asyncio.to_thread(shop.box.cashier, made["number"])
    await shop.press(made, "cancel")
    assert (await shop.show(made))["state"] == "created"
    await shop.advance(1801)
    await shop.orders.sweep()
    shown = await shop.show(made)
    assert (shown["state"], shown["closed_at"] is not None) == ("closed", True)
    assert shop.box.trade(made["number"])["status"] == "TRADE_CLOSED"
    await shop.check(0)


class Outage:
    """A store that cannot be written for some times."""

    def __init__(self, store, times):
        self._store, self.times = store, times

    async def write(self, work):
        if self.times:
            self.times -= 1
            raise StoreUnavailableError("the store is away")
        return await self._store.write(work)

    def __getattr__(self, name):
        return getattr(self._store, name)


async def test_a_notification_that_cannot_be_written_is_sent_again_and_credited_once(shop: Shop):
    made = await shop.order()
    outage = Outage(shop.store, 1)
    object.__setattr__(shop.parts, "store", outage)
    await shop.pay(made)
    (first,) = await shop.attempts(made["number"], 1)
    assert (first["status"], first["is_taken"]) == (503, False)
    assert outage.times == 0
    await shop.check(0)
    await shop.advance(240)
    _, second = await shop.attempts(made["number"], 2)
    assert second["is_taken"]
    await shop.check(10 * YUAN)


async def test_two_orders_of_one_customer_are_two_payments(shop: Shop):
    first, second = await shop.order("page", "1.00"), await shop.order("wap", "1.00")
    for made in (first, second):
        await shop.pay(made)
        await shop.attempts(made["number"], 1)
    await shop.check(2 * YUAN)
    listed = (await shop.browser.client.get("/api/topups")).json()["data"]
    assert [one["id"] for one in listed] == [second["id"], first["id"]]
    assert {one["state"] for one in listed} == {"credited"}
    found = await shop.store.read(lambda tx: tx.topups.list(TopUpFilter(state=TopUpState.CREDITED)))
    assert len({one.upstream_id for one in found}) == 2
