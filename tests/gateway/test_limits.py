"""Requests and tokens a minute and concurrency of one key in one process."""

from copy import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain.identity import KeyLimits
from yuanjing.gateway.limits import KeyMeter


def admitted(meter, limits, times, now, processes=1):
    return sum(meter.admit(limits, now, processes) for _ in range(times))


def test_requests_a_minute():
    meter, limits = KeyMeter(), KeyLimits(requests_per_minute=5)
    assert admitted(meter, limits, 20, 1000.0) == 5
    assert admitted(meter, limits, 20, 1030.0) == 0
    assert admitted(meter, limits, 20, 1059.9) == 0


def test_the_minute_slides():
    meter, limits = KeyMeter(), KeyLimits(requests_per_minute=10)
    assert admitted(meter, limits, 10, 1000.0) == 10
    assert admitted(meter, limits, 20, 1060.0) == 0  # all ten still count
    assert admitted(meter, limits, 20, 1090.0) == 5  # half of them do
    assert admitted(meter, limits, 20, 1119.0) == 5


def test_a_minute_without_requests_forgets():
    meter, limits = KeyMeter(), KeyLimits(requests_per_minute=10)
    admitted(meter, limits, 10, 1000.0)
    assert admitted(meter, limits, 20, 1120.0) == 10


@given(st.lists(st.floats(min_value=0, max_value=5), min_size=1, max_size=200))
def test_no_minute_has_more_than_twice_the_limit_and_no_two_more_than_three_times(gaps):
    meter, limits, now, taken = KeyMeter(), KeyLimits(requests_per_minute=6), 5000.0, []
    for gap in gaps:
        now += gap
        if meter.admit(limits, now, 1):
            taken.append(now)
    for start in taken:
        assert sum(start <= t < start + 60 for t in taken) <= 12
        assert sum(start <= t < start + 120 for t in taken) <= 18


def test_an_estimate_of_tokens_counts_until_they_are_known():
    meter, limits = KeyMeter(), KeyLimits(tokens_per_minute=100)
    assert meter.admit(limits, 1000.0, 1, 500)  # nothing was used: any size passes
    assert not meter.admit(limits, 1000.0, 1, 1)
    meter.finish(40, 1000.0, 500)
    assert not meter.admit(limits, 1001.0, 1, 61)
    assert meter.admit(limits, 1001.0, 1, 60)
    assert not meter.admit(limits, 1001.0, 1, 0)
    meter.finish(0, 1125.0, 60)  # long after its minute: what it had set aside is forgotten already
    assert meter.tokens == 0


def test_tokens_a_minute_count_when_they_are_known():
    meter, limits = KeyMeter(), KeyLimits(tokens_per_minute=100)
    assert meter.admit(limits, 1000.0, 1)
    meter.finish(99, 1000.0)
    assert meter.admit(limits, 1001.0, 1)
    meter.finish(1, 1001.0)
    assert not meter.admit(limits, 1002.0, 1)
    assert meter.admit(limits, 1061.0, 1)  # a little of the minute before has slid out


@given(
    st.integers(min_value=1, max_value=50),
    st.lists(st.tuples(st.floats(min_value=0, max_value=50), st.integers(min_value=0, max_value=30)), max_size=40),
    st.sampled_from(["requests_per_minute", "tokens_per_minute"]),
)
def test_who_waits_as_long_as_told_is_admitted_and_not_much_earlier(limit, steps, name):
    meter, limits, now = KeyMeter(), KeyLimits(**{name: limit}), 5000.0
    for gap, tokens in steps:
        now += gap
        if meter.admit(limits, now, 1):
            meter.finish(tokens, now)
            continue
        wait = meter.wait_seconds(limits, now, 1)
        assert 1 <= wait <= 60
        if wait > 2:
            assert not copy(meter).admit(limits, now + wait - 1.001, 1)
        if wait < 60:  # a longer wait is told in parts
            assert copy(meter).admit(limits, now + wait + 1e-6, 1)
        now += wait + 1e-6
        for _ in range(60):
            if meter.admit(limits, now, 1):
                break
            now += meter.wait_seconds(limits, now, 1) + 1e-6
        else:
            raise AssertionError(limits)
        meter.finish(0, now)


@pytest.mark.parametrize(("now", "wait"), [(1000.0, 60), (1000.5, 60), (1020.0, 40), (1059.2, 1), (1059.9, 1)])
def test_the_rest_of_the_minute(now, wait):
    meter, limits = KeyMeter(), KeyLimits(requests_per_minute=1)
    assert meter.admit(limits, 1000.0, 1)
    meter.finish(0, 1000.0)
    assert not meter.admit(limits, now, 1)
    assert meter.wait_seconds(limits, now, 1) == wait


def test_a_busy_key_waits_a_second():
    meter, limits = KeyMeter(), KeyLimits(requests_per_minute=100, concurrency=1)
    assert meter.admit(limits, 1000.0, 1)
    assert not meter.admit(limits, 1000.0, 1)
    assert meter.wait_seconds(limits, 1000.0, 1) == 1


def test_the_longer_wait_is_told():
    meter, limits = KeyMeter(), KeyLimits(requests_per_minute=1, tokens_per_minute=10)
    assert meter.admit(limits, 1000.0, 1)
    meter.finish(20, 1000.0)
    assert meter.wait_seconds(limits, 1050.0, 1) == 40  # ten of the twenty have slid out at 1090


def test_concurrency():
    meter, limits = KeyMeter(), KeyLimits(concurrency=2)
    assert admitted(meter, limits, 5, 1000.0) == 2
    meter.finish(0, 1000.0)
    assert admitted(meter, limits, 5, 1000.0) == 1
    assert meter.in_flight == 2


@pytest.mark.parametrize(("limit", "processes", "share"), [(10, 1, 10), (10, 2, 5), (10, 3, 3), (2, 5, 1), (10, 0, 10)])
def test_each_process_has_its_share(limit, processes, share):
    for limits in (KeyLimits(requests_per_minute=limit), KeyLimits(concurrency=limit)):
        assert admitted(KeyMeter(), limits, 20, 1000.0, processes) == share
    meter, limits = KeyMeter(), KeyLimits(tokens_per_minute=limit)
    count = 0
    while meter.admit(limits, 1000.0, processes):
        meter.finish(1, 1000.0)
        count += 1
    assert count == share


def test_a_refused_request_counts_nothing():
    meter, limits = KeyMeter(), KeyLimits(requests_per_minute=1, concurrency=1)
    assert admitted(meter, limits, 50, 1000.0) == 1
    assert (meter.requests, meter.in_flight) == (1, 1)
