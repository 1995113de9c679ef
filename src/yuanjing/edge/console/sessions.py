"""`/api/auth/session…`: signing in and out, and showing to be at hand."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.signin import Session
from yuanjing.edge.console.auth import (
    AuthenticatedSession,
    forgery_token,
    forget_session,
    keep_session,
    know_browser,
    session_or_none,
    session_token,
    visitor_of,
)
from yuanjing.edge.console.bodies import Body, api_time, body_docs, json_body
from yuanjing.edge.console.codes import MOBILE_LENGTH_MAX
from yuanjing.edge.console.errors import BODY_CODES, READ_CODES, WRITE_CODES, InvalidFieldError, MissingFieldError
from yuanjing.edge.console.messages import operators_told
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.usecases.signin import SignedIn
from yuanjing.usecases.signin.confirmations import confirm_by_code, confirm_by_password, confirm_by_second_factor
from yuanjing.usecases.signin.factors import SecondFactor, find_factors
from yuanjing.usecases.signin.passwords import PASSWORD_LENGTH_MAX
from yuanjing.usecases.signin.sessions import (
    NewSession,
    Wish,
    end_other_sessions,
    end_session,
    list_sessions,
    sign_in_by_code,
    sign_in_by_password,
)

NO_CONTENT = 204
CODE_PATTERN = r"^[0-9]{4,8}$"
TOTP_PATTERN = r"^[0-9]{6}$"
CHALLENGE_PATTERN = r"^chl_[0-9a-z]{1,40}$"
RECOVERY_LENGTH_MAX = 40
router = APIRouter(prefix="/api", tags=["sign-in"])


class _Proof(Body):
    """What may show who one is."""

    challenge_id: str | None = Field(
        default=None, pattern=CHALLENGE_PATTERN, description="Of `POST /api/auth/codes`, in the same browser."
    )
    code: str | None = Field(default=None, pattern=CODE_PATTERN, description="The code that has come by SMS.")
    password: str | None = Field(
        default=None, min_length=1, max_length=PASSWORD_LENGTH_MAX, description="Instead of a code."
    )
    totp: str | None = Field(
        default=None, pattern=TOTP_PATTERN, description="A one-time password, for who has an authenticator."
    )
    recovery_code: str | None = Field(
        default=None, min_length=1, max_length=RECOVERY_LENGTH_MAX, description="Instead of a one-time password."
    )

    @property
    def second(self) -> SecondFactor:
        """The second factor."""
        return SecondFactor(totp=self.totp, recovery_code=self.recovery_code)


class SignInBody(_Proof):
    """Who wants to sign in, with a code or a password."""

    mobile: str = Field(min_length=1, max_length=MOBILE_LENGTH_MAX, description="As it was given for the code.")
    remember: bool = Field(default=False, description="Whether to stay signed in for weeks instead of a day.")


class ConfirmationBody(_Proof):
    """One of them: a code with its challenge, the password, or for who has an authenticator what it shows."""


class CustomerView(BaseModel):
    """Who is signed in."""

    id: str
    mobile: str
    name: str
    created_at: str


class FactorsView(BaseModel):
    """How the customer can sign in besides a code."""

    password: bool
    totp: bool
    recovery_codes_left: int


class SessionView(BaseModel):
    """A browser in which the customer is signed in."""

    id: str
    is_current: bool
    address: str = Field(description="IP address of its last use.")
    agent: str = Field(description="What the browser says to be.")
    created_at: str
    seen_at: str = Field(description="Its last use, to the minute.")
    ends_at: str = Field(description="It ends then at the latest.")


class CurrentSession(BaseModel):
    """This browser's session; `customer`, `session` and `factors` are null where nobody is signed in."""

    object: Literal["session"]
    csrf_token: str = Field(description="To be sent as `X-CSRF-Token` with what changes anything.")
    confirmed_until: str | None = Field(description="Until then one may change how one signs in.")
    is_new_customer: bool = Field(description="Whether this signing in has made the customer.")
    customer: CustomerView | None
    session: SessionView | None
    factors: FactorsView | None


class SessionList(BaseModel):
    """The sessions that count, newest first."""

    object: Literal["list"]
    data: list[SessionView]


class EndedSessions(BaseModel):
    """How many sessions were ended."""

    ended: int


@router.get("/auth/session", responses=error_responses(Dialect.CONSOLE, "store_unavailable"))
async def get_session(request: Request, response: Response, parts: Parts) -> CurrentSession:
    """Who is signed in here, if anybody, and the token for what changes anything. The first call of every page."""
    browser = know_browser(request, response, parts)
    found = await session_or_none(request, parts)
    if found is not None:
        return await _current(parts, found, session_token(request, parts))
    if session_token(request, parts):
        forget_session(response, parts)
    return CurrentSession(
        object="session",
        csrf_token=forgery_token(parts, browser),
        confirmed_until=None,
        is_new_customer=False,
        customer=None,
        session=None,
        factors=None,
    )


