"""Many requests in one connection, hot and cold in every order: each answered once, in order."""

import itertools
import threading

import pytest
from tests.support.rawclient import Answer, chat_body, cold, post
from tests.support.rig import rig, wait_for
from tests.support.upstream import echo, forever, plain, request, send, sleep, wait

KINDS = {
    "hot": lambda n: post(chat_body(text=f"h{n}")),
    "stream": lambda n: post(chat_body(text=f"s{n}", stream=True)),
    "chunked": lambda n: post(chat_body(text=f"c{n}"), chunks=11),
    "cold": lambda n: cold(b"a%d" % n),
    "refused": lambda _: post(key="yj_test_wrong"),
}


def check(kind: str, number: int, answer: Answer) -> None:
    """The answer is the one to this request."""
    assert answer.is_whole
    if kind == "refused":
        assert answer.status == 401
    elif kind == "cold":
        assert answer.body == b"cold:/echo:a%d" % number
    else:
        assert answer.text == f"{kind[0]}{number}", (kind, number, answer.body)


def exchange(client, kinds: list[str], *, piece: int) -> None:
    """Send all from a thread of its own, and check every answer."""
    data = b"".join(KINDS[kind](number) for number, kind in enumerate(kinds))
    sender = threading.Thread(target=client.send_pieces, args=(data, piece))
    sender.start()
    for number, kind in enumerate(kinds):
        check(kind, number, client.receive())
    sender.join()


@pytest.mark.parametrize("piece", [7, 1_000_000])
def test_every_order_of_three_kinds_on_one_connection(piece):
    with rig([forever(echo)]) as r:
        for kinds in itertools.product(KINDS, repeat=3):
            exchange(r.client(), list(kinds), piece=piece)
            r.clients.pop_all().close()


def test_3000_pipelined_requests_of_all_kinds():
    with rig([forever(echo)], heartbeat_fresh_seconds=30.0) as r:
        kinds = ["hot", "cold", "refused", "cold", "stream", "refused", "chunked", "hot", "hot", "cold"] * 300
        exchange(r.client(timeout=30), kinds, piece=65_536)
        assert len(r.records) == kinds.count("hot") + kinds.count("stream") + kinds.count("chunked")


@pytest.mark.parametrize("kind", ["refused", "cold"])
def test_3000_pipelined_requests_behind_one_that_takes_time(kind):
    with rig([request, sleep(0.2), send(plain("h0"))]) as r:
        exchange(r.client(timeout=30), ["hot"] + [kind] * 3000, piece=65_536)


def test_a_full_read_of_small_requests_and_half_a_head_is_no_large_head():
    with rig([forever(echo)]) as r:
        client = r.client(timeout=20)
        whole = cold(b"x" * 1000) * 300
        half = post()
        client.send(whole + half[:40])
        for _ in range(300):
            assert client.receive().status == 200
        client.send(half[40:])
        assert client.receive().status == 200


def test_two_connections_do_not_wait_for_each_other():
    with rig([request, sleep(0.5), send(plain("slow"))], [forever(echo)]) as r:
        slow, fast = r.client(), r.client()
        slow.send(post())
        r.upstream.wait_requests(1)
        fast.send(post() + cold(b"x") + post())
        for _ in range(3):
            assert fast.receive().status == 200
        assert slow.is_silent(0.05)
        assert slow.receive().text == "slow"


def test_queued_large_bodies_do_not_fill_the_memory():
    limit, gate = 1_000_000, threading.Event()
    script = [request, wait(gate), send(plain()), forever(plain())]
    with rig(script, request_body_bytes_max=limit) as r:
        client = r.client(timeout=20)
        client.send(post())
        r.upstream.wait_requests(1)
        body = chat_body(text="x" * 900_000)
        sender = threading.Thread(target=client.send, args=(post(body) * 12,))
        sender.start()
        (protocol,) = r.server._server.server_state.connections
        wait_for(lambda: not protocol.flow.is_reading or not sender.is_alive())
        assert sum(cycle.received_bytes for cycle, _ in protocol.pipeline) < 3 * limit
        gate.set()
        for _ in range(13):
            assert client.receive().status == 200
        sender.join()
