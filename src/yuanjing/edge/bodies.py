"""Reading a request's body no further than a limit."""

from fastapi import Request


class BodyTooLargeError(Exception):
    """The body is larger than allowed; it was not read to its end."""


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The whole body. One that is said to be larger is refused before any of it is read.

    Raises:
        BodyTooLargeError: it is larger, or is to become so.
        ClientDisconnect: it does not come to its end.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bytes_max:
        raise BodyTooLargeError
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > bytes_max:
            raise BodyTooLargeError
    return bytes(body)
