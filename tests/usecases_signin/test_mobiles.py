"""Another number: who may have it, what proves it, and what ends with the old one."""

import asyncio
import base64
import dataclasses
from typing import Any

import pytest
from tests.support.signin import MOBILE, OTHER_MOBILE, FakeSender, sign_in_parts
from tests.usecases_signin.steps import HERE, arrive, ask, enter, wrong

from yuanjing.domain.errors import AlreadyExistsError, InvalidInputError
from yuanjing.domain.signin import Purpose, SendPolicy
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.messages import SmsRefusedError
from yuanjing.ports.store import Store
from yuanjing.usecases.signin import SignInParts, totp
from yuanjing.usecases.signin.errors import (
    ConfirmationRequiredError,
    NotSignedInError,
    NumberNotServedError,
    OneTimePasswordRequiredError,
    TooManyAttemptsError,
    TooManyCodesError,
    WrongCodeError,
    WrongOneTimePasswordError,
)
from yuanjing.usecases.signin.factors import SecondFactor, begin_totp, confirm_totp
from yuanjing.usecases.signin.mobiles import change_mobile, send_change_code
from yuanjing.usecases.signin.parts import SignedIn, Visitor
from yuanjing.usecases.signin.sessions import NewSession, Wish, end_session, find_session, sign_in_by_code

NEW = "+8613912345670"
PATIENT = SendPolicy(captcha_after=100)
ELSEWHERE = Visitor(browser="browser-2", address="192.0.2.2")


def sender_of(parts: SignInParts) -> FakeSender:
    assert isinstance(parts.sms, FakeSender)
    return parts.sms


async def ask_change(parts: SignInParts, who: SignedIn, mobile: str = NEW, visitor: Visitor = HERE) -> tuple[str, str]:
    sent = await send_change_code(parts, who, visitor, mobile=mobile)
    return sent.id, sender_of(parts).code(mobile)


async def change(  # noqa: PLR0913, PLR0917  # what a test may have otherwise
    parts: SignInParts,
    who: SignedIn,
    challenge_id: str,
    code: str,
    mobile: str = NEW,
    visitor: Visitor = HERE,
    second: SecondFactor | None = None,
) -> NewSession:
    return await change_mobile(
        parts,
        who,
        visitor,
        mobile=mobile,
        challenge_id=challenge_id,
        code=code,
        second=second or SecondFactor(),
    )


async def mobile_of(parts: SignInParts, who: SignedIn) -> str:
    found = await parts.store.read(lambda tx: tx.customers.get(who.customer.id))
    assert found is not None
    return found.mobile


async def add_authenticator(parts: SignInParts, who: SignedIn, clock: ManualClock) -> tuple[str, tuple[str, ...]]:
    made = await begin_totp(parts, who)
    codes = await confirm_totp(parts, who, shown(made.secret, clock))
    clock.advance(30)
    return made.secret, codes