@router.post(
    "/auth/sessions",
    responses=error_responses(
        Dialect.CONSOLE,
        *BODY_CODES,
        *WRITE_CODES,
        "wrong_code",
        "wrong_password",
        "one_time_password_required",
        "wrong_one_time_password",
        "customer_disabled",
        "too_many_attempts",
        "sms_unavailable",
        "overloaded",
    ),
    openapi_extra=body_docs(SignInBody),
)
async def create_session(
    request: Request, response: Response, parts: Parts, body: Annotated[SignInBody, Depends(json_body(SignInBody))]
) -> CurrentSession:
    """Sign in, by `challenge_id` and `code` or by `password`. A number that has no customer gets one by its code."""
    visitor, old_token = visitor_of(request, parts), session_token(request, parts)
    wish = Wish(second=body.second, is_remembered=body.remember, old_token=old_token)
    if body.password is not None:
        _refuse_both(body)
        new = await sign_in_by_password(parts.sign_in, visitor, mobile=body.mobile, password=body.password, wish=wish)
    else:
        challenge_id, code = _code_of(body)
        with operators_told():
            new = await sign_in_by_code(
                parts.sign_in, visitor, challenge_id=challenge_id, mobile=body.mobile, code=code, wish=wish
            )
    return await begun(response, parts, new)


@router.delete(
    "/auth/session",
    status_code=NO_CONTENT,
    response_class=Response,
    responses=error_responses(Dialect.CONSOLE, *WRITE_CODES, *READ_CODES),
)
async def delete_session(response: Response, parts: Parts, signed_in: AuthenticatedSession) -> None:
    """Sign out: the session ends on the server, and the cookie goes."""
    await end_session(parts.sign_in, signed_in, signed_in.session.id)
    forget_session(response, parts)


@router.get("/auth/sessions", responses=error_responses(Dialect.CONSOLE, *READ_CODES))
async def list_open_sessions(parts: Parts, signed_in: AuthenticatedSession) -> SessionList:
    """The browsers in which the customer is signed in."""
    found = await list_sessions(parts.sign_in, signed_in)
    return SessionList(object="list", data=[_view(one, signed_in) for one in found])


@router.delete("/auth/sessions", responses=error_responses(Dialect.CONSOLE, *WRITE_CODES, *READ_CODES))
async def delete_other_sessions(parts: Parts, signed_in: AuthenticatedSession) -> EndedSessions:
    """Sign out in every browser but this one."""
    return EndedSessions(ended=await end_other_sessions(parts.sign_in, signed_in))


@router.delete(
    "/auth/sessions/{session_id}",
    status_code=NO_CONTENT,
    response_class=Response,
    responses=error_responses(Dialect.CONSOLE, *WRITE_CODES, *READ_CODES, "not_found"),
)
async def delete_one_session(parts: Parts, signed_in: AuthenticatedSession, session_id: str) -> None:
    """Sign out in one browser."""
    await end_session(parts.sign_in, signed_in, session_id)


@router.post(
    "/auth/confirmations",
    responses=error_responses(
        Dialect.CONSOLE,
        *BODY_CODES,
        *WRITE_CODES,
        *READ_CODES,
        "wrong_code",
        "wrong_password",
        "one_time_password_required",
        "wrong_one_time_password",
        "too_many_attempts",
        "sms_unavailable",
        "overloaded",
    ),
    openapi_extra=body_docs(ConfirmationBody),
)
async def create_confirmation(
    request: Request,
    response: Response,
    parts: Parts,
    signed_in: AuthenticatedSession,
    body: Annotated[ConfirmationBody, Depends(json_body(ConfirmationBody))],
) -> CurrentSession:
    """Show that it is you: for some minutes you may then change how you sign in. The session gets a new token."""
    if body.totp is not None or body.recovery_code is not None:
        new = await confirm_by_second_factor(parts.sign_in, signed_in, body.second)
    elif body.password is not None:
        _refuse_both(body)
        new = await confirm_by_password(parts.sign_in, signed_in, body.password)
    else:
        challenge_id, code = _code_of(body)
        visitor = visitor_of(request, parts)
        with operators_told():
            new = await confirm_by_code(parts.sign_in, signed_in, visitor, challenge_id=challenge_id, code=code)
    return await begun(response, parts, new)


def _refuse_both(body: _Proof) -> None:
    if body.code is not None or body.challenge_id is not None:
        raise InvalidFieldError("code", "send a code or a password, not both")


def _code_of(body: _Proof) -> tuple[str, str]:
    if body.code is None:
        raise MissingFieldError("code")
    if body.challenge_id is None:
        raise MissingFieldError("challenge_id")
    return body.challenge_id, body.code


async def begun(response: Response, parts: EdgeParts, new: NewSession) -> CurrentSession:
    """The answer with a new token, in the browser's cookie and in what the page must send."""
    keep_session(response, parts, new)
    return await _current(parts, new.signed_in, new.token, is_new=new.is_new_customer)


async def _current(parts: EdgeParts, found: SignedIn, token: str, *, is_new: bool = False) -> CurrentSession:
    factors = await find_factors(parts.sign_in, found.customer.id)
    customer, until = found.customer, found.session.confirmed_at + parts.sign_in.policy.confirm_seconds
    return CurrentSession(
        object="session",
        csrf_token=forgery_token(parts, token),
        confirmed_until=api_time(until) if until > parts.clock.unix() else None,
        is_new_customer=is_new,
        customer=CustomerView(
            id=customer.id, mobile=customer.mobile, name=customer.name, created_at=api_time(customer.created_at)
        ),
        session=_view(found.session, found),
        factors=FactorsView(
            password=bool(factors.password_hash),
            totp=factors.has_totp,
            recovery_codes_left=len(factors.recovery_digests),
        ),
    )


def _view(session: Session, signed_in: SignedIn) -> SessionView:
    return SessionView(
        id=session.id,
        is_current=session.id == signed_in.session.id,
        address=session.address,
        agent=session.agent,
        created_at=api_time(session.created_at),
        seen_at=api_time(session.seen_at),
        ends_at=api_time(min(session.ends_at, session.seen_at + session.idle_seconds)),
    )
