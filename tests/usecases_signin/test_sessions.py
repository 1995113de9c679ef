"""Sessions: how they begin, what ends them, and what their tokens are worth."""

import dataclasses
from typing import Any

import pytest
from tests.support.signin import MOBILE, OTHER_MOBILE
from tests.usecases_signin.steps import HERE, arrive, ask, enter

from yuanjing.domain.errors import NotFoundError
from yuanjing.kit.clock import ManualClock
from yuanjing.usecases.signin import SignInParts, failures
from yuanjing.usecases.signin.errors import CustomerDisabledError, NotSignedInError, TooManyAttemptsError
from yuanjing.usecases.signin.parts import Visitor
from yuanjing.usecases.signin.sessions import (
    NewSession,
    Wish,
    end_other_sessions,
    end_session,
    find_session,
    list_sessions,
    rotate_session,
)


async def begin(parts: SignInParts, clock: ManualClock, wish: Wish | None = None, **visitor: Any) -> NewSession:
    clock.advance(3601)
    who = dataclasses.replace(HERE, **visitor)
    challenge_id, code = await ask(parts, visitor=who)
    return await enter(parts, challenge_id, code, visitor=who, wish=wish)


async def disable(parts: SignInParts, at: float) -> None:
    """As an operator does it, in a store in memory."""

    def work(tx: Any) -> None:
        rows = tx.customers._customers
        for customer in list(rows.values()):
            rows[customer.id] = dataclasses.replace(customer, disabled_at=at)

    await parts.store.write(work)


async def test_a_session_is_found_by_its_token_only(parts: SignInParts, clock: ManualClock) -> None:
    new = await begin(parts, clock)
    found = await find_session(parts, new.token, HERE.address)
    assert found == new.signed_in
    assert found.session.agent == "Browser 1"
    assert new.token not in repr(new)
    for token in ("", "x", new.token[:-1], new.token + "x", new.token.swapcase(), new.signed_in.session.id):
        assert await find_session(parts, token, HERE.address) is None


async def test_signing_in_gives_a_new_token_and_ends_the_old_session(parts: SignInParts, clock: ManualClock) -> None:
    """A token that somebody planted before is worth nothing afterwards (session fixation)."""
    old = await begin(parts, clock)
    new = await begin(parts, clock, Wish(old_token=old.token))
    assert new.token != old.token
    assert await find_session(parts, old.token, HERE.address) is None
    assert [one.id for one in await list_sessions(parts, new.signed_in)] == [new.signed_in.session.id]
    planted = await begin(parts, clock, Wish(old_token="planted"))
    assert planted.token != "planted"
    assert await find_session(parts, "planted", HERE.address) is None


async def test_it_ends_without_use_and_in_any_case(parts: SignInParts, clock: ManualClock) -> None:
    new = await begin(parts, clock)
    clock.advance(43_199)
    assert await find_session(parts, new.token, "192.0.2.9") is not None
    clock.advance(43_200)
    assert await find_session(parts, new.token, HERE.address) is None
    other = await begin(parts, clock)
    for _ in range(3):
        clock.advance(86_400 / 4)
        assert await find_session(parts, other.token, HERE.address) is not None
    clock.advance(86_400 / 4)
    assert await find_session(parts, other.token, HERE.address) is None


async def test_one_that_is_remembered_lasts_for_weeks(parts: SignInParts, clock: ManualClock) -> None:
    new = await begin(parts, clock, Wish(is_remembered=True))
    clock.advance(29 * 86_400)
    assert await find_session(parts, new.token, HERE.address) is not None
    clock.advance(86_400)
    assert await find_session(parts, new.token, HERE.address) is None


async def test_its_use_is_noted_once_a_minute(parts: SignInParts, clock: ManualClock) -> None:
    new = await begin(parts, clock)
    writes = parts.store.counters.writes
    clock.advance(59)
    await find_session(parts, new.token, "192.0.2.9")
    assert parts.store.counters.writes == writes
    clock.advance(1)
    found = await find_session(parts, new.token, "192.0.2.9")
    assert parts.store.counters.writes == writes + 1
    (kept,) = await list_sessions(parts, new.signed_in)
    assert (kept.address, kept.seen_at) == ("192.0.2.9", clock.unix())
    assert found is not None
    assert found.session == kept


async def test_signing_out_ends_it_on_the_server(parts: SignInParts, clock: ManualClock) -> None:
    new = await begin(parts, clock)
    await end_session(parts, new.signed_in, new.signed_in.session.id)
    assert await find_session(parts, new.token, HERE.address) is None
    with pytest.raises(NotFoundError):
        await end_session(parts, new.signed_in, new.signed_in.session.id)


async def test_nobody_ends_or_sees_the_session_of_another(parts: SignInParts, clock: ManualClock) -> None:
    mine = await begin(parts, clock)
    theirs = await arrive(parts, OTHER_MOBILE, Visitor(browser="b", address="192.0.2.7"))
    with pytest.raises(NotFoundError):
        await end_session(parts, theirs, mine.signed_in.session.id)
    assert await end_other_sessions(parts, theirs) == 0
    assert [one.customer_id for one in await list_sessions(parts, theirs)] == [theirs.customer.id]
    assert await find_session(parts, mine.token, HERE.address) is not None


async def test_the_others_can_be_ended(parts: SignInParts, clock: ManualClock) -> None:
    first, second = await begin(parts, clock), await begin(parts, clock, browser="another")
    assert await end_other_sessions(parts, second.signed_in) == 1
    assert await find_session(parts, first.token, HERE.address) is None
    assert await find_session(parts, second.token, HERE.address) is not None


async def test_a_further_session_ends_the_oldest(make_parts: Any, clock: ManualClock) -> None:
    parts = make_parts(sessions_max=2)
    all_of_them = [await begin(parts, clock) for _ in range(3)]
    found = [await find_session(parts, one.token, HERE.address) is not None for one in all_of_them]
    assert found == [False, True, True]


async def test_a_rotated_token_does_not_count(parts: SignInParts, clock: ManualClock) -> None:
    old = await begin(parts, clock)
    clock.advance(5)
    new = await rotate_session(parts, old.signed_in, is_confirmed=True)
    assert await find_session(parts, old.token, HERE.address) is None
    found = await find_session(parts, new.token, HERE.address)
    assert found is not None
    assert found.session.id == old.signed_in.session.id
    assert found.session.confirmed_at == clock.unix()
    await end_session(parts, found, found.session.id)
    with pytest.raises(NotSignedInError):
        await rotate_session(parts, found)


async def test_who_is_disabled_is_out_and_learns_it_only_with_the_code(parts: SignInParts, clock: ManualClock) -> None:
    new = await begin(parts, clock)
    await disable(parts, clock.unix())
    assert await find_session(parts, new.token, HERE.address) is None
    clock.advance(61)
    challenge_id, code = await ask(parts, MOBILE)
    with pytest.raises(CustomerDisabledError):
        await enter(parts, challenge_id, code)


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_limits_count_an_address_as_who_can_change_it(address: str, group: str) -> None:
    assert Visitor(browser="b", address=address).address_group == group


def test_failures_of_so_many_addresses_only_are_remembered(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_ADDRESSES_MAX", 2)
    counts = failures.AddressFailures(clock, failures_max=1, window_seconds=60)
    for address in ("a", "b", "c"):
        counts.add(address)
    counts.check("a")
    for address in ("b", "c"):
        with pytest.raises(TooManyAttemptsError):
            counts.check(address)