def shown(secret: str, clock: ManualClock) -> str:
    padded = secret + "=" * (-len(secret) % 8)
    return totp.one_time_password(base64.b32decode(padded), int(clock.unix() // 30))


async def test_the_customer_signs_in_with_the_new_number_from_now_on(
    any_store: Store, clock: ManualClock, sms: FakeSender
) -> None:
    parts = sign_in_parts(any_store, clock, sms, send=PATIENT)
    who = await arrive(parts)
    challenge_id, code = await ask_change(parts, who)
    new = await change(parts, who, challenge_id, code)
    assert new.signed_in.customer == dataclasses.replace(who.customer, mobile=NEW)
    found = await find_session(parts, new.token, HERE.address)
    assert found is not None
    assert found.customer == new.signed_in.customer
    clock.advance(61)
    assert (await arrive(parts, NEW)).customer.id == who.customer.id
    clock.advance(61)
    assert (await arrive(parts, MOBILE)).customer.id != who.customer.id  # whoever has the old number now


async def test_other_sessions_end_and_this_one_gets_another_token(parts: SignInParts, clock: ManualClock) -> None:
    challenge_id, code = await ask(parts)
    other = await enter(parts, challenge_id, code)
    clock.advance(61)
    challenge_id, code = await ask(parts, visitor=ELSEWHERE)
    this = await sign_in_by_code(
        parts, ELSEWHERE, challenge_id=challenge_id, mobile=MOBILE, code=code, wish=Wish(is_remembered=True)
    )
    challenge_id, code = await ask_change(parts, this.signed_in, visitor=ELSEWHERE)
    new = await change(parts, this.signed_in, challenge_id, code, visitor=ELSEWHERE)
    assert await find_session(parts, other.token, "") is None
    assert await find_session(parts, this.token, "") is None
    found = await find_session(parts, new.token, "")
    assert found is not None
    assert (found.session.id, new.is_remembered) == (this.signed_in.session.id, True)


async def test_without_a_fresh_confirmation_nothing_is_changed_and_no_code_burnt(
    parts: SignInParts, clock: ManualClock
) -> None:
    who = await arrive(parts)
    clock.advance(601)
    challenge_id, code = await ask_change(parts, who)
    with pytest.raises(ConfirmationRequiredError):
        await change(parts, who, challenge_id, code)
    assert await mobile_of(parts, who) == MOBILE
    confirmed = dataclasses.replace(who, session=dataclasses.replace(who.session, confirmed_at=clock.unix()))
    await change(parts, confirmed, challenge_id, code)
    assert await mobile_of(parts, who) == NEW


async def test_the_code_is_of_the_new_number_this_purpose_browser_and_session(
    make_parts: Any, clock: ManualClock
) -> None:
    parts = make_parts(send=PATIENT)
    who = await arrive(parts)
    challenge_id, code = await ask_change(parts, who)
    with pytest.raises(WrongCodeError):
        await change(parts, who, challenge_id, code, mobile="+8613912345671")
    with pytest.raises(WrongCodeError):
        await change(parts, who, challenge_id, code, visitor=ELSEWHERE)
    with pytest.raises(WrongCodeError):
        await change(parts, who, challenge_id, wrong(code))
    later = dataclasses.replace(who, session=dataclasses.replace(who.session, id="ses_other"))
    with pytest.raises(WrongCodeError):
        await change(parts, later, challenge_id, code)
    with pytest.raises(WrongCodeError):
        await enter(parts, challenge_id, code, NEW)  # nobody signs in with it
    clock.advance(61)
    for purpose in (Purpose.SIGN_IN, Purpose.CONFIRM):
        other_id, other_code = await ask(parts, NEW, purpose=purpose)
        with pytest.raises(WrongCodeError):
            await change(parts, who, other_id, other_code)
        clock.advance(61)
    assert await mobile_of(parts, who) == MOBILE
    await change(parts, who, challenge_id, code)


async def test_a_code_changes_it_once(parts: SignInParts) -> None:
    who = await arrive(parts)
    challenge_id, code = await ask_change(parts, who)
    new = await change(parts, who, challenge_id, code)
    with pytest.raises(InvalidInputError):  # it is the customer's own now
        await change(parts, new.signed_in, challenge_id, code)
    with pytest.raises(WrongCodeError):
        await change(parts, who, challenge_id, code)


async def test_the_sixth_try_does_not_count(parts: SignInParts) -> None:
    who = await arrive(parts)
    challenge_id, code = await ask_change(parts, who)
    for _ in range(5):
        with pytest.raises(WrongCodeError):
            await change(parts, who, challenge_id, wrong(code))
    with pytest.raises(WrongCodeError):
        await change(parts, who, challenge_id, code)
    assert await mobile_of(parts, who) == MOBILE


async def test_wrong_tries_count_for_the_address(parts: SignInParts) -> None:
    who = await arrive(parts)
    for _ in range(20):
        with pytest.raises(WrongCodeError):
            await change(parts, who, "chl_0", "123456")
    with pytest.raises(TooManyAttemptsError):
        await change(parts, who, "chl_0", "123456")


async def test_the_number_of_another_is_refused_only_after_the_right_code(
    any_store: Store, clock: ManualClock, sms: FakeSender
) -> None:
    parts = sign_in_parts(any_store, clock, sms)
    other = await arrive(parts, OTHER_MOBILE, ELSEWHERE)
    clock.advance(61)
    who = await arrive(parts)
    challenge_id, code = await ask_change(parts, who, OTHER_MOBILE)
    with pytest.raises(WrongCodeError) as unknown:
        await change(parts, who, challenge_id, wrong(code), OTHER_MOBILE)
    with pytest.raises(AlreadyExistsError) as taken:
        await change(parts, who, challenge_id, code, OTHER_MOBILE)
    assert other.customer.id not in str((unknown.value, taken.value))
    with pytest.raises(WrongCodeError):  # the code is used
        await change(parts, who, challenge_id, code, OTHER_MOBILE)
    assert await mobile_of(parts, who) == MOBILE
    assert await mobile_of(parts, other) == OTHER_MOBILE


async def test_whether_a_number_is_taken_is_not_looked_at_when_a_code_is_sent(parts: SignInParts) -> None:
    await arrive(parts, OTHER_MOBILE, ELSEWHERE)
    who = await arrive(parts)
    looked: list[str] = []
    write, read = parts.store.write, parts.store.read

    def watched(work: Any) -> Any:
        def inner(tx: Any) -> Any:
            find = tx.customers.by_mobile
            tx.customers.by_mobile = lambda mobile: looked.append(mobile) or find(mobile)
            try:
                return work(tx)
            finally:
                tx.customers.by_mobile = find

        return inner

    parts.store.write = lambda work: write(watched(work))  # type: ignore[method-assign]
    parts.store.read = lambda work: read(watched(work))  # type: ignore[method-assign]
    await send_change_code(parts, who, HERE, mobile=NEW)
    with pytest.raises(TooManyCodesError):
        await send_change_code(parts, who, HERE, mobile=OTHER_MOBILE)  # it had one to sign in
    assert looked == []


async def test_one_of_two_who_want_a_number_at_once_gets_it(
    any_store: Store, clock: ManualClock, sms: FakeSender
) -> None:
    parts = sign_in_parts(any_store, clock, sms)
    first, second = await arrive(parts), await arrive(parts, OTHER_MOBILE, ELSEWHERE)
    mine = await ask_change(parts, first)
    clock.advance(61)
    theirs = await ask_change(parts, second, visitor=ELSEWHERE)

    async def attempt(who: SignedIn, given: tuple[str, str], visitor: Visitor) -> str:
        try:
            await change(parts, who, *given, visitor=visitor)
        except (AlreadyExistsError, WrongCodeError) as error:
            return type(error).__name__
        return "changed"

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(attempt(first, mine, HERE)),
            group.create_task(attempt(second, theirs, ELSEWHERE)),
        ]
    assert sorted(task.result() for task in tasks) in (
        ["AlreadyExistsError", "changed"],
        ["WrongCodeError", "changed"],
    )
    found = await any_store.read(lambda tx: tx.customers.by_mobile(NEW))
    assert found is not None
    mobiles = [await mobile_of(parts, one) for one in (first, second)]
    assert mobiles.count(NEW) == 1


async def test_a_right_code_of_two_sessions_at_once_changes_it_once(
    any_store: Store, clock: ManualClock, sms: FakeSender
) -> None:
    parts = sign_in_parts(any_store, clock, sms)
    who = await arrive(parts)
    challenge_id, code = await ask_change(parts, who)

    async def attempt() -> str:
        try:
            await change(parts, who, challenge_id, code)
        except WrongCodeError:
            return "wrong"
        return "changed"

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(attempt()) for _ in range(10)]
    assert sorted(task.result() for task in tasks) == ["changed"] + ["wrong"] * 9


