"""What happens to how a customer signs in is recorded, once and without what opens anything."""

import base64
import json
from typing import Any

import pytest
from tests.support.audit import found_in
from tests.support.signin import MOBILE, OTHER_MOBILE, FakeSender, sign_in_parts
from tests.usecases_signin.conftest import MakeParts
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

from yuanjing.domain.audit import Action, ActorKind, AuditEvent
from yuanjing.domain.money import Book
from yuanjing.domain.signin import Purpose
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.audit import AuditFilter
from yuanjing.ports.store import Store
from yuanjing.usecases.audit import list_security_events
from yuanjing.usecases.keys import KeyTerms, change_key, create_key, revoke_own_key
from yuanjing.usecases.signin import SignInParts, totp
from yuanjing.usecases.signin.confirmations import confirm_by_password
from yuanjing.usecases.signin.errors import WrongCodeError, WrongPasswordError
from yuanjing.usecases.signin.factors import (
    SecondFactor,
    begin_totp,
    confirm_totp,
    remove_password,
    remove_totp,
    renew_recovery_codes,
)
from yuanjing.usecases.signin.mobiles import change_mobile, send_change_code
from yuanjing.usecases.signin.sessions import end_other_sessions, end_session

PER_HOUR = 4


async def _events(store: Store) -> list[AuditEvent]:
    """Oldest first: ids of one millisecond have no order, the chain has."""
    rows: list[Any] = await store.read(lambda tx: list(tx.audit.scan()))
    assert len({row.stream for row in rows}) == 1
    return [row.event for row in rows]


async def test_each_change_leaves_its_row(any_store: Store, clock: ManualClock, sms: FakeSender) -> None:
    parts = sign_in_parts(any_store, clock, sms)
    who = await arrive_with_password(parts)
    made = await begin_totp(parts, who)
    secret = base64.b32decode(made.secret)
    codes = await confirm_totp(parts, who, totp.one_time_password(secret, int(clock.unix() // 30)))
    codes += await renew_recovery_codes(parts, who)
    await remove_totp(parts, who)
    await enter_by_password(parts)
    assert await end_other_sessions(parts, who) == 1
    await remove_password(parts, who)
    clock.advance(60)
    sent = await send_change_code(parts, who, HERE, mobile=OTHER_MOBILE)
    code = sms.code(sent.mobile)
    after = await change_mobile(
        parts, who, HERE, mobile=OTHER_MOBILE, challenge_id=sent.id, code=code, second=SecondFactor()
    )
    id_, by = who.customer.id, after.signed_in.actor
    key, text = await create_key(any_store, clock, b"pepper", customer_id=id_, book=Book.TEST, by=by)
    for name in ("one", "one"):  # the second changes nothing

        def rename(terms: KeyTerms, name: str = name) -> KeyTerms:
            return KeyTerms(name=name, limits=terms.limits, expires_at=terms.expires_at)

        await change_key(any_store, clock, customer_id=id_, key_id=key.id, change=rename, by=by)
    await revoke_own_key(any_store, clock, id_, key.id, by=by)
    await revoke_own_key(any_store, clock, id_, key.id, by=by)
    await end_session(parts, after.signed_in, who.session.id)
    events = await _events(any_store)
    assert [event.action for event in events] == [
        Action.CUSTOMER_CREATED,
        Action.SESSION_BEGUN,
        Action.PASSWORD_SET,
        Action.TOTP_ADDED,
        Action.RECOVERY_CODES_RENEWED,
        Action.TOTP_REMOVED,
        Action.SESSION_BEGUN,
        Action.SESSIONS_ENDED,
        Action.PASSWORD_REMOVED,
        Action.MOBILE_CHANGED,
        Action.KEY_CREATED,
        Action.KEY_CHANGED,
        Action.KEY_REVOKED,
        Action.SESSIONS_ENDED,
    ]
    assert {event.customer_id for event in events} == {id_}
    assert {(event.actor.kind, event.actor.id) for event in events} == {(ActorKind.CUSTOMER, id_)}
    assert {event.actor.address for event in events} <= {HERE.address, ""}
    assert json.loads(events[9].details)["after"] == f"{OTHER_MOBILE[:-8]}****{OTHER_MOBILE[-4:]}"
    assert json.loads(events[11].details)["fields"] == ["name"]
    told = repr(events)
    for hidden in (MOBILE, OTHER_MOBILE, PASSWORD, made.secret, code, text, text.split("_")[3], after.token, *codes):
        assert hidden not in told
    assert (await found_in(any_store)).told == []


async def test_failures_are_recorded_and_bounded(make_parts: MakeParts, clock: ManualClock) -> None:
    parts = make_parts(recorded_failures_max=PER_HOUR)
    who = await arrive_with_password(parts)
    for _ in range(3 * PER_HOUR):
        with pytest.raises(WrongPasswordError):
            await enter_by_password(parts, "a wrong one")
        clock.advance(300)
    failed = [event for event in await _events(parts.store) if event.action is Action.SIGN_IN_FAILED]
    assert len(failed) == PER_HOUR
    assert {(event.actor.kind, event.actor.address) for event in failed} == {(ActorKind.VISITOR, HERE.address)}
    assert json.loads(failed[0].details) == {"proof": "password"}
    assert "more" in json.loads(failed[-1].details)
    assert "a wrong one" not in repr(failed)
    clock.advance(3600)
    with pytest.raises(WrongPasswordError):
        await confirm_by_password(parts, who, "a wrong one")
    assert len(await _events(parts.store)) == 3 + PER_HOUR + 1


async def test_what_locks_do_not_count_is_not_recorded(parts: SignInParts) -> None:
    await arrive_with_password(parts)
    for _ in range(10):
        with pytest.raises(WrongPasswordError):
            await enter_by_password(parts, "a wrong one")
    assert [event.action for event in await _events(parts.store)].count(Action.SIGN_IN_FAILED) == 3


async def test_a_wrong_code_is_recorded_of_anybody_and_masked(parts: SignInParts) -> None:
    challenge_id, code = await ask(parts)
    with pytest.raises(WrongCodeError):
        await enter(parts, challenge_id, wrong(code))
    with pytest.raises(WrongCodeError):
        await enter(parts, "chl_unknown", code)  # no code of ours: nothing was tried
    (event,) = await _events(parts.store)
    assert (event.action, event.customer_id, event.details) == (Action.SIGN_IN_FAILED, None, '{"proof":"code"}')
    assert event.subject == f"{MOBILE[:-8]}****{MOBILE[-4:]}"
    who = (await enter(parts, challenge_id, code)).signed_in
    challenge_id, code = await ask(parts, purpose=Purpose.SIGN_IN, mobile=OTHER_MOBILE)
    with pytest.raises(WrongCodeError):
        await enter(parts, challenge_id, wrong(code), OTHER_MOBILE)
    found = await list_security_events(parts.store, who.customer.id)
    assert {one.action for one in found} == {Action.CUSTOMER_CREATED, Action.SESSION_BEGUN}


async def test_another_customers_events_are_not_listed(parts: SignInParts) -> None:
    first, second = await arrive(parts), await arrive(parts, OTHER_MOBILE)
    for who in (first, second):
        found = await list_security_events(parts.store, who.customer.id)
        assert {one.customer_id for one in found} == {who.customer.id}
    everything = await parts.store.read(lambda tx: tx.audit.list(AuditFilter(limit=99)))
    assert len(everything) == 4
