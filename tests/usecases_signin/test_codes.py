"""Codes: who gets one, how often, and what it opens."""

import asyncio
import base64
import dataclasses
import json
from typing import Any

import altcha
import pytest
from tests.support.signin import MOBILE, OTHER_MOBILE, FakeSender, sign_in_parts
from tests.usecases_signin.steps import HERE, arrive, ask, enter, wrong

from yuanjing.domain.errors import InvalidInputError
from yuanjing.domain.money import NANOS_PER_YUAN, Book
from yuanjing.domain.signin import Purpose, SendPolicy
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.messages import SmsLimitedError, SmsRefusedError, SmsUnavailableError
from yuanjing.ports.store import Store
from yuanjing.usecases.signin import SignInParts
from yuanjing.usecases.signin.captcha import new_captcha
from yuanjing.usecases.signin.confirmations import confirm_by_code
from yuanjing.usecases.signin.errors import (
    CaptchaRequiredError,
    NumberNotServedError,
    TooManyCodesError,
    WrongCodeError,
)
from yuanjing.usecases.signin.parts import Secret, Visitor
from yuanjing.usecases.signin.pruning import prune_sign_in

FREE = SendPolicy(captcha_after=1000)


def solved(challenge: Any, **changes: Any) -> str:
    """What altcha's widget sends back."""
    found = altcha.Challenge.from_dict(dict(challenge))
    solution = altcha.solve_challenge(found)
    assert solution is not None
    payload = altcha.Payload(found, solution).to_dict()
    payload["challenge"]["parameters"] |= changes
    return base64.b64encode(json.dumps(payload).encode()).decode()


async def test_a_code_is_six_digits_and_signs_in_once(parts: SignInParts, sms: FakeSender) -> None:
    challenge_id, code = await ask(parts)
    assert len(code) == 6
    assert code.isdigit()
    new = await enter(parts, challenge_id, code)
    assert new.is_new_customer
    assert new.signed_in.customer.mobile == MOBILE
    with pytest.raises(WrongCodeError):
        await enter(parts, challenge_id, code)
    balances = await parts.store.read(lambda tx: tx.ledger.balances(Book.TEST, new.signed_in.customer.id))
    assert balances.available_nanos == 100 * NANOS_PER_YUAN
    assert len(sms.sent) == 1


async def test_who_is_known_stays_the_same_customer(parts: SignInParts, clock: ManualClock) -> None:
    first = await arrive(parts)
    clock.advance(61)
    challenge_id, code = await ask(parts, "139 1234 5678")
    second = await enter(parts, challenge_id, code, "13912345678")
    assert second.signed_in.customer == first.customer
    assert not second.is_new_customer


async def test_codes_are_kept_as_digests_only(parts: SignInParts) -> None:
    challenge_id, code = await ask(parts)
    kept = await parts.store.read(lambda tx: tx.challenges.lock(challenge_id))
    assert kept is not None
    assert code not in repr(kept)
    assert kept.code_digest is not None
    assert len(kept.code_digest) == 32
    assert kept.receipt == "r-1"
    assert kept.cost_nanos == 50_000_000


async def test_the_sixth_try_does_not_count_even_if_it_is_right(parts: SignInParts) -> None:
    challenge_id, code = await ask(parts)
    for _ in range(5):
        with pytest.raises(WrongCodeError):
            await enter(parts, challenge_id, wrong(code))
    with pytest.raises(WrongCodeError):
        await enter(parts, challenge_id, code)


async def test_the_fifth_try_counts(parts: SignInParts) -> None:
    challenge_id, code = await ask(parts)
    for _ in range(4):
        with pytest.raises(WrongCodeError):
            await enter(parts, challenge_id, wrong(code))
    assert (await enter(parts, challenge_id, code)).token


async def test_a_code_is_over_after_five_minutes(parts: SignInParts, clock: ManualClock) -> None:
    challenge_id, code = await ask(parts)
    clock.advance(299)
    wrong_one = wrong(code)
    with pytest.raises(WrongCodeError):
        await enter(parts, challenge_id, wrong_one)
    clock.advance(1)
    with pytest.raises(WrongCodeError):
        await enter(parts, challenge_id, code)


