"""Very many connections that are all open before the same request leaves on each of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

_SECONDS = 90.0
_OPENED_AT_ONCE = 100
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came back on one connection."""

    status: int
    headers: dict[str, str]
    body: bytes


def all_at_once(port: int, request: bytes, count: int) -> list[Reply]:
    """Open so many connections, send the request on all of them at the same moment, and read until each is closed.

    The request must ask for that by `Connection: close`.
    """
    return asyncio.run(_all_at_once(port, request, count))


def post(path: str, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """A request that is alone on its connection."""
    fields = [("Host", "127.0.0.1"), ("Connection", "close"), ("Content-Type", "application/json"), *headers]
    fields.append(("Content-Length", str(len(body))))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


async def _all_at_once(port: int, request: bytes, count: int) -> list[Reply]:
    connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    while len(connections) < count:
        some = min(_OPENED_AT_ONCE, count - len(connections))
        async with asyncio.TaskGroup() as group:
            opening = [group.create_task(asyncio.open_connection("127.0.0.1", port)) for _ in range(some)]
        connections += [one.result() for one in opening]
    for _, writer in connections:
        writer.write(request)
    async with asyncio.timeout(_SECONDS), asyncio.TaskGroup() as group:
        reading = [group.create_task(reader.read()) for reader, _ in connections]
    for _, writer in connections:
        writer.close()
    return [_read(one.result()) for one in reading]


def _read(data: bytes) -> Reply:
    head, _, body = data.partition(_HEAD_END)
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = _joined(body)
    else:
        assert len(body) == int(headers["content-length"]), data
    return Reply(status=int(first.split()[1]), headers=headers, body=body)


def _joined(chunks: bytes) -> bytes:
    """The body in chunks, which must come to their end."""
    body, at = b"", 0
    while True:
        line = chunks.index(b"\r\n", at)
        size = int(chunks[at:line], 16)
        if not size:
            return body
        body += chunks[line + 2 : line + 2 + size]
        at = line + 2 + size + 2
