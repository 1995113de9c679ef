"""Who calls: the session in the browser's cookie, and whether it is our own page that sends the request.

Two cookies, both out of reach of scripts: one names the browser, from its first request on, and one the session. What
changes anything must come from our own origin (`Sec-Fetch-Site`, or else `Origin`), and show in `X-CSRF-Token` what
only our own page could read from `GET /api/auth/session`. A page that only reads may show it too: then it gets
nothing of another session, such as one that was begun in another window meanwhile.
"""

import hmac
from base64 import urlsafe_b64encode
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyCookie

from yuanjing.edge.address import client_address
from yuanjing.edge.console.errors import ForgerySuspectedError
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.usecases.signin import SignedIn
from yuanjing.usecases.signin.errors import NotSignedInError
from yuanjing.usecases.signin.parts import Secret, Visitor
from yuanjing.usecases.signin.sessions import NewSession, find_session, new_token

SCHEME_NAME = "session"
TOKEN_HEADER = "x-csrf-token"  # noqa: S105  # the name of a header, no secret
_SESSION, _BROWSER = "yj_session", "yj_browser"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_TOKEN_LENGTH_MAX = 100
_scheme = APIKeyCookie(
    name=f"__Host-{_SESSION}",
    auto_error=False,
    scheme_name=SCHEME_NAME,
    description=f"The cookie that `POST /api/auth/sessions` sets; over plain HTTP in development it is `{_SESSION}`.",
)


async def refuse_forged(request: Request, parts: Parts) -> None:
    """Let a request that changes anything pass only if it comes from our own page.

    Raises:
        ForgerySuspectedError: its origin or its token is missing or another's.
    """
    if request.method in _SAFE_METHODS:
        return
    _check_origin(request, parts)
    _check_token(request, parts, session_token(request, parts) or browser_token(request, parts))


def _check_token(request: Request, parts: EdgeParts, bound_to: str) -> None:
    given = request.headers.get(TOKEN_HEADER, "").encode()
    if not bound_to or not hmac.compare_digest(given, forgery_token(parts, bound_to).encode()):
        raise ForgerySuspectedError(
            "Send the csrf_token of GET /api/auth/session as X-CSRF-Token, and its cookies", param=TOKEN_HEADER
        )


def _check_origin(request: Request, parts: EdgeParts) -> None:
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_ours = site is not None or origin is not None
    if site is not None:
        is_ours = site == "same-origin"
    if origin is not None:
        is_ours = is_ours and _is_own(origin, request, parts)
    if not is_ours:
        raise ForgerySuspectedError("Send Origin, as browsers do; it must be this platform's own", param="origin")


def _is_own(origin: str, request: Request, parts: EdgeParts) -> bool:
    """The public address, or without one the host that was called, over HTTP or HTTPS."""
    if parts.public_base_url:
        return origin == parts.public_base_url
    try:
        found = urlsplit(origin)
    except ValueError:
        return False
    host = request.headers.get("host", "")
    return bool(host) and found.scheme in ("http", "https") and origin == f"{found.scheme}://{host}"


def forgery_token(parts: EdgeParts, bound_to: str) -> str:
    """What `X-CSRF-Token` must be for this session, or for this browser where there is none."""
    return urlsafe_b64encode(parts.sign_in.digest(Secret.FORGERY, bound_to)).decode("ascii").rstrip("=")


def session_token(request: Request, parts: EdgeParts) -> str:
    """The token in the session's cookie; empty if there is none."""
    return _cookie(request, cookie_name(parts, _SESSION))


def browser_token(request: Request, parts: EdgeParts) -> str:
    """The token in the browser's cookie; empty if there is none."""
    return _cookie(request, cookie_name(parts, _BROWSER))


def cookie_name(parts: EdgeParts, name: str) -> str:
    """`__Host-` keeps a cookie to this host and to HTTPS; over plain HTTP browsers would not take it."""
    return f"__Host-{name}" if parts.secure_cookies else name


def _cookie(request: Request, name: str) -> str:
    token = request.cookies.get(name, "")
    return token if len(token) <= _TOKEN_LENGTH_MAX and token.isascii() and "\0" not in token else ""


def visitor_of(request: Request, parts: EdgeParts) -> Visitor:
    """From where the request comes."""
    return Visitor(
        browser=browser_token(request, parts),
        address=client_address(request, parts.trusted_proxies),
        agent="".join(c for c in request.headers.get("user-agent", "") if c.isprintable()),
    )


def know_browser(request: Request, response: Response, parts: EdgeParts) -> str:
    """The browser's token; one that has none gets one."""
    token = browser_token(request, parts)
    if not token:
        token = new_token()
        _set(response, parts, _BROWSER, token, None)
    return token


def keep_session(response: Response, parts: EdgeParts, new: NewSession) -> None:
    """Put the session's token into the browser's cookie, for as long as it may last if it is to be remembered."""
    lasts = int(parts.sign_in.policy.remembered_seconds) if new.is_remembered else None
    _set(response, parts, _SESSION, new.token, lasts)


def forget_session(response: Response, parts: EdgeParts) -> None:
    """Take the session's cookie away."""
    _set(response, parts, _SESSION, "", 0)


def _set(response: Response, parts: EdgeParts, name: str, value: str, max_age: int | None) -> None:
    response.set_cookie(
        cookie_name(parts, name),
        value,
        max_age=max_age,
        path="/",
        secure=parts.secure_cookies,
        httponly=True,
        samesite="lax",
    )


async def session_or_none(request: Request, parts: EdgeParts) -> SignedIn | None:
    """Who is signed in; None if nobody is."""
    token = session_token(request, parts)
    if not token:
        return None
    return await find_session(parts.sign_in, token, client_address(request, parts.trusted_proxies))


async def authenticate_session(
    request: Request, parts: Parts, _presented: Annotated[str | None, Security(_scheme)]
) -> SignedIn:
    """The customer that a request acts for.

    Raises:
        NotSignedInError: no session, or one that has ended.
        ForgerySuspectedError: it shows a token, and that of another session.
    """
    found = await session_or_none(request, parts)
    if found is None:
        raise NotSignedInError
    if TOKEN_HEADER in request.headers:
        _check_token(request, parts, session_token(request, parts))
    return found


AuthenticatedSession = Annotated[SignedIn, Depends(authenticate_session)]
