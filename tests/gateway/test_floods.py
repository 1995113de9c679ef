"""What one client, with or without a key, can take from all others: not the loop, not the memory, not their places."""

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest
from tests.support.rawclient import LLMAGE, OPENAI, RawClient, chat_body, cold, post
from tests.support.rig import Rig, rig, wait_for
from tests.support.upstream import echo, forever, plain, request, send, wait

from yuanjing.gateway.contract import SMALL_READ_BYTES
from yuanjing.gateway.protocol import GatewayProtocol

TINY = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
DEPTH = 16


def connections(r: Rig) -> list[GatewayProtocol]:
    return list(r.server._server.server_state.connections)


@contextlib.contextmanager
def sending(client: RawClient, data: bytes) -> Iterator[threading.Thread]:
    """Send from a thread of its own; a gateway that stops reading, or closes, ends it."""

    def run() -> None:
        with contextlib.suppress(OSError):
            client.send(data)

    thread = threading.Thread(target=run)
    thread.start()
    yield thread
    thread.join()


def read_all(client: RawClient) -> None:
    """Until the connection ends."""
    with contextlib.suppress(OSError):
        client.receive_to_end()


class Turns:
    """The most that there is in one turn of the server's loop: answers, queued requests, bytes of bodies."""

    def __init__(self, r: Rig) -> None:
        self.answers_max = self.queue_max = self.rest_max = self.body_max = 0
        self._r, self._before, self._body_before, self._is_over = r, 0, 0, False
        r.server.call(self._turn)

    def _turn(self) -> None:
        total = self._r.server._server.server_state.total_requests
        self.answers_max = max(self.answers_max, total - self._before)
        self._before = total
        for c in connections(self._r):
            self.queue_max = max(self.queue_max, len(c.pipeline))
            self.rest_max = max(self.rest_max, len(c._rest or b""))
            self.body_max = max(self.body_max, c._body_bytes - self._body_before)
            self._body_before = c._body_bytes
        if not self._is_over:
            self._r.server.loop.call_soon(self._turn)

    def end(self) -> None:
        self._is_over = True


# the loop


@pytest.mark.parametrize("one", [TINY, post(key=None), cold(b"x")], ids=["no body", "no key", "cold"])
def test_a_flood_of_small_requests_leaves_the_loop_to_others(one):
    with rig([forever(echo)], heartbeat_fresh_seconds=30.0) as r:
        flood, other = r.client(timeout=30), r.client(timeout=30)
        turns, count = Turns(r), 10_000
        with sending(flood, one * count):
            for _ in range(5):
                flood.receive()
                other.send(cold(b"y"))
                assert other.receive().status == 200
            assert r.server._server.server_state.total_requests < count
            for _ in range(count - 5):
                assert flood.receive().status != 400
        turns.end()
        assert turns.answers_max <= 2 * DEPTH + SMALL_READ_BYTES // len(one)
        assert turns.queue_max <= DEPTH + SMALL_READ_BYTES // len(one)
        assert turns.rest_max <= 262_144


def test_another_clients_requests_do_not_wait_for_a_flood():
    with rig([forever(echo)], heartbeat_fresh_seconds=30.0) as r:
        flood, other = r.client(timeout=30), r.client(timeout=30)
        waits = []
        with sending(flood, TINY * 100_000):
            reader = threading.Thread(target=read_all, args=(flood,))
            reader.start()
            for _ in range(20):
                began = time.monotonic()
                other.send(post())
                assert other.receive().status == 200
                waits.append(time.monotonic() - began)
            assert sorted(waits)[15] < 0.5
            flood.sock.shutdown(2)
            reader.join()


@pytest.mark.parametrize("chunks", [None, 1], ids=["whole", "tiny chunks"])
def test_a_large_body_leaves_the_loop_to_others(chunks):
    size = 400_000 if chunks else 4_000_000
    with rig([forever(plain())], heartbeat_fresh_seconds=30.0) as r:
        client = r.client(timeout=30)
        turns = Turns(r)
        with sending(client, post(chat_body(text="x" * size), chunks=chunks)):
            assert client.receive().status == 200
        turns.end()
        assert turns.body_max <= 2 * 65_536
        assert turns.rest_max <= 262_144


@pytest.mark.parametrize("path", [OPENAI, b"/echo"])
def test_a_body_that_looks_like_many_heads_arrives_whole(path):
    body = chat_body(text="x")[:-1] + b"\r\n\r\n" * 50_000 + b"}"
    with rig([forever(plain("hello"))]) as r:
        client = r.client(timeout=20)
        with sending(client, post(body, path=path) + cold(b"y")):
            answer = client.receive()
            assert answer.status == 200
            assert b"hello" in answer.body if path == OPENAI else len(answer.body) > len(body)
            assert client.receive().body == b"cold:/echo:y"


# memory


