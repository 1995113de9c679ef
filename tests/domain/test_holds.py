from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain.holds import Hold, HoldPurpose, LeasePolicy, lease_amount, parts_of
from yuanjing.domain.money import Book

HOLD = Hold(
    id="hold_1",
    book=Book.LIVE,
    customer_id="cus_a",
    purpose=HoldPurpose.LEASE,
    amount_nanos=100,
    owner_node="m-g0",
    owner_incarnation=2,
    parts=1,
    created_at=0.0,
    expires_at=900.0,
)
amounts = st.integers(min_value=0, max_value=10**18)
policies = st.builds(
    LeasePolicy,
    share_percent=st.integers(min_value=1, max_value=100),
    amount_max_nanos=st.integers(min_value=1, max_value=10**15),
)


@given(amounts, st.integers(min_value=1, max_value=10**18), amounts, policies)
def test_a_lease_is_all_that_is_needed_or_nothing(available, needed, recent, policy):
    amount = lease_amount(available, needed, recent, policy)
    assert (amount == 0) == (available < needed)
    if amount:
        assert needed <= amount <= available
        share = min(available * policy.share_percent // 100, policy.amount_max_nanos)
        assert amount == needed or amount <= share
        assert amount <= max(needed, recent)


@given(st.integers(min_value=1, max_value=10**18), amounts, policies)
def test_the_last_yuan_is_spendable(needed, recent, policy):
    assert lease_amount(needed, needed, recent, policy) == needed


def test_sizes_of_leases():
    policy = LeasePolicy(share_percent=5, amount_max_nanos=1000)
    assert lease_amount(10_000, 100, 300, policy) == 300
    assert lease_amount(10_000, 100, 900, policy) == 500
    assert lease_amount(10_000, 600, 900, policy) == 600
    assert lease_amount(10**9, 100, 10**6, policy) == 1000
    for needed, recent in ((0, 0), (1, -1)):
        with pytest.raises(AssertionError):
            lease_amount(1, needed, recent, policy)


def test_a_hold_never_gives_more_than_it_has():
    spent = HOLD.settled(60, at=1.0).released(30)
    assert (spent.remaining_nanos, spent.parts) == (10, 3)
    with pytest.raises(AssertionError):
        spent.settled(11, at=1.0)
    with pytest.raises(AssertionError):
        spent.released(11)
    for amount in (0, -1):
        with pytest.raises(AssertionError):
            HOLD.settled(amount, at=1.0)
        with pytest.raises(AssertionError):
            HOLD.released(amount)
        with pytest.raises(AssertionError):
            HOLD.extended(amount, expires_at=1.0)


def test_a_hold_closes_when_it_is_closing_and_empty():
    assert HOLD.settled(100, at=5.0).closed_at is None
    closing = replace(HOLD, is_closing=True)
    assert closing.settled(99, at=5.0).closed_at is None
    done = closing.settled(100, at=5.0)
    assert done.closed_at == 5.0
    assert done.closed_if_done(9.0).closed_at == 5.0
    for change in (lambda: done.settled(1, at=6.0), lambda: done.released(1), lambda: done.extended(1, expires_at=9)):
        with pytest.raises(AssertionError):
            change()
    with pytest.raises(AssertionError):
        closing.extended(1, expires_at=9.0)


def test_an_extension_never_shortens_the_life():
    assert HOLD.extended(1, expires_at=100.0).expires_at == 900.0
    longer = HOLD.extended(50, expires_at=1000.0)
    assert (longer.expires_at, longer.remaining_nanos, longer.parts) == (1000.0, 150, 2)


def test_promotion_money_is_charged_first_and_goes_back_last():
    mixed = replace(HOLD, promotion_nanos=40, parts=2)
    assert mixed.settled(30, at=1.0).promotion_nanos == 10
    assert mixed.settled(70, at=1.0).promotion_nanos == 0
    back = mixed.released(50)
    assert (back.promotion_nanos, back.parts) == (40, 3)
    both = mixed.released(75)
    assert (both.promotion_nanos, both.parts) == (25, 4)
    rest = both.released(25)
    assert (rest.promotion_nanos, rest.remaining_nanos, rest.parts) == (0, 0, 5)
    more = mixed.settled(60, at=1.0).extended(10, promotion_nanos=4, expires_at=1.0)
    assert (more.promotion_nanos, more.remaining_nanos, more.parts) == (4, 50, 5)
    for impossible in (-1, 101):
        with pytest.raises(AssertionError):
            replace(HOLD, promotion_nanos=impossible)
    with pytest.raises(AssertionError):
        HOLD.extended(10, promotion_nanos=11, expires_at=1.0)


@given(
    st.lists(
        st.tuples(st.sampled_from(["place", "settle", "release"]), st.integers(1, 50), st.integers(0, 50)), max_size=30
    )
)
def test_a_hold_knows_its_promotion_money_through_all_that_happens(steps):
    """Against two purses, of which one is emptied first when money is spent and last when it goes back."""
    hold, promotion, cash = replace(HOLD, amount_nanos=20, promotion_nanos=5, parts=2), 5, 15
    for name, wish, of_it in steps:
        left = promotion + cash
        if name == "place":
            amount, part = wish, min(wish, of_it)
            hold = hold.extended(amount, promotion_nanos=part, expires_at=1.0)
            promotion, cash = promotion + part, cash + amount - part
        elif name == "settle" and left:
            amount = min(wish, left)
            hold = hold.settled(amount, at=1.0)
            spent = min(promotion, amount)
            promotion, cash = promotion - spent, cash - (amount - spent)
        elif left:
            amount = min(wish, left)
            hold = hold.released(amount)
            back = min(cash, amount)
            cash, promotion = cash - back, promotion - (amount - back)
        assert (hold.promotion_nanos, hold.remaining_nanos - hold.promotion_nanos) == (promotion, cash)


def test_nothing_of_a_hold_is_less_than_nothing():
    for name in ("settled_nanos", "released_nanos"):
        with pytest.raises(AssertionError):
            replace(HOLD, **{name: -1})


def test_an_amount_of_both_kinds_of_money_is_two_transfers():
    assert [parts_of(3, promotion) for promotion in range(4)] == [1, 2, 2, 1]
    for impossible in (-1, 4):
        with pytest.raises(AssertionError):
            parts_of(3, impossible)


def test_whose_lease_it_is():
    assert HOLD.is_lease_of("m-g0", 2)
    assert not HOLD.is_lease_of("m-g0", 3)
    assert not HOLD.is_lease_of("m-g1", 2)
    assert not replace(HOLD, closed_at=1.0).is_lease_of("m-g0", 2)
    assert not replace(HOLD, purpose=HoldPurpose.TASK).is_lease_of("m-g0", 2)
