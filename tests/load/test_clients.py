"""Thousands of clients that take their time: the others do not notice, and memory stays what it is."""

import asyncio
import contextlib
import socket
import statistics
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import pytest
import uvloop
from tests.load.client import OPENAI, Ask, Callers, quantile, request, statuses
from tests.load.platforms import Platform, Provider, apart, rss_bytes, say

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

LORIS, READERS = 2000, 500
ROUNDS, ROUND_SECONDS, RATE = 3, 8.0, 200
LORIS_SECONDS = 2.0
"""Between two bytes of a slow head."""
QUIET = {
    "YUANJING_OVERLOAD_LAG_SECONDS": "5",
    "YUANJING_ADAPTIVE_CONCURRENCY": "false",
    "YUANJING_HEARTBEAT_FRESH_SECONDS": "30",
    "YUANJING_NODE_SILENT_SECONDS": "60",
}
"""So that what a busy machine does is not mixed in."""
READER_SECONDS = 0.04
"""Between two that begin: the kernel keeps megabytes for each before the gateway hears that it does not read."""
NOISE_SECONDS = 0.002
"""Two medians of p99 of the same load differ by so much on a machine that does nothing else."""
STREAM_BYTES_MAX = 256 * 1024


def test_slow_clients_are_not_noticed_by_others(tmp_path):
    """Rounds without and with them take turns, so that what else the machine does falls on both."""
    with Provider() as provider:
        platform = Platform(tmp_path / "p", **QUIET)
        platform.set_up()
        platform.add_channel(provider, "a")
        provider.behave("a", delay_ms=20)
        with platform, apart(platform, provider):
            p99: dict[bool, list[float]] = {False: [], True: []}
            grown: list[int] = []
            for turn in range(2 * ROUNDS):
                asks, more_bytes = uvloop.run(one_round(platform, are_slow_there=turn % 2 == 1))
                assert statuses(asks) == {200: len(asks)}
                p99[turn % 2 == 1].append(quantile([one.seconds for one in asks], 0.99))
                grown += [more_bytes] if turn % 2 else []
            assert platform.stop() == 0
            assert platform.verify() == []
    without, with_them = (statistics.median(p99[kind]) for kind in (False, True))
    figures = {"p99 without": without, "p99 with": with_them, "KiB a stream": max(grown) / 1024 / READERS}
    say("slow clients", loris=LORIS, readers=READERS, **figures)
    assert max(grown) <= STREAM_BYTES_MAX * READERS
    assert with_them <= 1.2 * without + NOISE_SECONDS, p99


async def one_round(platform: Platform, *, are_slow_there: bool) -> tuple[list[Ask], int]:
    """What others asked, and how much the gateway's memory grew by the slow ones."""
    before = rss_bytes(platform.pids("gateway"))
    words = "chunks-16 every-5"
    async with (
        Callers([platform.url], lambda n: request(platform.key, n, words)) as callers,
        slow_ones(platform) if are_slow_there else contextlib.nullcontext(),
    ):
        asks = await callers.run(RATE, ROUND_SECONDS)
        grown = rss_bytes(platform.pids("gateway")) - before
        await callers.settle()
    return asks, grown


@contextlib.asynccontextmanager
async def slow_ones(platform: Platform) -> AsyncGenerator[None]:
    """Streams of which only the first piece is read, and heads that come byte by byte, for ten seconds at most."""
    port = urlsplit(platform.url).port
    assert port is not None
    endless = request(platform.key, 1, "chunks-6000 wide-1000")
    async with contextlib.AsyncExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(READERS + LORIS)]
        for sock in sockets[:READERS]:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await _connect(sock, port, endless)
            await asyncio.sleep(READER_SECONDS)
        for sock in sockets[:READERS]:
            said = await asyncio.get_running_loop().sock_recv(sock, 1000)
            assert b" 200 " in said[:20], said
        for sock in sockets[READERS:]:
            await _connect(sock, port, f"POST {OPENAI} HTTP/1.1\r\nx-slow: ".encode())
        group = await stack.enter_async_context(asyncio.TaskGroup())
        dripping = group.create_task(drip(sockets[READERS:]))
        yield
        dripping.cancel()
    await asyncio.sleep(2.0)  # what is read to its end without its client is over by then


async def _connect(sock: socket.socket, port: int, first: bytes) -> None:
    sock.setblocking(False)  # noqa: FBT003  # its only argument
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    await asyncio.get_running_loop().sock_sendall(sock, first)


async def drip(sockets: list[socket.socket]) -> None:
    """One more byte of each head, now and then."""
    while True:
        for number, sock in enumerate(sockets):
            with contextlib.suppress(OSError):
                sock.send(b"x")
            if number % 100 == 0:
                await asyncio.sleep(LORIS_SECONDS * 100 / LORIS)
