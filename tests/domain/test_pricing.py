import datetime as dt
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain.pricing import (
    RATE_NANOS_MAX,
    ChatPrice,
    ChatTier,
    affordable_output_tokens,
    ceiling_nanos,
    charge_nanos,
    current_price,
    dearest_rates,
    explain,
    tier_for,
)
from yuanjing.domain.usage import COUNT_MAX, OVERRUN_NANOS_MAX, ChatUsage, chat_usage, split_charge

rates = st.integers(min_value=0, max_value=100) | st.integers(min_value=0, max_value=RATE_NANOS_MAX)
maybe_rates = st.none() | rates
tokens = st.integers(min_value=0, max_value=50) | st.integers(min_value=0, max_value=COUNT_MAX)


@st.composite
def prices(draw):
    bounds = sorted(draw(st.sets(st.integers(min_value=1, max_value=60) | st.integers(1, COUNT_MAX - 1), max_size=3)))
    is_open = draw(st.booleans()) or not bounds
    tiers = tuple(
        ChatTier(
            input_up_to=bound,
            input_nanos=draw(rates),
            output_nanos=draw(rates),
            cache_read_nanos=draw(maybe_rates),
            cache_write_nanos=draw(maybe_rates),
        )
        for bound in [*bounds, *([None] if is_open else [])]
    )
    when = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return ChatPrice(id="price_1", offer_id="o", version=1, effective_from=when, tiers=tiers)


@st.composite
def usages(draw, input_max=COUNT_MAX, output_max=COUNT_MAX):
    whole = min(draw(tokens), input_max)
    read = draw(st.integers(min_value=0, max_value=whole))
    write = draw(st.integers(min_value=0, max_value=whole - read))
    output = min(draw(tokens), output_max)
    reasoning = draw(st.integers(min_value=0, max_value=output))
    return ChatUsage(
        input_tokens=whole,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_tokens=write,
        reasoning_tokens=reasoning,
    )


@given(prices(), usages())
def test_a_charge_is_the_exact_sum_rounded_up_once(price, usage):
    tier = next(
        (t for t in price.tiers if t.input_up_to is None or usage.input_tokens <= t.input_up_to), price.tiers[-1]
    )
    fresh = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
    read = tier.input_nanos if tier.cache_read_nanos is None else tier.cache_read_nanos
    write = tier.input_nanos if tier.cache_write_nanos is None else tier.cache_write_nanos
    exact = (
        Fraction(fresh * tier.input_nanos, 10**6)
        + Fraction(usage.cache_read_tokens * read, 10**6)
        + Fraction(usage.cache_write_tokens * write, 10**6)
        + Fraction(usage.output_tokens * tier.output_nanos, 10**6)
    )
    assert charge_nanos(price, usage) == math.ceil(exact)


@given(prices(), usages())
def test_the_explanation_comes_to_the_charge(price, usage):
    charge = explain(price, usage)
    assert charge.total_nanos == charge_nanos(price, usage)
    assert all(line.quantity > 0 for line in charge.lines)
    tokens_billed = sum(line.quantity for line in charge.lines)
    assert tokens_billed == usage.input_tokens + usage.output_tokens


@given(prices(), st.data())
def test_no_usage_within_the_bounds_costs_more_than_the_ceiling(price, data):
    input_max, output_max = data.draw(tokens), data.draw(tokens)
    usage = data.draw(usages(input_max=input_max, output_max=output_max))
    assert charge_nanos(price, usage) <= ceiling_nanos(price, input_max, output_max)


@given(prices(), tokens)
def test_the_dearest_rates_are_those_of_the_tiers_that_can_be_met(price, input_max):
    bounds = [tier.input_up_to for tier in price.tiers if tier.input_up_to is not None]
    sizes = [0, input_max, *(size for bound in bounds for size in (bound, bound + 1) if size <= input_max)]
    met = [tier_for(price, size) for size in sizes]
    expected = max(tier.dearest_input for tier in met), max(tier.output_nanos for tier in met)
    assert dearest_rates(price, input_max) == expected


def test_the_dearest_rates_end_with_the_tier_of_the_largest_input():
    when = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    tiers = tuple(
        ChatTier(input_up_to=bound, input_nanos=rate, output_nanos=rate) for bound, rate in ((10, 0), (20, 0), (30, 5))
    )
    price = ChatPrice(id="p", offer_id="o", version=1, effective_from=when, tiers=tiers)
    assert [dearest_rates(price, size) for size in (10, 11, 20, 21, 30, 31)] == [(0, 0)] * 3 + [(5, 5)] * 3


