"""Passwords and one-time passwords of a customer who is signed in, and how a try of one is counted."""

import secrets
from dataclasses import dataclass, replace
from enum import StrEnum

from yuanjing.domain.audit import Action
from yuanjing.domain.signin import Factors
from yuanjing.kit.secretbox import SecretBoxError
from yuanjing.ports.store import Tx
from yuanjing.usecases.audit import record
from yuanjing.usecases.signin import totp
from yuanjing.usecases.signin.errors import ConfirmationRequiredError, WrongOneTimePasswordError
from yuanjing.usecases.signin.parts import Secret, SignedIn, SignInParts

RECOVERY_CODES = 10
_RECOVERY_LENGTH = 10
_RECOVERY_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without those that look alike; ten of them are 49 bits."""
_ISSUER = "Yuanjing"


class TotpVerdict(StrEnum):
    """What became of a one-time password or a recovery code."""

    RIGHT = "right"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True, slots=True)
class SecondFactor:
    """A one-time password, or one of the recovery codes instead of it."""

    totp: str | None = None
    recovery_code: str | None = None

    @property
    def param(self) -> str:
        """The field that was given."""
        return "recovery_code" if self.totp is None and self.recovery_code is not None else "totp"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTotp:
    """What an authenticator is to be given; shown once."""

    secret: str
    uri: str


def password_failed(factors: Factors, parts: SignInParts) -> Factors:
    """After a wrong password: too many within the window lock passwords, and nothing else."""
    policy, now = parts.policy, parts.clock.unix()
    is_row = now < factors.failed_at + policy.failure_window_seconds
    failures = factors.failures + 1 if is_row else 1
    if failures >= policy.failures_max:
        return replace(factors, failures=0, failed_at=now, locked_until=now + policy.lock_seconds)
    return replace(factors, failures=failures, failed_at=now)


def password_succeeded(factors: Factors) -> Factors:
    """After a right password."""
    return replace(factors, failures=0)


def password_wait(factors: Factors, parts: SignInParts) -> float:
    """Seconds until passwords count again; 0 or less if they do."""
    return factors.locked_until - parts.clock.unix()


def second_failed(factors: Factors, parts: SignInParts) -> Factors:
    """After a wrong one-time password or recovery code: too many within the window lock both.

    Only for who has shown a right first factor: who knows no more than the number must not be able to lock them.
    """
    policy, now = parts.policy, parts.clock.unix()
    is_row = now < factors.totp_failed_at + policy.failure_window_seconds
    failures = factors.totp_failures + 1 if is_row else 1
    if failures >= policy.failures_max:
        return replace(factors, totp_failures=0, totp_failed_at=now, totp_locked_until=now + policy.lock_seconds)
    return replace(factors, totp_failures=failures, totp_failed_at=now)


def second_succeeded(factors: Factors) -> Factors:
    """After a right one-time password or recovery code."""
    return replace(factors, totp_failures=0)


def second_wait(factors: Factors, parts: SignInParts) -> float:
    """Seconds until one-time passwords and recovery codes count again; 0 or less if they do."""
    return factors.totp_locked_until - parts.clock.unix()


def judge_second(parts: SignInParts, factors: Factors, second: SecondFactor) -> tuple[TotpVerdict, Factors]:
    """Whether the second factor is right, and the factors after it; one without it is never asked for it."""
    if factors.totp_secret is None:
        return TotpVerdict.RIGHT, factors
    if second.totp is not None:
        secret = _open(parts, factors.customer_id, factors.totp_secret)
        step = totp.matching_step(secret, second.totp, parts.clock.unix(), factors.totp_step)
        if step is None:
            return TotpVerdict.WRONG, factors
        return TotpVerdict.RIGHT, replace(factors, totp_step=step)
    if second.recovery_code is not None:
        given = recovery_digest(parts, factors.customer_id, second.recovery_code)
        left = tuple(one for one in factors.recovery_digests if one != given)
        if len(left) == len(factors.recovery_digests):
            return TotpVerdict.WRONG, factors
        return TotpVerdict.RIGHT, replace(factors, recovery_digests=left)
    return TotpVerdict.MISSING, factors


def recovery_digest(parts: SignInParts, customer_id: str, code: str) -> bytes:
    """Keyed digest of a recovery code as people write it: dashes, spaces and the case of letters say nothing."""
    return parts.digest(Secret.RECOVERY, customer_id, "".join(code.upper().replace("-", " ").split()))


async def find_factors(parts: SignInParts, customer_id: str) -> Factors:
    """How the customer can sign in."""
    return await parts.store.read(lambda tx: tx.factors.lock(customer_id))


async def set_password(parts: SignInParts, signed_in: SignedIn, password: str) -> None:
    """Set or change the password; other sessions end.

    Raises:
        ConfirmationRequiredError: the customer has not shown lately to be at hand.
        WeakPasswordError: it is easily guessed.
    """
    _check_confirmed(parts, signed_in)
    customer = signed_in.customer
    hints = (customer.mobile, customer.mobile.removeprefix("+86"), customer.name, _ISSUER, "元境")
    await parts.passwords.check_strength(password, hints)
    password_hash = await parts.passwords.hash(password)

    def work(tx: Tx) -> None:
        tx.factors.save(replace(tx.factors.lock(customer.id), password_hash=password_hash, failures=0))
        _record(tx, parts, signed_in, Action.PASSWORD_SET, ended=_end_others(tx, parts, signed_in))

    await parts.store.write(work)


async def remove_password(parts: SignInParts, signed_in: SignedIn) -> None:
    """Sign in by code only; other sessions end.

    Raises:
        ConfirmationRequiredError: the customer has not shown lately to be at hand.
    """
    _check_confirmed(parts, signed_in)

    def work(tx: Tx) -> None:
        tx.factors.save(replace(tx.factors.lock(signed_in.customer.id), password_hash=""))
        _record(tx, parts, signed_in, Action.PASSWORD_REMOVED, ended=_end_others(tx, parts, signed_in))

    await parts.store.write(work)


async def begin_totp(parts: SignInParts, signed_in: SignedIn) -> NewTotp:
    """A secret for an authenticator; it counts when a one-time password of it has been shown.

    Raises:
        ConfirmationRequiredError: the customer has not shown lately to be at hand.
    """
    _check_confirmed(parts, signed_in)
    customer, secret = signed_in.customer, totp.new_secret()
    sealed = parts.box.seal(secret, Factors(customer_id=customer.id).totp_context)
    await parts.store.write(lambda tx: tx.factors.save(replace(tx.factors.lock(customer.id), totp_pending=sealed)))
    uri = totp.key_uri(secret, issuer=_ISSUER, account=customer.mobile)
    return NewTotp(secret=totp.written_secret(secret), uri=uri)


async def confirm_totp(parts: SignInParts, signed_in: SignedIn, given: str) -> tuple[str, ...]:
    """Let the secret that was begun count; returns the recovery codes, the only time that anyone sees them.

    Raises:
        ConfirmationRequiredError: the customer has not shown lately to be at hand.
        WrongOneTimePasswordError: it is not of that secret, or none was begun.
    """
    _check_confirmed(parts, signed_in)
    customer_id = signed_in.customer.id
    codes = _new_recovery_codes()

    def work(tx: Tx) -> bool:
        factors = tx.factors.lock(customer_id)
        if factors.totp_pending is None:
            return False
        secret = _open(parts, customer_id, factors.totp_pending)
        step = totp.matching_step(secret, given, parts.clock.unix(), 0)
        if step is None:
            return False
        digests = tuple(recovery_digest(parts, customer_id, code) for code in codes)
        tx.factors.save(
            replace(
                factors,
                totp_secret=factors.totp_pending,
                totp_pending=None,
                totp_step=step,
                recovery_digests=digests,
                totp_failures=0,
            )
        )
        _record(tx, parts, signed_in, Action.TOTP_ADDED, ended=_end_others(tx, parts, signed_in))
        return True

    if not await parts.store.write(work):
        raise WrongOneTimePasswordError
    return codes


async def remove_totp(parts: SignInParts, signed_in: SignedIn) -> None:
    """No one-time password is asked for any more, and the recovery codes end.

    Raises:
        ConfirmationRequiredError: the customer has not shown lately to be at hand.
    """
    _check_confirmed(parts, signed_in)

    def work(tx: Tx) -> None:
        factors = tx.factors.lock(signed_in.customer.id)
        tx.factors.save(replace(factors, totp_secret=None, totp_pending=None, recovery_digests=()))
        _record(tx, parts, signed_in, Action.TOTP_REMOVED, ended=_end_others(tx, parts, signed_in))

    await parts.store.write(work)


async def renew_recovery_codes(parts: SignInParts, signed_in: SignedIn) -> tuple[str, ...]:
    """New recovery codes instead of those that are left.

    Raises:
        ConfirmationRequiredError: the customer has not shown lately to be at hand.
        WrongOneTimePasswordError: there is no authenticator that they could stand for.
    """
    _check_confirmed(parts, signed_in)
    customer_id, codes = signed_in.customer.id, _new_recovery_codes()

    def work(tx: Tx) -> bool:
        factors = tx.factors.lock(customer_id)
        if factors.totp_secret is None:
            return False
        digests = tuple(recovery_digest(parts, customer_id, code) for code in codes)
        tx.factors.save(replace(factors, recovery_digests=digests))
        _record(tx, parts, signed_in, Action.RECOVERY_CODES_RENEWED)
        return True

    if not await parts.store.write(work):
        raise WrongOneTimePasswordError
    return codes


def _check_confirmed(parts: SignInParts, signed_in: SignedIn) -> None:
    if not signed_in.is_confirmed(parts.clock.unix(), parts.policy):
        raise ConfirmationRequiredError


def _end_others(tx: Tx, parts: SignInParts, signed_in: SignedIn) -> int:
    return tx.sessions.end_others(signed_in.customer.id, signed_in.session.id, parts.clock.unix())


def _record(tx: Tx, parts: SignInParts, signed_in: SignedIn, action: Action, *, ended: int = 0) -> None:
    id_, now = signed_in.customer.id, parts.clock.unix()
    record(tx, now, signed_in.actor, action, id_, customer_id=id_, details={"ended_sessions": ended})


def _new_recovery_codes() -> tuple[str, ...]:
    def one() -> str:
        text = "".join(secrets.choice(_RECOVERY_LETTERS) for _ in range(_RECOVERY_LENGTH))
        return f"{text[:5]}-{text[5:]}"

    return tuple(one() for _ in range(RECOVERY_CODES))


def _open(parts: SignInParts, customer_id: str, sealed: bytes) -> bytes:
    """The secret. One that cannot be opened is the operator's fault, not a wrong password: it is raised as it is."""
    try:
        return parts.box.open(sealed, Factors(customer_id=customer_id).totp_context)
    except SecretBoxError as error:
        raise SecretBoxError(f"the one-time password secret of {customer_id}: {error}") from error
