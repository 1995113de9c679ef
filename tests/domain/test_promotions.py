"""Lots against a model that knows of every nano-yuan which lot it is of, at the moment it is spent."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yuanjing.domain.money import AMOUNT_NANOS_MAX, Book
from yuanjing.domain.promotions import Lot, attribute, collect, in_order


def lot(n: int = 1, amount: int = 100, expires_at: float | None = None, **changes) -> Lot:
    values = {
        "id": f"promo_{n:04d}",
        "book": Book.LIVE,
        "customer_id": "cus_a",
        "amount_nanos": amount,
        "left_nanos": amount,
        "expires_at": expires_at,
        "cause": f"c{n}",
        "created_at": float(n),
    }
    return Lot(**(values | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_nanos": 0, "left_nanos": 0},
        {"amount_nanos": AMOUNT_NANOS_MAX + 1},
        {"left_nanos": -1},
        {"expired_nanos": -1},
        {"left_nanos": 60, "expired_nanos": 41},
    ],
)
def test_a_lot_has_bounds(changes):
    lot(amount=AMOUNT_NANOS_MAX)
    lot(left_nanos=60, expired_nanos=40)
    with pytest.raises(AssertionError):
        lot(**changes)


def test_lots_that_expire_at_the_same_moment_go_by_their_age():
    lots = [lot(3), lot(2, expires_at=0.5), lot(1, expires_at=0.5), lot(4)]
    assert [one.id[-1] for one in in_order(lots)] == ["1", "2", "3", "4"]


@dataclass
class Model:
    """The simple way: what is spent is taken from a lot at once; what is held is spent, or comes back, as it says.

    Beside it go the lots as they are kept, which are looked at only now and then.
    """

    left: dict[str, int]
    kept: dict[str, Lot]
    given: int = 0
    spent: int = 0
    expired: int = 0
    account: int = 0
    held: int = 0
    now: float = 0.0

    @property
    def total(self) -> int:
        return self.account + self.held

    def look(self) -> list[Lot]:
        found = attribute([one for one in self.kept.values() if one.left_nanos], self.total)
        self.kept |= {one.id: one for one in found}
        return found

    def grant(self, amount: int, lasts: float | None) -> None:
        self.look()
        new = lot(len(self.kept) + 1, amount, None if lasts is None else self.now + lasts, created_at=self.now)
        self.kept[new.id] = new
        self.left[new.id] = amount
        self.account += amount
        self.given += amount

    def hold(self, amount: int) -> None:
        amount = min(amount, self.account)
        self.account -= amount
        self.held += amount

    def release(self, amount: int) -> None:
        amount = min(amount, self.held)
        self.held -= amount
        self.account += amount

    def settle(self, amount: int) -> None:
        amount = min(amount, self.held)
        self.held -= amount
        self._take(amount)

    def spend(self, amount: int) -> None:
        amount = min(amount, self.account)
        self.account -= amount
        self._take(amount)

    def _take(self, amount: int) -> None:
        self.spent += amount
        for one in in_order(list(self.kept.values())):
            taken = min(amount, self.left[one.id])
            self.left[one.id] -= taken
            amount -= taken
        assert not amount, "more was spent than all lots had"

    def expire(self) -> None:
        held = self.held
        expected: dict[str, int] = {}
        for one in in_order(list(self.kept.values())):
            if one.is_expired(self.now):
                kept = min(held, self.left[one.id])
                held -= kept
                if self.left[one.id] > kept:
                    expected[one.id] = self.left[one.id] - kept
        found = collect(self.look(), self.held, self.now)
        assert {one.before.id: one.amount_nanos for one in found} == expected
        for one in found:
            self.kept[one.after.id] = one.after
            self.left[one.after.id] -= one.amount_nanos
            self.account -= one.amount_nanos
            self.expired += one.amount_nanos

    def check(self) -> None:
        assert self.account >= 0
        assert self.given == self.spent + self.expired + self.total
        assert sum(self.left.values()) == self.total
        assert {one.id: one.left_nanos for one in self.kept.values()} == self.left
        assert sum(one.expired_nanos for one in self.kept.values()) == self.expired


amounts = st.integers(min_value=1, max_value=60)
moves = st.one_of(
    st.tuples(st.just("grant"), amounts, st.sampled_from([None, 1, 5, 30])),
    st.tuples(st.sampled_from(["hold", "hold", "settle", "release", "spend"]), amounts),
    st.tuples(st.just("wait"), st.sampled_from([1, 4, 20])),
    st.tuples(st.just("expire")),
)


@settings(max_examples=400)
@given(st.lists(moves, max_size=40))
def test_lots_looked_at_late_are_the_lots_of_every_moment(steps):
    model = Model(left={}, kept={})
    for name, *values in steps:
        if name == "wait":
            model.now += values[0]
        else:
            getattr(model, name)(*values)
    model.look()
    model.check()
    model.release(10**9)
    model.now += 1000
    model.expire()
    model.check()
    assert all(not model.left[one.id] for one in model.kept.values() if one.expires_at is not None)
    assert not collect(model.look(), model.held, model.now), "nothing is collected twice"


def test_what_expires_first_is_spent_first_whenever_it_was_given():
    lots = [lot(1), lot(2, expires_at=50.0), lot(3, expires_at=20.0), lot(4, expires_at=20.0)]
    assert [one.id[-1] for one in in_order(lots)] == ["3", "4", "2", "1"]
    assert [one.left_nanos for one in attribute(lots, 250)] == [0, 50, 100, 100]


def test_a_later_lot_that_expires_earlier_pays_for_nothing_before_it():
    (old,) = attribute([lot(1, expires_at=50.0)], 60)
    assert [one.left_nanos for one in attribute([old, lot(2, expires_at=10.0)], 150)] == [90, 60]


def test_what_holds_have_of_expired_lots_stays_theirs():
    lots = [lot(1, expires_at=10.0), lot(2, expires_at=20.0), lot(3, expires_at=99.0)]
    assert [(one.before.id[-1], one.amount_nanos) for one in collect(lots, 130, 20.0)] == [("2", 70)]
    assert collect(lots, 200, 20.0) == []
    assert collect(lots, 0, 9.9) == []
    (one, other) = collect(lots, 0, 20.0)
    assert (one.after.left_nanos, one.after.expired_nanos, other.amount_nanos) == (0, 100, 100)


@pytest.mark.parametrize(
    "change",
    [{"left_nanos": 101}, {"left_nanos": -1}, {"expired_nanos": 1}, {"amount_nanos": 0}, {"expired_nanos": -1}],
)
def test_a_lot_never_has_more_than_was_given(change):
    with pytest.raises(AssertionError):
        replace(lot(), **change)


@pytest.mark.parametrize("total", [-1, 101])
def test_there_is_never_more_than_lots_have(total):
    with pytest.raises(AssertionError):
        attribute([lot()], total)