@pytest.mark.parametrize("bounds", [(-1, 0), (0, -1)])
def test_there_is_no_ceiling_of_less_than_nothing(bounds):
    tier = ChatTier(input_up_to=None, input_nanos=1, output_nanos=1)
    price = ChatPrice(
        id="p", offer_id="o", version=1, effective_from=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), tiers=(tier,)
    )
    with pytest.raises(AssertionError):
        ceiling_nanos(price, *bounds)


def test_rates_and_tiers_have_bounds():
    rates = {"input_nanos": 1, "output_nanos": 1, "cache_read_nanos": 1, "cache_write_nanos": 1}
    for name in rates:
        for rate in (0, RATE_NANOS_MAX):
            ChatTier(input_up_to=COUNT_MAX, **rates | {name: rate})
        for rate in (-1, RATE_NANOS_MAX + 1):
            with pytest.raises(AssertionError):
                ChatTier(input_up_to=1, **rates | {name: rate})
    for bound in (0, -1, COUNT_MAX + 1):
        with pytest.raises(AssertionError):
            ChatTier(input_up_to=bound, input_nanos=1, output_nanos=1)


def test_what_misses_the_least_amount_is_not_affordable_even_if_output_is_free():
    tier = ChatTier(input_up_to=None, input_nanos=1, output_nanos=0)
    price = ChatPrice(
        id="p", offer_id="o", version=1, effective_from=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), tiers=(tier,)
    )
    assert [affordable_output_tokens(price, size, 0) for size in (0, 1)] == [COUNT_MAX, -1]


@given(prices(), tokens, st.integers(min_value=0, max_value=10**18))
def test_what_is_affordable_is_affordable_and_not_one_token_more(price, input_max, amount):
    affordable = affordable_output_tokens(price, input_max, amount)
    if affordable < 0:
        assert affordable == -1
        assert ceiling_nanos(price, input_max, 0) > amount
        return
    assert ceiling_nanos(price, input_max, affordable) <= amount
    if affordable < COUNT_MAX:
        assert ceiling_nanos(price, input_max, affordable + 1) > amount


@given(st.integers(min_value=0, max_value=10**30), st.integers(min_value=0, max_value=10**18))
def test_charge_and_overrun_share_a_price(priced, ceiling):
    charge, overrun = split_charge(priced, ceiling)
    assert charge <= ceiling
    assert charge + overrun == min(priced, charge + OVERRUN_NANOS_MAX)


@given(usages())
def test_meters_bring_the_counts_back(usage):
    assert chat_usage(usage.meters()) == usage


def test_the_example_of_the_architecture():
    tier = ChatTier(input_up_to=None, input_nanos=3_200_000_000, output_nanos=12_800_000_000)
    when = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    price = ChatPrice(id="p", offer_id="o", version=7, effective_from=when, tiers=(tier,))
    assert charge_nanos(price, ChatUsage(input_tokens=31, output_tokens=60)) == 867_200


def test_tiers_begin_above_the_bound():
    when = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    low = ChatTier(input_up_to=10, input_nanos=1, output_nanos=1)
    high = ChatTier(input_up_to=20, input_nanos=2, output_nanos=2)
    price = ChatPrice(id="p", offer_id="o", version=1, effective_from=when, tiers=(low, high))
    assert [tier_for(price, n) for n in (0, 10, 11, 20, 21)] == [low, low, high, high, high]
    with pytest.raises(AssertionError):
        ChatPrice(id="p", offer_id="o", version=1, effective_from=when, tiers=(high, low))
    with pytest.raises(AssertionError):
        ChatPrice(id="p", offer_id="o", version=1, effective_from=when, tiers=())


def test_the_newest_price_that_is_due_counts():
    tier = ChatTier(input_up_to=None, input_nanos=1, output_nanos=1)
    versions = [
        ChatPrice(
            id=f"p{n}", offer_id="o", version=n, effective_from=dt.datetime(2026, n, 1, tzinfo=dt.UTC), tiers=(tier,)
        )
        for n in (1, 2, 3)
    ]
    assert current_price(versions, dt.datetime(2025, 1, 1, tzinfo=dt.UTC)) is None
    assert current_price(versions, dt.datetime(2026, 2, 1, tzinfo=dt.UTC)) is versions[1]
