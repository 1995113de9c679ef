"""A client made of a raw socket: every byte that is sent and received is the test's."""

import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Self

from tests.support.gateway import KEY, MODEL

OPENAI = b"/v1/chat/completions"
LLMAGE = b"/llmage/v1/chat/completions"


@dataclass
class Answer:
    """One answer as it came."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes = b""
    interim: list[int] = field(default_factory=list)
    is_whole: bool = True

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code, in a plain answer or in the last event of a stream."""
        if self.headers.get(b"content-type", b"").startswith(b"text/event-stream"):
            last = [b for b in self.body.split(b"\n\n") if b.startswith(b"data: ")][-1]
            return json.loads(last[6:])["error"]["code"]
        return self.json["error"]["code"]

    @property
    def is_done(self) -> bool:
        return self.body.endswith(b"data: [DONE]\n\n")

    @property
    def text(self) -> str:
        """The text of a plain answer or of all events."""
        if not self.headers.get(b"content-type", b"").startswith(b"text/event-stream"):
            return self.json["choices"][0]["message"]["content"]
        text = ""
        for block in self.body.split(b"\n\n"):
            if block.startswith(b"data: {"):
                for choice in json.loads(block[6:]).get("choices", []):
                    text += choice["delta"].get("content") or ""
        return text


class Cut(Exception):  # noqa: N818  # says what happened
    """The connection ended in the middle of an answer; `args[0]` is what had come."""


class RawClient:
    """One connection to the gateway; a context manager."""

    def __init__(self, port: int, *, timeout: float = 5.0, receive_buffer: int | None = None) -> None:
        self.sock = socket.socket()
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(("127.0.0.1", port))
        except OSError:
            self.sock.close()
            raise
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_pieces(self, data: bytes, size: int) -> None:
        """Send in pieces, each a segment of its own as far as the kernel lets them be."""
        for i in range(0, len(data), size):
            self.sock.sendall(data[i : i + size])

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Break the connection instead of closing it."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def _more(self) -> None:
        data = self.sock.recv(262_144)
        if not data:
            raise Cut(self.buffer)
        self.buffer += data

    def receive_until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`."""
        while mark not in self.buffer:
            self._more()
        found, _, self.buffer = self.buffer.partition(mark)
        return found + mark

    def receive_exactly(self, size: int) -> bytes:
        if len(self.buffer) < size:
            parts, have = [self.buffer], len(self.buffer)
            while have < size:
                parts.append(self.sock.recv(262_144))
                have += len(parts[-1])
                if not parts[-1]:
                    raise Cut(b"".join(parts))
            self.buffer = b"".join(parts)
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found

    def receive_head(self) -> Answer:
        """Status line and headers; interim answers are noted."""
        interim = []
        while True:
            lines = self.receive_until(b"\r\n\r\n")[:-4].split(b"\r\n")
            status = int(lines[0].split(b" ")[1])
            if status >= 200:
                break
            interim.append(status)
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        return Answer(status, headers, interim=interim)

    def receive(self) -> Answer:
        """The next answer, whole; `is_whole` is false when the connection ended in it."""
        answer = self.receive_head()
        try:
            if answer.headers.get(b"transfer-encoding") == b"chunked":
                while size := int(self.receive_until(b"\r\n"), 16):
                    answer.body += self.receive_exactly(size)
                    assert self.receive_exactly(2) == b"\r\n"
                assert self.receive_exactly(2) == b"\r\n"
            elif b"content-length" in answer.headers:
                answer.body = self.receive_exactly(int(answer.headers[b"content-length"]))
            else:
                answer.body = self.receive_to_end()
        except (Cut, ConnectionError):
            answer.is_whole = False
        return answer

    def receive_to_end(self) -> bytes:
        """Everything until the gateway closes."""
        parts = [self.buffer]
        self.buffer = b""
        while data := self.sock.recv(262_144):
            parts.append(data)
        return b"".join(parts)

    def receive_to_end_of_chunks(self) -> bytes:
        """The rest of a chunked body, decoded."""
        parts = []
        while size := int(self.receive_until(b"\r\n"), 16):
            parts.append(self.receive_exactly(size + 2)[:-2])
        assert self.receive_exactly(2) == b"\r\n"
        return b"".join(parts)

    def is_at_end(self) -> bool:
        """Whether the gateway has closed, in good order or not; waits for it as long as the time-out allows."""
        try:
            return not self.buffer and self.sock.recv(1) == b""
        except ConnectionError:
            return True

    def is_silent(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        before = self.sock.gettimeout()
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(1)
        except TimeoutError:
            return not self.buffer
        else:
            self.buffer += data
            return False
        finally:
            self.sock.settimeout(before)


def chat_body(*, stream: bool = False, text: str = "hi", **fields: object) -> bytes:
    """A chat request's JSON."""
    body: dict[str, object] = {"model": MODEL, "messages": [{"role": "user", "content": text}]}
    return json.dumps(body | {"stream": stream} | fields).encode()


def post(  # noqa: PLR0913  # a request's parts, each by its name
    body: bytes | None = None,
    *,
    path: bytes = OPENAI,
    method: bytes = b"POST",
    key: str | None = KEY,
    headers: bytes = b"",
    version: bytes = b"1.1",
    chunks: int | None = None,
    stream: bool = False,
) -> bytes:
    """A whole request; `chunks` sends the body in HTTP chunks of that size."""
    body = chat_body(stream=stream) if body is None else body
    head = method + b" " + path + b" HTTP/" + version + b"\r\nhost: g\r\n"
    if key is not None:
        head += b"authorization: Bearer " + key.encode() + b"\r\n"
    if chunks is None:
        return head + headers + b"content-length: %d\r\n\r\n" % len(body) + body
    pieces = [body[i : i + chunks] for i in range(0, len(body), chunks)]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    return head + headers + b"transfer-encoding: chunked\r\n\r\n" + coded


def cold(body: bytes = b"", path: bytes = b"/echo", *, method: bytes = b"POST", headers: bytes = b"") -> bytes:
    """A whole request for the ASGI application."""
    return (
        method + b" " + path + b" HTTP/1.1\r\nhost: g\r\n" + headers + b"content-length: %d\r\n\r\n" % len(body) + body
    )
