"""Passwords, one-time passwords, recovery codes, and what locks them."""

import asyncio
import base64
import dataclasses
import time
from typing import Any

import argon2
import pytest
from tests.support.signin import CHEAP, MOBILE, OTHER_MOBILE, FakeSender, sign_in_parts
from tests.usecases_signin.steps import (
    HERE,
    PASSWORD,
    arrive,
    arrive_with_password,
    ask,
    enter,
    enter_by_password,
    wrong,
)

from yuanjing.domain.signin import Purpose
from yuanjing.kit.clock import ManualClock
from yuanjing.kit.secretbox import SecretBox, SecretBoxError
from yuanjing.ports.store import Store
from yuanjing.usecases.signin import SignedIn, SignInParts, totp
from yuanjing.usecases.signin.confirmations import confirm_by_code, confirm_by_password, confirm_by_second_factor
from yuanjing.usecases.signin.errors import (
    ConfirmationRequiredError,
    OneTimePasswordRequiredError,
    TooManyAttemptsError,
    WeakPasswordError,
    WrongCodeError,
    WrongOneTimePasswordError,
    WrongPasswordError,
)
from yuanjing.usecases.signin.factors import (
    SecondFactor,
    begin_totp,
    confirm_totp,
    find_factors,
    remove_password,
    remove_totp,
    renew_recovery_codes,
    set_password,
)
from yuanjing.usecases.signin.parts import Visitor
from yuanjing.usecases.signin.passwords import Passwords, PasswordsBusyError
from yuanjing.usecases.signin.sessions import Wish, find_session, list_sessions, sign_in_by_code


