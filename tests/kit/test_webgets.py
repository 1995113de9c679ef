"""What plain questions do with their connections; what answers do is in tests/adapters/providers/test_outcomes.py."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from yuanjing.kit.webcalls import CallLimits, NoAnswer, WebAnswer, WebCall, WebCaller, open_client
from yuanjing.kit.webgets import Place, question_of

LIMITS = CallLimits(read_seconds=5.0)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Server:
    """Answers each question with the next of these, and closes after those that say so."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heads: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self.answers.pop(0) if self.answers else OK
                if answer is None:
                    return
                writer.write(answer)
                if b"connection: close" in answer:
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def running(*answers: bytes | None):
    server = Server(*answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield server


@asynccontextmanager
async def calling(limits: CallLimits = LIMITS):
    async with open_client(limits, verify=False) as client:
        web = WebCaller(client, limits)

        async def get(server: Server, path: str = "/tasks/1", **changes: object) -> WebAnswer | NoAnswer:
            return await web.call(WebCall(method="GET", url=server.url + path, **changes))  # type: ignore[arg-type]

        yield get


async def test_a_question_as_it_is_sent():
    async with running() as server, calling() as get:
        answer = await get(server, params=[("a", "1 &2"), ("a", "视")], headers={"authorization": "Bearer x"})
        assert answer == WebAnswer(status=200, headers={"content-length": "2"}, body=b"{}", is_whole=True)
    host = server.url.removeprefix("http://")
    assert server.heads[0].decode().split("\r\n") == [
        "GET /tasks/1?a=1+%262&a=%E8%A7%86 HTTP/1.1",
        f"host: {host}",
        "accept: application/json",
        "authorization: Bearer x",
        "accept-encoding: identity",
        "",
        "",
    ]


async def test_connections_are_kept():
    async with running() as server, calling() as get:
        for _ in range(5):
            assert (await get(server)).status == 200
        assert server.connections == 1


async def test_a_kept_connection_that_was_closing_is_replaced_and_the_question_asked_again():
    async with running(OK, OK, None) as server, calling() as get:
        assert [(await get(server)).status for _ in range(3)] == [200] * 3
        assert (server.connections, len(server.heads)) == (2, 4)


async def test_a_fresh_connection_that_closes_has_no_answer():
    async with running(None, None) as server, calling() as get:
        assert await get(server) == NoAnswer(was_sent=True, reason="RemoteProtocolError")
        assert len(server.heads) == 1


async def test_a_kept_connection_that_says_nothing_is_not_asked_again():
    async with running(OK, b"") as server, calling(replace(LIMITS, read_seconds=0.1)) as get:
        assert (await get(server)).status == 200
        assert await get(server) == NoAnswer(was_sent=True, reason="ReadTimeout")
        assert len(server.heads) == 2


async def test_connections_that_nobody_needed_for_a_while_are_not_used():
    async with running() as server, calling(replace(LIMITS, keep_alive_seconds=0.05)) as get:
        await get(server)
        await asyncio.sleep(0.1)
        await get(server)
        assert server.connections == 2


async def test_idle_connections_to_other_places_make_room():
    async with running() as one, running() as other, calling(replace(LIMITS, connections_max=1)) as get:
        for _ in range(2):
            assert (await get(one)).status == 200
            assert (await get(other)).status == 200
            await asyncio.sleep(0.01)
            assert (one.open, other.open) == (0, 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}",  # ends where the connection does
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong",
        b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    ],
)
async def test_forms_of_an_answer(answer):
    async with running(answer) as server, calling() as get:
        first = await get(server)
        assert (first.status, first.body, first.is_whole, "x" in first.headers) == (200, b"{}", True, False)
        again = await get(server)
        assert (again.status, again.body) == (200, b"{}"), "whatever came beyond an answer meets no other question"


async def test_a_head_without_end_is_no_answer():
    async with running(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000) as server, calling() as get:
        assert await get(server) == NoAnswer(was_sent=True, reason="RemoteProtocolError")


async def test_nobody_there_is_nothing_sent():
    async with running() as server, calling() as get:
        pass
    async with calling() as get:
        assert await get(server) == NoAnswer(was_sent=False, reason="ConnectError")


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("http://user@127.0.0.1/", "x"),
        ("http://[::1]/", "x"),
        ("http://host.test:99999/", "x"),
        ("http://host.test/?a=b", "x"),
        ("http://host.test/#a", "x"),
        ("http://host.test/ä", "x"),
        ("http://host.test /", "x"),
        ("http://host.test/\r\nx: y", "x"),
        ("ftp://host.test/", "x"),
        ("http://host.test/", "x\r\ny: z"),
        ("http://host.test/", " x"),
        ("http://host.test/", "ä"),
        ("http://host.test/", ""),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_the_general_client(url, value):
    assert question_of(url, [], {"authorization": value}) is None


def test_addresses_are_taken_apart():
    for url, place, first in (
        ("https://Host.test", Place("https", "host.test", 443), b"GET / HTTP/1.1\r\nhost: Host.test\r\n\r\n"),
        (
            "https://host.test:443/a%20b",
            Place("https", "host.test", 443),
            b"GET /a%20b HTTP/1.1\r\nhost: host.test\r\n\r\n",
        ),
        ("http://host.test:443/", Place("http", "host.test", 443), b"GET / HTTP/1.1\r\nhost: host.test:443\r\n\r\n"),
    ):
        assert question_of(url, [], {}) == (place, first)