async def test_with_an_authenticator_what_it_shows_is_asked_for(parts: SignInParts, clock: ManualClock) -> None:
    who = await arrive(parts)
    secret, recovery = await add_authenticator(parts, who, clock)
    clock.advance(601)  # what it shows is a confirmation by itself
    challenge_id, code = await ask_change(parts, who)
    with pytest.raises(OneTimePasswordRequiredError):
        await change(parts, who, challenge_id, code)
    with pytest.raises(WrongOneTimePasswordError):
        await change(parts, who, challenge_id, code, second=SecondFactor(totp=wrong(shown(secret, clock))))
    with pytest.raises(WrongOneTimePasswordError) as error:
        await change(parts, who, challenge_id, code, second=SecondFactor(recovery_code="AAAAA-AAAAA"))
    assert error.value.param == "recovery_code"
    with pytest.raises(WrongCodeError):  # a right one-time password does not stand for the code
        await change(parts, who, challenge_id, wrong(code), second=SecondFactor(totp=shown(secret, clock)))
    assert await mobile_of(parts, who) == MOBILE
    new = await change(parts, who, challenge_id, code, second=SecondFactor(totp=shown(secret, clock)))
    assert new.signed_in.customer.mobile == NEW
    clock.advance(61)
    challenge_id, code = await ask_change(parts, new.signed_in, MOBILE)
    await change(parts, new.signed_in, challenge_id, code, MOBILE, second=SecondFactor(recovery_code=recovery[0]))
    assert await mobile_of(parts, who) == MOBILE


