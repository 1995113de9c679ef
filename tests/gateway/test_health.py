"""When a channel is shut, when it is probed, and how many retries there may be."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain.money import Book
from yuanjing.gateway.health import ChannelHealth, RetryBudget
from yuanjing.gateway.options import GatewayOptions

OPTIONS = GatewayOptions()
KIND = "unavailable"


def health(**changes: object) -> ChannelHealth:
    return ChannelHealth(replace(OPTIONS, **changes), Book.LIVE)


def test_failures_in_a_row_shut_it_and_an_answer_between_starts_anew():
    one = health()
    assert not any(one.failed(KIND, 1.0, n) for n in range(1, 5))
    one.answered(1.5)
    assert not any(one.failed(KIND, 2.0, n) for n in range(6, 10))
    assert one.may_try(2.0)
    assert one.failed(KIND, 2.0, 10)
    assert not one.may_try(2.0)


def test_what_fails_in_the_sandbox_was_asked_for():
    live, test = (ChannelHealth(OPTIONS, book) for book in (Book.LIVE, Book.TEST))
    for n in range(1, 6):
        assert (live.failed(KIND, 1.0, n), test.failed(KIND, 1.0, n)) == (n == 5, False)
    assert test.may_try(1.0)
    of_all, of_none = (ChannelHealth(replace(OPTIONS, breaker=which), Book.TEST) for which in ("all", "off"))
    assert (of_all.failed("provider_auth", 1.0, 1), of_none.failed("provider_auth", 1.0, 1)) == (True, False)


def test_a_share_of_failures_shuts_it_although_others_succeed_between():
    one, ended = health(), 0
    for ended in range(1, 100):
        if ended % 4:
            one.answered(ended * 0.01)
        elif one.failed(KIND, ended * 0.01, ended):
            break
    assert 19 <= ended <= 28


def test_a_few_failures_among_many_answers_do_not():
    one = health()
    for ended in range(1, 2000):
        if ended % 10:
            one.answered(ended * 0.01)
        else:
            assert not one.failed(KIND, ended * 0.01, ended)


def test_it_is_probed_by_one_at_a_time_ever_later_and_opened_by_an_answer():
    one, now, times = health(breaker_failures=1), 0.0, []
    one.failed(KIND, now, 1)
    while now < 20:
        now += 0.01
        if one.may_try(now):
            assert not one.may_try(now), "one probe"
            times.append(now)
            one.failed(KIND, now, 2)
    gaps = [round(b - a, 1) for a, b in zip([0.0, *times], times, strict=False)]
    assert gaps == [1.0, 2.0, 4.0, 4.0, 4.0, 4.0]
    assert one.may_try(one.shut_until)
    one.answered(now)
    assert all(one.may_try(now) for _ in range(9))
    one.failed(KIND, now, 3)
    assert one.shut_until == now + OPTIONS.breaker_pause_seconds, "the pauses begin anew"


def test_a_probe_that_hangs_does_not_keep_the_next_from_going():
    one = health(breaker_failures=1)
    one.failed(KIND, 0.0, 1)
    assert one.may_try(1.0)
    assert not one.may_try(1.9)
    assert one.may_try(2.0)


def test_what_was_under_way_when_it_was_shut_makes_the_pause_no_longer():
    one = health()
    for n in range(1, 50):
        one.failed(KIND, 0.5, n)
    assert one.shut_until == 0.5 + OPTIONS.breaker_pause_seconds


def test_a_refused_credential_shuts_it_at_once_and_for_longer():
    one, now = health(), 0.0
    assert one.failed("provider_auth", now, 1)
    pauses = []
    for _ in range(7):
        pauses.append(one.shut_until - now)
        now = one.shut_until
        assert one.may_try(now)
        one.failed("provider_balance", now, 2)
    assert pauses == [10, 20, 40, 80, 160, 300, 300]


def test_how_long_a_provider_asks_us_to_stay_away_is_obeyed():
    one = health()
    assert one.failed("rate_limited", 0.0, 1, 7)
    assert not one.may_try(6.9)
    assert one.may_try(7.0)
    one.failed("rate_limited", 7.0, 2, 0)
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
            one.failed(what, now, ended, wait if what == "rate_limited" else None)
        assert one.shut_until - now <= max(OPTIONS.refused_pause_seconds_max, 60)
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
