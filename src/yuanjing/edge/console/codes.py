"""`/api/auth/codes`: codes by SMS, and the work that many of them need."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.signin import Challenge, Purpose
from yuanjing.edge import outbox
from yuanjing.edge.console.auth import session_or_none, visitor_of
from yuanjing.edge.console.bodies import Body, api_time, body_docs, json_body
from yuanjing.edge.console.errors import BODY_CODES, READ_CODES, WRITE_CODES, InvalidFieldError, MissingFieldError
from yuanjing.edge.console.messages import operators_told
from yuanjing.edge.error_docs import Json, error_responses
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.usecases.signin.captcha import PAYLOAD_LENGTH_MAX, new_captcha
from yuanjing.usecases.signin.codes import read_mobile, send_code
from yuanjing.usecases.signin.errors import NotSignedInError
from yuanjing.usecases.signin.mobiles import send_change_code

MOBILE_LENGTH_MAX = 30
router = APIRouter(prefix="/api", tags=["sign-in"])


class CodeBody(Body):
    """A code that is wanted."""

    purpose: Literal["sign-in", "confirm", "change-mobile"] = Field(
        default="sign-in",
        description="`sign-in`; for who is signed in also `confirm`, to show to be at hand, and `change-mobile`.",
    )
    mobile: str | None = Field(
        default=None,
        min_length=1,
        max_length=MOBILE_LENGTH_MAX,
        description="Mobile number; without a country code it is a Chinese one. To `confirm` it may be left out; to "
        "`change-mobile` it is the new one.",
    )
    captcha: str | None = Field(
        default=None,
        min_length=1,
        max_length=PAYLOAD_LENGTH_MAX,
        description="altcha's payload for a challenge of `GET /api/auth/captcha`, where one is asked for.",
    )


class SentCode(BaseModel):
    """A code on its way."""

    object: Literal["challenge"]
    challenge_id: str = Field(description="To be sent back with the code.")
    expires_at: str = Field(description="Until then the code counts.")
    resend_after_seconds: int = Field(description="After so long another one may be asked for.")
    attempts_max: int = Field(description="After so many wrong codes it does not count any more.")
    outbox: str | None = Field(description="The page that shows the code, in development, where no SMS is sent.")


class Captcha(BaseModel):
    """A challenge as altcha's widget takes it (proof of work, version 2)."""

    parameters: Json
    signature: str


@router.get("/auth/captcha", responses=error_responses(Dialect.CONSOLE))
async def get_captcha(parts: Parts) -> Captcha:
    """A challenge that takes a browser a second or two; its solution counts for one code."""
    return Captcha.model_validate(new_captcha(parts.sign_in))


@router.post(
    "/auth/codes",
    responses=error_responses(
        Dialect.CONSOLE,
        *BODY_CODES,
        *WRITE_CODES,
        *READ_CODES,
        "captcha_required",
        "number_not_served",
        "too_many_codes",
        "sms_unavailable",
    ),
    openapi_extra=body_docs(CodeBody),
)
async def create_code(
    request: Request, parts: Parts, body: Annotated[CodeBody, Depends(json_body(CodeBody))]
) -> SentCode:
    """Send a code by SMS. Whether the number has a customer changes neither the answer nor its time."""
    with operators_told():
        sent = await _send(request, parts, body)
    return SentCode(
        object="challenge",
        challenge_id=sent.id,
        expires_at=api_time(sent.expires_at),
        resend_after_seconds=int(parts.sign_in.policy.send.resend_seconds),
        attempts_max=parts.sign_in.policy.send.attempts_max,
        outbox=outbox.PATH if outbox.is_shown(request, parts) else None,
    )


async def _send(request: Request, parts: EdgeParts, body: CodeBody) -> Challenge:
    visitor, purpose = visitor_of(request, parts), Purpose(body.purpose)
    if purpose is Purpose.SIGN_IN:
        number = _given(body)
    else:
        signed_in = await session_or_none(request, parts)
        if signed_in is None:
            raise NotSignedInError
        if purpose is Purpose.CHANGE_MOBILE:
            number = _given(body)
            return await send_change_code(parts.sign_in, signed_in, visitor, mobile=number, captcha=body.captcha)
        number = signed_in.customer.mobile
        if body.mobile is not None and await read_mobile(body.mobile) != number:
            raise InvalidFieldError("mobile", "to confirm, it is your own number")
    return await send_code(parts.sign_in, visitor, mobile=number, purpose=purpose, captcha=body.captcha)


def _given(body: CodeBody) -> str:
    if body.mobile is None:
        raise MissingFieldError("mobile")
    return body.mobile