async def test_a_code_is_of_its_number(parts: SignInParts) -> None:
    """The original checked key and code, and let anybody in as anybody."""
    victim = await arrive(parts, OTHER_MOBILE)
    challenge_id, code = await ask(parts)
    for _ in range(5):
        with pytest.raises(WrongCodeError):
            await enter(parts, challenge_id, code, OTHER_MOBILE)
    with pytest.raises(WrongCodeError):  # the tries at the other number were tries
        await enter(parts, challenge_id, code)
    sessions = await parts.store.read(lambda tx: tx.sessions.list(victim.customer.id))
    assert [one.id for one in sessions] == [victim.session.id]


async def test_a_code_is_of_its_browser(parts: SignInParts) -> None:
    challenge_id, code = await ask(parts)
    other = dataclasses.replace(HERE, browser="browser-2")
    for _ in range(6):  # and nobody else can use its tries up
        with pytest.raises(WrongCodeError):
            await enter(parts, challenge_id, code, visitor=other)
    assert (await enter(parts, challenge_id, code)).token


async def test_a_code_is_of_its_purpose(parts: SignInParts, clock: ManualClock) -> None:
    found = await arrive(parts)
    clock.advance(61)
    challenge_id, code = await ask(parts, purpose=Purpose.CONFIRM)
    with pytest.raises(WrongCodeError):
        await enter(parts, challenge_id, code)
    clock.advance(61)
    challenge_id, code = await ask(parts)
    with pytest.raises(WrongCodeError):
        await confirm_by_code(parts, found, HERE, challenge_id=challenge_id, code=code)
    assert (await enter(parts, challenge_id, code)).token


async def test_a_new_code_voids_the_older_one(parts: SignInParts, clock: ManualClock) -> None:
    old_id, old_code = await ask(parts)
    clock.advance(61)
    new_id, new_code = await ask(parts)
    with pytest.raises(WrongCodeError):
        await enter(parts, old_id, old_code)
    assert (await enter(parts, new_id, new_code)).token


@pytest.mark.parametrize("given", ["", "chl_unknown", "chl_" + "0" * 26, "\0"])
async def test_an_unknown_challenge_is_a_wrong_code(parts: SignInParts, given: str) -> None:
    with pytest.raises(WrongCodeError):
        await enter(parts, given, "123456")


@pytest.mark.parametrize("given", ["", "123456", "١٢٣٤٥٦", "12345é", "\ud800"])
async def test_odd_codes_are_wrong(parts: SignInParts, given: str) -> None:
    challenge_id, code = await ask(parts)
    if given != code:
        with pytest.raises((WrongCodeError, UnicodeEncodeError)):
            await enter(parts, challenge_id, given)


async def test_fifty_checks_at_once_let_one_in(any_store: Store, clock: ManualClock, sms: FakeSender) -> None:
    parts = sign_in_parts(any_store, clock, sms)
    challenge_id, code = await ask(parts)

    async def one(number: int) -> bool:
        visitor = dataclasses.replace(HERE, address=f"192.0.2.{number}")  # or the address's own limit may answer
        try:
            await enter(parts, challenge_id, code, visitor=visitor)
        except WrongCodeError:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(50)]
    assert sum(task.result() for task in tasks) == 1
    customers = await any_store.read(lambda tx: tx.customers.list(after=None, limit=10))
    assert len(customers) == 1
    sessions = await any_store.read(lambda tx: tx.sessions.list(customers[0].id))
    assert len(sessions) == 1


async def test_fifty_wrong_tries_at_once_are_five_tries(any_store: Store, clock: ManualClock, sms: FakeSender) -> None:
    parts = sign_in_parts(any_store, clock, sms)
    challenge_id, code = await ask(parts)

    async def one(number: int) -> None:
        visitor = dataclasses.replace(HERE, address=f"192.0.2.{number}")
        with pytest.raises(WrongCodeError):
            await enter(parts, challenge_id, wrong(code), visitor=visitor)

    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(one(number))
    kept = await any_store.read(lambda tx: tx.challenges.lock(challenge_id))
    assert kept is not None
    assert kept.attempts == 5
    assert kept.ended_at is not None


