import random
from dataclasses import replace

import pytest

from yuanjing.domain.video_offers import VideoLimits
from yuanjing.kit.clock import ManualClock
from yuanjing.worker.video.limits import CallRate, ChannelGuards
from yuanjing.worker.video.schedule import Paces, Pressure, backoff

LIMITS = VideoLimits(
    poll_min_seconds=2, poll_max_seconds=15, queries_per_second=10, submits_per_minute=60, tasks_max=10
)


def test_a_rate_lets_a_second_of_calls_through_and_then_waits():
    clock = ManualClock()
    rate = CallRate(clock, 10)
    assert rate.ready() == 10
    assert [rate.take() for _ in range(10)] == [0.0] * 10
    assert rate.ready() == 0
    assert [round(rate.take(), 6) for _ in range(3)] == [0.1, 0.2, 0.3]
    clock.advance(0.3)
    assert rate.take() == pytest.approx(0.1)
    clock.advance(60)
    assert rate.ready() == 10
    assert rate.take(20) == pytest.approx(1.0)


def test_over_a_long_time_the_rate_is_kept():
    clock = ManualClock()
    rate = CallRate(clock, 5)
    calls = 0
    for _ in range(1000):
        clock.advance(0.1)
        while rate.ready():
            rate.take()
            calls += 1
    assert 500 <= calls <= 506


def test_a_rate_below_one_a_second_still_lets_one_through():
    clock = ManualClock()
    rate = CallRate(clock, 0.1)
    assert rate.ready() == 1
    assert rate.take() == 0.0
    assert rate.ready() == 0
    clock.advance(10)
    assert rate.ready() == 1


def test_a_refusal_pauses_and_halves_and_success_restores():
    clock = ManualClock()
    rate = CallRate(clock, 8)
    rate.slow_down(5.0)
    assert (rate.ready(), rate.per_second) == (0, 4)
    assert rate.take() == 5.0
    clock.advance(5)
    assert rate.ready() > 0
    for _ in range(10):
        rate.slow_down(None)
    assert rate.per_second == 0.5
    assert rate.take() >= 1.0
    for _ in range(40):
        rate.speed_up()
    assert rate.per_second == 8


def test_room_is_what_is_free_divided_by_the_workers():
    clock = ManualClock()
    guards = ChannelGuards(clock, avoid_seconds=30, avoid_seconds_max=100)
    guard = guards.of("ch", LIMITS)
    assert guards.room(guard, LIMITS, 0) == 1  # a submission a second
    lifted = VideoLimits(submits_per_minute=6000, tasks_max=10)
    guard = guards.of("ch", lifted)
    assert [guards.room(guard, lifted, load) for load in (0, 9, 10, 11)] == [10, 1, 0, 0]
    guard.reserved = 4
    assert guards.room(guard, lifted, 5) == 1
    guards.workers = 3
    assert guards.room(guard, lifted, 0) == 2
    assert guards.room(guard, lifted, 5) == 1
    assert guards.of("ch", lifted).submits.per_second == pytest.approx(100 / 3)


def test_a_channel_with_trouble_is_avoided_ever_longer_until_it_works():
    clock = ManualClock()
    guards = ChannelGuards(clock, avoid_seconds=30, avoid_seconds_max=100)
    guard = guards.of("ch", LIMITS)
    assert guards.avoid(guard) == 30
    assert guards.avoid(guard) == 30  # a call that was under way
    assert guards.room(guard, LIMITS, 0) == 0
    clock.advance(30)
    assert guards.room(guard, LIMITS, 0) == 1
    assert [guards.avoid(guard), clock.advance(60), guards.avoid(guard)] == [60, None, 100]
    clock.advance(100)
    guards.trust(guard)
    assert guards.avoid(guard) == 30


def test_after_a_pause_one_task_shows_if_there_is_room_again():
    clock = ManualClock()
    guards = ChannelGuards(clock, avoid_seconds=30, avoid_seconds_max=100)
    lifted = replace(LIMITS, submits_per_minute=6000)
    guard = guards.of("ch", lifted)
    assert (guards.room(guard, lifted, 0), guards.is_on_trial(guard, "m"), guards.closed_seconds(guard, "m")) == (
        10,
        False,
        None,
    )
    guards.avoid(guard)
    clock.advance(10)
    assert (guards.room(guard, lifted, 0), guards.closed_seconds(guard, "m")) == (0, 20)
    clock.advance(20)
    assert (guards.room(guard, lifted, 0), guards.is_on_trial(guard, "m")) == (1, True)
    guards.take(guard, "m", "task_1")
    assert (guards.room(guard, lifted, 0), guards.is_on_trial(guard, "m")) == (0, False)
    guards.leave(guard, "m", "task_2")
    assert guards.room(guard, lifted, 0) == 0, "another's"
    guards.leave(guard, "m", "task_1")  # neither taken nor refused: the next one shows it
    assert guards.room(guard, lifted, 0) == 1
    guards.take(guard, "m", "task_3")
    assert guards.avoid(guard) == 60
    guards.leave(guard, "m", "task_3")
    clock.advance(60)
    guards.take(guard, "m", "task_4")
    guards.trust(guard, "m")
    guard.reserved = 0
    assert guards.room(guard, lifted, 0) == 10


