"""A provider made of a raw socket: each connection plays a list of steps, and every request and byte is noted.

A step is a function of the connection. When the steps of a connection are done it is held open until the gateway
closes it, so that a test can see who closed.
"""

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self


class Over(Exception):  # noqa: N818  # the usual end, no error
    """The connection is at its end."""


@dataclass
class Request:
    """One request as it came."""

    head: bytes
    body: bytes

    @property
    def path(self) -> bytes:
        return self.head.split(b" ")[1]

    @property
    def json(self) -> dict:
        return json.loads(self.body)


@dataclass
class Conn:
    """One connection from the gateway."""

    sock: socket.socket
    upstream: "RawUpstream"
    requests: list[Request] = field(default_factory=list)
    sent: int = 0
    is_closed_by_peer: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    _buffer: bytes = b""

    def receive(self, size: int = 262_144) -> bytes:
        """Some bytes; raises `Over` at the end."""
        try:
            data = self.sock.recv(size)
        except TimeoutError:
            raise Over from None
        except OSError:
            data = b""
        if not data:
            self.is_closed_by_peer = True
            raise Over
        return data

    def read_request(self) -> Request:
        """The next request, whole."""
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self.receive()
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        self._buffer = b""  # so that a leaving peer is seen as such
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        parts, have = [rest], len(rest)
        while have < length:
            parts.append(self.receive())
            have += len(parts[-1])
        body = b"".join(parts)
        self._buffer = body[length:]
        request = Request(head, body[:length])
        self.requests.append(request)
        self.upstream.requests.append(request)
        return request

    def write(self, data: bytes) -> None:
        """Send; counts what the kernel took."""
        view = memoryview(data)
        while view:
            try:
                taken = self.sock.send(view[:65_536])
            except OSError:
                self.is_closed_by_peer = True
                raise Over from None
            self.sent += taken
            view = view[taken:]

    def hold(self) -> None:
        """Keep the connection until the gateway closes it."""
        while True:
            self.receive()

    def wait_closed(self, seconds: float = 3.0) -> bool:
        """Whether the gateway has closed the connection, in time."""
        self.over.wait(seconds)
        return self.is_closed_by_peer


Step = Callable[[Conn], None]


def request(conn: Conn) -> None:
    """Wait for a whole request."""
    conn.read_request()


def send(*pieces: bytes, every: float = 0.0) -> Step:
    """Send bytes, with pauses between the pieces."""

    def step(conn: Conn) -> None:
        for i, piece in enumerate(pieces):
            if i and every:
                time.sleep(every)
            conn.write(piece)

    return step


def send_bytewise(data: bytes) -> Step:
    """Send every byte on its own."""

    def step(conn: Conn) -> None:
        conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(data)):
            conn.write(data[i : i + 1])

    return step


def sleep(seconds: float) -> Step:
    """Be silent."""
    return lambda _: time.sleep(seconds)


def wait(event: threading.Event) -> Step:
    """Be silent until the test says so."""

    def step(_: Conn) -> None:
        assert event.wait(10)

    return step


def close(conn: Conn) -> None:
    """Close in good order."""
    conn.sock.close()
    raise Over


def reset(conn: Conn) -> None:
    """Break the connection."""
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    close(conn)


def read_slowly(rate: int) -> Step:
    """Read a request at so many bytes a second.

    The buffer is small, but holds some segments of the loopback (64 KiB each): with less than one, a sender that has
    seen a larger window sends only when its persist timer says so, five times a second.
    """

    def step(conn: Conn) -> None:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262_144)
        while b"\r\n\r\n" not in conn._buffer:
            conn._buffer += conn.receive(4096)
        head, _, rest = conn._buffer.partition(b"\r\n\r\n")
        conn._buffer = b""
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        parts, have, began = [rest], len(rest), time.monotonic()
        while have < length:
            parts.append(conn.receive(65_536))
            have += len(parts[-1])
            if (ahead := have / rate - (time.monotonic() - began)) > 0:
                time.sleep(ahead)
        conn.requests.append(Request(head, b"".join(parts)))
        conn.upstream.requests.append(conn.requests[-1])

    return step


def forever(answer: bytes | Callable[[Request], bytes]) -> Step:
    """Answer every request of the connection."""

    def step(conn: Conn) -> None:
        while True:
            got = conn.read_request()
            conn.write(answer(got) if callable(answer) else answer)

    return step


