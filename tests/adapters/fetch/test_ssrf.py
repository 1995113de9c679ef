"""Nobody is led inside (goal S3): a canary listens where every address of the corpus leads, and hears nothing.

The canary's port is made one of the usual ones, so that what is refused is refused for where it leads to. That the
canary would hear it is shown with a guard that lets everything through.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest
from tests.support.hostile_urls import INSIDE_4, INSIDE_6, LOOPBACKS_4, embedded, hostile_urls

from yuanjing.adapters.fetch import guard
from yuanjing.adapters.fetch.fetcher import FetcherOptions, GuardedFetcher
from yuanjing.ports.artifacts import FetchFailedError, FetchLimits, FetchRefusedError

pytestmark = pytest.mark.enable_socket
"""The canary listens on several addresses of this machine; who is called by mistake is inside."""

GOOD = "127.0.0.77"
"""Stands for a public host: the only address that is let through. A server there redirects."""
PUBLIC = "8.8.8.8"
LIMITS = FetchLimits(size_bytes_max=1000, total_seconds=10, idle_seconds=5)
EVERYWHERE = ("0.0.0.0/0", "::/0")
AT_ONCE = 50


async def endless_room(_: int) -> None:
    """There is room for everything."""


@dataclass
class Canary:
    """Listens on addresses of loopback, all with one port, and counts who connects.

    Attributes:
        called: the local address of each connection.
        asked: every address that the process tried to connect to, wherever it is.
        locations: where the good host's paths `/0`, `/1`, … redirect to.
    """

    port: int = 0
    called: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    locations: list[str] = field(default_factory=list)
    good_calls: int = 0

    @property
    def good(self) -> str:
        return f"http://{GOOD}:{self.port}"

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.called.append(writer.get_extra_info("sockname")[0])
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret")
        writer.close()

    async def redirect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.good_calls += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
            writer.write(self._answer(target[1:]))
        writer.close()

    def _answer(self, number: str) -> bytes:
        if not number.isdigit():  # it was led back here, by a location without a host
            return b"HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n"
        location = self.locations[int(number)].encode()
        return b"HTTP/1.1 302 X\r\nlocation: " + location + b"\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture
async def canary(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Canary]:
    made = Canary()
    connect = socket.socket.connect

    def spied(sock: socket.socket, address: tuple[str, int]) -> None:
        made.asked.append(address[0])
        if not address[0].startswith(("127.", "::", "0.0.0.0")):  # noqa: S104  # on Linux they are this machine
            raise ConnectionRefusedError(address[0])
        connect(sock, address)

    async with contextlib.AsyncExitStack() as stack:
        for address in ("127.0.0.1", "127.0.0.2", "127.1.2.3", "::1"):
            server = await asyncio.start_server(made.hear, address, made.port)
            made.port = server.sockets[0].getsockname()[1]
            stack.callback(server.close)
        stack.callback((await asyncio.start_server(made.redirect, GOOD, made.port)).close)
        monkeypatch.setattr(guard, "_PORTS", frozenset({80, 443, made.port}))
        monkeypatch.setattr(socket.socket, "connect", spied)
        yield made


class NameServer:
    """Names with lists of answers, one for each question; numbers are what the C library makes of them."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = answers
        self.questions = 0

    def __call__(self, host: str, port: int, *_: object) -> list[object]:
        self.questions += 1
        if host in self.answers:
            left = self.answers[host]
            found = (left.pop(0) if len(left) > 1 else left[0]).split()
        elif host.lower().rstrip(".") in ("localhost", "localhost.localdomain", "ip6-localhost"):
            found = ["127.0.0.1"]
        else:
            found = [str(row[4][0]) for row in socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)]
        kinds = [(one, socket.AF_INET6 if ":" in one else socket.AF_INET) for one in found]
        return [(kind, socket.SOCK_STREAM, 6, "", (one, port)) for one, kind in kinds]


async def outcomes(urls, tmp_path, limits=LIMITS, **more):
    """What becomes of each address; only refusals and failures are expected."""
    resolver = more.pop("resolver", None) or NameServer()
    allowed = more.pop("allowed", (f"{GOOD}/32",))
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number, url):
        async with gate:
            try:
                size = await fetcher.fetch(url, tmp_path / str(number), limits)
            except (FetchRefusedError, FetchFailedError) as error:
                return url, type(error).__name__
        return url, f"{size} bytes"

    with GuardedFetcher(
        FetcherOptions(allowed_networks=allowed), check_room=endless_room, resolver=resolver
    ) as fetcher:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number, url)) for number, url in enumerate(urls)]
    return dict(task.result() for task in tasks)


def fetched(found):
    return {url: what for url, what in found.items() if what.endswith("bytes")}


