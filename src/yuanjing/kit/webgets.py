"""Questions over HTTP: GETs without a body, over kept connections, at a fifth of what a general client costs.

A worker asks for thousands of tasks again and again, and nearly all that it does for an answer is to get it. What is
out of the ordinary (an address with a query of its own, IPv6, other methods, bodies) is left to the general client.
"""

import asyncio
import re
import ssl
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast
from urllib.parse import urlencode

import httptools

from yuanjing.kit.weblimits import CallLimits

_ADDRESS = re.compile(
    r"(https?)://([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::([1-9][0-9]{0,4}))?"
    r"((?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?)"
)
_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_PORTS = {"http": 80, "https": 443}
_PORT_MAX = 65_535
_HEAD_BYTES_MAX = 64 * 1024
_OK_MIN = 200
_SWITCHING_PROTOCOLS = 101


class Place(NamedTuple):
    """Where a connection leads to."""

    scheme: str
    host: str
    port: int


class Question(NamedTuple):
    """A request, ready to be sent."""

    place: Place
    head: bytes


@dataclass(slots=True)
class Progress:
    """How far a call has come.

    Attributes:
        status: None until the answer's head is there.
        headers: names in lower case.
        is_whole: the body has come to its end, within the limits.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    parts: list[bytes] = field(default_factory=list[bytes])
    is_whole: bool = False


class GetError(Exception):
    """No head of an answer has come.

    Attributes:
        was_sent: something of the question may have reached the other side.
        reason: the kind of error, a word for operators.
    """

    def __init__(self, reason: str, *, was_sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.was_sent = was_sent


class _StaleError(Exception):
    """A kept connection has closed before any byte of an answer: it was closing when the question was sent."""


def question_of(url: str, params: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> Question | None:
    """The request; None if it is not plain enough to be made here."""
    found = _ADDRESS.fullmatch(url)
    if found is None or not all(_VALUE.fullmatch(value) for value in headers.values()):
        return None
    scheme, host, port, path = found.groups()
    number = int(port or _PORTS[scheme])
    if number > _PORT_MAX:
        return None
    query = f"?{urlencode(params)}" if params else ""
    host_header = host if number == _PORTS[scheme] else f"{host}:{number}"
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    head = f"GET {path or '/'}{query} HTTP/1.1\r\nhost: {host_header}\r\n{lines}\r\n"
    return Question(Place(scheme, host.lower(), number), head.encode("ascii"))


class GetPool:
    """The connections of one event loop. An answer is read whole; connections are kept for the next question.

    `tls` is for places with `https`; without it they cannot be asked.
    """

    def __init__(self, limits: CallLimits, tls: ssl.SSLContext | None) -> None:
        self.limits = limits
        self._tls = tls
        self._turns = asyncio.Semaphore(limits.connections_max)
        self._idle: defaultdict[Place, list[_Connection]] = defaultdict(list)
        self._open: set[_Connection] = set()
        if tls is not None:
            tls.set_alpn_protocols(["http/1.1"])

    def can_ask(self, question: Question) -> bool:
        """Whether it leads to a place that can be asked."""
        return self._tls is not None or question.place.scheme == "http"

    async def ask(self, question: Question, progress: Progress) -> None:
        """Send the question and read the answer into `progress`, up to the limits.

        Raises:
            GetError: not even the head of an answer came.
        """
        await self._wait_for_turn()
        try:
            while True:
                connection = self._kept(question.place) or await self._opened(question.place)
                try:
                    await connection.ask(question.head, progress)
                except _StaleError:  # nobody has answered, and a question may be asked twice
                    continue
                return
        finally:
            self._turns.release()

    def close(self) -> None:
        """Let go of all connections."""
        for connection in list(self._open):
            connection.abort()

    def now(self) -> float:
        """The event loop's time."""
        return asyncio.get_running_loop().time()

    async def _wait_for_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()  # at once
            return
        try:
            async with asyncio.timeout(self.limits.pool_seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise GetError("PoolTimeout", was_sent=False) from None

    def _kept(self, place: Place) -> "_Connection | None":
        idle, oldest = self._idle[place], self.now() - self.limits.keep_alive_seconds
        while idle:
            connection = idle.pop()
            if connection.is_usable and connection.idle_since > oldest:
                return connection
            connection.abort()
        return None

    async def _opened(self, place: Place) -> "_Connection":
        self._make_room()
        loop = asyncio.get_running_loop()
        tls = self._tls if place.scheme == "https" else None
        try:
            async with asyncio.timeout(self.limits.connect_seconds):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self, place),
                    place.host,
                    place.port,
                    ssl=tls,
                    server_hostname=place.host if tls else None,
                )
        except TimeoutError:
            raise GetError("ConnectTimeout", was_sent=False) from None
        except (OSError, UnicodeError) as error:  # an error of TLS is one of the system's
            raise GetError("ConnectError", was_sent=False) from error
        return connection

    def _make_room(self) -> None:
        """Idle connections to other places make room."""
        for idle in list(self._idle.values()):
            while idle and len(self._open) >= self.limits.connections_max:
                idle.pop(0).abort()

    # called by connections

    def opened(self, connection: "_Connection") -> None:
        """It stands."""
        self._open.add(connection)

    def lost(self, connection: "_Connection") -> None:
        """It cannot be used any more."""
        self._open.discard(connection)
        idle = self._idle.get(connection.place)
        if idle is not None and connection in idle:
            idle.remove(connection)
        if not idle:
            self._idle.pop(connection.place, None)

    def give_back(self, connection: "_Connection") -> None:
        """It can be asked again; those that have waited too long go."""
        idle = self._idle[connection.place]
        connection.idle_since = self.now()
        idle.append(connection)
        if idle[0].idle_since <= connection.idle_since - self.limits.keep_alive_seconds:
            idle.pop(0).abort()