async def test_twenty_requests_at_once_send_one_code(any_store: Store, clock: ManualClock, sms: FakeSender) -> None:
    parts = sign_in_parts(any_store, clock, sms)

    async def one(number: int) -> bool:
        try:
            await ask(parts, visitor=dataclasses.replace(HERE, address=f"192.0.2.{number}"))
        except TooManyCodesError:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(20)]
    assert sum(task.result() for task in tasks) == 1
    assert len(sms.sent) == 1


async def test_first_sign_ins_of_one_number_at_once_make_one_customer(
    any_store: Store, clock: ManualClock, sms: FakeSender
) -> None:
    parts = sign_in_parts(any_store, clock, sms)
    first = await ask(parts)
    sent = await parts.store.read(lambda tx: tx.challenges.lock(first[0]))
    assert sent is not None
    # a second challenge of the number, as a crash between ending the old one and its code would leave it
    second = dataclasses.replace(
        sent,
        id="chl_second",
        code_digest=parts.digest(Secret.CODE, "chl_second", "123456"),
    )
    await parts.store.write(lambda tx: tx.challenges.add(second))
    async with asyncio.TaskGroup() as group:
        one = group.create_task(enter(parts, *first))
        two = group.create_task(enter(parts, "chl_second", "123456"))
    assert one.result().signed_in.customer.id == two.result().signed_in.customer.id


async def test_within_a_minute_there_is_no_other_code(parts: SignInParts, clock: ManualClock) -> None:
    await ask(parts)
    clock.advance(20)
    with pytest.raises(TooManyCodesError) as caught:
        await ask(parts)
    assert caught.value.retry_after_seconds == 40
    clock.advance(40)
    assert await ask(parts)


async def test_the_sixth_in_an_hour_and_the_eleventh_in_a_day_are_refused(make_parts: Any, clock: ManualClock) -> None:
    parts = make_parts(send=FREE)
    for _ in range(5):
        await ask(parts)
        clock.advance(61)
    with pytest.raises(TooManyCodesError) as caught:
        await ask(parts)
    assert caught.value.retry_after_seconds == 3600 - 5 * 61
    clock.advance(3600)
    for _ in range(5):
        await ask(parts)
        clock.advance(1000)
    with pytest.raises(TooManyCodesError) as caught:
        await ask(parts)
    assert caught.value.retry_after_seconds == 86_400 - 5 * 61 - 3600 - 5 * 1000
    clock.advance(caught.value.retry_after_seconds)
    assert await ask(parts)


async def test_an_address_gets_twenty_an_hour_whatever_the_number(make_parts: Any, sms: FakeSender) -> None:
    parts = make_parts(send=FREE)
    for number in range(20):
        visitor = Visitor(browser=f"b{number}", address=f"2001:db8:0:1::{number:x}")  # one customer's network
        await ask(parts, f"+86139123456{number:02}", visitor)
    with pytest.raises(TooManyCodesError):
        await ask(parts, visitor=Visitor(browser="b", address="2001:db8:0:1:ffff::1"))
    assert await ask(parts, visitor=Visitor(browser="b", address="2001:db8:0:2::1"))
    assert len(sms.sent) == 21


async def test_the_platform_has_a_limit_of_codes_and_of_money(make_parts: Any) -> None:
    parts = make_parts(send=dataclasses.replace(FREE, per_day=1))
    await ask(parts)
    with pytest.raises(TooManyCodesError):
        await ask(parts, OTHER_MOBILE)
    parts = make_parts(send=dataclasses.replace(FREE, cost_per_day_nanos=50_000_000))
    await ask(parts)
    with pytest.raises(TooManyCodesError):
        await ask(parts, OTHER_MOBILE)


