"""What somebody tries who is not the customer (goals S11 and S13 as far as they are about signing in)."""

import asyncio
import base64
import copy
import dataclasses
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import altcha
import pytest
from tests.support.signin import MOBILE, OTHER_MOBILE, FakeSender, sign_in_parts
from tests.usecases_signin.steps import HERE, arrive, arrive_with_password, ask, enter, enter_by_password, wrong

from yuanjing.adapters.memory import MemoryStore
from yuanjing.domain.signin import SendPolicy
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store
from yuanjing.usecases.signin import SignInParts, totp
from yuanjing.usecases.signin.captcha import new_captcha, shown_work
from yuanjing.usecases.signin.errors import (
    CaptchaRequiredError,
    WrongCodeError,
    WrongOneTimePasswordError,
    WrongPasswordError,
)
from yuanjing.usecases.signin.factors import SecondFactor, begin_totp, confirm_totp, find_factors
from yuanjing.usecases.signin.operating import disable_customer
from yuanjing.usecases.signin.parts import Visitor
from yuanjing.usecases.signin.sessions import end_session, find_session

UNKNOWN = "+8613700000000"
FREE = SendPolicy(
    resend_seconds=0.001, per_mobile_hour=10**6, per_mobile_day=10**6, per_address_hour=10**6, captcha_after=10**6
)


class Recorded:
    """Hands a table's calls on and notes them."""

    def __init__(self, inner: Any, calls: list[str], name: str = "") -> None:
        self._inner, self._calls, self._name = inner, calls, name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not self._name:
            return Recorded(found, self._calls, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._calls.append(f"{self._name}.{name}")
            return found(*arguments, **named)

        return call


def record(store: MemoryStore) -> list[str]:
    """What is asked of the store from now on."""
    calls: list[str] = []
    write, read = store.write, store.read
    store.write = lambda work: write(lambda tx: work(Recorded(tx, calls)))  # type: ignore[method-assign, arg-type]
    store.read = lambda work: read(lambda tx: work(Recorded(tx, calls)))  # type: ignore[method-assign, arg-type]
    return calls


async def test_what_is_done_about_a_number_does_not_depend_on_who_has_it(make_parts: Any, clock: ManualClock) -> None:
    """Neither for a code nor for a wrong one: time cannot tell what nothing looks at."""
    parts = make_parts(send=FREE)
    disabled = await arrive(parts, OTHER_MOBILE)
    await disable_customer(parts.store, clock, disabled.customer.id)
    await arrive_with_password(parts)
    clock.advance(1)
    assert isinstance(parts.store, MemoryStore)
    calls = record(parts.store)
    seen = []
    for mobile in (MOBILE, OTHER_MOBILE, UNKNOWN):
        calls.clear()
        challenge_id, code = await ask(parts, mobile)
        with pytest.raises(WrongCodeError):
            await enter(parts, challenge_id, wrong(code), mobile)
        seen.append(list(calls))
        clock.advance(1)
    assert seen[0] == seen[1] == seen[2]
    assert not any(call.startswith(("customers", "factors", "sessions")) for call in seen[0])


async def test_a_wrong_password_takes_as_long_for_everybody(parts: SignInParts) -> None:
    """No sooner for who is locked, has no password, or is nobody; each waits for the same half second."""
    await arrive_with_password(parts)
    await arrive(parts, OTHER_MOBILE)

    async def seconds(mobile: str) -> float:
        began = time.perf_counter()
        with pytest.raises(WrongPasswordError):
            await enter_by_password(parts, "a wrong one", mobile)
        return time.perf_counter() - began

    for _ in range(3):
        await seconds(MOBILE)  # the third locks
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(seconds(mobile)) for mobile in (MOBILE, OTHER_MOBILE, UNKNOWN)]
    assert min(task.result() for task in tasks) >= 0.49


async def outcomes(count: int, attempt: Callable[[], Awaitable[object]], error: type[Exception]) -> int:
    """How many of so many attempts at once succeed; the others fail with this error."""

    async def one() -> bool:
        try:
            await attempt()
        except error:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one()) for _ in range(count)]
    return sum(task.result() for task in tasks)


ADDRESSES = (f"198.{number // 62_500}.{number // 250 % 250}.{number % 250 + 1}" for number in itertools.count())


def elsewhere() -> Visitor:
    """Each attempt from an address of its own: one address has a limit that would answer first."""
    return dataclasses.replace(HERE, address=next(ADDRESSES))


async def race_for_a_code(parts: SignInParts, count: int) -> int:
    challenge_id, code = await ask(parts)
    return await outcomes(count, lambda: enter(parts, challenge_id, code, visitor=elsewhere()), WrongCodeError)


