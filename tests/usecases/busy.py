"""A world with some of everything: open and closed holds, settled, late and lost usage, budgets, two books."""

from tests.support.money import Gateway, World, tokens

from yuanjing.domain.identity import BudgetPeriod
from yuanjing.domain.money import Book
from yuanjing.usecases.nodes import take_over
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.promotions import Gift, expire_promotions, give_promotion
from yuanjing.usecases.redemptions import CodeWish, Redemptions, create_codes
from yuanjing.usecases.signin.failures import AddressFailures

YUAN = 10**9


async def fill(world: World) -> None:
    """Let two gateways live in it; one of them ends, and none of their spools has a row that is not posted."""
    budgets = {
        "key_t": ("cus_a", YUAN, BudgetPeriod.TOTAL),
        "key_d": ("cus_a", YUAN, BudgetPeriod.DAY),
        "key_unused": ("cus_a", YUAN, BudgetPeriod.TOTAL),
    }
    await world.prepare("cus_a", "cus_b", budgets=budgets)
    await world.grant("cus_a", YUAN)
    await world.grant("cus_b", 500_000)
    await world.grant("cus_b", YUAN, Book.TEST)
    first, second = await world.gateway("m-g0"), await world.gateway("m-g1")
    for key in (None, "key_t", "key_d"):
        await first.chat("cus_a", tokens(10, 20), budget_key_id=key)
    await first.chat("cus_b", tokens(), book=Book.TEST)
    answer = await first.acquire("cus_a", needed=1000)
    first.finish(first.admit(answer.hold_id, 1000), tokens(500, 500))
    poster = UsagePoster(world.store, world.clock, batch_rows=100)
    await poster.post(world.reader(first))
    await second.chat("cus_b", tokens(10, 30))
    await take_over(world.store, world.clock, node_id="m-g1", incarnation=1, reader=None)
    await first.acquire("cus_b", needed=300_000)
    await poster.post(world.reader(second))
    await first.acquire("cus_a", needed=1000, recent=YUAN, budget_key_id="key_t")
    extra = await first.acquire("cus_b", needed=2000, book=Book.TEST)
    await first.give_back(extra.hold_id, is_final=True)
    await _promote(world, first)


def redemptions(world: World, failures_max: int = 3) -> Redemptions:
    """What a gateway process redeems codes with."""
    counts = [AddressFailures(world.clock, failures_max=failures_max, window_seconds=3600) for _ in range(2)]
    return Redemptions(
        store=world.store, clock=world.clock, pepper=b"pepper", of_customers=counts[0], of_addresses=counts[1]
    )


async def _promote(world: World, gateway: Gateway) -> None:
    """Promotion money: some has expired, some is spent, some is held."""
    now = world.clock.unix()
    for cause, expires_at in (("old", now), ("spring", now + 1000)):
        gift = Gift(customer_id="cus_a", book=Book.LIVE, amount_nanos=9_000_000, expires_at=expires_at, cause=cause)
        await world.store.write(lambda tx, gift=gift: give_promotion(tx, gift, now))
    assert await expire_promotions(world.store, world.clock) == 1
    ((_, text), _) = await create_codes(world.store, world.clock, b"pepper", CodeWish(amount_nanos=5, count=2))
    await redemptions(world).redeem("cus_b", "192.0.2.1", text)
    await gateway.chat("cus_a", tokens(10, 20), budget_key_id="key_d")
    await gateway.acquire("cus_a", needed=1000, budget_key_id="key_d")
    await UsagePoster(world.store, world.clock, batch_rows=100).post(world.reader(gateway))