def test_trouble_with_a_model_is_not_that_of_others():
    clock = ManualClock()
    guards = ChannelGuards(clock, avoid_seconds=30, avoid_seconds_max=100)
    guard = guards.of("ch", LIMITS)
    assert [guards.avoid(guard, "m-1"), guards.avoid(guard, "m-1")] == [30, 30]
    assert [guards.is_closed(guard, model) for model in ("m-1", "m-2")] == [True, False]
    assert guards.room(guard, LIMITS, 0) == 1
    guards.trust(guard, "m-2")
    assert guards.is_closed(guard, "m-1")
    clock.advance(30)
    assert [guards.is_on_trial(guard, model) for model in ("m-1", "m-2")] == [True, False]
    guards.take(guard, "m-1", "task_1")
    assert guards.is_closed(guard, "m-1")
    guards.trust(guard, "m-1")
    assert not guards.is_closed(guard, "m-1")
    assert guards.avoid(guard, "m-1") == 30, "from the beginning"


def pauses(paces, kind, ages):
    return [paces.pause(kind, age, LIMITS) for age in ages]


class Even(random.Random):
    def uniform(self, a, b):
        return (a + b) / 2


def test_without_history_the_pause_is_a_tenth_of_the_age():
    paces = Paces(Even())
    assert pauses(paces, ("offer", False), [0, 20, 50, 100, 1000]) == [2, 2, 5, 10, 15]


def test_with_history_tasks_are_asked_for_most_when_they_usually_end():
    paces = Paces(Even())
    paces.learn(("offer", False), [100.0, 102, 104, 101, 103])
    assert pauses(paces, ("offer", False), [0, 50, 80, 89, 90, 104]) == [15, 15, 10, 2, 2, 2]
    assert pauses(paces, ("offer", False), [150, 1000]) == [pytest.approx(4.6), 15]
    assert pauses(paces, ("offer", True), [50]) == [5]


def test_under_pressure_those_that_will_hardly_have_ended_wait_longer():
    paces, kind = Paces(Even()), ("offer", False)
    assert [paces.pause(kind, age, LIMITS, 8.0) for age in (1, 50, 1000)] == [2, 40, 120]
    assert [paces.pause(kind, age, LIMITS, 64.0) for age in (1, 10, 100)] == [8, 10, 100]
    paces.learn(kind, [100.0, 102, 104, 101, 103])
    assert [paces.pause(kind, age, LIMITS, 8.0) for age in (0, 20, 100, 1000)] == [90, 70, 2, pytest.approx(89.6)]
    assert paces.pause(kind, 10_000, LIMITS, 8.0) == 120
    # a young task does not skip the time when it will end, and one that is a little late is not given up
    assert [paces.pause(kind, age, LIMITS, 64.0) for age in (0, 50, 70, 88)] == [90, 40, 20, 8]
    assert [paces.pause(kind, age, LIMITS, 64.0) for age in (104, 120, 140)] == [8, 8, 128]


def test_pressure_rises_while_questions_come_late_and_falls_slowly():
    clock = ManualClock()
    pressure = Pressure(clock)

    def note(seconds: float, times: int) -> float:
        for _ in range(times):
            clock.advance(0.25)
            pressure.note(seconds)
        return pressure.value

    assert note(0.4, 10) == 1.0
    assert note(3.0, 4) == pytest.approx(1.25**4)
    assert 1.0 < note(0.0, 20) < 1.4
    assert note(0.0, 100) == 1.0
    assert note(3.0, 1000) == 64.0
    pressure = Pressure(clock)
    for _ in range(100):
        pressure.note(3.0)  # all at one moment
    assert pressure.value <= 1.25


def test_wide_histories_are_asked_for_less_often():
    paces = Paces(Even())
    paces.learn(("offer", False), [50.0, 300, 600])
    [pause] = pauses(paces, ("offer", False), [200])
    assert pause == pytest.approx((600 - 45) / 50)


def test_pauses_are_spread_and_back_off_doubles():
    paces = Paces(random.Random(1))  # noqa: S311  # nothing secret
    seen = {round(paces.pause(("offer", False), 50, LIMITS), 3) for _ in range(50)}
    assert len(seen) > 40
    assert all(4 <= one <= 6 for one in seen)
    choose = random.Random(2)  # noqa: S311  # nothing secret
    for failures, whole in ((1, 1), (2, 2), (3, 4), (7, 60), (500, 60)):
        assert all(whole / 2 <= backoff(choose, failures, 60) <= whole for _ in range(20))


def test_lists_have_a_rate_of_their_own_where_the_provider_counts_them_apart():
    clock = ManualClock()
    guards = ChannelGuards(clock, avoid_seconds=30, avoid_seconds_max=600)
    assert guards.of("ch", LIMITS).lists is None
    apart = replace(LIMITS, lists_per_second=1)
    lists = guards.of("ch", apart).lists
    assert lists is not None
    assert (lists.take(), lists.take()) == (0.0, 1.0)
    guards.workers = 2
    lists = guards.of("ch", apart).lists
    assert lists is not None
    assert lists.per_second == 0.5
    assert guards.of("ch", apart).queries.ready() == 5
    assert guards.of("ch", LIMITS).lists is None
