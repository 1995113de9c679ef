"""Codes by SMS: sent within limits, checked once.

The challenge is written before the message is sent, and nothing is locked meanwhile: who dies in between has sent a
code that counts, or none.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from yuanjing.domain.audit import Action, Actor, ActorKind
from yuanjing.domain.errors import AlreadyExistsError, InvalidInputError
from yuanjing.domain.signin import CODE_LENGTH, HOUR, MINUTE, Challenge, Purpose, needs_captcha, send_refusal
from yuanjing.kit.digest import is_same_digest
from yuanjing.kit.mobiles import masked_mobile, parse_mobile
from yuanjing.ports.messages import SmsLimitedError, SmsRefusedError, SmsSender, SmsUnavailableError
from yuanjing.ports.store import Tx
from yuanjing.usecases.audit import record
from yuanjing.usecases.signin.captcha import new_challenge_id, shown_work
from yuanjing.usecases.signin.errors import CaptchaRequiredError, NumberNotServedError, TooManyCodesError
from yuanjing.usecases.signin.parts import Secret, SignInParts, Visitor


async def read_mobile(text: str) -> str:
    """A number as people write it, in E.164.

    Raises:
        InvalidInputError: it is none.
    """
    try:
        return await asyncio.to_thread(parse_mobile, text)  # its tables take a while to load, the first time
    except ValueError as error:
        raise InvalidInputError(f"mobile: {error}", param="mobile") from error


async def send_code(
    parts: SignInParts, visitor: Visitor, *, mobile: str, purpose: Purpose, captcha: str | None = None
) -> Challenge:
    """Send a code to a number; whether a customer has it is not even looked at.

    Raises:
        InvalidInputError: not a mobile number.
        NumberNotServedError: codes are not sent there.
        CaptchaRequiredError: work has to be shown first.
        TooManyCodesError: a limit is reached, of ours or the sender's.
        SmsUnavailableError: the message was not taken.
    """
    number = await read_mobile(mobile)
    _check_served(parts, number)
    sender = _sender(parts)
    now = parts.clock.unix()
    work_id = shown_work(parts, captcha)
    challenge_id = new_challenge_id(work_id)
    code = "" if sender.makes_codes else f"{secrets.randbelow(10**CODE_LENGTH):0{CODE_LENGTH}}"
    challenge = Challenge(
        id=challenge_id,
        mobile=number,
        purpose=purpose,
        browser_digest=parts.digest(Secret.BROWSER, visitor.browser),
        code_digest=_code_digest(parts, challenge_id, code) if code else None,
        receipt="",
        address=visitor.address_group,
        cost_nanos=sender.cost_nanos,
        created_at=now,
        expires_at=now + parts.policy.send.code_seconds,
    )
    await parts.store.write(lambda tx: _add(tx, parts, challenge, has_worked=work_id is not None))
    return await _deliver(parts, sender, challenge, code)


def _check_served(parts: SignInParts, number: str) -> None:
    policy = parts.policy
    if not any(number.startswith(f"+{code}") for code in policy.country_codes):
        raise NumberNotServedError
    if number.startswith(policy.blocked_prefixes):
        raise NumberNotServedError


def _sender(parts: SignInParts) -> SmsSender:
    if parts.sms is None:
        raise SmsUnavailableError("No codes can be sent now")
    return parts.sms


def _add(tx: Tx, parts: SignInParts, challenge: Challenge, *, has_worked: bool) -> None:
    policy, now = parts.policy.send, challenge.created_at
    counts = tx.challenges.counts(challenge.mobile, challenge.address, now)
    refusal = send_refusal(policy, counts, challenge.cost_nanos, now)
    if refusal is not None:
        raise TooManyCodesError(refusal.retry_after_seconds)
    if needs_captcha(policy, counts) and not has_worked:
        raise CaptchaRequiredError
    tx.challenges.end_open(challenge.mobile, challenge.purpose, now)
    try:
        tx.challenges.add(challenge)
    except AlreadyExistsError as error:  # the same work for a second code
        raise CaptchaRequiredError from error


async def _deliver(parts: SignInParts, sender: SmsSender, challenge: Challenge, code: str) -> Challenge:
    """Send, and keep the receipt; what was not taken ends, and has cost nothing where that is sure."""

    def change(how: Callable[[Challenge], Challenge]) -> Callable[[Tx], None]:
        def work(tx: Tx) -> None:
            current = tx.challenges.lock(challenge.id)
            if current is not None:
                tx.challenges.save(how(current))

        return work

    minutes = max(1, round(parts.policy.send.code_seconds / MINUTE))
    try:
        sent = await sender.send_code(challenge.mobile, code, minutes=minutes)
    except BaseException as error:  # whatever it was: the code does not count
        now = parts.clock.unix()
        cost_nanos = 0 if _was_not_taken(error) else challenge.cost_nanos
        await parts.store.write(change(lambda one: replace(one.ended(now), cost_nanos=cost_nanos)))
        if isinstance(error, SmsRefusedError):
            raise NumberNotServedError from error
        if isinstance(error, SmsLimitedError):
            raise TooManyCodesError(HOUR) from error  # vendors do not say how long
        raise
    if sent.receipt:
        await parts.store.write(change(lambda one: replace(one, receipt=sent.receipt)))
    return challenge


def _was_not_taken(error: BaseException) -> bool:
    """Whether the sender has said so; who is cancelled, or fails otherwise, may have sent the message before."""
    if isinstance(error, SmsUnavailableError):
        return not error.may_cost
    return isinstance(error, (SmsRefusedError, SmsLimitedError))


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What someone says, from an address: this code was sent to this number, for this purpose, for this browser."""

    challenge_id: str
    mobile: str
    purpose: Purpose
    browser: str
    code: str
    address: str = ""


