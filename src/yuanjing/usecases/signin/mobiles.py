"""Changing the number that a customer signs in with.

Who reads the messages of a number signs in, so the new one is proved by a code, and the customer shows to be at hand as
for every change of how one signs in; with an authenticator by what it shows, at the change itself.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto

from yuanjing.domain.audit import Action
from yuanjing.domain.errors import AlreadyExistsError, InvalidInputError
from yuanjing.domain.signin import Challenge, Purpose
from yuanjing.kit.mobiles import masked_mobile
from yuanjing.ports.store import Tx
from yuanjing.usecases.audit import record, record_failure
from yuanjing.usecases.signin.codes import Claim, CodeCheck, check_code, read_mobile, send_code
from yuanjing.usecases.signin.errors import (
    ConfirmationRequiredError,
    NotSignedInError,
    OneTimePasswordRequiredError,
    TooManyAttemptsError,
    WrongCodeError,
    WrongOneTimePasswordError,
)
from yuanjing.usecases.signin.factors import (
    SecondFactor,
    TotpVerdict,
    find_factors,
    judge_second,
    second_failed,
    second_succeeded,
    second_wait,
)
from yuanjing.usecases.signin.parts import Secret, SignedIn, SignInParts, Visitor
from yuanjing.usecases.signin.sessions import NewSession, new_token


class _Refused(Enum):
    """Why nothing was changed; a unit of work returns it, so that what it has counted is kept."""

    CODE = auto()
    TOTP_MISSING = auto()
    TOTP = auto()
    TAKEN = auto()
    SESSION = auto()


@dataclass(frozen=True, slots=True)
class _Locked:
    """One-time passwords do not count for so long."""

    wait_seconds: float


async def send_change_code(
    parts: SignInParts, signed_in: SignedIn, visitor: Visitor, *, mobile: str, captcha: str | None = None
) -> Challenge:
    """Send a code to the number that is to be the customer's; whether another has it is not even looked at.

    Raises:
        InvalidInputError: not a mobile number, or the customer's own.
        NumberNotServedError, CaptchaRequiredError, TooManyCodesError, SmsUnavailableError: see `send_code`.
    """
    number = await _read_new(signed_in, mobile)
    bound = replace(visitor, browser=_bound(signed_in, visitor))
    return await send_code(parts, bound, mobile=number, purpose=Purpose.CHANGE_MOBILE, captcha=captcha)


async def change_mobile(  # noqa: PLR0913  # what proves it, by name
    parts: SignInParts,
    signed_in: SignedIn,
    visitor: Visitor,
    *,
    mobile: str,
    challenge_id: str,
    code: str,
    second: SecondFactor,
) -> NewSession:
    """Change the number; other sessions end, and this one gets a new token.

    Raises:
        InvalidInputError: not a mobile number, or the customer's own.
        ConfirmationRequiredError: there is no authenticator, and the customer has not shown lately to be at hand.
        WrongCodeError: it does not count for this number, session and browser.
        OneTimePasswordRequiredError, WrongOneTimePasswordError, TooManyAttemptsError: the code was right; of the
            authenticator.
        AlreadyExistsError: all else was right; another customer has the number.
        NotSignedInError: the session has ended meanwhile.
        SmsUnavailableError: the vendor cannot be asked for its code.
    """
    number = await _read_new(signed_in, mobile)
    parts.failures.check(visitor.address_group)
    factors = await find_factors(parts, signed_in.customer.id)
    if not factors.has_totp and not signed_in.is_confirmed(parts.clock.unix(), parts.policy):
        raise ConfirmationRequiredError
    browser = _bound(signed_in, visitor)
    claim = Claim(challenge_id=challenge_id, mobile=number, purpose=Purpose.CHANGE_MOBILE, browser=browser, code=code)
    claim = replace(claim, address=visitor.address)
    check = await check_code(parts, claim)

    def work(tx: Tx) -> NewSession | _Locked | _Refused:
        return _change(tx, parts, signed_in, check, number, second)

    try:
        result = await parts.store.write(work)
    except AlreadyExistsError:  # the number became another customer's, just now
        result = await parts.store.write(work)
    return _told(parts, visitor, result, second)


async def _read_new(signed_in: SignedIn, mobile: str) -> str:
    number = await read_mobile(mobile)
    if number == signed_in.customer.mobile:
        raise InvalidInputError("mobile: it is your number already", param="mobile")
    return number


def _bound(signed_in: SignedIn, visitor: Visitor) -> str:
    """A code counts in the session that has asked for it, and not for who signs in later in the same browser."""
    return f"{visitor.browser}:{signed_in.session.id}"


def _change(
    tx: Tx, parts: SignInParts, signed_in: SignedIn, check: CodeCheck, mobile: str, second: SecondFactor
) -> NewSession | _Locked | _Refused:
    challenge, now = check.look(tx), parts.clock.unix()
    if challenge is None:
        return _Refused.CODE
    customer = tx.customers.lock(signed_in.customer.id)
    if customer is None or customer.disabled_at is not None:
        return _Refused.SESSION
    refused = _second(tx, parts, signed_in, second)
    if refused is not None:
        return refused
    tx.challenges.save(challenge.ended(now))
    other = tx.customers.by_mobile(mobile)
    if other is not None and other.id != customer.id:
        return _Refused.TAKEN
    changed = replace(customer, mobile=mobile)
    tx.customers.save(changed)
    ended = tx.sessions.end_others(customer.id, signed_in.session.id, now)
    details = {"before": masked_mobile(customer.mobile), "after": masked_mobile(mobile), "ended_sessions": ended}
    by = signed_in.actor
    record(tx, now, by, Action.MOBILE_CHANGED, customer.id, customer_id=customer.id, details=details)
    token = new_token()
    digest = parts.digest(Secret.SESSION, token)
    tx.sessions.rotate(signed_in.session.id, digest, now)
    session = tx.sessions.by_digest(digest)
    if session is None:
        raise NotSignedInError  # and nothing of it is kept
    is_remembered = session.idle_seconds >= parts.policy.remembered_seconds
    after = replace(signed_in, session=session, customer=changed)
    return NewSession(signed_in=after, token=token, is_remembered=is_remembered)


def _second(tx: Tx, parts: SignInParts, signed_in: SignedIn, second: SecondFactor) -> _Locked | _Refused | None:
    """What stands against the one-time password, with the try counted; None if nothing does."""
    customer_id = signed_in.customer.id
    factors = tx.factors.lock(customer_id)
    if not factors.has_totp:
        return None
    if second_wait(factors, parts) > 0:
        return _Locked(second_wait(factors, parts))
    verdict, after = judge_second(parts, factors, second)
    if verdict is TotpVerdict.MISSING:
        return _Refused.TOTP_MISSING
    is_right = verdict is TotpVerdict.RIGHT
    tx.factors.save(second_succeeded(after) if is_right else second_failed(after, parts))
    if is_right:
        return None
    most = parts.policy.recorded_failures_max
    record_failure(tx, parts.clock.unix(), signed_in.address, customer_id, "totp", per_hour=most)
    return _Refused.TOTP


def _told(
    parts: SignInParts, visitor: Visitor, result: NewSession | _Locked | _Refused, second: SecondFactor
) -> NewSession:
    """The session, or the refusal as an error; what may be guessing counts for the address."""
    if isinstance(result, NewSession):
        return result
    if isinstance(result, _Locked):
        raise TooManyAttemptsError(result.wait_seconds)
    if result in (_Refused.CODE, _Refused.TOTP):
        parts.failures.add(visitor.address_group)
    errors: dict[_Refused, Exception] = {
        _Refused.CODE: WrongCodeError(),
        _Refused.TOTP_MISSING: OneTimePasswordRequiredError(),
        _Refused.TOTP: WrongOneTimePasswordError(second.param),
        _Refused.TAKEN: AlreadyExistsError("Another customer has this number; sign in with it", param="mobile"),
        _Refused.SESSION: NotSignedInError(),
    }
    raise errors[result]
