"""What every published way of asking for a video shares: the key's limits, the fields, and the warnings."""

from collections.abc import Awaitable, Callable
from typing import cast

from fastapi import Request, Response

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.idempotency import REPLAYED_HEADER
from yuanjing.domain.identity import Caller
from yuanjing.domain.parameters import Fields
from yuanjing.edge.envelope import REQUEST_ID
from yuanjing.edge.forms import read_fields
from yuanjing.edge.idempotency import claim_of, name_of
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

    A request that names itself and was made before gets the task that it made then.

    Raises:
        YuanjingError: nothing was made, and nothing is held.
    """
    _count(parts, caller)
    name = name_of(request)
    async with read_fields(request, parts.forms) as fields:
        claim = None if name is None else await claim_of(request, caller, name, fields)
        first = None if claim is None else await parts.videos.first_of(claim)
        if first is not None:
            return first
        known = fields if translate is None else await translate(fields)
        request_id = cast("str", request.scope[REQUEST_ID])
        return await parts.videos.submit(caller, known, dialect=dialect, request_id=request_id, claim=claim)


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


def tell(response: Response, submitted: SubmittedVideo) -> None:
    """A header for each thing done otherwise than asked, in printable ASCII; and one if the task was made before."""
    if submitted.is_replayed:
        response.headers[REPLAYED_HEADER] = "true"
    for warning in submitted.warnings:
        text = warning.encode("ascii", "backslashreplace").decode("ascii")
        shown = "".join(c if c.isprintable() else " " for c in text[:_WARNING_LENGTH_MAX])
        response.headers.append(WARNING_HEADER, shown)
