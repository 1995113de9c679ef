"""Redeem codes: once each, to the same effect for who has, and nothing for who guesses."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.money import World, tokens
from tests.usecases.busy import redemptions

from yuanjing.bootstrap.redemptions import make_redemptions
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.money import Book
from yuanjing.domain.redemptions import (
    ALPHABET,
    BODY_LENGTH,
    MistypedRedeemCodeError,
    RedeemCodeLimitError,
    WrongRedeemCodeError,
    make_code,
)
from yuanjing.settings import Settings
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.promotions import list_promotions
from yuanjing.usecases.redemptions import CodeWish, create_codes, find_code, list_codes, revoke_codes
from yuanjing.usecases.signin.errors import TooManyAttemptsError
from yuanjing.usecases.verify import verify

YUAN = 10**9
DAY = 86_400
HERE, THERE = "192.0.2.1", "192.0.2.2"
PEPPER = b"pepper"


@pytest.fixture
async def shop(world: World) -> World:
    await world.prepare("cus_a", "cus_b")
    return world


async def make(world: World, **wish) -> list[str]:
    made = await create_codes(world.store, world.clock, PEPPER, CodeWish(**({"amount_nanos": 5 * YUAN} | wish)))
    return [text for _, text in made]


def unknown(n: int) -> str:
    return make_code(ALPHABET[n] * BODY_LENGTH)


async def promotion_of(world: World, customer: str = "cus_a") -> int:
    return (await world.balances(customer)).promotion_nanos


async def clean(world: World) -> None:
    report = await verify(world.store, world.spools, world.clock)
    assert [b for b in report.breaches if b.check != "spools"] == []


async def test_a_code_becomes_promotion_money_once(shop):
    (text,) = await make(shop, money_days=30, note="spring")
    desk = redemptions(shop)
    first = await desk.redeem("cus_a", HERE, text)
    assert (first.lot.amount_nanos, first.lot.book, first.lot.expires_at) == (
        5 * YUAN, Book.LIVE, shop.clock.unix() + 30 * DAY
    )  # fmt: skip
    shop.clock.advance(40 * DAY)
    assert await desk.redeem("cus_a", THERE, text.lower()) == first
    assert await promotion_of(shop) == 5 * YUAN
    (transfer,) = await shop.transfers()
    assert (transfer.id, transfer.note) == (f"grant:code:{first.code.id}", "spring")
    assert ("funds", "live:cus_a") in await shop.signals()
    with pytest.raises(WrongRedeemCodeError):
        await desk.redeem("cus_b", HERE, text)
    assert await promotion_of(shop, "cus_b") == 0
    await clean(shop)


async def test_one_answer_for_all_that_does_not_count(shop):
    used, revoked, expired = await make(shop, count=3, expires_at=shop.clock.unix() + DAY)
    desk = redemptions(shop, failures_max=10)
    await desk.redeem("cus_b", HERE, used)
    await revoke_codes(shop.store, shop.clock, (await find_code(shop.store, PEPPER, revoked)).id)
    shop.clock.advance(DAY)
    messages = set()
    for text in (used, revoked, expired, unknown(1)):
        with pytest.raises(WrongRedeemCodeError) as caught:
            await desk.redeem("cus_a", HERE, text)
        messages.add(caught.value.message)
    assert len(messages) == 1
    assert await promotion_of(shop) == 0


async def test_fifty_at_once_credit_once(shop):
    (text,) = await make(shop)
    desks = [redemptions(shop, failures_max=100) for _ in range(2)]
    who = ["cus_a", "cus_b"]
    tries = [asyncio.ensure_future(desks[n % 2].redeem(who[n // 2 % 2], HERE, text)) for n in range(50)]
    await asyncio.wait(tries)
    failed = [one.exception() for one in tries if one.exception() is not None]
    assert len(failed) in (24, 26)
    assert {type(error) for error in failed} == {WrongRedeemCodeError}
    assert await promotion_of(shop) + await promotion_of(shop, "cus_b") == 5 * YUAN
    await clean(shop)


async def test_a_customer_may_have_so_many_of_a_batch(shop):
    first, second, third = await make(shop, count=3, customer_max=2)
    (other,) = await make(shop, customer_max=1)
    desk = redemptions(shop)
    for text in (first, second, first):
        await desk.redeem("cus_a", HERE, text)
    with pytest.raises(RedeemCodeLimitError, match="redeem 2 of these"):
        await desk.redeem("cus_a", HERE, third)
    await desk.redeem("cus_b", HERE, third)
    await desk.redeem("cus_a", HERE, other)
    assert await promotion_of(shop) == 15 * YUAN
    await clean(shop)


async def test_guessing_is_stopped_by_customer_and_by_address(shop):
    (text,) = await make(shop)
    desk = redemptions(shop, failures_max=3)
    for n in range(3):
        with pytest.raises(WrongRedeemCodeError):
            await desk.redeem("cus_a", f"192.0.2.{n}", unknown(n))
    with pytest.raises(TooManyAttemptsError) as caught:
        await desk.redeem("cus_a", "192.0.2.9", text)
    assert 0 < caught.value.retry_after_seconds <= 3600
    for customer in ("cus_b", "cus_b"):
        with pytest.raises(WrongRedeemCodeError):
            await desk.redeem(customer, "192.0.2.0", unknown(9))
    with pytest.raises(TooManyAttemptsError):
        await desk.redeem("cus_c", "192.0.2.0", text)
    assert await promotion_of(shop) == 0
    shop.clock.advance(3601)
    await desk.redeem("cus_a", "192.0.2.9", text)


async def test_typing_errors_are_told_and_are_no_guesses(shop):
    (text,) = await make(shop)
    desk = redemptions(shop, failures_max=1)
    wrong = text[:-1] + ("0" if text[-1] != "0" else "2")
    for _ in range(5):
        with pytest.raises(MistypedRedeemCodeError):
            await desk.redeem("cus_a", HERE, wrong)
    await desk.redeem("cus_a", HERE, text)


async def test_what_one_has_redeemed_newest_first(shop):
    texts = await make(shop, count=5)
    desk = redemptions(shop)
    redeemed = []
    for text in texts:
        redeemed.append(await desk.redeem("cus_a", HERE, text))
        shop.clock.advance(1)
    (foreign,) = await make(shop)
    others = await desk.redeem("cus_b", HERE, foreign)
    pages = [await desk.list("cus_a", limit=2)]
    while len(pages[-1]) == 2:
        pages.append(await desk.list("cus_a", before=pages[-1][-1].code.id, limit=2))
    assert [one for page in pages for one in page] == redeemed[::-1]
    unused = await create_codes(shop.store, shop.clock, PEPPER, CodeWish(amount_nanos=1))
    for before in (others.code.id, unused[0][0].id, "code_none"):
        with pytest.raises(NotFoundError):
            await desk.list("cus_a", before=before)


async def test_what_was_spent_is_not_told_as_left(shop):
    """However often the lot was looked at since: the lists of promotions and redemptions say the same."""
    texts = await make(shop, count=2)
    desk = redemptions(shop)
    for text in texts:
        await desk.redeem("cus_a", HERE, text)
        shop.clock.advance(1)
    gateway = await shop.gateway()
    spent = (await gateway.chat("cus_a", tokens())).charge_nanos
    await UsagePoster(shop.store, shop.clock, batch_rows=100).post(shop.reader(gateway))
    first, second = 5 * YUAN - spent, 5 * YUAN
    assert spent > 0
    listed = [one.lot for one in await desk.list("cus_a")]
    assert {lot.left_nanos for lot in listed} == {second, first}
    lots = await list_promotions(shop.store, "cus_a")
    assert {lot.id: lot for lot in listed} == {lot.id: lot for lot in lots}  # ids of one moment have no order
    assert [(await desk.redeem("cus_a", HERE, text)).lot.left_nanos for text in texts] == [first, second]
    await clean(shop)


async def test_operators_list_show_and_revoke(shop):
    texts = await make(shop, count=3)
    await make(shop, count=2)
    everything = await list_codes(shop.store)
    assert len(everything) == 5
    assert [code.id for code in everything] == sorted((code.id for code in everything), reverse=True)
    assert await list_codes(shop.store, before=everything[2].id) == everything[3:]
    found = await find_code(shop.store, PEPPER, texts[0])
    assert found == await find_code(shop.store, PEPPER, found.id)
    assert found.hint == texts[0][:4]
    assert texts[0].encode() not in found.digest
    assert len(await list_codes(shop.store, batch_id=found.batch_id)) == 3
    await redemptions(shop).redeem("cus_a", HERE, texts[0])
    assert await revoke_codes(shop.store, shop.clock, found.batch_id) == 2
    assert await revoke_codes(shop.store, shop.clock, found.batch_id) == 0
    assert await revoke_codes(shop.store, shop.clock, found.id) == 0, "money that was redeemed stays"
    with pytest.raises(NotFoundError):
        await find_code(shop.store, b"another pepper", texts[0])
    for name in ("code_none", "batch_none", "0000-0000-0000-0000", "nonsense"):
        with pytest.raises(NotFoundError):
            await find_code(shop.store, PEPPER, name)
        with pytest.raises(NotFoundError):
            await revoke_codes(shop.store, shop.clock, name)


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"amount_nanos": 0}, "amount"),
        ({"amount_nanos": 10**18 + 1}, "amount"),
        ({"count": 0}, "count"),
        ({"count": 10_001}, "count"),
        ({"money_days": 0}, "money_valid_days"),
        ({"money_days": 36_501}, "money_valid_days"),
        ({"customer_max": 0}, "max_per_customer"),
        ({"expires_at": 0.0}, "expires_at"),
        ({"note": "x" * 201}, "note"),
        ({"note": "a\nb"}, "note"),
    ],
)
async def test_what_codes_cannot_be(shop, wish, param):
    with pytest.raises(InvalidInputError) as caught:
        await make(shop, **wish)
    assert caught.value.param == param
    assert await list_codes(shop.store) == []


async def test_ten_wrong_codes_of_one_customer_keep_nobody_else_of_the_address_out(shop):
    """Behind one address there may be an office, or all customers of a carrier."""
    (right,) = await make(shop)
    services: Any = SimpleNamespace(
        settings=Settings(mode="development"), store=shop.store, clock=shop.clock, pepper=PEPPER
    )
    desk = make_redemptions(services)
    for n in range(10):
        with pytest.raises(WrongRedeemCodeError):
            await desk.redeem("cus_b", HERE, unknown(n))
    with pytest.raises(TooManyAttemptsError):
        await desk.redeem("cus_b", HERE, right)
    assert (await desk.redeem("cus_a", HERE, right)).lot.amount_nanos == 5 * YUAN
    for n in range(90):
        with pytest.raises(WrongRedeemCodeError):
            await desk.redeem(f"cus_{n // 10}", HERE, unknown(n % 20))
    with pytest.raises(TooManyAttemptsError):
        await desk.redeem("cus_a", HERE, right)
