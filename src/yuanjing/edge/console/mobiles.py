"""`/api/auth/mobile`: the number that the customer signs in with."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from yuanjing.domain.dialects import Dialect
from yuanjing.edge.console.auth import AuthenticatedSession, visitor_of
from yuanjing.edge.console.bodies import Body, body_docs, json_body
from yuanjing.edge.console.codes import MOBILE_LENGTH_MAX
from yuanjing.edge.console.errors import BODY_CODES, READ_CODES, WRITE_CODES
from yuanjing.edge.console.messages import operators_told
from yuanjing.edge.console.sessions import (
    CHALLENGE_PATTERN,
    CODE_PATTERN,
    RECOVERY_LENGTH_MAX,
    TOTP_PATTERN,
    CurrentSession,
    begun,
)
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import Parts
from yuanjing.usecases.signin.factors import SecondFactor
from yuanjing.usecases.signin.mobiles import change_mobile

router = APIRouter(prefix="/api", tags=["sign-in"])


class MobileBody(Body):
    """A new number, and what proves that it is the customer's."""

    mobile: str = Field(min_length=1, max_length=MOBILE_LENGTH_MAX, description="As it was given for the code.")
    challenge_id: str = Field(
        pattern=CHALLENGE_PATTERN, description="Of `POST /api/auth/codes` with `change-mobile`, in the same session."
    )
    code: str = Field(pattern=CODE_PATTERN, description="The code that has come to the new number.")
    totp: str | None = Field(
        default=None, pattern=TOTP_PATTERN, description="A one-time password, for who has an authenticator."
    )
    recovery_code: str | None = Field(
        default=None, min_length=1, max_length=RECOVERY_LENGTH_MAX, description="Instead of a one-time password."
    )


@router.put(
    "/auth/mobile",
    responses=error_responses(
        Dialect.CONSOLE,
        *BODY_CODES,
        *WRITE_CODES,
        *READ_CODES,
        "confirmation_required",
        "wrong_code",
        "one_time_password_required",
        "wrong_one_time_password",
        "too_many_attempts",
        "already_exists",
        "sms_unavailable",
    ),
    openapi_extra=body_docs(MobileBody),
)
async def put_mobile(
    request: Request,
    response: Response,
    parts: Parts,
    signed_in: AuthenticatedSession,
    body: Annotated[MobileBody, Depends(json_body(MobileBody))],
) -> CurrentSession:
    """Sign in with another number from now on; the customer's other sessions end, and this one gets a new token."""
    with operators_told():
        new = await change_mobile(
            parts.sign_in,
            signed_in,
            visitor_of(request, parts),
            mobile=body.mobile,
            challenge_id=body.challenge_id,
            code=body.code,
            second=SecondFactor(totp=body.totp, recovery_code=body.recovery_code),
        )
    return await begun(response, parts, new)