async def test_a_clock_that_is_moved_gives_no_more_codes_and_no_more_tries(make_parts: Any, clock: ManualClock) -> None:
    parts = make_parts(send=FREE)
    challenge_id, code = await ask(parts)
    clock.jump(-3600)
    with pytest.raises(TooManyCodesError):
        await ask(parts)
    for _ in range(5):
        with pytest.raises(WrongCodeError):
            await enter(parts, challenge_id, wrong(code))
    with pytest.raises(WrongCodeError):
        await enter(parts, challenge_id, code)
    clock.jump(3600 + 61)
    challenge_id, code = await ask(parts)
    clock.jump(86_400)
    with pytest.raises(WrongCodeError):
        await enter(parts, challenge_id, code)


async def test_after_three_codes_an_address_has_to_work(parts: SignInParts, sms: FakeSender) -> None:
    for number in range(3):
        await ask(parts, f"+861391234560{number}")
    with pytest.raises(CaptchaRequiredError):
        await ask(parts)
    payload = solved(new_captcha(parts))
    challenge_id, code = await ask(parts, captcha=payload)
    with pytest.raises(CaptchaRequiredError):  # work counts once
        await ask(parts, OTHER_MOBILE, captcha=payload)
    assert (await enter(parts, challenge_id, code)).token
    assert len(sms.sent) == 4


async def test_one_solution_sends_one_code_at_once_too(any_store: Store, clock: ManualClock, sms: FakeSender) -> None:
    parts = sign_in_parts(any_store, clock, sms, send=SendPolicy(captcha_after=0))
    payload = solved(new_captcha(parts))

    async def one(number: int) -> bool:
        try:
            await ask(parts, f"+86139123456{number:02}", captcha=payload)
        except CaptchaRequiredError:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(10)]
    assert sum(task.result() for task in tasks) == 1
    assert len(sms.sent) == 1


async def test_forged_and_old_work_does_not_count(make_parts: Any, clock: ManualClock, sms: FakeSender) -> None:
    parts = make_parts(send=SendPolicy(captcha_after=0))
    good = new_captcha(parts)
    forged = (
        solved(good, nonce="00" * 16),
        solved(good, data={"until": 2**40}),
        solved(good, cost=1),
        solved(altcha.create_challenge("PBKDF2/SHA-256", 1, counter=1, hmac_secret="mine").to_dict()),
        "", "nonsense", "e30=", base64.b64encode(b"[]").decode(), base64.b64encode(b"[" * 3000).decode(), "ä",
    )  # fmt: skip
    for payload in forged:
        with pytest.raises(CaptchaRequiredError):
            await ask(parts, captcha=payload)
    payload = solved(good)
    clock.advance(600)
    with pytest.raises(CaptchaRequiredError):
        await ask(parts, captcha=payload)
    assert sms.sent == []


@pytest.mark.parametrize(
    ("mobile", "error"),
    [
        ("12", InvalidInputError),
        ("010-62770000", InvalidInputError),
        ("+14155552671", NumberNotServedError),
        ("17012345678", NumberNotServedError),
    ],
    ids=["none", "fixed line", "other country", "blocked"],
)
async def test_numbers_that_get_no_codes(make_parts: Any, sms: FakeSender, mobile: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await ask(make_parts(blocked_prefixes=("+86170",)), mobile)
    assert sms.sent == []


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (SmsRefusedError("a number of another kind"), NumberNotServedError),
        (SmsLimitedError("too many"), TooManyCodesError),
        (SmsUnavailableError("no money there"), SmsUnavailableError),
    ],
    ids=["refused", "limited", "unavailable"],
)
async def test_what_was_not_sent_has_ended_and_cost_nothing(
    parts: SignInParts, sms: FakeSender, clock: ManualClock, failure: Any, error: type[BaseException]
) -> None:
    sms.failure = failure
    with pytest.raises(error):
        await ask(parts)
    counts = await parts.store.read(lambda tx: tx.challenges.counts(MOBILE, HERE.address, clock.unix()))
    assert (counts.day_to_mobile, counts.day_cost_nanos) == (1, 0)
    assert await parts.store.write(lambda tx: tx.challenges.end_open(MOBILE, Purpose.SIGN_IN, clock.unix())) == 0