class CodeCheck:
    """One try of a code, to be looked at within the unit of work that acts on it."""

    def __init__(self, parts: SignInParts, claim: Claim, *, vendors_word: bool | None) -> None:
        self._parts = parts
        self._claim = claim
        self._vendors_word = vendors_word

    def look(self, tx: Tx) -> Challenge | None:
        """The challenge, locked and still open, if the code is right; else None, and the try is counted.

        Who acts on it ends it. It must not fail afterwards: the count would be lost with the unit of work.
        """
        challenge, now = tx.challenges.lock(self._claim.challenge_id), self._parts.clock.unix()
        if challenge is None or not challenge.is_open(now) or not _is_of(self._parts, self._claim, challenge):
            return None
        if challenge.code_digest is None:
            if self._vendors_word is False:
                self._record(tx, now)
            return challenge if self._vendors_word else None
        given = _code_digest(self._parts, challenge.id, self._claim.code)
        if challenge.mobile == self._claim.mobile and is_same_digest(given, challenge.code_digest):
            return challenge
        tx.challenges.save(challenge.missed(now, self._parts.policy.send.attempts_max))
        self._record(tx, now)
        return None

    def _record(self, tx: Tx, at: float) -> None:
        """Record a wrong code under its number, whoever has it: nothing may look, as time would tell what was found.

        It is bounded by how many codes are sent to a number, and how often each may be tried.
        """
        visitor = Actor(kind=ActorKind.VISITOR, address=self._claim.address)
        record(tx, at, visitor, Action.SIGN_IN_FAILED, masked_mobile(self._claim.mobile), details={"proof": "code"})


async def check_code(parts: SignInParts, claim: Claim) -> CodeCheck:
    """Ask the vendor, if it is the one who knows the code; a try is counted before it is asked.

    Raises:
        SmsUnavailableError: it cannot be asked.
    """
    if parts.sms is None or not parts.sms.makes_codes:
        return CodeCheck(parts, claim, vendors_word=None)

    def reserve(tx: Tx) -> Challenge | None:
        challenge, now = tx.challenges.lock(claim.challenge_id), parts.clock.unix()
        if challenge is None or not challenge.is_open(now) or not _is_of(parts, claim, challenge):
            return None
        if challenge.code_digest is not None or challenge.mobile != claim.mobile:
            return None
        if challenge.attempts >= parts.policy.send.attempts_max:
            return None  # it is not ended: the try before this one may be the right one, and still be under way
        tx.challenges.save(replace(challenge, attempts=challenge.attempts + 1))
        return challenge

    reserved = await parts.store.write(reserve)
    if reserved is None:
        return CodeCheck(parts, claim, vendors_word=None)
    word = await parts.sms.check_code(claim.mobile, claim.code, reserved.receipt)
    return CodeCheck(parts, claim, vendors_word=word)


def _is_of(parts: SignInParts, claim: Claim, challenge: Challenge) -> bool:
    """Whether it is the browser's own challenge, for this purpose."""
    is_its = is_same_digest(challenge.browser_digest, parts.digest(Secret.BROWSER, claim.browser))
    return is_its and challenge.purpose is claim.purpose


def _code_digest(parts: SignInParts, challenge_id: str, code: str) -> bytes:
    return parts.digest(Secret.CODE, challenge_id, code)
