"""`/api/auth/password`, `/api/auth/totp`, `/api/auth/recovery-codes`: how the customer signs in besides a code."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.edge.console.auth import AuthenticatedSession
from yuanjing.edge.console.bodies import Body, body_docs, json_body
from yuanjing.edge.console.errors import BODY_CODES, READ_CODES, WRITE_CODES
from yuanjing.edge.console.pictures import qr_svg
from yuanjing.edge.console.sessions import NO_CONTENT, TOTP_PATTERN
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import Parts
from yuanjing.usecases.signin import factors
from yuanjing.usecases.signin.passwords import PASSWORD_LENGTH_MAX

_CODES = (*WRITE_CODES, *READ_CODES, "confirmation_required")
router = APIRouter(prefix="/api", tags=["sign-in"])


class PasswordBody(Body):
    """A new password."""

    password: str = Field(
        min_length=1, max_length=PASSWORD_LENGTH_MAX, description="At least ten characters that nobody guesses."
    )


class TotpBody(Body):
    """What the authenticator shows."""

    totp: str = Field(pattern=TOTP_PATTERN, description="A one-time password of the secret that was begun.")


class NewTotpView(BaseModel):
    """A secret for an authenticator; shown once."""

    object: Literal["totp"]
    secret: str = Field(description="To be typed, in Base32.")
    uri: str = Field(description="The same as `otpauth://…`.")
    qr_svg: str = Field(description="The same as a QR code: an SVG element that stands by itself.")


class RecoveryCodes(BaseModel):
    """Each stands once for a one-time password; shown once."""

    object: Literal["recovery_codes"]
    recovery_codes: list[str]


@router.put(
    "/auth/password",
    status_code=NO_CONTENT,
    response_class=Response,
    responses=error_responses(Dialect.CONSOLE, *BODY_CODES, *_CODES, "weak_password", "overloaded"),
    openapi_extra=body_docs(PasswordBody),
)
async def put_password(
    parts: Parts,
    signed_in: AuthenticatedSession,
    body: Annotated[PasswordBody, Depends(json_body(PasswordBody))],
) -> None:
    """Set or change the password; the customer's other sessions end."""
    await factors.set_password(parts.sign_in, signed_in, body.password)


@router.delete(
    "/auth/password",
    status_code=NO_CONTENT,
    response_class=Response,
    responses=error_responses(Dialect.CONSOLE, *_CODES),
)
async def delete_password(parts: Parts, signed_in: AuthenticatedSession) -> None:
    """Sign in by code only; the customer's other sessions end."""
    await factors.remove_password(parts.sign_in, signed_in)


@router.post("/auth/totp", responses=error_responses(Dialect.CONSOLE, *_CODES))
async def create_totp(parts: Parts, signed_in: AuthenticatedSession) -> NewTotpView:
    """A secret for an authenticator. It counts once `PUT /api/auth/totp` has seen a password of it."""
    made = await factors.begin_totp(parts.sign_in, signed_in)
    return NewTotpView(object="totp", secret=made.secret, uri=made.uri, qr_svg=qr_svg(made.uri))


@router.put(
    "/auth/totp",
    responses=error_responses(Dialect.CONSOLE, *BODY_CODES, *_CODES, "wrong_one_time_password"),
    openapi_extra=body_docs(TotpBody),
)
async def put_totp(
    parts: Parts,
    signed_in: AuthenticatedSession,
    body: Annotated[TotpBody, Depends(json_body(TotpBody))],
) -> RecoveryCodes:
    """From now on signing in asks for a one-time password; the customer's other sessions end."""
    codes = await factors.confirm_totp(parts.sign_in, signed_in, body.totp)
    return RecoveryCodes(object="recovery_codes", recovery_codes=list(codes))


@router.delete(
    "/auth/totp", status_code=NO_CONTENT, response_class=Response, responses=error_responses(Dialect.CONSOLE, *_CODES)
)
async def delete_totp(parts: Parts, signed_in: AuthenticatedSession) -> None:
    """No one-time password is asked for any more; the recovery codes and the other sessions end."""
    await factors.remove_totp(parts.sign_in, signed_in)


@router.post("/auth/recovery-codes", responses=error_responses(Dialect.CONSOLE, *_CODES, "wrong_one_time_password"))
async def create_recovery_codes(parts: Parts, signed_in: AuthenticatedSession) -> RecoveryCodes:
    """New recovery codes instead of those that are left."""
    codes = await factors.renew_recovery_codes(parts.sign_in, signed_in)
    return RecoveryCodes(object="recovery_codes", recovery_codes=list(codes))
