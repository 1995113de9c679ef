"""Charges against fractions, many of them at random (goal L14): 20,000 here, a million in `make soak`.

The reference is written down anew from the decisions about money: exact lines, one sum, rounded up once.
"""

import datetime as dt
import math
import random
from fractions import Fraction

import pytest

from yuanjing.domain.money import NANOS_PER_YUAN
from yuanjing.domain.pricing import RATE_NANOS_MAX, ChatPrice, ChatTier, ceiling_nanos, charge_nanos, explain
from yuanjing.domain.tasks import VideoMeter
from yuanjing.domain.usage import COUNT_MAX, OVERRUN_NANOS_MAX, ChatUsage, split_charge
from yuanjing.domain.video_pricing import PER_MAX, VideoPrice, VideoRate, explain_video
from yuanjing.domain.videos import RateConditions

SEED = 20_261_130
CASES = [20_000, pytest.param(1_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(0)])]
WHEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ANYTHING = RateConditions(model="m", resolution="720p", has_audio=True, is_off_peak=False, has_video_input=False)
INT64_MAX = 2**63 - 1


def number(rng: random.Random, most: int) -> int:
    """Small, of any size, or at a bound: sizes of every order of magnitude are as likely."""
    kind = rng.randrange(8)
    if kind == 0:
        found = rng.choice((0, 1, 2, max(0, most - 1), most))
    elif kind == 1:
        found = rng.randrange(60)
    else:
        found = rng.getrandbits(rng.randint(1, max(1, most.bit_length())))
    return min(found, most)


def chat_case(rng: random.Random) -> tuple[ChatPrice, ChatUsage]:
    bounds = sorted({max(1, number(rng, COUNT_MAX - 1)) for _ in range(rng.randrange(4))})
    tiers = tuple(
        ChatTier(
            input_up_to=bound,
            input_nanos=number(rng, RATE_NANOS_MAX),
            output_nanos=number(rng, RATE_NANOS_MAX),
            cache_read_nanos=None if rng.random() < 0.3 else number(rng, RATE_NANOS_MAX),
            cache_write_nanos=None if rng.random() < 0.3 else number(rng, RATE_NANOS_MAX),
        )
        for bound in (*bounds, None)
    )
    whole = rng.choice((number(rng, COUNT_MAX), *bounds))
    read = number(rng, whole)
    usage = ChatUsage(
        input_tokens=whole,
        output_tokens=number(rng, COUNT_MAX),
        cache_read_tokens=read,
        cache_write_tokens=number(rng, whole - read),
    )
    return ChatPrice(id="p", offer_id="o", version=1, effective_from=WHEN, tiers=tiers), usage


def chat_reference(price: ChatPrice, usage: ChatUsage) -> Fraction:
    """Nano-yuan, not rounded."""
    tier = next(t for t in price.tiers if t.input_up_to is None or usage.input_tokens <= t.input_up_to)
    read = tier.input_nanos if tier.cache_read_nanos is None else tier.cache_read_nanos
    write = tier.input_nanos if tier.cache_write_nanos is None else tier.cache_write_nanos
    fresh = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
    million = Fraction(1, 1_000_000)
    return (
        fresh * (tier.input_nanos * million)
        + usage.cache_read_tokens * (read * million)
        + usage.cache_write_tokens * (write * million)
        + usage.output_tokens * (tier.output_nanos * million)
    )


@pytest.mark.parametrize("cases", CASES)
def test_chats_cost_what_fractions_say(cases: int):
    rng = random.Random(SEED)  # noqa: S311  # a case can be had again
    for case in range(cases):
        price, usage = chat_case(rng)
        exact = chat_reference(price, usage)
        charge = charge_nanos(price, usage)
        assert charge == math.ceil(exact), (SEED, case, price, usage)
        ceiling = ceiling_nanos(price, usage.input_tokens, usage.output_tokens)
        assert 0 <= charge <= ceiling, (SEED, case, price, usage)
        if case % 16 == 0:  # slower, and made of the same numbers
            charged = explain(price, usage)
            assert charged.total_nanos == charge, (SEED, case)
            assert sum(Fraction(line.quantity * line.rate_nanos, 10**6) for line in charged.lines) == exact, (
                SEED,
                case,
            )


