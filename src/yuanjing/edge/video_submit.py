"""What every published way of asking for a video shares: the key's limits, the fields, and the warnings."""

from collections.abc import Awaitable, Callable, Iterable
from typing import cast

from fastapi import Request, Response

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.identity import Caller
from yuanjing.domain.parameters import Fields
from yuanjing.edge.envelope import REQUEST_ID
from yuanjing.edge.forms import read_fields
from yuanjing.edge.parts import EdgeParts
from yuanjing.usecases.videos import QuotedVideo, SubmittedVideo

WARNING_HEADER = "x-warning"
_WARNING_LENGTH_MAX = 500


class TooManyRequestsError(YuanjingError):
    """The key's own limit of requests is reached."""

    code = "rate_limit_exceeded"

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(f"This API key's limit of requests is reached; try again in {wait_seconds} s")
        self.retry_after_seconds = wait_seconds


Translate = Callable[[Fields], Awaitable[Fields]]


async def submit(
    request: Request, parts: EdgeParts, caller: Caller, dialect: Dialect, translate: Translate | None = None
) -> SubmittedVideo:
    """Read the request's fields, let `translate` give them the names that offers know, and make the task.

    Raises:
        YuanjingError: nothing was made, and nothing is held.
    """
    _count(parts, caller)
    async with read_fields(request, parts.forms) as fields:
        known = fields if translate is None else await translate(fields)
        request_id = cast("str", request.scope[REQUEST_ID])
        return await parts.videos.submit(caller, known, dialect=dialect, request_id=request_id)


async def quote(request: Request, parts: EdgeParts, caller: Caller, translate: Translate) -> QuotedVideo:
    """What the same request would cost at most.

    Raises:
        YuanjingError: it would not be taken.
    """
    _count(parts, caller)
    async with read_fields(request, parts.forms) as fields:
        return await parts.videos.quote(caller, await translate(fields))


def _count(parts: EdgeParts, caller: Caller) -> None:
    wait = parts.throttle(caller.key)
    if wait:
        raise TooManyRequestsError(wait)


def warn(response: Response, warnings: Iterable[str]) -> None:
    """A header for each thing that was done otherwise than asked; what is no printable ASCII is escaped."""
    for warning in warnings:
        text = warning.encode("ascii", "backslashreplace").decode("ascii")
        shown = "".join(c if c.isprintable() else " " for c in text[:_WARNING_LENGTH_MAX])
        response.headers.append(WARNING_HEADER, shown)
