"""Signing in with the old number while it is changed: no session of it is left, whichever comes first."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.util import await_only
from tests.support.signin import MOBILE, FakeSender, sign_in_parts
from tests.usecases_signin.steps import HERE, PASSWORD, arrive, arrive_with_password, ask, enter, enter_by_password

from yuanjing.adapters.sql import StoreOptions, open_store
from yuanjing.domain.signin import SendPolicy
from yuanjing.kit.clock import ManualClock
from yuanjing.usecases.signin import SignInParts, sessions
from yuanjing.usecases.signin.errors import WrongCodeError, WrongPasswordError
from yuanjing.usecases.signin.factors import SecondFactor
from yuanjing.usecases.signin.mobiles import change_mobile, send_change_code
from yuanjing.usecases.signin.parts import SignedIn, Visitor
from yuanjing.usecases.signin.sessions import NewSession, find_session

NEW = "+8613912345670"
THIEF = Visitor(browser="thief", address="198.51.100.1")
PATIENCE_SECONDS = 20.0


@pytest.fixture
async def parts(postgres_url: str, clock: ManualClock, sms: FakeSender) -> Any:
    """On PostgreSQL: elsewhere one unit of work at a time writes anyway."""
    store = await open_store(postgres_url, options=StoreOptions(), clock=clock)
    yield sign_in_parts(store, clock, sms, send=SendPolicy(captcha_after=100))
    await store.close()


class Gate:
    """Where a unit of work stops until it is let go on."""

    def __init__(self) -> None:
        self.reached, self._go = asyncio.Event(), asyncio.Event()
        self.is_used = False

    def open(self) -> None:
        self._go.set()

    def before(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def stopped(*args: Any) -> Any:
            self._stop()
            return real(*args)

        return stopped

    def _stop(self) -> None:
        if not self.is_used:
            self.is_used = True
            self.reached.set()
            await_only(asyncio.wait_for(self._go.wait(), PATIENCE_SECONDS))


async def changing(parts: SignInParts, who: SignedIn) -> Callable[[], Any]:
    sms: Any = parts.sms
    sent = await send_change_code(parts, who, HERE, mobile=NEW)

    async def change() -> NewSession:
        return await change_mobile(
            parts,
            who,
            HERE,
            mobile=NEW,
            challenge_id=sent.id,
            code=sms.code(NEW),
            second=SecondFactor(),
        )

    return change


async def entering(parts: SignInParts, way: str) -> Callable[[], Any]:
    if way == "password":
        return lambda: enter_by_password(parts, PASSWORD, visitor=THIEF)
    challenge_id, code = await ask(parts, MOBILE, THIEF)
    return lambda: enter(parts, challenge_id, code, MOBILE, THIEF)


async def customer_of(parts: SignInParts, way: str, clock: ManualClock) -> SignedIn:
    who = await (arrive_with_password(parts) if way == "password" else arrive(parts))
    clock.advance(61)
    return who


@pytest.mark.parametrize("way", ["code", "password"])
async def test_a_session_begun_meanwhile_is_ended_by_the_change(
    parts: SignInParts, clock: ManualClock, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await customer_of(parts, way, clock)
    sign_in, change = await entering(parts, way), await changing(parts, who)
    gate = Gate()
    monkeypatch.setattr(sessions, "_begin", gate.before(sessions._begin))
    async with asyncio.TaskGroup() as group:
        entered = group.create_task(sign_in())
        await asyncio.wait_for(gate.reached.wait(), PATIENCE_SECONDS)
        changed = group.create_task(change())
        await asyncio.wait({changed}, timeout=1)  # it is either through by now, or waits for the sign-in
        gate.open()
    theirs, mine = entered.result(), changed.result()
    assert await find_session(parts, theirs.token, THIEF.address) is None
    assert await find_session(parts, mine.token, HERE.address) is not None


@pytest.mark.parametrize(("way", "refusal"), [("code", WrongCodeError), ("password", WrongPasswordError)])
async def test_a_number_that_was_given_up_meanwhile_is_refused(
    parts: SignInParts, clock: ManualClock, way: str, refusal: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await customer_of(parts, way, clock)
    sign_in, change = await entering(parts, way), await changing(parts, who)
    gate = Gate()
    monkeypatch.setattr(sessions, "_locked", gate.before(sessions._locked))

    async def refused() -> None:
        with pytest.raises(refusal):
            await sign_in()

    async with asyncio.TaskGroup() as group:
        group.create_task(refused())
        await asyncio.wait_for(gate.reached.wait(), PATIENCE_SECONDS)
        mine = await change()
        gate.open()
    left = await parts.store.read(lambda tx: tx.sessions.list(who.customer.id))
    assert [one.id for one in left] == [mine.signed_in.session.id]