async def test_wrong_one_time_passwords_lock_it(parts: SignInParts, clock: ManualClock) -> None:
    who = await arrive(parts)
    secret, _ = await add_authenticator(parts, who, clock)
    challenge_id, code = await ask_change(parts, who)
    for _ in range(3):
        with pytest.raises(WrongOneTimePasswordError):
            await change(parts, who, challenge_id, code, second=SecondFactor(totp=wrong(shown(secret, clock))))
    with pytest.raises(TooManyAttemptsError):
        await change(parts, who, challenge_id, code, second=SecondFactor(totp=shown(secret, clock)))
    assert await mobile_of(parts, who) == MOBILE


async def test_a_session_that_has_ended_changes_nothing(parts: SignInParts) -> None:
    who = await arrive(parts)
    challenge_id, code = await ask_change(parts, who)
    await end_session(parts, who, who.session.id)
    with pytest.raises(NotSignedInError):
        await change(parts, who, challenge_id, code)
    assert await mobile_of(parts, who) == MOBILE


async def test_numbers_that_cannot_be_the_new_one(parts: SignInParts, sms: FakeSender) -> None:
    who = await arrive(parts)
    for mobile in ("12", MOBILE, "139 1234 5678"):
        with pytest.raises(InvalidInputError):
            await send_change_code(parts, who, HERE, mobile=mobile)
    with pytest.raises(NumberNotServedError):
        await send_change_code(parts, who, HERE, mobile="+85251234567")
    sms.failure = SmsRefusedError("no")
    with pytest.raises(NumberNotServedError):
        await send_change_code(parts, who, HERE, mobile=NEW)


async def test_a_code_that_the_vendor_makes_changes_it_too(parts: SignInParts, sms: FakeSender) -> None:
    sms.makes_codes = True
    challenge_id, code = await ask(parts)
    who = (await enter(parts, challenge_id, code)).signed_in
    challenge_id, code = await ask_change(parts, who)
    with pytest.raises(WrongCodeError):
        await change(parts, who, challenge_id, wrong(code))
    await change(parts, who, challenge_id, code)
    assert await mobile_of(parts, who) == NEW
