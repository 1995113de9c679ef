import dataclasses
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.usages import PRICE, posted_usage
from tests.support.video_offers import OFFERS, SEEDANCE_R2V, posted_video, price_of

from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.recomputing import nanos_again
from yuanjing.ports.usages import UsageFilter
from yuanjing.usecases.usages import (
    explain_usage,
    format_count,
    format_exact,
    format_micro_nanos,
    list_usages,
    show_usage,
)


def test_the_designs_example_is_explained_to_the_last_digit():
    found = explain_usage(posted_usage(), PRICE)
    assert found.is_consistent
    assert found.charge.total_nanos == 867_200
    text = "\n".join(found.lines)
    assert "31 input_tokens x 3.20 CNY / 1,000,000 = 0.0000992 CNY" in text
    assert "60 output_tokens x 12.80 CNY / 1,000,000 = 0.000768 CNY" in text
    assert "charged  0.0008672 CNY" in text
    assert "version 7 of qwen3-max" in text


def test_a_charge_above_its_ceiling_names_the_platforms_part():
    found = explain_usage(posted_usage(ceiling=800_000, charge=800_000, overrun=67_200), PRICE)
    assert found.is_consistent
    assert any("overrun  0.0000672 CNY" in line for line in found.lines)


def test_a_wrong_charge_is_called_wrong():
    found = explain_usage(posted_usage(charge=867_199), PRICE)
    assert not found.is_consistent
    assert any(line.startswith("WRONG") for line in found.lines)


def test_estimates_and_shortfalls_are_told():
    posted = posted_usage()
    posted = dataclasses.replace(
        posted, record=dataclasses.replace(posted.record, is_estimated=True), late_shortfall_nanos=5
    )
    text = "\n".join(explain_usage(posted, PRICE).lines)
    assert "our own" in text
    assert "0.000000005 CNY of it could not be collected" in text


@given(st.integers(0, 10**24))
def test_exact_amounts_lose_no_digit(micro_nanos):
    whole, _, fraction = format_micro_nanos(micro_nanos).partition(".")
    assert int(whole + fraction.ljust(15, "0")) == micro_nanos
    assert len(fraction) >= 2


async def test_a_record_is_found_with_its_price(catalog_store):
    first = posted_usage()
    second = dataclasses.replace(posted_usage(usage_id="v" * 21), posted_at=2.0)

    def work(tx):
        tx.catalog.add_price(dataclasses.replace(PRICE, version=2, tiers=PRICE.tiers))
        tx.usages.add_new([first, second])

    await catalog_store.write(work)
    found = await show_usage(catalog_store, first.record.id)
    assert found.posted == first
    assert found.is_consistent
    assert await list_usages(catalog_store, UsageFilter()) == [second, first]
    assert await list_usages(catalog_store, UsageFilter(before=(2.0, second.record.id))) == [first]


async def test_unknown_usage_is_not_found(store):
    with pytest.raises(NotFoundError):
        await show_usage(store, "nothing")


async def test_a_record_without_its_price_leads_to_verification(catalog_store):
    posted = posted_usage(price=dataclasses.replace(PRICE, id="price_gone"))
    await catalog_store.write(lambda tx: tx.usages.add_new([posted]))
    with pytest.raises(NotFoundError, match="yuanjing verify"):
        await show_usage(catalog_store, posted.record.id)


def test_a_video_is_explained_by_its_conditions():
    price = price_of(OFFERS[SEEDANCE_R2V])
    found = explain_usage(posted_video(price), price)
    assert found.is_consistent
    assert found.charge.total_nanos == 5_009_400_000
    text = "\n".join(found.lines)
    assert "108900 video_tokens x 46.00 CNY / 1,000,000 = 5.0094 CNY" in text
    assert "counted" not in text
    clip = explain_usage(posted_video(price, has_video_input=True, is_off_peak=True, has_audio=False), price)
    assert not clip.is_consistent
    assert any("silent, off-peak, with a clip among the references" in line for line in clip.lines)
    whole = explain_usage(posted_video(price), price, OFFERS[SEEDANCE_R2V])
    assert any("width x height x (24 x seconds + 1) / 1,024" in line for line in whole.lines)


def test_a_shortened_video_shows_the_arithmetic_of_its_count():
    price = price_of(OFFERS[SEEDANCE_R2V])
    posted = posted_video(price)
    kept = {
        "told_video_tokens": "217800",
        "whole_video_tokens": "326700",
        "share_video_tokens": "1/3",
        "asked_pixels": "1920x1080",
        "measured_pixels": "1280x720",
        "asked_resolution": "1080p",
    }
    record = dataclasses.replace(posted.record, extra={**posted.record.extra, **kept})
    text = "\n".join(explain_usage(dataclasses.replace(posted, record=record), price).lines)
    assert "asked    1920x1080, 1080p; delivered 1280x720\n" in text
    assert "told     217800 video_tokens by the provider\n" in text
    assert "cut      326700 x 1/3 = 108900 video_tokens\n" in text
    broken = dataclasses.replace(record, extra={**record.extra, "share_video_tokens": "1/0"})
    with pytest.raises(ValueError, match="no fraction"):
        explain_usage(dataclasses.replace(posted, record=broken), price)


@given(st.integers(0, 10**12), st.integers(1, 10**6))
def test_counts_lose_no_digit_or_say_so(count, parts):
    text = format_count(Fraction(count, parts))
    difference = Fraction(count, parts) - Fraction(text.rstrip("…"))
    assert 0 <= difference < Fraction(1, 10**6)
    assert text.endswith("…") == (difference > 0)


def test_a_videos_record_that_was_changed_is_damaged():
    price = price_of(OFFERS[SEEDANCE_R2V])
    good = posted_video(price).record
    bare = dataclasses.replace(price, rates=tuple(dataclasses.replace(r, resolution="4k") for r in price.rates))
    for record, given_price in (
        (dataclasses.replace(good, extra={}), price),
        (dataclasses.replace(good, meters={"video_tokens": -1}), price),
        (dataclasses.replace(good, meters={"yards": 1}), price),
        (good, bare),
    ):
        with pytest.raises(ValueError, match=r"lack|impossible|VideoMeter|no rate"):
            nanos_again(record, given_price)
    assert nanos_again(good, price) == good.charge_nanos


@given(st.integers(0, 10**15), st.integers(1, 10**9))
def test_exact_fractions_lose_no_digit_or_say_so(nanos, per):
    text = format_exact(Fraction(nanos, per))
    shown = Decimal(text.rstrip("…"))
    difference = Fraction(nanos, per) / 10**9 - Fraction(shown)
    assert 0 <= difference < Fraction(1, 10**15)
    assert text.endswith("…") == (difference > 0)
