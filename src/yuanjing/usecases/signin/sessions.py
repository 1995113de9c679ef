"""Signing in and out, and the browsers in which a customer is signed in."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from yuanjing.domain.audit import Action, Actor, ActorKind
from yuanjing.domain.errors import AlreadyExistsError, NotFoundError
from yuanjing.domain.identity import Customer
from yuanjing.domain.signin import Factors, Purpose, Session
from yuanjing.kit.ids import sortable_id
from yuanjing.ports.store import Tx
from yuanjing.usecases.audit import record, record_failure
from yuanjing.usecases.customers import add_customer
from yuanjing.usecases.signin.codes import Claim, CodeCheck, check_code, read_mobile
from yuanjing.usecases.signin.errors import (
    CustomerDisabledError,
    NotSignedInError,
    OneTimePasswordRequiredError,
    TooManyAttemptsError,
    WrongCodeError,
    WrongOneTimePasswordError,
    WrongPasswordError,
)
from yuanjing.usecases.signin.factors import (
    SecondFactor,
    TotpVerdict,
    judge_second,
    password_failed,
    password_succeeded,
    password_wait,
    second_failed,
    second_succeeded,
    second_wait,
)
from yuanjing.usecases.signin.parts import Secret, SignedIn, SignInParts, Visitor

_TOKEN_BYTES = 32
_AGENT_LENGTH_MAX = 200
_SEEN_SECONDS = 60.0
_FAILURE_SECONDS = 0.5
"""Every failed sign-in by password is answered at least so late, whatever was looked at for it."""


class _Refused(Enum):
    """Why a try has failed; a unit of work returns it, so that what it has counted is kept."""

    CODE = auto()
    PASSWORD = auto()
    DISABLED = auto()
    TOTP_MISSING = auto()
    TOTP = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSession:
    """A customer who has just signed in, and the token for the browser's cookie."""

    signed_in: SignedIn
    token: str = field(repr=False)
    is_new_customer: bool = False
    is_remembered: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What is wanted besides being signed in.

    Attributes:
        second: a one-time password, or a recovery code.
        is_remembered: the session should last for days.
        old_token: of the session that this one replaces in the browser; empty if there is none.
    """

    second: SecondFactor = field(default_factory=SecondFactor)
    is_remembered: bool = False
    old_token: str = field(default="", repr=False)


async def sign_in_by_code(
    parts: SignInParts, visitor: Visitor, *, challenge_id: str, mobile: str, code: str, wish: Wish
) -> NewSession:
    """Sign in by a code that was sent to the number; a new number becomes a customer.

    Raises:
        InvalidInputError: not a mobile number.
        TooManyAttemptsError: the address has failed too often, or the customer's one-time passwords are locked.
        WrongCodeError, OneTimePasswordRequiredError, WrongOneTimePasswordError, CustomerDisabledError: see there.
        SmsUnavailableError: the vendor cannot be asked for its code.
    """
    number = await read_mobile(mobile)
    parts.failures.check(visitor.address_group)
    claim = Claim(challenge_id=challenge_id, mobile=number, purpose=Purpose.SIGN_IN, browser=visitor.browser, code=code)
    claim = replace(claim, address=visitor.address)
    check = await check_code(parts, claim)

    def work(tx: Tx) -> "NewSession | _Locked | _Refused":
        return _by_code(tx, parts, visitor, check, number, wish)

    try:
        result = await parts.store.write(work)
    except AlreadyExistsError:  # the number became a customer in another browser, just now
        result = await parts.store.write(work)
    return _told(parts, visitor, result, wish)


def _by_code(
    tx: Tx, parts: SignInParts, visitor: Visitor, check: CodeCheck, mobile: str, wish: Wish
) -> "NewSession | _Locked | _Refused":
    challenge = check.look(tx)
    if challenge is None:
        return _Refused.CODE
    customer = tx.customers.by_mobile(mobile)
    if customer is None:
        tx.challenges.save(challenge.ended(parts.clock.unix()))
        customer = Customer(id=sortable_id("cus"), mobile=mobile, name="", created_at=parts.clock.unix())
        owner = Actor(kind=ActorKind.CUSTOMER, id=customer.id, address=visitor.address)
        add_customer(tx, customer, parts.policy.test_grant_nanos, owner)
        return _begin(tx, parts, visitor, customer, wish, is_new=True)
    customer = _locked(tx, customer, mobile)
    if customer is None:
        return _Refused.CODE
    if customer.disabled_at is not None:
        return _failed(tx, parts, visitor, customer.id, _Refused.DISABLED)
    refused = _second(tx, parts, visitor, tx.factors.lock(customer.id), wish.second)
    if refused is not None:
        return refused
    tx.challenges.save(challenge.ended(parts.clock.unix()))
    return _begin(tx, parts, visitor, customer, wish)


async def sign_in_by_password(
    parts: SignInParts, visitor: Visitor, *, mobile: str, password: str, wish: Wish
) -> NewSession:
    """Sign in by number and password.

    An unknown number, or one without a password, costs the same work and is answered as late as a wrong password.

    Raises:
        InvalidInputError: not a mobile number.
        TooManyAttemptsError: the address has failed too often, or the customer's one-time passwords are locked.
        WrongPasswordError, OneTimePasswordRequiredError, WrongOneTimePasswordError, CustomerDisabledError: see there.
        PasswordsBusyError: too many passwords wait to be checked.
    """
    number = await read_mobile(mobile)
    parts.failures.check(visitor.address_group)
    began = parts.clock.monotonic()
    seen = await parts.store.read(lambda tx: _factors_of(tx, number))
    is_right = await parts.passwords.is_right(seen.password_hash, password)
    fresh = ""
    if is_right and parts.passwords.is_outdated(seen.password_hash):
        fresh = await parts.passwords.hash(password)

    def work(tx: Tx) -> "NewSession | _Locked | _Refused":
        return _by_password(tx, parts, visitor, number, wish, _Tried(seen, is_right=is_right, fresh_hash=fresh))

    result = await parts.store.write(work)
    if result is _Refused.PASSWORD:
        await asyncio.sleep(began + _FAILURE_SECONDS - parts.clock.monotonic())
    return _told(parts, visitor, result, wish)


@dataclass(frozen=True, slots=True)
class _Tried:
    """A password that was compared with what the store had before."""

    factors: Factors
    is_right: bool
    fresh_hash: str = ""


def _factors_of(tx: Tx, mobile: str) -> Factors:
    customer = tx.customers.by_mobile(mobile)
    return Factors(customer_id="") if customer is None else tx.factors.lock(customer.id)


def _by_password(
    tx: Tx, parts: SignInParts, visitor: Visitor, mobile: str, wish: Wish, tried: _Tried
) -> "NewSession | _Locked | _Refused":
    found = tx.customers.by_mobile(mobile)
    customer = None if found is None else _locked(tx, found, mobile)
    if customer is None:
        return _Refused.PASSWORD
    factors = tx.factors.lock(customer.id)
    if password_wait(factors, parts) > 0:
        return _Refused.PASSWORD
    if not tried.is_right or factors.password_hash != tried.factors.password_hash:
        if factors.password_hash:
            tx.factors.save(password_failed(factors, parts))
            return _failed(tx, parts, visitor, customer.id, _Refused.PASSWORD)
        return _Refused.PASSWORD
    if customer.disabled_at is not None:
        return _failed(tx, parts, visitor, customer.id, _Refused.DISABLED)
    factors = password_succeeded(factors)
    if tried.fresh_hash:
        factors = replace(factors, password_hash=tried.fresh_hash)
    refused = _second(tx, parts, visitor, factors, wish.second)
    return _begin(tx, parts, visitor, customer, wish) if refused is None else refused


def _failed(tx: Tx, parts: SignInParts, visitor: Visitor, customer_id: str, refused: _Refused) -> _Refused:
    """The refusal, which is recorded."""
    most = parts.policy.recorded_failures_max
    record_failure(tx, parts.clock.unix(), visitor.address, customer_id, refused.name.lower(), per_hour=most)
    return refused


def _locked(tx: Tx, found: Customer, mobile: str) -> Customer | None:
    """The customer, who stays as it is meanwhile; None if the number is another's, or nobody's, by now.

    Else a sign-in with the old number that is under way while it is changed would leave a session that the change
    does not see, and so does not end; likewise where the customer is disabled.
    """
    customer = tx.customers.lock(found.id)
    return customer if customer is not None and customer.mobile == mobile else None


@dataclass(frozen=True, slots=True)
class _Locked:
    """The customer's one-time passwords do not count for so long."""

    wait_seconds: float


