"""What operators do about signing in."""

from dataclasses import replace

import pytest
from tests.support.signin import MOBILE, OTHER_MOBILE, FakeSender, sign_in_parts
from tests.usecases_signin.steps import (
    HERE,
    PASSWORD,
    arrive,
    arrive_with_password,
    ask,
    enter,
    enter_by_password,
)

from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.money import Book
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store, Topic
from yuanjing.usecases.keys import create_key, revoke_key
from yuanjing.usecases.signin import SignInParts
from yuanjing.usecases.signin.errors import CustomerDisabledError, WrongPasswordError
from yuanjing.usecases.signin.factors import find_factors
from yuanjing.usecases.signin.operating import (
    Unlocked,
    disable_customer,
    enable_customer,
    end_sessions,
    open_sessions,
    unlock_customer,
)
from yuanjing.usecases.signin.parts import Visitor
from yuanjing.usecases.signin.sessions import find_session

ELSEWHERE = Visitor(browser="browser-2", address="192.0.2.2")


async def test_unlocking_lets_passwords_count_again(parts: SignInParts) -> None:
    found = await arrive_with_password(parts)
    for _ in range(3):
        with pytest.raises(WrongPasswordError):
            await enter_by_password(parts, "a wrong one")
    with pytest.raises(WrongPasswordError):
        await enter_by_password(parts, PASSWORD)
    done = await unlock_customer(parts.store, parts.clock, found.customer.id)
    assert done == Unlocked(was_locked=True)
    await enter_by_password(parts, PASSWORD)
    assert await unlock_customer(parts.store, parts.clock, found.customer.id) == Unlocked(was_locked=False)


async def test_unlocking_takes_either_lock_off(parts: SignInParts) -> None:
    found = await arrive_with_password(parts)
    later = parts.clock.unix() + 300
    await parts.store.write(
        lambda tx: tx.factors.save(
            replace(tx.factors.lock(found.customer.id), totp_failures=2, totp_locked_until=later, failures=1)
        )
    )
    assert await unlock_customer(parts.store, parts.clock, found.customer.id) == Unlocked(was_locked=True)
    after = await find_factors(parts, found.customer.id)
    assert (after.failures, after.totp_failures, after.locked_until, after.totp_locked_until) == (0, 0, 0.0, 0.0)
    assert await unlock_customer(parts.store, parts.clock, found.customer.id) == Unlocked(was_locked=False)


async def test_unlocking_forgets_the_failures_so_far(parts: SignInParts) -> None:
    found = await arrive_with_password(parts)
    for _ in range(2):
        with pytest.raises(WrongPasswordError):
            await enter_by_password(parts, "a wrong one")
    await unlock_customer(parts.store, parts.clock, found.customer.id)
    with pytest.raises(WrongPasswordError):
        await enter_by_password(parts, "a wrong one")
    await enter_by_password(parts, PASSWORD)


async def test_who_has_lost_the_authenticator_signs_in_without(parts: SignInParts, clock: ManualClock) -> None:
    found = await arrive_with_password(parts)
    other = await arrive(parts, OTHER_MOBILE, ELSEWHERE)

    async def sealed(customer_id: str) -> None:
        await parts.store.write(
            lambda tx: tx.factors.save(
                replace(tx.factors.lock(customer_id), totp_secret=b"s", totp_pending=b"p", recovery_digests=(b"r",))
            )
        )

    await sealed(found.customer.id)
    await sealed(other.customer.id)
    done = await unlock_customer(parts.store, parts.clock, found.customer.id, takes_authenticator=True)
    assert done == Unlocked(was_locked=False, had_authenticator=True, ended_sessions=1)
    after = await find_factors(parts, found.customer.id)
    assert (after.has_totp, after.totp_pending, after.recovery_digests) == (False, None, ())
    assert after.password_hash
    assert (await find_factors(parts, other.customer.id)).has_totp
    assert len(await open_sessions(parts.store, clock, other.customer.id)) == 1
    clock.advance(61)
    assert (await arrive(parts)).customer.id == found.customer.id


async def test_a_disabled_customer_is_out_until_enabled(any_store: Store, clock: ManualClock, sms: FakeSender) -> None:
    parts = sign_in_parts(any_store, clock, sms)
    challenge_id, code = await ask(parts)
    new = await enter(parts, challenge_id, code)
    customer = new.signed_in.customer
    usable, _ = await create_key(any_store, clock, b"p", customer_id=customer.id, book=Book.TEST)
    revoked, _ = await create_key(any_store, clock, b"p", customer_id=customer.id, book=Book.LIVE)
    await revoke_key(any_store, clock, revoked.id)
    seen = await any_store.read(lambda tx: tx.signals.last_seq())
    clock.advance(61)
    found, ended = await disable_customer(any_store, clock, customer.id)
    assert (found, ended) == (replace(customer, disabled_at=clock.unix()), 1)
    assert await find_session(parts, new.token, "") is None
    news = await any_store.read(lambda tx: tx.signals.since(seen, 100))
    assert [(one.topic, one.subject) for one in news] == [(Topic.KEY, usable.public_id)]
    challenge_id, code = await ask(parts)
    with pytest.raises(CustomerDisabledError):
        await enter(parts, challenge_id, code)
    clock.advance(61)
    again, ended = await disable_customer(any_store, clock, customer.id)
    assert (again, ended) == (found, 0)
    assert await enable_customer(any_store, clock, customer.id) == customer
    assert await enable_customer(any_store, clock, customer.id) == customer
    assert await find_session(parts, new.token, "") is None  # what had ended has ended
    assert (await arrive(parts)).customer == customer


async def test_sessions_are_listed_and_ended(parts: SignInParts, clock: ManualClock) -> None:
    first = await arrive(parts, MOBILE, HERE)
    clock.advance(61)
    second = await arrive(parts, MOBILE, ELSEWHERE)
    customer_id = first.customer.id
    assert [one.id for one in await open_sessions(parts.store, clock, customer_id)] == [
        second.session.id,
        first.session.id,
    ]
    assert await end_sessions(parts.store, clock, customer_id, first.session.id) == 1
    with pytest.raises(NotFoundError):
        await end_sessions(parts.store, clock, customer_id, first.session.id)
    assert await end_sessions(parts.store, clock, customer_id) == 1
    assert await open_sessions(parts.store, clock, customer_id) == []
    with pytest.raises(NotFoundError):
        await disable_customer(parts.store, clock, "cus_none")
