"""One genuine notification, sent again and again and all at once, is one credit; a huge one is none (goal S8).

What is forged or changed is in `test_attacks.py`; that there is no such route without keys in `e2e/test_topups.py`.
"""

import asyncio
import time

import httpx2
from tests.support.alipay import notification
from tests.support.shop import YUAN, Shop

from yuanjing.domain.topups import Verdict

REPEATS = 100
PATH = "/callbacks/payments/alipay"


async def lost_payment(shop: Shop) -> tuple[str, bytes]:
    """The number of a paid order of which nobody has been told, and what tells of it."""
    made = await shop.order("page", "10.00")
    await shop.pay(made, "lost")
    number = str(made["number"])
    return number, notification(number, "10.00", shop.box.trade(number)["trade_no"])


async def test_a_hundred_times_one_after_the_other(shop: Shop):
    number, body = await lost_payment(shop)
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        for _ in range(REPEATS):
            answer = await client.post(shop.url + PATH, content=body)
            assert (answer.status_code, answer.content) == (200, b"success")
    verdicts = await shop.verdicts(number)
    assert (len(verdicts), verdicts.count(Verdict.CREDITED)) == (REPEATS, 1)
    await shop.check(10 * YUAN)


async def test_a_hundred_at_once_with_forged_ones_among_them(shop: Shop):
    number, body = await lost_payment(shop)
    forged = body.replace(b"total_amount=10.00", b"total_amount=99.00")
    limits = httpx2.Limits(max_connections=REPEATS)
    async with httpx2.AsyncClient(trust_env=False, limits=limits, timeout=60) as client, asyncio.TaskGroup() as group:
        good = [group.create_task(client.post(shop.url + PATH, content=body)) for _ in range(REPEATS)]
        bad = [group.create_task(client.post(shop.url + PATH, content=forged)) for _ in range(REPEATS // 4)]
    assert {task.result().content for task in good} == {b"success"}
    assert {task.result().status_code for task in bad} == {403}
    verdicts = await shop.verdicts(number)
    assert verdicts.count(Verdict.CREDITED) == 1
    assert verdicts.count(Verdict.FORGED) == REPEATS // 4
    await shop.check(10 * YUAN)


async def test_ten_megabytes_are_refused_before_anything_is_computed(shop: Shop):
    number, body = await lost_payment(shop)
    huge = body + b"&passback_params=" + b"x" * 10_000_000
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        began = time.perf_counter()
        answer = await client.post(shop.url + PATH, content=huge)
        assert time.perf_counter() - began < 2
    assert answer.status_code == 413
    assert await shop.verdicts(number) == []
    await shop.check(0)