def _second(
    tx: Tx, parts: SignInParts, visitor: Visitor, factors: Factors, second: SecondFactor
) -> "_Locked | _Refused | None":
    """What stands against it, with the try counted; None if nothing does."""
    if factors.has_totp and second_wait(factors, parts) > 0:
        return _Locked(second_wait(factors, parts))
    verdict, after = judge_second(parts, factors, second)
    if verdict is TotpVerdict.MISSING:
        return _Refused.TOTP_MISSING
    if verdict is TotpVerdict.WRONG:
        tx.factors.save(second_failed(after, parts))
        return _failed(tx, parts, visitor, factors.customer_id, _Refused.TOTP)
    if second_succeeded(after) != tx.factors.lock(factors.customer_id):
        tx.factors.save(second_succeeded(after))
    return None


def _begin(
    tx: Tx, parts: SignInParts, visitor: Visitor, customer: Customer, wish: Wish, *, is_new: bool = False
) -> NewSession:
    """A new session with a new token: one that was planted in the browser before is worth nothing."""
    policy, now = parts.policy, parts.clock.unix()
    if wish.old_token:
        old = tx.sessions.by_digest(parts.digest(Secret.SESSION, wish.old_token))
        if old is not None:
            tx.sessions.end(old.customer_id, old.id, now)
    token = new_token()
    session = Session(
        id=sortable_id("ses"),
        customer_id=customer.id,
        digest=parts.digest(Secret.SESSION, token),
        address=visitor.address,
        agent=visitor.agent[:_AGENT_LENGTH_MAX],
        created_at=now,
        seen_at=now,
        idle_seconds=policy.remembered_seconds if wish.is_remembered else policy.idle_seconds,
        ends_at=now + (policy.remembered_seconds if wish.is_remembered else policy.session_seconds),
        confirmed_at=now,
    )
    too_many = tx.sessions.list(customer.id)[policy.sessions_max - 1 :]
    for oldest in too_many:
        tx.sessions.end(customer.id, oldest.id, now)
    tx.sessions.add(session)
    signed_in = SignedIn(session=session, customer=customer, address=visitor.address)
    details = {"ended_sessions": len(too_many), "remembered": str(wish.is_remembered)}
    record(tx, now, signed_in.actor, Action.SESSION_BEGUN, session.id, customer_id=customer.id, details=details)
    return NewSession(signed_in=signed_in, token=token, is_new_customer=is_new, is_remembered=wish.is_remembered)


