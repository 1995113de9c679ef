"""Proof of work against those who have codes sent by the thousand: altcha's challenges, version 2.

A challenge is signed and not kept. Its solution counts once, since the code that is sent for it takes its id from it.
"""

import base64
import json
import secrets
from collections.abc import Mapping
from typing import cast

import altcha

from yuanjing.kit.ids import sortable_id
from yuanjing.usecases.signin.errors import CaptchaRequiredError
from yuanjing.usecases.signin.parts import Secret, SignInParts

PAYLOAD_LENGTH_MAX = 4000
_ALGORITHM = "PBKDF2/SHA-256"
_ITERATIONS = 1000
_UNTIL = "until"
_ID_BYTES = 16

Json = Mapping[str, object]


def new_captcha(parts: SignInParts) -> Json:
    """A challenge as altcha's widget takes it."""
    rounds = parts.policy.captcha_rounds
    made = altcha.create_challenge(  # pyright: ignore[reportUnknownMemberType]  # a dict without types is among its arguments
        _ALGORITHM,
        _ITERATIONS,
        counter=secrets.randbelow(rounds) + rounds // 2 + 1,
        data={_UNTIL: int(parts.clock.unix() + parts.policy.captcha_seconds)},
        hmac_secret=_secret(parts, "challenge"),
        hmac_key_secret=_secret(parts, "solution"),
    )
    return cast("Json", made.to_dict())  # pyright: ignore[reportUnknownMemberType]  # the same


def shown_work(parts: SignInParts, payload: str | None) -> str | None:
    """The id for the code that this solution is for; None if nothing was solved.

    Raises:
        CaptchaRequiredError: what is given is no solution of ours, or its time is over.
    """
    if payload is None:
        return None
    result = altcha.verify_solution(payload, _secret(parts, "challenge"), hmac_key_secret=_secret(parts, "solution"))
    if not result.verified:
        raise CaptchaRequiredError
    parameters = _parameters(payload)
    data = cast("Mapping[str, int]", parameters["data"])
    if parts.clock.unix() >= data[_UNTIL]:
        raise CaptchaRequiredError
    return f"chl_{parts.digest(Secret.CAPTCHA, str(parameters['nonce']))[:_ID_BYTES].hex()}"


def new_challenge_id(work: str | None) -> str:
    """The id of a challenge; one for which work was shown has that work's."""
    return work or sortable_id("chl")


def _secret(parts: SignInParts, purpose: str) -> bytes:
    return parts.digest(Secret.CAPTCHA, purpose, "key")


def _parameters(payload: str) -> Mapping[str, object]:
    """What was signed, of a payload that has been verified."""
    whole = json.loads(base64.b64decode(payload))
    return cast("Mapping[str, object]", whole["challenge"]["parameters"])
