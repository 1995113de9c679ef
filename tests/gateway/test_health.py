"""When a channel is shut, when it is probed, and how many retries there may be."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain.money import Book
from yuanjing.gateway.health import ChannelHealth, FailedTry, RetryBudget
from yuanjing.gateway.options import GatewayOptions

OPTIONS = GatewayOptions()
KIND = "unavailable"


def health(**changes: object) -> ChannelHealth:
    return ChannelHealth(replace(OPTIONS, **changes), Book.LIVE)


def failed(  # a try's facts, each by its name
    one: ChannelHealth,
    now: float,
    kind: str = KIND,
    *,
    ended: int = 1,
    tried_at: float | None = None,
    has_other: bool = True,
    **more: Any,
) -> bool:
    tried = now if tried_at is None else tried_at
    return one.failed(FailedTry(kind=kind, tried_at=tried, ended=ended, has_other=has_other, **more), now)


def test_failures_in_a_row_shut_it_and_an_answer_between_starts_anew():
    one = health()
    assert not any(failed(one, 1.0, ended=n) for n in range(1, 5))
    one.answered(1.5)
    assert not any(failed(one, 2.0, ended=n) for n in range(6, 10))
    assert one.may_try(2.0)
    assert failed(one, 2.0, ended=10)
    assert not one.may_try(2.0)


def test_one_that_has_no_other_beside_it_is_shut_later():
    one = health()
    found = [failed(one, 1.0, ended=n, has_other=False) for n in range(1, 21)]
    assert found == [False] * 19 + [True]


def test_what_fails_in_the_sandbox_was_asked_for():
    live, test = (ChannelHealth(OPTIONS, book) for book in (Book.LIVE, Book.TEST))
    for n in range(1, 6):
        assert (failed(live, 1.0, ended=n), failed(test, 1.0, ended=n)) == (n == 5, False)
    assert test.may_try(1.0)
    of_all, of_none = (ChannelHealth(replace(OPTIONS, breaker=which), Book.TEST) for which in ("all", "off"))
    assert (failed(of_all, 1.0, "provider_auth", is_sure=True), failed(of_none, 1.0, is_sure=True)) == (True, False)


def served(share: float, *, has_other: bool) -> float:
    """Of so many failures at random, the share of requests that went to the channel."""
    one, choose, sent = health(), random.Random(7), 0  # noqa: S311  # a case can be had again
    for n in range(20_000):
        now = n / 200
        if not one.may_try(now):
            continue
        sent += 1
        if choose.random() < share:
            failed(one, now, ended=sent, has_other=has_other)
        else:
            one.answered(now)
    return sent / 20_000


def test_failures_at_random_shut_it_only_if_another_one_is_there_and_they_are_many():
    assert served(0.05, has_other=True) > 0.99
    assert served(0.35, has_other=True) < 0.3
    assert served(0.2, has_other=False) > 0.999


def test_it_is_probed_by_one_at_a_time_ever_later_and_opened_by_an_answer():
    one, now, times = health(breaker_failures=1), 0.0, []
    failed(one, now)
    while now < 20:
        now += 0.01
        if one.may_try(now):
            assert not one.may_try(now), "one probe"
            times.append(now)
            failed(one, now)
    gaps = [round(b - a, 1) for a, b in zip([0.0, *times], times, strict=False)]
    assert gaps == [1.0, 2.0, 4.0, 4.0, 4.0, 4.0]
    assert one.may_try(one.shut_until)
    one.answered(now)
    assert all(one.may_try(now) for _ in range(9))
    failed(one, now)
    assert one.shut_until == now + OPTIONS.breaker_pause_seconds, "the pauses begin anew"


def test_a_probe_that_hangs_does_not_keep_the_next_from_going():
    one = health(breaker_failures=1)
    failed(one, 0.0)
    assert one.may_try(1.0)
    assert not one.may_try(1.9)
    assert one.may_try(2.0)


def test_what_was_under_way_when_it_was_shut_tells_nothing():
    one = health()
    for n in range(1, 50):
        failed(one, 0.5, ended=n, tried_at=0.1)
    assert one.shut_until == 0.5 + OPTIONS.breaker_pause_seconds
    one.answered(0.4)
    assert not one.may_try(1.0), "an answer to what was asked before"
    assert one.may_try(1.5)
    failed(one, 1.6, tried_at=0.2)
    assert one.shut_until == 1.5 + OPTIONS.breaker_pause_seconds, "no failure of the probe"
    one.answered(1.5)
    assert one.may_try(1.6)


def test_a_refused_credential_shuts_it_at_once_and_for_longer():
    one, now = health(), 0.0
    assert failed(one, now, "provider_auth", is_sure=True)
    pauses = []
    for _ in range(7):
        pauses.append(one.shut_until - now)
        now = one.shut_until
        assert one.may_try(now)
        failed(one, now, "provider_balance", is_sure=True)
    assert pauses == [10, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize("kind", ["provider_auth", "provider_balance", "model_missing"])
def test_what_may_be_about_one_model_or_provoked_by_one_request_keeps_nobody_else_away(kind: str):
    one = health()
    assert not any(failed(one, 1.0, kind, ended=n) for n in range(1, 100))
    assert one.may_try(1.0)


def test_how_long_a_provider_asks_us_to_stay_away_is_obeyed():
    one = health()
    assert failed(one, 0.0, "rate_limited", wait_seconds=7)
    assert not one.may_try(6.9)
    assert one.may_try(7.0)
    failed(one, 7.0, "rate_limited", wait_seconds=0)
    assert one.shut_until == 8.0, "nobody is asked more often than once a second"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["answer", KIND, "provider_auth", "rate_limited", "try"]),
            st.floats(0, 400),
            st.none() | st.integers(0, 60),
        ),
        max_size=80,
    )
)
def test_whatever_happens_it_is_tried_again_in_bounded_time_and_an_answer_opens_it(
    steps: list[tuple[str, float, int | None]],
):
    one, now = health(), 0.0
    for ended, (what, seconds, wait) in enumerate(steps):
        now += seconds
        if what == "answer":
            one.answered(now)
        elif what == "try":
            one.may_try(now)
        else:
            is_sure, wait_seconds = what == "provider_auth", wait if what == "rate_limited" else None
            failed(one, now, what, ended=ended, is_sure=is_sure, wait_seconds=wait_seconds)
        assert one.shut_until <= now + max(OPTIONS.refused_pause_seconds_max, 60)
    assert one.may_try(max(now, one.shut_until))
    one.answered(now)
    assert one.may_try(now)
    assert one.shut_until == 0
    assert 0 < one.weight(now, 100) <= 1


def test_retries_are_a_share_of_requests_and_a_few_each_second():
    budget = RetryBudget(share=0.1, per_second=2.0, now=0.0)
    assert sum(budget.take(0, 0.0) for _ in range(100)) == 20, "what was saved up"
    assert sum(budget.take(1000, 0.0) for _ in range(1000)) == 100
    assert sum(budget.take(1000, 3.0) for _ in range(100)) == 6
    assert sum(budget.take(1000, 10_000.0) for _ in range(1000)) == 120, "no more than is saved up"


def test_a_load_of_failures_is_not_doubled_by_retries():
    budget, taken = RetryBudget(share=0.1, per_second=10.0, now=0.0), 0
    for n in range(1, 20_001):  # 1,000 a second, each of which fails
        taken += budget.take(n, n / 1000)
    assert 0.1 * 20_000 < taken <= 0.1 * 20_000 + 10 * 20 + 100
