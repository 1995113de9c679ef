"""Time-based one-time passwords: RFC 6238 over RFC 4226, SHA-1, 30 seconds, 6 digits, as every authenticator has them.

Written here, since it is four lines of the two RFCs, and what matters, that each counts once, no library does.
"""

import base64
import hmac
import re
import secrets
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
_SECRET_BYTES = 20
_STEPS_AROUND = 1
"""A clock may be wrong by one step either way (RFC 6238, 5.2)."""
_FORM = re.compile(r"[0-9]{6}", re.ASCII)


def new_secret() -> bytes:
    """A random secret as long as SHA-1's digest, as RFC 4226 recommends."""
    return secrets.token_bytes(_SECRET_BYTES)


def one_time_password(secret: bytes, step: int) -> str:
    """The password of a time step (RFC 4226, 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    value = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{value % 10**DIGITS:0{DIGITS}}"


def matching_step(secret: bytes, given: str, at: float, last_step: int) -> int | None:
    """The time step whose password this is, later than the last one that was used; None if there is none."""
    if not _FORM.fullmatch(given):
        return None
    now = int(at // STEP_SECONDS)
    found = None
    for step in range(now - _STEPS_AROUND, now + _STEPS_AROUND + 1):
        if hmac.compare_digest(one_time_password(secret, step), given) and step > last_step:
            found = step
    return found


def written_secret(secret: bytes) -> str:
    """The secret as one types it into an authenticator."""
    return base64.b32encode(secret).decode("ascii").rstrip("=")


def key_uri(secret: bytes, *, issuer: str, account: str) -> str:
    """What authenticators read from a QR code (Google Authenticator's Key Uri Format)."""
    query = urlencode({"secret": written_secret(secret), "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(issuer)}:{quote(account)}?{query}"
