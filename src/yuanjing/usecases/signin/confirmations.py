"""Showing to be at hand, before a change of how one signs in."""

from yuanjing.domain.signin import Factors, Purpose
from yuanjing.ports.store import Tx
from yuanjing.usecases.audit import record_failure
from yuanjing.usecases.signin.codes import Claim, check_code
from yuanjing.usecases.signin.errors import (
    OneTimePasswordRequiredError,
    TooManyAttemptsError,
    WrongCodeError,
    WrongOneTimePasswordError,
    WrongPasswordError,
)
from yuanjing.usecases.signin.factors import (
    SecondFactor,
    TotpVerdict,
    find_factors,
    judge_second,
    password_failed,
    password_succeeded,
    password_wait,
    second_failed,
    second_succeeded,
    second_wait,
)
from yuanjing.usecases.signin.parts import SignedIn, SignInParts, Visitor
from yuanjing.usecases.signin.sessions import NewSession, rotate_session


async def confirm_by_code(
    parts: SignInParts, signed_in: SignedIn, visitor: Visitor, *, challenge_id: str, code: str
) -> NewSession:
    """By a code that was sent to the customer's number for this purpose.

    Raises:
        OneTimePasswordRequiredError: the customer has an authenticator, and nothing less shows it.
        WrongCodeError: it does not count.
        SmsUnavailableError: the vendor cannot be asked for its code.
    """
    await _check_weaker_is_enough(parts, signed_in)
    claim = Claim(
        challenge_id=challenge_id,
        mobile=signed_in.customer.mobile,
        purpose=Purpose.CONFIRM,
        browser=visitor.browser,
        code=code,
        address=visitor.address,
    )
    check = await check_code(parts, claim)

    def work(tx: Tx) -> bool:
        challenge = check.look(tx)
        if challenge is not None:
            tx.challenges.save(challenge.ended(parts.clock.unix()))
        return challenge is not None

    if not await parts.store.write(work):
        raise WrongCodeError
    return await rotate_session(parts, signed_in, is_confirmed=True)


async def confirm_by_password(parts: SignInParts, signed_in: SignedIn, password: str) -> NewSession:
    """By the customer's password.

    Raises:
        OneTimePasswordRequiredError: the customer has an authenticator, and nothing less shows it.
        WrongPasswordError: it is wrong, or there is none.
        TooManyAttemptsError: there were too many wrong ones.
    """
    seen = await _check_weaker_is_enough(parts, signed_in)
    is_right = await parts.passwords.is_right(seen.password_hash, password)

    def work(tx: Tx) -> bool:
        factors = tx.factors.lock(signed_in.customer.id)
        _check_lock(password_wait(factors, parts))
        is_same = is_right and factors.password_hash == seen.password_hash
        tx.factors.save(password_succeeded(factors) if is_same else password_failed(factors, parts))
        if not is_same:
            _record_failure(tx, parts, signed_in, "password")
        return is_same

    if not await parts.store.write(work):
        raise WrongPasswordError
    return await rotate_session(parts, signed_in, is_confirmed=True)


async def confirm_by_second_factor(parts: SignInParts, signed_in: SignedIn, second: SecondFactor) -> NewSession:
    """By a one-time password, or a recovery code.

    Raises:
        WrongOneTimePasswordError: it is wrong, or there is no authenticator.
        TooManyAttemptsError: there were too many wrong ones.
    """

    def work(tx: Tx) -> bool:
        factors = tx.factors.lock(signed_in.customer.id)
        _check_lock(second_wait(factors, parts))
        if not factors.has_totp:
            return False
        verdict, after = judge_second(parts, factors, second)
        is_right = verdict is TotpVerdict.RIGHT
        tx.factors.save(second_succeeded(after) if is_right else second_failed(factors, parts))
        if not is_right:
            _record_failure(tx, parts, signed_in, "totp")
        return is_right

    if not await parts.store.write(work):
        raise WrongOneTimePasswordError(second.param)
    return await rotate_session(parts, signed_in, is_confirmed=True)


async def _check_weaker_is_enough(parts: SignInParts, signed_in: SignedIn) -> Factors:
    """Else who has taken the number or the password could take the authenticator away."""
    factors = await find_factors(parts, signed_in.customer.id)
    if factors.has_totp:
        raise OneTimePasswordRequiredError
    return factors


def _record_failure(tx: Tx, parts: SignInParts, signed_in: SignedIn, proof: str) -> None:
    most = parts.policy.recorded_failures_max
    record_failure(tx, parts.clock.unix(), signed_in.address, signed_in.customer.id, proof, per_hour=most)


def _check_lock(wait: float) -> None:
    if wait > 0:
        raise TooManyAttemptsError(wait)
