"""The one place where a failure becomes an answer, in the shape of the dialect that was called.

`/llmage…` speaks the seed's dialect, `/api…` the console's, everything else OpenAI's. What `domain.dialects.ERRORS`
does not list is a bug: 500, logged, and no detail to the client.
"""

import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import PurePath
from typing import cast

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from yuanjing.domain.dialects import ERRORS, Dialect, error_body, error_headers, public_error
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.identity import AuthenticationError

MEDIA_TYPE = "application/json"
KEY_MESSAGE = "The API key is missing, unknown, expired or revoked; send Authorization: Bearer <your key>"
_INTERNAL = "internal_error"
_INTERNAL_MESSAGE = "Something went wrong on our side; tell us the x-request-id of this answer"
_FRAMES_MAX = 12
_PARAM_LENGTH_MAX = 60
_RETRY_AFTER_MAX = 60
"""SDKs do not obey a longer wait; the console, which is no SDK, is told the whole one."""
_IN_CONSOLE = {"invalid_input": "invalid_parameter", "invalid_amount": "invalid_parameter"}
"""The console's routes hand what they are given to use cases, whose words these are."""
_UNKNOWN = "extra_forbidden"
_MISSING = frozenset({"missing", "string_too_short"})
_log = structlog.stdlib.get_logger("edge")


def dialect_of(path: str) -> Dialect:
    """The dialect that is spoken at a path."""
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return {"llmage": Dialect.LLMAGE, "api": Dialect.CONSOLE}.get(first, Dialect.OPENAI)


def error_answer(
    path: str, code: str, message: str, *, param: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """A whole error answer; `code` is one of `ERRORS`. Headers of its own come before the table's."""
    return Response(
        error_body(dialect_of(path), code, message, param),
        status_code=public_error(code).status,
        media_type=MEDIA_TYPE,
        headers=dict(error_headers(code)) | dict(headers or {}),
    )


def internal_error(path: str) -> Response:
    """The answer to a bug."""
    return error_answer(path, _INTERNAL, _INTERNAL_MESSAGE)


def log_bug(error: BaseException, *, request_id: str, method: str, route: str) -> None:
    """Write where an unexpected failure comes from: types and places; its text may quote what a customer sent."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_MAX:]
    places = [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    _log.error(
        "edge.failed", request_id=request_id, method=method, route=route, error=type(error).__name__, trace=places
    )


def no_such_path(path: str) -> Response:
    """There is nothing at the path."""
    return error_answer(path, "not_found", "There is nothing at this path; see GET /openapi.json")


def install(app: FastAPI, missing_page: Callable[[Request], Response | None] = lambda _: None) -> None:
    """Make the application answer failures this way; `missing_page` is for browsers at an address of nothing."""

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        is_missing = error.status_code == HTTPStatus.NOT_FOUND
        return (missing_page(request) if is_missing else None) or _http(request, error)

    app.add_exception_handler(YuanjingError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, http)


async def _expected(request: Request, error: Exception) -> Response:
    """A failure with a code; the code says everything."""
    assert isinstance(error, YuanjingError)
    is_console = dialect_of(request.url.path) is Dialect.CONSOLE
    code = _IN_CONSOLE.get(error.code, error.code) if is_console else error.code
    if code not in ERRORS or code == _INTERNAL:
        raise error  # a bug, or a damaged row: the caller of the route logs it and answers 500
    message = KEY_MESSAGE if isinstance(error, AuthenticationError) else error.message
    wait = error.retry_after_seconds
    shown = wait if wait is None or is_console else min(wait, _RETRY_AFTER_MAX)
    headers = {} if shown is None else {"retry-after": str(math.ceil(shown))}
    return error_answer(request.url.path, code, message, param=error.param, headers=headers)


async def _invalid(request: Request, error: Exception) -> Response:
    """A query that does not fit: the first of its faults."""
    assert isinstance(error, RequestValidationError)
    first = cast("Sequence[Mapping[str, object]]", error.errors())[0]
    param = str(cast("Sequence[object]", first["loc"])[-1])[:_PARAM_LENGTH_MAX]
    if first["type"] in _MISSING:
        return error_answer(
            request.url.path, "missing_required_parameter", f"Missing required parameter: {param}", param=param
        )
    message = f"Invalid parameter: {param}"
    if first["type"] == _UNKNOWN:
        message = f"There is no such parameter here: {param}"
    elif dialect_of(request.url.path) is Dialect.CONSOLE:
        message += f": {str(first['msg']).removeprefix('Value error, ')}"
    return error_answer(request.url.path, "invalid_parameter", message, param=param)


def _http(request: Request, error: HTTPException) -> Response:
    """No such path, or a path that does not know the method."""
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _wrong_method(request, error)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return no_such_path(request.url.path)
    raise error  # our routes raise errors with codes only


def _wrong_method(request: Request, error: HTTPException) -> Response:
    methods = {name.strip() for name in (error.headers or {}).get("Allow", "").split(",")} - {""}
    if "GET" in methods:
        methods.add("HEAD")
    allow = {"allow": ", ".join(sorted(methods))}
    if request.method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=allow)
    message = f"This path does not know the method {request.method[:20]}; it knows {allow['allow']}"
    return error_answer(request.url.path, "method_not_allowed", message, headers=allow)