async def test_the_corpus_is_refused_and_the_canary_hears_nothing(canary, tmp_path):
    urls = hostile_urls(canary.port)
    assert len(urls) >= 200
    found = await outcomes(urls, tmp_path)
    assert len(found) == len(urls)
    assert fetched(found) == {}
    assert (canary.called, set(canary.asked) - {PUBLIC}) == ([], set())
    assert list(tmp_path.iterdir()) == []


async def test_the_canary_would_hear_it(canary, tmp_path, monkeypatch):
    """Without the guard many of the corpus reach it; what leads to other networks is not tried."""
    monkeypatch.setattr(guard, "_PORTS", guard._ALL_PORTS)
    urls = hostile_urls(canary.port)
    quick = FetchLimits(size_bytes_max=1000, total_seconds=2, idle_seconds=1)
    here = [
        url for url in urls if any(mark in url for mark in ("127", "0x7f", "::1", "localhost", "//0", "2130706433"))
    ]
    found = await outcomes(here, tmp_path, quick, allowed=EVERYWHERE)
    assert len(fetched(found)) >= 25
    assert len(canary.called) >= 25
    assert {"127.0.0.1", "127.0.0.2", "127.1.2.3", "::1"} <= set(canary.called)


async def test_names_that_lead_inside_are_refused_also_beside_a_public_address(canary, tmp_path):
    inside = [*LOOPBACKS_4, *INSIDE_4, *INSIDE_6, *embedded("127.0.0.1"), *embedded("169.254.169.254")]
    answers = {f"n{n}.example": [one] for n, one in enumerate(inside)}
    answers |= {f"first{n}.example": [f"{PUBLIC} {one}"] for n, one in enumerate(inside)}
    answers |= {f"last{n}.example": [f"{one} {PUBLIC}"] for n, one in enumerate(inside)}
    urls = [f"http://{name}:{canary.port}/" for name in answers]
    found = await outcomes(urls, tmp_path, resolver=NameServer(**answers))
    assert set(found.values()) == {"FetchRefusedError"}
    assert (canary.called, canary.asked) == ([], [])


@pytest.mark.parametrize(("hops", "step"), [(1, 1), (2, 4), (3, 4)])
async def test_redirects_lead_nobody_inside(canary, hops, step, tmp_path):
    """The corpus again, behind a chain of good hops: from a network that is allowed, and from an allowed origin."""
    urls = [url for url in hostile_urls(canary.port) if url and not set(url) & set("\r\n")][::step]
    last = len(urls)
    canary.locations = list(urls)
    for hop in range(1, hops):
        canary.locations += [f"{canary.good}/{n + (hop - 1) * last}" for n in range(last)]
    starts = [f"{canary.good}/{n + (hops - 1) * last}" for n in range(last)]
    found = await outcomes(starts, tmp_path)
    origin = FetchLimits(size_bytes_max=1000, total_seconds=10, idle_seconds=5, allowed_origin=canary.good)
    found_origin = await outcomes(starts, tmp_path, origin, allowed=())
    assert fetched(found) == fetched(found_origin) == {}
    assert canary.called == []
    assert {GOOD} <= set(canary.asked) <= {GOOD, PUBLIC}
    assert canary.good_calls >= 2 * hops * last, "not every chain was walked to its end"


async def test_a_name_that_changes_its_mind_is_asked_once_for_each_hop(canary, tmp_path):
    """The name server says something good when the name is checked, and something inside when it is asked again.

    With networks that are allowed a name is asked for twice, each time with a check of its own.
    """
    rebinding = {
        f"r{n}.example": [GOOD, GOOD, one] for n, one in enumerate([*LOOPBACKS_4[:2], "::1", "::ffff:127.0.0.1"])
    }
    canary.locations = ["http://nowhere.example/"]
    server = NameServer(**rebinding)
    urls = [f"http://{name}:{canary.port}/0" for name in rebinding]
    found = await outcomes(urls, tmp_path, resolver=server)
    assert fetched(found) == {}
    assert set(found.values()) == {"FetchFailedError"}, "the redirect's own name is not known"
    assert (canary.called, set(canary.asked), canary.good_calls) == ([], {GOOD}, len(urls))
    assert server.questions == 3 * len(urls)
    again = NameServer(**{f"s{n}.example": [GOOD, GOOD, one] for n, one in enumerate(LOOPBACKS_4[:2])})
    canary.locations = [f"http://s{n}.example:{canary.port}/{n}" for n in range(2)]
    found = await outcomes([f"http://s{n}.example:{canary.port}/{n}" for n in range(2)], tmp_path, resolver=again)
    assert (set(found.values()), canary.called) == ({"FetchRefusedError"}, [])
