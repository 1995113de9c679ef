"""Reading the bodies of the console's requests: small JSON objects of which every field is known."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar, cast

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect

from yuanjing.edge.bodies import BodyTooLargeError, read_body
from yuanjing.edge.console.errors import (
    BodyTypeError,
    InvalidBodyError,
    InvalidFieldError,
    LargeBodyError,
    MissingFieldError,
    UnknownFieldError,
)
from yuanjing.edge.error_docs import Json
from yuanjing.edge.parts import Parts

AMOUNT_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"
"""CNY as a decimal string; no amount is larger than a thousand million."""
_NUL = b"\\u0000"
_NAME_LENGTH_MAX = 60


class Body(BaseModel):
    """The base of all bodies: no field more than those of the class, and no value of another type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


M = TypeVar("M", bound=Body)


def json_body(model: type[M]) -> Callable[[Request, Parts], Awaitable[M]]:
    """A dependency that reads the request's body as this model.

    What it may raise is listed in `errors.BODY_CODES`; an error names the first field that does not fit.
    """

    async def read(request: Request, parts: Parts) -> M:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise BodyTypeError
        body = await _read(request, parts.console_body_bytes_max)
        if _NUL in body:
            raise InvalidBodyError  # no database keeps such a text
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            raise _explained(error) from None  # its text would quote the input

    return read


def body_docs(model: type[Body]) -> Json:
    """The body's description, for a route's `openapi_extra`."""
    schema = {name: value for name, value in model.model_json_schema().items() if name != "description"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def api_time(at: float) -> str:
    """A time as the console's dialect writes it: RFC 3339, in UTC, to the second."""
    return datetime.fromtimestamp(int(at), UTC).isoformat().replace("+00:00", "Z")


async def _read(request: Request, bytes_max: int) -> bytes:
    try:
        return await read_body(request, bytes_max)
    except BodyTooLargeError:
        raise LargeBodyError(bytes_max) from None
    except ClientDisconnect as error:
        raise InvalidBodyError from error


def _explained(
    error: ValidationError,
) -> MissingFieldError | UnknownFieldError | InvalidFieldError | InvalidBodyError:
    first = error.errors(include_input=False, include_url=False)[0]
    places = [str(place)[:_NAME_LENGTH_MAX] for place in cast("tuple[object, ...]", first["loc"])]
    if not places:
        return InvalidBodyError()
    param = ".".join(places)
    if first["type"] == "missing":
        return MissingFieldError(param)
    if first["type"] == "extra_forbidden":
        return UnknownFieldError(param)
    return InvalidFieldError(param, first["msg"].removeprefix("Value error, "))