def test_a_price_in_floats_is_found():
    """The cases above would show it: a charge made of binary fractions is another one before long."""
    rng, found = random.Random(SEED), 0  # noqa: S311  # a case can be had again
    for _ in range(2_000):
        price, usage = chat_case(rng)
        tier = next(t for t in price.tiers if t.input_up_to is None or usage.input_tokens <= t.input_up_to)
        read, write = usage.cache_read_tokens, usage.cache_write_tokens
        in_floats = math.ceil(
            (usage.input_tokens - read - write) * (tier.input_nanos / 1e6)
            + read * (tier.cache_read / 1e6)
            + write * (tier.cache_write / 1e6)
            + usage.output_tokens * (tier.output_nanos / 1e6)
        )
        found += in_floats != charge_nanos(price, usage)
    assert found > 20


def video_case(rng: random.Random) -> tuple[VideoPrice, dict[VideoMeter, int]]:
    rates = tuple(
        VideoRate(
            meter=meter,
            amount_nanos=number(rng, RATE_NANOS_MAX),
            per=max(1, number(rng, PER_MAX)),
            resolution=resolution,
        )
        for meter in rng.sample(list(VideoMeter), rng.randint(1, len(VideoMeter)))
        for resolution in rng.choice(((None,), ("480p", None), ("720p", None), ("480p", "720p", None)))
    )
    meters = {
        meter: number(rng, COUNT_MAX) for meter in rng.sample(list(VideoMeter), rng.randrange(len(VideoMeter) + 1))
    }
    return VideoPrice(id="p", offer_id="o", version=1, effective_from=WHEN, rates=rates), meters


def video_reference(price: VideoPrice, meters: dict[VideoMeter, int]) -> Fraction:
    """Nano-yuan, not rounded: of each meter the first rate that fits."""
    total = Fraction(0)
    for meter, count in meters.items():
        fitting = [rate for rate in price.rates if rate.meter is meter and rate.resolution in (None, "720p")]
        if fitting:
            total += Fraction(fitting[0].amount_nanos, fitting[0].per) * count
    return total


@pytest.mark.parametrize("cases", CASES)
def test_videos_cost_what_fractions_say(cases: int):
    rng = random.Random(SEED + 1)  # noqa: S311  # a case can be had again
    for case in range(cases):
        price, meters = video_case(rng)
        charge = explain_video(price, ANYTHING, meters)
        exact = video_reference(price, meters)
        assert charge.total_nanos == math.ceil(exact) >= 0, (SEED + 1, case, price, meters)
        if case % 8 == 0:  # slower, and made of the same numbers
            assert sum((line.exact_nanos for line in charge.lines), Fraction(0)) == exact, (SEED + 1, case)
            less = {meter: number(rng, count) for meter, count in meters.items()}
            assert explain_video(price, ANYTHING, less).total_nanos <= charge.total_nanos, (SEED + 1, case, price, less)


@pytest.mark.parametrize("cases", CASES)
def test_whatever_a_count_comes_to_a_customer_pays_the_ceiling_at_most(cases: int):
    """And what is above it fits into a column of 64 bits."""
    rng = random.Random(SEED + 2)  # noqa: S311  # a case can be had again
    for case in range(cases):
        ceiling, priced = number(rng, 10**9 * NANOS_PER_YUAN), number(rng, 2**128)
        charge, overrun = split_charge(priced, ceiling)
        assert 0 <= charge <= ceiling, (SEED + 2, case)
        assert 0 <= overrun <= OVERRUN_NANOS_MAX < INT64_MAX, (SEED + 2, case)
        assert charge == min(priced, ceiling), (SEED + 2, case)