def _told(parts: SignInParts, visitor: Visitor, result: "NewSession | _Locked | _Refused", wish: Wish) -> NewSession:
    """The session, or the refusal as an error; what may be guessing counts for the address."""
    if isinstance(result, NewSession):
        return result
    if isinstance(result, _Locked):
        raise TooManyAttemptsError(result.wait_seconds)
    if result in (_Refused.CODE, _Refused.PASSWORD, _Refused.TOTP):
        parts.failures.add(visitor.address_group)
    raise _ERRORS[result](wish)


_ERRORS: "dict[_Refused, Callable[[Wish], Exception]]" = {
    _Refused.CODE: lambda _: WrongCodeError(),
    _Refused.PASSWORD: lambda _: WrongPasswordError(),
    _Refused.DISABLED: lambda _: CustomerDisabledError(),
    _Refused.TOTP_MISSING: lambda _: OneTimePasswordRequiredError(),
    _Refused.TOTP: lambda wish: WrongOneTimePasswordError(wish.second.param),
}


def new_token() -> str:
    """A random text of 256 bits, for a cookie."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


async def find_session(parts: SignInParts, token: str, address: str) -> SignedIn | None:
    """Who is signed in with this token; None if nobody is. Its use is noted once a minute."""
    digest, now = parts.digest(Secret.SESSION, token), parts.clock.unix()

    def look(tx: Tx) -> SignedIn | None:
        session = tx.sessions.by_digest(digest)
        if session is None or not session.is_open(now):
            return None
        customer = tx.customers.get(session.customer_id)
        if customer is None or customer.disabled_at is not None:
            return None
        return SignedIn(session=session, customer=customer, address=address)

    found = await parts.store.read(look)
    if found is not None and now >= found.session.seen_at + _SEEN_SECONDS:
        session_id = found.session.id
        await parts.store.write(lambda tx: tx.sessions.touch(session_id, now, address))
        return replace(found, session=replace(found.session, seen_at=now, address=address))
    return found


async def list_sessions(parts: SignInParts, signed_in: SignedIn) -> list[Session]:
    """The customer's sessions that still count, newest first."""
    found = await parts.store.read(lambda tx: tx.sessions.list(signed_in.customer.id))
    return [one for one in found if one.is_open(parts.clock.unix())]