@pytest.mark.parametrize("one", [post(), cold(b"x"), post(key=None)], ids=["hot", "cold", "no key"])
def test_the_queue_behind_a_slow_answer_is_bounded(one):
    gate, count = threading.Event(), 4000
    with rig([request, wait(gate), send(plain()), forever(echo)], heartbeat_fresh_seconds=30.0) as r:
        client = r.client(timeout=30)
        turns = Turns(r)
        with sending(client, post() + one * count):
            r.upstream.wait_requests(1)
            wait_for(lambda: not connections(r)[0].flow.is_reading)
            gate.set()
            assert client.receive().status == 200
            for _ in range(count):
                assert client.receive().status == (401 if b"authorization" not in one and OPENAI in one else 200)
        turns.end()
        assert turns.queue_max <= DEPTH + SMALL_READ_BYTES // len(one)
        assert turns.rest_max <= 262_144


@pytest.mark.parametrize("one", [TINY, cold(b"x" * 500)], ids=["refused", "cold"])
def test_answers_to_a_client_that_does_not_read_are_not_made(one):
    count = 30_000
    with rig([forever(echo)], heartbeat_fresh_seconds=30.0) as r:
        client = r.client(timeout=30, receive_buffer=4096)
        with sending(client, one * count):
            wait_for(lambda: connections(r) and connections(r)[0].flow.write_paused)
            time.sleep(0.3)
            (protocol,) = connections(r)
            assert protocol.transport.get_write_buffer_size() < 200_000
            assert len(protocol.pipeline) <= DEPTH + SMALL_READ_BYTES // len(one)
            for _ in range(count):
                client.receive()


@pytest.mark.parametrize("path", [OPENAI, b"/echo"])
@pytest.mark.parametrize("trailer", [b"a:b\r\n", b"x: " + b"y" * 10_000 + b"\r\n", b"y"], ids=["many", "large", "one"])
def test_trailers_are_not_kept_and_are_limited(path, trailer):
    with rig([forever(echo)]) as r:
        client = r.client(timeout=20)
        client.send(post(b"x" * 4_000_000, chunks=100_000, path=path)[:-5] + b"0\r\n")
        wait_for(lambda: any(c._body_bytes == 4_000_000 for c in connections(r)))
        (protocol,) = connections(r)
        before = len(protocol.headers)
        client.send(trailer * (30_000 // len(trailer)))
        time.sleep(0.1)
        assert len(protocol.headers) == before
        with sending(client, trailer * (2_000_000 // len(trailer))), contextlib.suppress(ConnectionError):
            assert b" 400 " in client.receive_to_end()[:20]
        assert protocol._head_bytes < 4_000_000 + 40 * 20 + 500_000


@pytest.mark.parametrize("chunks", [None, 50_000])
@pytest.mark.parametrize("path", [OPENAI, LLMAGE])
def test_a_large_body_without_a_key_is_not_taken(path, chunks):
    with rig([forever(echo)]) as r:
        client = r.client(timeout=20)
        with sending(client, post(b"x" * 20_000_000, path=path, key=None, chunks=chunks)):
            answer = client.receive()
            assert answer.status == 401
            assert answer.headers[b"connection"] == b"close"
            assert client.is_at_end()
        assert r.gateway.counters.large_body_bytes == 0


def test_an_idle_connection_keeps_no_body():
    with rig([forever(echo)]) as r:
        client = r.client(timeout=20)
        for body in (b"x" * 1_000_000, b"x" * 1000, chat_body(model="none", text="x" * 1_000_000)):
            client.send(post(body))
            assert client.receive().status in (400, 404)
            assert connections(r)[0].cycle.received_bytes == 0
        client.send(post(b"x" * 50_000, key="yj_test_nonsense"))
        assert client.receive().status == 401
        assert connections(r)[0].cycle.received_bytes == 0
        assert r.gateway.counters.large_body_bytes == 0


def test_large_bodies_together_are_limited():
    body = chat_body(text="x" * 300_000)
    with rig([forever(plain())], request_bodies_bytes_max=500_000) as r:
        first, second, small = r.client(), r.client(), r.client()
        first.send(post(body)[:-10])
        wait_for(lambda: r.gateway.counters.large_body_bytes > 290_000)
        second.send(post(body))
        answer = second.receive()
        assert (answer.status, answer.code) == (503, "overloaded")
        small.send(post())
        assert small.receive().status == 200
        first.send(post(body)[-10:])
        assert first.receive().status == 200
        assert r.gateway.counters.large_body_bytes == 0
        again = r.client()
        again.send(post(body))
        assert again.receive().status == 200


def test_what_waited_for_its_turn_when_its_client_left_is_forgotten():
    gate = threading.Event()
    with rig([request, wait(gate), send(plain())]) as r:
        client = r.client()
        client.send(post() + post(chat_body(text="x" * 300_000)) + post(chat_body(text="x" * 300_000))[:-9])
        wait_for(lambda: r.gateway.counters.large_body_bytes > 590_000)
        client.close()
        wait_for(lambda: r.gateway.counters.large_body_bytes == 0)
        gate.set()


# places


def test_requests_whose_bodies_do_not_come_take_nobodys_place():
    with rig([forever(echo)], exchanges_max=10) as r:
        for key in (None, "yj_test_nonsense"):
            for _ in range(15):
                r.client().send(post(key=key)[:-5])
        wait_for(lambda: sum(bool(c._exchange) for c in connections(r)) == 30)
        assert r.gateway.is_ready
        client = r.client()
        client.send(post())
        assert client.receive().text == "hi"
