"""The little of HTTP that the simulators need, straight on ASGI.

No framework, because a fault has to reach below one: bodies that break their own Content-Length, single
bytes as chunks, connections that are cut in the middle of an answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Protocol, cast
from urllib.parse import parse_qs

from yuanjing.sandbox import jsons

Message = MutableMapping[str, object]
Scope = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[str, str]

CUT_WAIT_SECONDS = 5.0


class ClientLeftError(Exception):
    """The client closed the connection before the answer's end, or the answer cut it."""


class _Transport(Protocol):
    def close(self) -> None: ...

    def abort(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request, its body read; header names in lower case.

    Attributes:
        method: in capitals.
        path: decoded.
        query: decoded.
        headers: by lower-case name; of a repeated one the last.
        body: as sent.
        is_too_large: the body passes the limit, and is left out.
        query_string: the query as sent, without the question mark.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    is_too_large: bool = False
    query_string: str = ""

    @property
    def credential(self) -> str | None:
        """The bearer credential; "" for an empty or other scheme, None without the header."""
        value = self.headers.get("authorization")
        if value is None:
            return None
        scheme, _, rest = value.partition(" ")
        return rest.strip() if scheme.lower() == "bearer" else ""


async def read_request(scope: Scope, receive: Receive, body_bytes_max: int) -> Request:
    """The whole request.

    Raises:
        ClientLeftError: the client left while sending.
    """
    headers = cast("Iterable[tuple[bytes, bytes]]", scope["headers"])
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        part = cast("bytes", message.get("body", b""))
        size += len(part)
        parts.append(part)
        more = bool(message.get("more_body", False)) and size <= body_bytes_max
    query_string = cast("bytes", scope.get("query_string", b"")).decode("latin-1")
    return Request(
        method=str(scope["method"]),
        path=str(scope["path"]),
        query=parse_qs(query_string),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers},
        body=b"".join(parts) if size <= body_bytes_max else b"",
        is_too_large=size > body_bytes_max,
        query_string=query_string,
    )


class Reply:
    """The answer to one request; `status` is 0 until the headers are sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.is_finished = False
        self.was_cut = False

    async def start(self, status: int, content_type: str, headers: Iterable[Header] = ()) -> None:
        """Send the head; the body is chunked unless `headers` say its length."""
        lines = [(b"content-type", content_type.encode("latin-1"))]
        lines += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": lines})

    async def write(self, data: bytes) -> None:
        """Send a part of the body."""
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """Send the last part of the body."""
        self.is_finished = True
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def whole(self, status: int, content_type: str, data: bytes, headers: Iterable[Header] = ()) -> None:
        """Send a complete answer."""
        await self.start(status, content_type, [*headers, ("content-length", str(len(data)))])
        await self.end(data)

    async def json(self, status: int, value: object, headers: Iterable[Header] = ()) -> None:
        """Send a complete answer in JSON."""
        await self.whole(status, "application/json", jsons.encode(value), headers)

    async def cut(self) -> None:
        """Close the TCP connection after what was written, without the body's end; does not return.

        ASGI has no word for it. uvicorn's `send` is bound to an object that holds the transport; with
        another server the exception makes the server close the connection itself.

        Raises:
            ClientLeftError: by the watcher of `run_watched`, once the connection is gone.
            RuntimeError: the server does not show its transport.
        """
        self.was_cut = True
        transport = cast("_Transport | None", getattr(getattr(self._send, "__self__", None), "transport", None))
        if transport is None:
            raise RuntimeError("This server does not let the sandbox cut a connection.")
        transport.close()
        await asyncio.sleep(CUT_WAIT_SECONDS)
        transport.abort()
        await asyncio.Event().wait()


async def run_watched(receive: Receive, reply: Reply, work: Coroutine[None, None, None]) -> bool:
    """Run `work`; stop it at once when the connection goes. Whether the client left before the end."""
    left = False
    try:
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(_watch(receive, reply))
            await work
            watcher.cancel()
    except* ClientLeftError:
        left = not reply.was_cut
    return left


async def _watch(receive: Receive, reply: Reply) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    if not reply.is_finished:
        raise ClientLeftError
