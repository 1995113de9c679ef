"""Reading a request's fields: JSON, or a form of either kind; files are streamed to disk on the way.

A body that costs more than its length, by what is to be unpacked in it, is refused before it is unpacked.
How slow a body may be is the server's business (`request_body_bytes_per_second_min`); how large it may be is ours.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import unquote_to_bytes

import msgspec
from fastapi import Request
from starlette.requests import ClientDisconnect

from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.parameters import Fields
from yuanjing.edge.multipart import FormError, FormOptions, MultipartReader, TooLargeError, media_type_and_boundary
from yuanjing.kit.text import JSON_ITEMS_MAX, has_many_items

Values = dict[str, list[object]]
_JSON_BEGINNINGS = (b"{", b"[")
_ESCAPES_MAX = 1_000_000
"""So many `%41` a form of text may have: 32 MB of Base64 need fewer, and each costs half a microsecond."""
_PIECE_BYTES = 128 * 1024
"""A form of text is unpacked in pieces of this size, which bounds the memory; a larger one in a thread."""


class InvalidJsonError(YuanjingError):
    """The body is no JSON object."""

    code = "invalid_json"


class UnsupportedMediaTypeError(YuanjingError):
    """The body is of a type that we do not read."""

    code = "unsupported_media_type"

    def __init__(self, media_type: str) -> None:
        super().__init__(
            f"The content type {media_type[:60]!r} is not read here; send application/json, multipart/form-data "
            "or application/x-www-form-urlencoded"
        )


@asynccontextmanager
async def read_fields(request: Request, options: FormOptions) -> AsyncGenerator[Fields]:
    """The fields by name, each with its values in order: texts, JSON values, or files, which are gone at the end.

    A name that ends in `[]` is the name without it, and the items of a JSON list are the values of its field.

    Raises:
        FormError: it is broken.
        TooLargeError: it is larger than allowed; the message names the limit.
        InvalidJsonError: it should be JSON, and is not.
        UnsupportedMediaTypeError: it is something else.
        StorageFullError: there is no room for its files.
    """
    media_type, boundary = media_type_and_boundary(request.headers.get("content-type", ""))
    is_form = media_type == "multipart/form-data"
    bytes_max = options.request_bytes_max if is_form else options.text_bytes_max
    size = _content_length(request)
    if size > bytes_max:
        raise TooLargeError("The request", f"{bytes_max} bytes")
    try:
        if not is_form:
            yield await _without_files(media_type, await _whole_body(request, bytes_max), options)
            return
        await options.scratch.check_room(size)
        with MultipartReader(options, boundary) as reader:
            async for chunk in request.stream():
                await reader.feed(chunk)
            yield reader.finish()
    except ClientDisconnect as error:
        raise FormError("The request ended before its body was complete") from error


def _content_length(request: Request) -> int:
    """What the request says about its body; 0 if nothing, and then its bytes are counted as they come."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


async def _whole_body(request: Request, bytes_max: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise TooLargeError("The request", f"{bytes_max} bytes")
    return bytes(body)


async def _without_files(media_type: str, body: bytes, options: FormOptions) -> Fields:
    """Fields of a body in memory; JSON is recognised where the type says nothing, or says form, as curl does."""
    if not body.strip():
        return {}
    if media_type == "application/json" or media_type.endswith("+json"):
        return _from_json(body)
    if media_type in {"", "application/x-www-form-urlencoded"}:
        if body.lstrip().startswith(_JSON_BEGINNINGS):
            return _from_json(body)
        _check_text(body, options)
        return _from_text(body) if len(body) <= _PIECE_BYTES else await asyncio.to_thread(_from_text, body)
    raise UnsupportedMediaTypeError(media_type)


def _from_json(body: bytes) -> Fields:
    if has_many_items(body):
        raise TooLargeError("The request", f"{JSON_ITEMS_MAX} lists, objects and items")
    try:
        found: object = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise InvalidJsonError(f"The request body is no JSON: {str(error)[:100]}") from error
    if not isinstance(found, dict):
        raise InvalidJsonError("The request body must be a JSON object")
    values: Values = {}
    for name, value in cast("dict[str, object]", found).items():
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        values.setdefault(name.removesuffix("[]"), []).extend(items)
    return values


def _check_text(body: bytes, options: FormOptions) -> None:
    if body.count(b"&") >= options.parts_max:
        raise TooLargeError("The form", f"{options.parts_max} fields")
    if body.count(b"%") > _ESCAPES_MAX:
        raise TooLargeError("The form", f"{_ESCAPES_MAX} escaped bytes")


def _from_text(body: bytes) -> Fields:
    values: Values = {}
    for pair in filter(None, body.split(b"&")):
        name, _, value = pair.partition(b"=")
        values.setdefault(_unescaped(name).removesuffix("[]"), []).append(_unescaped(value))
    return values


def _unescaped(text: bytes) -> str:
    made, start = bytearray(), 0
    while start < len(text):
        end = start + _PIECE_BYTES
        cut = text.rfind(b"%", end - 2, end)  # an escape is not cut in two
        end = end if cut < 0 else cut
        made += unquote_to_bytes(text[start:end].replace(b"+", b" "))
        start = end
    try:
        return made.decode()
    except UnicodeDecodeError as error:
        raise FormError("The form is not written in UTF-8") from error
