"""Requests and tokens a minute and concurrency of one key in one process."""

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


def test_tokens_a_minute_count_when_they_are_known():
    meter, limits = KeyMeter(), KeyLimits(tokens_per_minute=100)
    assert meter.admit(limits, 1000.0, 1)
    meter.finish(99, 1000.0)
    assert meter.admit(limits, 1001.0, 1)
    meter.finish(1, 1001.0)
    assert not meter.admit(limits, 1002.0, 1)
    assert meter.admit(limits, 1061.0, 1)  # a little of the minute before has slid out


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
