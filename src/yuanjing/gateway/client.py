"""The bytes of answers to clients: heads, chunks and errors."""

from dataclasses import dataclass

from yuanjing.domain.dialects import Dialect, error_body, error_headers, public_error

STATUS_LINES = {
    200: b"HTTP/1.1 200 OK\r\n",
    400: b"HTTP/1.1 400 Bad Request\r\n",
    401: b"HTTP/1.1 401 Unauthorized\r\n",
    403: b"HTTP/1.1 403 Forbidden\r\n",
    404: b"HTTP/1.1 404 Not Found\r\n",
    405: b"HTTP/1.1 405 Method Not Allowed\r\n",
    408: b"HTTP/1.1 408 Request Timeout\r\n",
    409: b"HTTP/1.1 409 Conflict\r\n",
    410: b"HTTP/1.1 410 Gone\r\n",
    413: b"HTTP/1.1 413 Content Too Large\r\n",
    415: b"HTTP/1.1 415 Unsupported Media Type\r\n",
    422: b"HTTP/1.1 422 Unprocessable Content\r\n",
    429: b"HTTP/1.1 429 Too Many Requests\r\n",
    431: b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
    500: b"HTTP/1.1 500 Internal Server Error\r\n",
    502: b"HTTP/1.1 502 Bad Gateway\r\n",
    503: b"HTTP/1.1 503 Service Unavailable\r\n",
    504: b"HTTP/1.1 504 Gateway Timeout\r\n",
}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BUSY = b"Too many connections; try again in a moment"
TOO_MANY_CONNECTIONS = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(_BUSY), _BUSY)
)
"""Before a request is seen, its dialect is not known."""
LAST_CHUNK = b"0\r\n\r\n"
KEEPALIVE_COMMENT = b": keep-alive\n\n"
_CLOSE = b"connection: close\r\n"
_JSON = b"content-type: application/json\r\ncontent-length: %d\r\n"
_PLAIN = STATUS_LINES[200] + b"%b" + _JSON + b"%b%b\r\n"
_STREAM = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
_CHUNKED = b"transfer-encoding: chunked\r\n"


class DefaultHeaders:
    """The server's default headers joined once, as long as uvicorn keeps the same list."""

    def __init__(self) -> None:
        self._of: list[tuple[bytes, bytes]] | None = None
        self._joined = b""

    def join(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The headers as bytes."""
        if headers is not self._of:
            self._of = headers
            self._joined = b"".join([n + b": " + v + b"\r\n" for n, v in headers])
        return self._joined


def plain_head(default: bytes, extra: bytes, length: int, *, keep_alive: bool) -> bytes:
    """The head of a 200 with a JSON body."""
    return _PLAIN % (default, length, extra, b"" if keep_alive else _CLOSE)


def stream_head(default: bytes, extra: bytes, *, is_chunked: bool, keep_alive: bool) -> bytes:
    """The head of a 200 with an event stream; without chunks it ends by closing."""
    close = b"" if keep_alive else _CLOSE
    return STATUS_LINES[200] + default + _STREAM + (_CHUNKED if is_chunked else b"") + extra + close + b"\r\n"


def chunk(data: bytes, *, is_chunked: bool) -> bytes:
    """One piece of a streamed body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorAnswer:
    """An error as a client is to read it; see `domain.dialects.ERRORS` for the codes."""

    dialect: Dialect
    code: str
    message: str
    request_id: str
    param: str | None = None
    retry_after_seconds: int | None = None

    def render(self, default: bytes, *, keep_alive: bool) -> bytes:
        """The whole answer in the dialect's shape."""
        body = error_body(self.dialect, self.code, self.message, self.param)
        lines = [STATUS_LINES[public_error(self.code).status], default, _JSON % len(body)]
        lines += [f"{n}: {v}\r\n".encode() for n, v in error_headers(self.code, self.retry_after_seconds)]
        lines.append(f"x-request-id: {self.request_id}\r\n".encode())
        if not keep_alive:
            lines.append(_CLOSE)
        return b"".join([*lines, b"\r\n", body])


def status_of(code: str) -> int:
    """The HTTP status of an error code."""
    return public_error(code).status