class _Connection(asyncio.Protocol):
    """One connection, for one question at a time."""

    def __init__(self, pool: GetPool, place: Place) -> None:
        self.place = place
        self.idle_since = 0.0
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[None] | None = None
        self._progress = Progress()
        self._timer: asyncio.TimerHandle | None = None
        self._has_served = False
        self._heard_bytes = 0
        self._body_bytes = 0
        self._is_kept = False

    @property
    def is_usable(self) -> bool:
        """Whether it stands, as far as is known."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, head: bytes, progress: Progress) -> None:
        """Send a question and wait for the end of its answer.

        Raises:
            GetError: no head of an answer came.
            _StaleError: likewise, and nobody has read the question.
        """
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._progress = progress
        self._heard_bytes = self._body_bytes = 0
        self._is_kept = False
        self._watch()
        self._transport.write(head)
        try:
            await self._answer
        finally:
            self._answer = None
            if self._timer is not None:
                self._timer.cancel()
            if self._is_kept and self.is_usable:
                self._has_served = True
                self._pool.give_back(self)
            else:
                self.abort()

    def abort(self) -> None:
        """Let it go."""
        self._pool.lost(self)
        if self._transport is not None:
            self._transport.abort()

    @property
    def _is_over(self) -> bool:
        """Nobody waits for anything more."""
        return self._answer is None or self._answer.done()

    def _watch(self) -> None:
        seconds = self._pool.limits.read_seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look, self._heard_bytes)

    def _look(self, heard_bytes: int) -> None:
        """Nothing for so long is the end; there is one timer for all pieces."""
        if self._heard_bytes == heard_bytes:
            self._break("ReadTimeout")
        else:
            self._watch()

    def _tell(self) -> None:
        """The question has as much of an answer as it gets."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)

    def _break(self, reason: str) -> None:
        """No more will come."""
        if self._answer is None or self._answer.done():
            return
        if self._progress.status is not None:
            self._answer.set_result(None)
        elif self._has_served and not self._heard_bytes and reason != "ReadTimeout":
            self._answer.set_exception(_StaleError())
        else:
            self._answer.set_exception(GetError(reason, was_sent=True))

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not inherit from asyncio's
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer; without a question, or after the answer's end, nothing could be right about them."""
        if self._is_over:
            self._is_kept = False
            self.abort()
            return
        self._heard_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._is_kept = False
            self._break("RemoteProtocolError")
            return
        if self._progress.status is None and self._heard_bytes > _HEAD_BYTES_MAX:
            self._break("RemoteProtocolError")

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side has closed, or the network has."""
        self._pool.lost(self)
        progress = self._progress
        if not self._is_over and progress.status is not None:
            progress.is_whole = exc is None and not progress.headers.keys() & {"content-length", "transfer-encoding"}
        self._break("RemoteProtocolError" if exc is None else "ReadError")

    # httptools

    def on_message_begin(self) -> None:
        """An answer begins; one that nobody has asked for must never meet the next question."""
        if self._is_over:
            self._is_kept = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; those after the body say nothing that is asked for."""
        if self._progress.status is None:
            key, text, headers = name.decode("latin-1").lower(), value.decode("latin-1"), self._progress.headers
            headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """The head is there; interim answers are passed over."""
        if self._is_over:
            return
        status = self._parser.get_status_code()
        if status < _OK_MIN and status != _SWITCHING_PROTOCOLS:
            self._progress.headers.clear()
            return
        self._progress.status = status
        if self._progress.headers.get("content-encoding", "identity") != "identity":
            self._tell()  # it was not asked for, and is not unpacked

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self._is_over:
            return
        self._body_bytes += len(data)
        if self._body_bytes > self._pool.limits.answer_bytes_max:
            self._tell()
        else:
            self._progress.parts.append(data)

    def on_message_complete(self) -> None:
        """The answer's end, or that of an interim one."""
        if self._progress.status is None or self._is_over:
            return
        self._progress.is_whole = True
        has_end = self._progress.headers.keys() & {"content-length", "transfer-encoding"}
        self._is_kept = bool(has_end) and self._parser.should_keep_alive()
        self._tell()