async def end_session(parts: SignInParts, signed_in: SignedIn, session_id: str) -> None:
    """End one of the customer's sessions, on the server.

    Raises:
        NotFoundError: the customer has none of that id, or it has ended.
    """
    customer_id, now = signed_in.customer.id, parts.clock.unix()

    def work(tx: Tx) -> bool:
        has_ended = tx.sessions.end(customer_id, session_id, now)
        if has_ended:
            _record_ended(tx, signed_in, now, {"ended_sessions": 1, "session": session_id})
        return has_ended

    if not await parts.store.write(work):
        raise NotFoundError("There is no such session", param="session_id")


async def end_other_sessions(parts: SignInParts, signed_in: SignedIn) -> int:
    """End all of the customer's sessions but this one; how many."""
    customer_id, session_id, now = signed_in.customer.id, signed_in.session.id, parts.clock.unix()

    def work(tx: Tx) -> int:
        ended = tx.sessions.end_others(customer_id, session_id, now)
        if ended:
            _record_ended(tx, signed_in, now, {"ended_sessions": ended})
        return ended

    return await parts.store.write(work)


def _record_ended(tx: Tx, signed_in: SignedIn, at: float, details: Mapping[str, str | int]) -> None:
    customer_id = signed_in.customer.id
    record(tx, at, signed_in.actor, Action.SESSIONS_ENDED, customer_id, customer_id=customer_id, details=details)


async def rotate_session(parts: SignInParts, signed_in: SignedIn, *, is_confirmed: bool = False) -> NewSession:
    """Give the session another token; the old one does not count any more.

    Raises:
        NotSignedInError: it has ended meanwhile.
    """
    token, now = new_token(), parts.clock.unix()
    confirmed_at = now if is_confirmed else signed_in.session.confirmed_at
    digest = parts.digest(Secret.SESSION, token)

    def work(tx: Tx) -> SignedIn | None:
        tx.sessions.rotate(signed_in.session.id, digest, confirmed_at)
        after = tx.sessions.by_digest(digest)
        return None if after is None else replace(signed_in, session=after)

    after = await parts.store.write(work)
    if after is None:
        raise NotSignedInError
    is_remembered = after.session.idle_seconds >= parts.policy.remembered_seconds
    return NewSession(signed_in=after, token=token, is_remembered=is_remembered)