async def race_for_a_recovery_code(parts: SignInParts, count: int, clock: ManualClock) -> int:
    found = await arrive_with_password(parts)
    made = await begin_totp(parts, found)
    secret = base64.b32decode(made.secret + "=" * (-len(made.secret) % 8))
    codes = await confirm_totp(parts, found, totp.one_time_password(secret, int(clock.unix() // 30)))
    second = SecondFactor(recovery_code=codes[3])

    async def attempt() -> object:
        return await enter_by_password(parts, visitor=elsewhere(), second=second)

    won = await outcomes(count, attempt, WrongOneTimePasswordError)
    assert len((await find_factors(parts, found.customer.id)).recovery_digests) == 9
    return won


async def test_a_recovery_code_counts_once_however_many_try_it_at_once(
    any_store: Store, clock: ManualClock, sms: FakeSender
) -> None:
    parts = sign_in_parts(any_store, clock, sms, failures_max=1000)
    assert await race_for_a_recovery_code(parts, 30, clock) == 1


@pytest.mark.soak
async def test_of_two_hundred_one_gets_in_a_hundred_times(
    any_store: Store, clock: ManualClock, sms: FakeSender
) -> None:
    """Goal S11, in full."""
    parts = sign_in_parts(any_store, clock, sms, send=FREE, sessions_max=1000)
    for _ in range(100):
        clock.advance(1)
        assert await race_for_a_code(parts, 200) == 1


async def test_a_small_part_of_that(any_store: Store, clock: ManualClock, sms: FakeSender) -> None:
    parts = sign_in_parts(any_store, clock, sms, send=FREE)
    for _ in range(3):
        clock.advance(1)
        assert await race_for_a_code(parts, 40) == 1


async def test_a_clock_put_back_revives_nothing(parts: SignInParts, clock: ManualClock) -> None:
    challenge_id, code = await ask(parts)
    new = await enter(parts, challenge_id, code)
    await end_session(parts, new.signed_in, new.signed_in.session.id)
    clock.jump(-3600)
    assert await find_session(parts, new.token, "") is None
    with pytest.raises(WrongCodeError):
        await enter(parts, challenge_id, code)


async def test_a_one_time_password_counts_once_though_the_clock_is_put_back(
    parts: SignInParts, clock: ManualClock
) -> None:
    found = await arrive_with_password(parts)
    made = await begin_totp(parts, found)
    secret = base64.b32decode(made.secret + "=" * (-len(made.secret) % 8))

    def shown() -> str:
        return totp.one_time_password(secret, int(clock.unix() // 30))

    await confirm_totp(parts, found, shown())
    clock.jump(60)
    later = shown()
    await enter_by_password(parts, second=SecondFactor(totp=later))
    clock.jump(-60)
    for used in (later, shown()):
        with pytest.raises(WrongOneTimePasswordError):
            await enter_by_password(parts, second=SecondFactor(totp=used))


ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 1e308, "", "x", "ä", "\ud800", [], [1], {}, {"a": 1}, {"__proto__": 1}, 2**70, "0" * 100,
    "-1", [[[[[[]]]]]], 10**9,
)  # fmt: skip


def spoiled(whole: Any) -> Iterator[Any]:
    """The payload with each of its parts replaced by each odd value, or left out."""

    def places(part: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        if isinstance(part, dict):
            for name, inner in part.items():
                yield from places(inner, (*path, name))

    yield from ODD
    for *path, last in [place for place in places(whole, ()) if place]:
        for value in (*ODD, KeyError):
            changed = copy.deepcopy(whole)
            inner = changed
            for name in path:
                inner = inner[name]
            if value is KeyError:
                del inner[last]
            else:
                inner[last] = value
            yield changed


def test_no_spoiled_work_is_an_error_of_ours_or_costs_us_time(parts: SignInParts) -> None:
    """The vendor of work is whoever calls: what it says of its own cost is not believed."""
    asked = altcha.Challenge.from_dict(dict(new_captcha(parts)))
    solution = altcha.solve_challenge(asked)
    assert solution is not None
    good = json.loads(base64.b64decode(altcha.Payload(asked, solution).to_base64()))
    work = shown_work(parts, base64.b64encode(json.dumps(good).encode()).decode())
    assert work is not None
    count, slowest = 0, 0.0
    for one in spoiled(good):
        payload = base64.b64encode(json.dumps(one).encode()).decode()
        began = time.perf_counter()
        try:
            accepted = shown_work(parts, payload)
        except CaptchaRequiredError:
            accepted = None
        slowest = max(slowest, time.perf_counter() - began)
        count += 1
        if accepted is not None:  # what is not signed, or is what is meant without it: it is the same work
            assert accepted == work
            assert one["solution"]["derivedKey"] == good["solution"]["derivedKey"]
    assert count > 200
    assert slowest < 1.0