class RawUpstream:
    """Plays `scripts`, one per connection in the order in which they come; the last one for all that follow."""

    def __init__(self, *scripts: Sequence[Step], tls: ssl.SSLContext | None = None, path: str = "/v1") -> None:
        self.scripts: list[Sequence[Step]] = list(scripts)
        self.connections: list[Conn] = []
        self.requests: list[Request] = []
        self.errors: list[BaseException] = []
        self._tls = tls
        self._path = path
        self._threads: list[threading.Thread] = []
        self._is_stopping = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}{self._path}"

    def __enter__(self) -> Self:
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopping = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(5)
        for conn in self.connections:
            if not conn.over.is_set():
                try:
                    conn.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        assert not self.errors, self.errors

    def wait_requests(self, count: int, seconds: float = 5.0) -> None:
        """Wait until so many requests have come."""
        until = time.monotonic() + seconds
        while len(self.requests) < count:
            assert time.monotonic() < until, f"{len(self.requests)} of {count} requests came"
            time.sleep(0.002)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(20)
            number = len(self.connections)
            conn = Conn(sock, self)
            self.connections.append(conn)
            script = self.scripts[min(number, len(self.scripts) - 1)]
            thread = threading.Thread(target=self._play, args=(conn, script), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _play(self, conn: Conn, script: Sequence[Step]) -> None:
        try:
            if self._tls is not None:
                conn.sock = self._tls.wrap_socket(conn.sock, server_side=True)
            for step in script:
                step(conn)
            conn.hold()
        except (Over, ssl.SSLError, ConnectionError):
            pass
        except BaseException as error:  # noqa: BLE001  # the test's own thread raises it
            if not self._is_stopping:
                self.errors.append(error)
        finally:
            conn.sock.close()
            conn.over.set()


# answers


def plain(
    text: str = "hello", *, tokens: tuple[int, int] | None = (10, 5), extra: bytes = b"", status: bytes = b"200 OK"
) -> bytes:
    """A whole plain answer."""
    body = plain_body(text, tokens=tokens)
    length = b"content-length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\ncontent-type: application/json\r\n" + extra + length + b"\r\n" + body


def plain_body(text: str = "hello", *, tokens: tuple[int, int] | None = (10, 5)) -> bytes:
    """A plain answer's JSON."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    answer: dict = {"id": "c1", "object": "chat.completion", "created": 1, "model": "qwen3-max", "choices": [choice]}
    if tokens is not None:
        answer["usage"] = _usage(tokens)
    return json.dumps(answer).encode()


def _usage(tokens: tuple[int, int]) -> dict:
    return {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}


def error(status: bytes = b"500 X", message: str = "broken", extra: bytes = b"") -> bytes:
    """A whole error answer."""
    body = json.dumps({"error": {"message": message}}).encode()
    return b"HTTP/1.1 " + status + b"\r\n" + extra + b"content-length: %d\r\n\r\n" % len(body) + body


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM_HEAD_UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(text: str = "x", *, finish: str | None = None) -> bytes:
    """One event with a piece of text."""
    delta = {"content": text, "role": "assistant"}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _data({"choices": [choice]})


def usage_event(tokens: tuple[int, int] = (10, 5)) -> bytes:
    """The event with the usage."""
    return _data({"choices": [], "usage": _usage(tokens)})


def _data(fields: dict) -> bytes:
    whole = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "qwen3-max"} | fields
    return b"data: " + json.dumps(whole).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def body_of_stream(texts: Sequence[str] = ("he", "llo"), *, tokens: tuple[int, int] | None = (10, 5)) -> bytes:
    """All events of a whole stream."""
    events = b"".join(event(text) for text in texts) + event("", finish="stop")
    return events + (usage_event(tokens) if tokens is not None else b"") + DONE


def stream(texts: Sequence[str] = ("he", "llo"), *, tokens: tuple[int, int] | None = (10, 5)) -> bytes:
    """A whole streamed answer."""
    return STREAM_HEAD + chunk(body_of_stream(texts, tokens=tokens)) + END


def echo(got: Request) -> bytes:
    """The answer that was asked for, streamed or plain, whose text is the last message's."""
    text = got.json["messages"][-1]["content"]
    return stream([text]) if got.json.get("stream") else plain(text)
