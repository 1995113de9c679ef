"""A little web server on loopback, in the test's own loop: it gives files and takes callbacks."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Seen:
    """A request that came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Web:
    """Answers paths with what `answers` says, others with 404.

    `answers` holds for each path the status, headers and body; a list of them is answered one after the other, the last
    for ever. An answer of None is silence.
    """

    answers: dict = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self._came = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def wait_for(self, count: int, seconds: float = 20) -> list[Seen]:
        """The requests, once there are that many."""
        async with asyncio.timeout(seconds):
            while len(self.seen) < count:
                self._came.clear()
                await self._came.wait()
        return self.seen

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head[1:] if line}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.seen.append(Seen(method, target, headers, body))
            self._came.set()
            answer = self._answer(target.partition("?")[0])
            if answer is None:
                await asyncio.sleep(60)
                return
            status, more, data = answer
            lines = {"content-length": len(data), "connection": "close", **more}
            text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            writer.write(f"HTTP/1.1 {status} X\r\n{text}\r\n".encode() + data)
            await writer.drain()
        writer.close()

    def _answer(self, path):
        answer = self.answers.get(path, (404, {}, b""))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return answer
