"""Who calls: the API key in the `Authorization` header."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.identity import AuthenticationError, Caller
from yuanjing.edge.address import client_address
from yuanjing.edge.parts import Parts
from yuanjing.usecases.keys import authenticate

SCHEME_NAME = "api_key"
_scheme = HTTPBearer(
    auto_error=False,
    scheme_name=SCHEME_NAME,
    bearerFormat="yj_live_… or yj_test_…",
    description="An API key of the platform. A `live` key spends real money, a `test` key play money.",
)


class AddressNotAllowedError(YuanjingError):
    """The key has an IP allow-list, and the caller is not on it."""

    code = "ip_not_allowed"

    def __init__(self) -> None:
        super().__init__("This API key may not be used from this address; see its IP allow-list")


async def authenticate_caller(
    request: Request,
    parts: Parts,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_scheme)],
) -> Caller:
    """The party that a request acts for; the angle brackets of copied examples are taken off its key.

    Raises:
        AuthenticationError: no key, or one that may not be used.
        AddressNotAllowedError: the key may not be used from here.
    """
    if credentials is None:
        raise AuthenticationError
    presented = credentials.credentials.strip().removeprefix("<").removesuffix(">")
    caller = await authenticate(parts.keys, parts.clock, parts.pepper, presented)
    if not caller.key.limits.allows_address(client_address(request, parts.trusted_proxies)):
        raise AddressNotAllowedError
    return caller


AuthenticatedCaller = Annotated[Caller, Depends(authenticate_caller)]