def shown(secret: str, clock: ManualClock) -> str:
    """What an authenticator shows."""
    padded = secret + "=" * (-len(secret) % 8)
    return totp.one_time_password(base64.b32decode(padded), int(clock.unix() // 30))


async def with_totp(parts: SignInParts, clock: ManualClock) -> tuple[SignedIn, str, tuple[str, ...]]:
    """A customer with a password and an authenticator; its secret, and the recovery codes."""
    found = await arrive_with_password(parts)
    made = await begin_totp(parts, found)
    codes = await confirm_totp(parts, found, shown(made.secret, clock))
    clock.advance(61)
    return found, made.secret, codes


async def test_a_password_signs_in(parts: SignInParts) -> None:
    found = await arrive_with_password(parts)
    new = await enter_by_password(parts)
    assert new.signed_in.customer == found.customer
    kept = await find_factors(parts, found.customer.id)
    assert kept.password_hash.startswith("$argon2id$")
    assert PASSWORD not in repr(kept)


async def test_an_unknown_number_one_without_password_and_a_wrong_password_look_the_same(parts: SignInParts) -> None:
    await arrive_with_password(parts)
    await arrive(parts, OTHER_MOBILE)
    texts = []
    for mobile, password in ((MOBILE, "wrong"), (OTHER_MOBILE, "wrong"), ("+8613700000000", "wrong")):
        with pytest.raises(WrongPasswordError) as caught:
            await enter_by_password(parts, password, mobile)
        texts.append((caught.value.code, caught.value.message, caught.value.param, caught.value.retry_after_seconds))
    assert len(set(texts)) == 1


async def test_a_password_is_hashed_for_an_unknown_number_too_and_answered_no_sooner(parts: SignInParts) -> None:
    await arrive_with_password(parts)
    hasher, calls = parts.passwords._hasher, []

    class Counting(argon2.PasswordHasher):
        def verify(self, hash: Any, password: Any) -> Any:  # noqa: A002  # argon2's own name
            calls.append(password)
            return hasher.verify(hash, password)

    parts.passwords._hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    seconds = []
    for mobile in (MOBILE, "+8613700000000"):
        began = time.perf_counter()
        with pytest.raises(WrongPasswordError):
            await enter_by_password(parts, "wrong", mobile)
        seconds.append(time.perf_counter() - began)
    assert calls == ["wrong", "wrong"]
    assert min(seconds) >= 0.49


async def test_three_wrong_passwords_lock_for_five_minutes(parts: SignInParts, clock: ManualClock) -> None:
    await arrive_with_password(parts)
    for _ in range(3):
        with pytest.raises(WrongPasswordError):
            await enter_by_password(parts, "wrong")
    clock.advance(299)
    with pytest.raises(WrongPasswordError):  # the right one, but nobody is told that it is locked
        await enter_by_password(parts)
    clock.advance(1)
    assert (await enter_by_password(parts)).token


async def test_a_code_signs_in_while_passwords_are_locked(parts: SignInParts, clock: ManualClock) -> None:
    """Else whoever knows a number could keep its owner out."""
    await arrive_with_password(parts)
    for _ in range(3):
        with pytest.raises(WrongPasswordError):
            await enter_by_password(parts, "wrong")
    clock.advance(61)
    assert await arrive(parts)


async def test_wrong_passwords_that_are_not_in_a_row_do_not_lock(parts: SignInParts, clock: ManualClock) -> None:
    await arrive_with_password(parts)
    for _ in range(6):
        with pytest.raises(WrongPasswordError):
            await enter_by_password(parts, "wrong")
        clock.advance(121)
    for _ in range(2):
        with pytest.raises(WrongPasswordError):
            await enter_by_password(parts, "wrong")
    assert (await enter_by_password(parts)).token  # and a right one ends the row
    with pytest.raises(WrongPasswordError):
        await enter_by_password(parts, "wrong")
    assert (await enter_by_password(parts)).token


async def test_twenty_guesses_at_once_are_three(any_store: Store, clock: ManualClock, sms: FakeSender) -> None:
    parts = dataclasses.replace(sign_in_parts(any_store, clock, sms), passwords=Passwords(at_once=4, hasher=CHEAP))
    found = await arrive_with_password(parts)

    async def one(number: int) -> None:
        with pytest.raises(WrongPasswordError):
            await enter_by_password(
                parts, f"wrong {number}", visitor=dataclasses.replace(HERE, address=f"192.0.2.{number}")
            )

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(one(number))
    kept = await find_factors(parts, found.customer.id)
    assert kept.locked_until == clock.unix() + 300
    assert kept.failures == 0  # none was counted after the lock
    with pytest.raises(WrongPasswordError):
        await enter_by_password(parts)


async def test_an_address_that_fails_too_often_has_to_wait(parts: SignInParts, clock: ManualClock) -> None:
    challenge_id, code = await ask(parts)
    for _ in range(20):
        with pytest.raises(WrongCodeError):
            await enter(parts, "chl_x", wrong(code))
    with pytest.raises(TooManyAttemptsError) as caught:
        await enter(parts, challenge_id, code)
    assert caught.value.retry_after_seconds == 3600
    with pytest.raises(TooManyAttemptsError):
        await enter_by_password(parts)
    clock.advance(3600)
    clock.advance(61)
    assert await arrive(parts)


async def test_what_is_easily_guessed_is_no_password(parts: SignInParts) -> None:
    found = await arrive(parts)
    for password in ("short", "password123", "1234567890", "13912345678", "yuanjing123", "qwertyuiop", "a" * 129):
        with pytest.raises(WeakPasswordError):
            await set_password(parts, found, password)
    assert not (await find_factors(parts, found.customer.id)).password_hash
    await set_password(parts, found, "用 一匹正确的马 电池订书钉")
    assert (await find_factors(parts, found.customer.id)).password_hash


async def test_a_password_of_older_costs_is_hashed_anew(parts: SignInParts) -> None:
    found = await arrive_with_password(parts)
    before = (await find_factors(parts, found.customer.id)).password_hash
    dearer = dataclasses.replace(
        parts, passwords=Passwords(hasher=argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    )
    await enter_by_password(dearer)
    after = (await find_factors(parts, found.customer.id)).password_hash
    assert "m=8,t=1" in before
    assert "m=16,t=2" in after


async def test_only_so_many_passwords_wait(parts: SignInParts) -> None:
    passwords = parts.passwords
    passwords._waiting = 32
    with pytest.raises(PasswordsBusyError):
        await passwords.hash("one more")
    passwords._waiting = 0
    assert await passwords.hash("now")
    assert not await passwords.is_right("no hash at all", "x")


async def test_changes_want_a_confirmation_of_the_last_ten_minutes(parts: SignInParts, clock: ManualClock) -> None:
    found = await arrive(parts)
    clock.advance(600)
    for change in (
        set_password(parts, found, PASSWORD),
        remove_password(parts, found),
        begin_totp(parts, found),
        confirm_totp(parts, found, "123456"),
        remove_totp(parts, found),
        renew_recovery_codes(parts, found),
    ):
        with pytest.raises(ConfirmationRequiredError):
            await change
    challenge_id, code = await ask(parts, purpose=Purpose.CONFIRM)
    with pytest.raises(WrongCodeError):
        await confirm_by_code(parts, found, HERE, challenge_id=challenge_id, code=wrong(code))
    new = await confirm_by_code(parts, found, HERE, challenge_id=challenge_id, code=code)
    await set_password(parts, new.signed_in, PASSWORD)
    clock.advance(600)
    again = await confirm_by_password(parts, new.signed_in, PASSWORD)
    await remove_password(parts, again.signed_in)
    with pytest.raises(WrongPasswordError):
        await enter_by_password(parts)
    with pytest.raises(WrongPasswordError):
        await confirm_by_password(parts, again.signed_in, PASSWORD)


async def test_a_confirmation_rotates_the_token(parts: SignInParts) -> None:
    await arrive_with_password(parts)
    old = await enter_by_password(parts)
    new = await confirm_by_password(parts, old.signed_in, PASSWORD)
    assert await find_session(parts, old.token, HERE.address) is None
    assert await find_session(parts, new.token, HERE.address) is not None


async def test_wrong_confirmations_lock_too(parts: SignInParts) -> None:
    found = await arrive_with_password(parts)
    for _ in range(3):
        with pytest.raises(WrongPasswordError):
            await confirm_by_password(parts, found, "wrong")
    with pytest.raises(TooManyAttemptsError) as caught:
        await confirm_by_password(parts, found, PASSWORD)
    assert caught.value.retry_after_seconds == 300


async def test_a_change_ends_the_other_sessions(parts: SignInParts, clock: ManualClock) -> None:
    first = await arrive(parts)
    clock.advance(61)
    second = await arrive(parts, visitor=Visitor(browser="another", address="192.0.2.7"))
    await set_password(parts, second, PASSWORD)
    assert [one.id for one in await list_sessions(parts, first)] == [second.session.id]


async def test_an_authenticator_is_asked_for_after_code_and_password(parts: SignInParts, clock: ManualClock) -> None:
    _, secret, _ = await with_totp(parts, clock)
    with pytest.raises(OneTimePasswordRequiredError):
        await enter_by_password(parts)
    assert await enter_by_password(parts, second=SecondFactor(totp=shown(secret, clock)))
    clock.advance(61)
    challenge_id, code = await ask(parts)
    with pytest.raises(OneTimePasswordRequiredError):
        await enter(parts, challenge_id, code)
    wish = Wish(second=SecondFactor(totp=shown(secret, clock)))
    assert await enter(parts, challenge_id, code, wish=wish)  # the code was not used up meanwhile


async def test_a_one_time_password_counts_once(any_store: Store, clock: ManualClock, sms: FakeSender) -> None:
    parts = sign_in_parts(any_store, clock, sms, failures_max=100)
    _, secret, _ = await with_totp(parts, clock)
    second = SecondFactor(totp=shown(secret, clock))

    async def one() -> bool:
        try:
            await enter_by_password(parts, second=second)
        except WrongOneTimePasswordError:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one()) for _ in range(10)]
    assert sum(task.result() for task in tasks) == 1


async def test_wrong_one_time_passwords_lock(parts: SignInParts, clock: ManualClock) -> None:
    _, secret, _ = await with_totp(parts, clock)
    challenge_id, code = await ask(parts)
    bad = Wish(second=SecondFactor(totp=wrong(shown(secret, clock))))
    for _ in range(3):
        with pytest.raises(WrongOneTimePasswordError):
            await enter(parts, challenge_id, code, wish=bad)
    good = Wish(second=SecondFactor(totp=shown(secret, clock)))
    with pytest.raises(TooManyAttemptsError):
        await enter(parts, challenge_id, code, wish=good)


async def test_wrong_passwords_do_not_lock_an_authenticator(
    any_store: Store, clock: ManualClock, sms: FakeSender
) -> None:
    """Else whoever knows a number could keep an owner out who has one, by SMS too."""
    parts = sign_in_parts(any_store, clock, sms)
    found, secret, _ = await with_totp(parts, clock)
    for _ in range(4):
        with pytest.raises(WrongPasswordError):
            await enter_by_password(parts, "wrong")
    challenge_id, code = await ask(parts)
    wish = Wish(second=SecondFactor(totp=shown(secret, clock)))
    assert await enter(parts, challenge_id, code, wish=wish)
    clock.advance(61)
    assert await confirm_by_second_factor(parts, found, SecondFactor(totp=shown(secret, clock)))
    with pytest.raises(WrongPasswordError):  # passwords are still locked
        await enter_by_password(parts, second=SecondFactor(totp=shown(secret, clock)))


async def test_only_who_has_a_right_password_or_code_can_lock_an_authenticator(
    parts: SignInParts, clock: ManualClock
) -> None:
    found, secret, _ = await with_totp(parts, clock)
    bad = SecondFactor(totp=wrong(shown(secret, clock)))
    challenge_id, code = await ask(parts)
    for _ in range(3):
        with pytest.raises(WrongPasswordError):
            await enter_by_password(parts, "wrong", second=bad)
        with pytest.raises(WrongCodeError):
            await enter(parts, challenge_id, wrong(code), wish=Wish(second=bad))
    kept = await find_factors(parts, found.customer.id)
    assert (kept.totp_failures, kept.totp_locked_until) == (0, 0.0)
    clock.advance(301)
    for _ in range(3):
        with pytest.raises(WrongOneTimePasswordError):
            await enter_by_password(parts, second=bad)
    with pytest.raises(TooManyAttemptsError) as caught:
        await enter_by_password(parts, second=SecondFactor(totp=shown(secret, clock)))
    assert caught.value.retry_after_seconds == 300
    kept = await find_factors(parts, found.customer.id)
    assert (kept.failures, kept.totp_failures) == (0, 0)
    with pytest.raises(TooManyAttemptsError):
        await confirm_by_second_factor(parts, found, SecondFactor(totp=shown(secret, clock)))
    clock.advance(300)
    assert await enter_by_password(parts, second=SecondFactor(totp=shown(secret, clock)))


async def test_recovery_codes_stand_for_it_once_each(parts: SignInParts, clock: ManualClock) -> None:
    found, _, codes = await with_totp(parts, clock)
    assert len(set(codes)) == 10
    kept = await find_factors(parts, found.customer.id)
    assert not any(code in repr(kept) for code in codes)
    written = f" {codes[0].lower().replace('-', ' ')} "
    assert await enter_by_password(parts, second=SecondFactor(recovery_code=written))
    with pytest.raises(WrongOneTimePasswordError) as caught:
        await enter_by_password(parts, second=SecondFactor(recovery_code=codes[0]))
    assert caught.value.param == "recovery_code"
    assert len((await find_factors(parts, found.customer.id)).recovery_digests) == 9
    new = await confirm_by_second_factor(parts, found, SecondFactor(recovery_code=codes[1]))
    fresh = await renew_recovery_codes(parts, new.signed_in)
    with pytest.raises(WrongOneTimePasswordError):
        await enter_by_password(parts, second=SecondFactor(recovery_code=codes[2]))
    assert await enter_by_password(parts, second=SecondFactor(recovery_code=fresh[2]))


async def test_who_has_an_authenticator_confirms_by_it_only(parts: SignInParts, clock: ManualClock) -> None:
    found, secret, _ = await with_totp(parts, clock)
    challenge_id, code = await ask(parts, purpose=Purpose.CONFIRM)
    with pytest.raises(OneTimePasswordRequiredError):
        await confirm_by_code(parts, found, HERE, challenge_id=challenge_id, code=code)
    with pytest.raises(OneTimePasswordRequiredError):
        await confirm_by_password(parts, found, PASSWORD)
    with pytest.raises(WrongOneTimePasswordError):
        await confirm_by_second_factor(parts, found, SecondFactor(totp=wrong(shown(secret, clock))))
    new = await confirm_by_second_factor(parts, found, SecondFactor(totp=shown(secret, clock)))
    await remove_totp(parts, new.signed_in)
    assert await enter_by_password(parts)
    with pytest.raises(WrongOneTimePasswordError):
        await confirm_by_second_factor(parts, new.signed_in, SecondFactor(totp="123456"))
    with pytest.raises(WrongOneTimePasswordError):
        await renew_recovery_codes(parts, new.signed_in)


async def test_a_secret_counts_only_once_it_was_shown_to_work(parts: SignInParts, clock: ManualClock) -> None:
    found = await arrive_with_password(parts)
    with pytest.raises(WrongOneTimePasswordError):
        await confirm_totp(parts, found, "123456")
    made = await begin_totp(parts, found)
    with pytest.raises(WrongOneTimePasswordError):
        await confirm_totp(parts, found, wrong(shown(made.secret, clock)))
    assert await enter_by_password(parts)
    kept = await find_factors(parts, found.customer.id)
    assert kept.totp_pending is not None
    assert made.secret.encode() not in kept.totp_pending


async def test_a_secret_that_cannot_be_opened_is_no_wrong_password(parts: SignInParts, clock: ManualClock) -> None:
    await with_totp(parts, clock)
    elsewhere = dataclasses.replace(parts, box=SecretBox([b"k" * 32]))
    with pytest.raises(SecretBoxError):
        await enter_by_password(elsewhere, second=SecondFactor(totp="123456"))


async def test_a_code_without_a_number_in_it_is_refused_before_anything(parts: SignInParts) -> None:
    with pytest.raises(Exception, match="mobile"):
        await sign_in_by_code(parts, HERE, challenge_id="chl_1", mobile="nobody", code="123456", wish=Wish())
