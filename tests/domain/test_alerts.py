"""When a customer is told of a low balance."""

from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain.alerts import CLAIM_SECONDS, DAY_SECONDS, BalanceAlert

NOW = 1_800_000_000.0
LINE = 100


def alert(**changes: object) -> BalanceAlert:
    return BalanceAlert(**({"customer_id": "cus_a", "below_nanos": LINE} | changes))  # type: ignore[arg-type]


def test_it_is_due_below_the_line_and_not_at_it() -> None:
    assert [alert().is_due(owned, NOW) for owned in (0, LINE - 1, LINE, LINE + 1)] == [True, True, False, False]
    assert not alert(below_nanos=None).is_due(0, NOW)


def test_it_is_not_due_again_until_the_balance_was_back() -> None:
    told = alert().claimed(NOW).told(NOW)
    later = NOW + 10 * DAY_SECONDS
    assert not told.is_due(0, later)
    assert [told.is_to_arm(owned) for owned in (LINE - 1, LINE)] == [False, True]
    assert told.armed().is_due(0, later)
    assert not told.armed().is_to_arm(LINE)


def test_a_claim_that_nobody_finishes_ends() -> None:
    claimed = alert().claimed(NOW)
    assert [claimed.is_due(0, NOW + after) for after in (0, CLAIM_SECONDS - 1, CLAIM_SECONDS)] == [False, False, True]


def test_another_line_counts_at_once_but_not_twice_a_day() -> None:
    told = alert().told(NOW)
    moved = told.drawn(LINE * 2)
    assert [moved.is_due(LINE, NOW + after) for after in (DAY_SECONDS - 1, DAY_SECONDS)] == [False, True]
    assert told.drawn(LINE) == told
    assert told.drawn(None).drawn(LINE).told_at == NOW


@given(st.lists(st.tuples(st.integers(0, 200), st.floats(1, 40_000)), max_size=60))
def test_never_twice_within_a_day_and_never_without_a_fall(steps: list[tuple[int, float]]) -> None:
    """Whatever the balance does: a day lies between two notices, and the line was reached again in between."""
    one, at, told = alert(), NOW, None
    was_back = True
    for owned, pause in steps:
        at += pause
        was_back = was_back or owned >= LINE
        if one.is_due(owned, at):
            assert owned < LINE
            assert was_back
            assert told is None or at - told >= DAY_SECONDS
            one, told, was_back = one.claimed(at).told(at), at, False
        elif one.is_to_arm(owned):
            one = one.armed()
