"""Signing in by mobile: codes that are sent, what limits them, sessions, and further factors.

The limits follow what vendors of SMS allow for one number and signature (1 a minute, 5 an hour, 10 a day), so that
ours says so first, with the time to wait.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
CODE_LENGTH = 6


class Purpose(StrEnum):
    """What a code is for; one of another purpose does not count."""

    SIGN_IN = "sign-in"
    CONFIRM = "confirm"
    """Shows that the customer is at hand, before a change of how one signs in."""
    CHANGE_MOBILE = "change-mobile"
    """Shows that a number is the customer's, who wants to sign in with it from now on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """A code on its way to a mobile number; it counts for this number, this purpose and this browser only.

    Attributes:
        browser_digest: keyed digest of the token that the browser which asked holds.
        code_digest: keyed digest of the code; None where the vendor made it, and checks it.
        receipt: the vendor's name of the message.
        address: IP address that asked for it.
        cost_nanos: what the message costs us.
        attempts: wrong codes so far.
        ended_at: it was used, given up after too many attempts, or replaced by a newer one.
    """

    id: str
    mobile: str
    purpose: Purpose
    browser_digest: bytes
    code_digest: bytes | None
    receipt: str
    address: str
    cost_nanos: int
    created_at: float
    expires_at: float
    attempts: int = 0
    ended_at: float | None = None

    def is_open(self, at: float) -> bool:
        """Whether a code may still be tried."""
        return self.ended_at is None and at < self.expires_at

    def missed(self, at: float, attempts_max: int) -> "Challenge":
        """After a wrong code; too many of them end it."""
        attempts = self.attempts + 1
        return replace(self, attempts=attempts, ended_at=at if attempts >= attempts_max else None)

    def ended(self, at: float) -> "Challenge":
        """Used, or replaced."""
        return replace(self, ended_at=at)


@dataclass(frozen=True, kw_only=True, slots=True)
class SendCounts:
    """How much was sent until now.

    Attributes:
        last_to_mobile_at: when the number got its last code; None if never within a day.
        hour_to_mobile, day_to_mobile: codes to the number within an hour and a day; the oldest times of each window
            tell when there is room again.
        hour_by_address: codes that the IP address has asked for within an hour.
        day_to_all, day_cost_nanos: of the whole platform within a day.
    """

    last_to_mobile_at: float | None = None
    hour_to_mobile: int = 0
    hour_to_mobile_since: float = 0.0
    day_to_mobile: int = 0
    day_to_mobile_since: float = 0.0
    hour_by_address: int = 0
    hour_by_address_since: float = 0.0
    day_to_all: int = 0
    day_cost_nanos: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SendPolicy:
    """How many codes may be sent; see the settings `sms_…`.

    Attributes:
        captcha_after: so many codes an hour an IP address gets without showing that it works for them.
    """

    code_seconds: float = 300.0
    attempts_max: int = 5
    resend_seconds: float = 60.0
    per_mobile_hour: int = 5
    per_mobile_day: int = 10
    per_address_hour: int = 20
    per_day: int = 5_000
    cost_per_day_nanos: int = 500 * 10**9
    captcha_after: int = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class SendRefusal:
    """Why no code is sent now, and after which time one may be."""

    reason: str
    retry_after_seconds: float


def send_refusal(policy: SendPolicy, counts: SendCounts, cost_nanos: int, now: float) -> SendRefusal | None:
    """Whether a code may be sent; `cost_nanos` is what it will cost. None if it may."""
    if counts.last_to_mobile_at is not None:
        wait = counts.last_to_mobile_at + policy.resend_seconds - now
        if wait > 0:
            return SendRefusal(reason="resend", retry_after_seconds=wait)
    windows = (
        ("mobile-hour", counts.hour_to_mobile, policy.per_mobile_hour, counts.hour_to_mobile_since + HOUR),
        ("mobile-day", counts.day_to_mobile, policy.per_mobile_day, counts.day_to_mobile_since + DAY),
        ("address", counts.hour_by_address, policy.per_address_hour, counts.hour_by_address_since + HOUR),
    )
    for reason, sent, most, free_at in windows:
        if sent >= most:
            return SendRefusal(reason=reason, retry_after_seconds=max(1.0, free_at - now))
    if counts.day_to_all >= policy.per_day or counts.day_cost_nanos + cost_nanos > policy.cost_per_day_nanos:
        return SendRefusal(reason="platform", retry_after_seconds=HOUR)
    return None


def needs_captcha(policy: SendPolicy, counts: SendCounts) -> bool:
    """Whether the caller has to show work first."""
    return counts.hour_by_address >= policy.captcha_after


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A browser in which a customer is signed in.

    Attributes:
        digest: keyed digest of the token in its cookie.
        seen_at: its last use, at most a minute old.
        idle_seconds: without use for so long it ends.
        ends_at: it ends then in any case.
        confirmed_at: when its customer last proved to be at hand: by a code, a password or a one-time password.
        ended_at: signed out, ended from another session, or replaced by a rotated one.
    """

    id: str
    customer_id: str
    digest: bytes
    address: str
    agent: str
    created_at: float
    seen_at: float
    idle_seconds: float
    ends_at: float
    confirmed_at: float
    ended_at: float | None = None

    def is_open(self, at: float) -> bool:
        """Whether it still counts."""
        return self.ended_at is None and at < self.ends_at and at < self.seen_at + self.idle_seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Factors:
    """How a customer can sign in besides a code by SMS.

    Attributes:
        password_hash: argon2id in its usual text form; empty if there is none.
        totp_secret: sealed; None if there is none. `totp_pending` is one that was not confirmed yet.
        totp_step: the last time step that was used, so that a one-time password counts once.
        recovery_digests: of the recovery codes that are left.
        failures: wrong passwords in a row; they lock passwords, until `locked_until`.
        totp_failures: wrong one-time passwords and recovery codes in a row, after a right first factor; they lock
            those, until `totp_locked_until`. Apart, or who knows only the number could lock an authenticator.
    """

    customer_id: str
    password_hash: str = ""
    totp_secret: bytes | None = None
    totp_pending: bytes | None = None
    totp_step: int = 0
    recovery_digests: tuple[bytes, ...] = ()
    failures: int = 0
    failed_at: float = 0.0
    locked_until: float = 0.0
    totp_failures: int = 0
    totp_failed_at: float = 0.0
    totp_locked_until: float = 0.0

    @property
    def totp_context(self) -> bytes:
        """What its one-time password secrets are sealed with: they open for this customer only."""
        return f"totp:{self.customer_id}".encode()

    @property
    def has_totp(self) -> bool:
        """Whether a one-time password is asked for."""
        return self.totp_secret is not None