@pytest.mark.parametrize(
    "failure",
    [SmsUnavailableError("no answer in time", may_cost=True), ZeroDivisionError(), asyncio.CancelledError()],
    ids=["no answer", "bug", "canceled"],
)
async def test_what_may_have_been_sent_has_ended_and_counts_as_money(
    parts: SignInParts, sms: FakeSender, clock: ManualClock, failure: Any
) -> None:
    sms.failure = failure
    with pytest.raises(type(failure)):
        await ask(parts)
    counts = await parts.store.read(lambda tx: tx.challenges.counts(MOBILE, HERE.address, clock.unix()))
    assert counts.day_cost_nanos == sms.cost_nanos
    assert await parts.store.write(lambda tx: tx.challenges.end_open(MOBILE, Purpose.SIGN_IN, clock.unix())) == 0


async def test_without_a_sender_nothing_is_written(parts: SignInParts, clock: ManualClock) -> None:
    without = dataclasses.replace(parts, sms=None)
    with pytest.raises(SmsUnavailableError):
        await ask(without)
    counts = await parts.store.read(lambda tx: tx.challenges.counts(MOBILE, HERE.address, clock.unix()))
    assert counts.day_to_all == 0


async def test_no_unit_of_work_is_open_while_a_message_is_sent(
    any_store: Store, clock: ManualClock, sms: FakeSender
) -> None:
    parts = sign_in_parts(any_store, clock, sms)
    written: list[int] = []
    send = sms.send_code

    async def send_code(mobile: str, code: str, *, minutes: int) -> Any:
        written.append(await any_store.write(lambda tx: tx.challenges.prune(0.0)))  # would wait for ever, else
        return await send(mobile, code, minutes=minutes)

    sms.send_code = send_code  # type: ignore[method-assign]
    assert await ask(parts)
    assert written == [0]


async def test_a_code_that_the_vendor_makes_signs_in_once(
    any_store: Store, clock: ManualClock, sms: FakeSender
) -> None:
    sms.makes_codes = True
    parts = sign_in_parts(any_store, clock, sms)
    challenge_id, code = await ask(parts)
    for mobile, visitor in ((OTHER_MOBILE, HERE), (MOBILE, dataclasses.replace(HERE, browser="another"))):
        with pytest.raises(WrongCodeError):
            await enter(parts, challenge_id, code, mobile, visitor)
    assert sms.checked == []  # the vendor is not asked about what is not the browser's own

    async def one(number: int) -> bool:
        visitor = dataclasses.replace(HERE, address=f"192.0.2.{number}")  # or the address's own limit may answer
        try:
            await enter(parts, challenge_id, code, visitor=visitor)
        except WrongCodeError:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(20)]
    assert sum(task.result() for task in tasks) == 1
    assert len(sms.checked) <= 5


async def test_the_vendor_is_asked_five_times_at_most(parts: SignInParts, sms: FakeSender) -> None:
    sms.makes_codes = True
    challenge_id, code = await ask(parts)
    for _ in range(5):
        with pytest.raises(WrongCodeError):
            await enter(parts, challenge_id, wrong(code))
    with pytest.raises(WrongCodeError):
        await enter(parts, challenge_id, code)
    assert sms.checked == ["r-1"] * 5


async def test_old_codes_and_sessions_are_removed_and_the_limits_keep(parts: SignInParts, clock: ManualClock) -> None:
    found = await arrive(parts)
    clock.advance(2 * 86_400 - 1)
    assert await prune_sign_in(parts.store, clock) == 0
    clock.advance(2)
    assert await prune_sign_in(parts.store, clock) == 1
    clock.advance(6 * 86_400)
    assert await prune_sign_in(parts.store, clock) == 1
    assert await parts.store.read(lambda tx: tx.sessions.list(found.customer.id)) == []
