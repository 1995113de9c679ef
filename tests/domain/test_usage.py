"""Counts of usage: their bounds, the way back from a record, and their sums by day."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain.days import day_of
from yuanjing.domain.money import Book
from yuanjing.domain.usage import (
    COUNT_MAX,
    OVERRUN_NANOS_MAX,
    ChatUsage,
    PostedUsage,
    UsageRecord,
    by_day,
    chat_usage,
)

RECORD = UsageRecord(
    id="u", book=Book.LIVE, customer_id="cus_a", key_id="key_a", offer_id="o", model="m", operation="chat",
    channel_id="c", hold_id="h", price_id="p", meters={}, ceiling_nanos=10, charge_nanos=0,
)  # fmt: skip
POSTED = PostedUsage(record=RECORD, settle_transfer_id=None, late_shortfall_nanos=0, posted_at=0.0)


@st.composite
def posted(draw):
    meters = {}
    if draw(st.booleans()):
        meters = {"input_tokens": draw(st.integers(0, 99)), "output_tokens": draw(st.integers(0, 99)), "other": 7}
    record = replace(
        RECORD,
        customer_id=draw(st.sampled_from("ab")),
        book=draw(st.sampled_from(Book)),
        key_id=draw(st.sampled_from("ab")),
        model=draw(st.sampled_from("ab")),
        meters=meters,
        charge_nanos=draw(st.integers(0, 10)),
    )
    return replace(POSTED, record=record, posted_at=draw(st.floats(0, 3 * 86_400)))


@given(st.lists(posted(), max_size=12))
def test_days_are_the_sums_of_their_usages(usages):
    sums = {name: Counter() for name in ("requests", "input_tokens", "output_tokens", "charge_nanos")}
    for one in usages:
        record = one.record
        where = (record.customer_id, record.book, day_of(one.posted_at), record.key_id, record.model)
        sums["requests"][where] += 1
        sums["input_tokens"][where] += record.meters.get("input_tokens", 0)
        sums["output_tokens"][where] += record.meters.get("output_tokens", 0)
        sums["charge_nanos"][where] += record.charge_nanos
    days = by_day(usages)
    places = [(day.customer_id, day.book, day.day, day.key_id, day.model) for day in days]
    assert places == sorted(sums["requests"])
    for name, of_name in sums.items():
        assert [getattr(day, name) for day in days] == [of_name[place] for place in places]


@pytest.mark.parametrize(
    "counts",
    [
        {"cache_read_tokens": -1},
        {"cache_write_tokens": -1},
        {"cache_read_tokens": 3, "cache_write_tokens": 3},
        {"input_tokens": COUNT_MAX + 1},
        {"reasoning_tokens": -1},
        {"reasoning_tokens": 6},
        {"output_tokens": COUNT_MAX + 1},
    ],
)
def test_counts_have_bounds_and_parts_are_not_above_their_whole(counts):
    ChatUsage(input_tokens=COUNT_MAX, output_tokens=COUNT_MAX, cache_read_tokens=COUNT_MAX, reasoning_tokens=COUNT_MAX)
    with pytest.raises(AssertionError):
        ChatUsage(**({"input_tokens": 5, "output_tokens": 5} | counts))


def test_what_a_record_does_not_count_is_none():
    assert chat_usage({}) == ChatUsage(input_tokens=0, output_tokens=0)


@pytest.mark.parametrize(
    "amounts",
    [{"charge_nanos": -1}, {"charge_nanos": 11}, {"overrun_nanos": -1}, {"overrun_nanos": OVERRUN_NANOS_MAX + 1}],
)
def test_a_record_s_amounts_have_bounds(amounts):
    replace(RECORD, charge_nanos=10, overrun_nanos=OVERRUN_NANOS_MAX)
    with pytest.raises(AssertionError):
        replace(RECORD, **amounts)
