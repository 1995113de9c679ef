"""Back-pressure through the gateway in both directions: a slow peer holds the other one back, and nobody else."""

import threading
import time

import pytest
from tests.support.rawclient import chat_body, cold, post
from tests.support.rig import Rig, bill, rig, wait_for
from tests.support.upstream import (
    END,
    STREAM_HEAD,
    body_of_stream,
    chunk,
    echo,
    event,
    forever,
    plain,
    read_slowly,
    request,
    send,
    sleep,
)

PIECE = chunk(event("x" * 50_000))
COUNT = 1_200  # 60 MB
BOUND = 25_000_000
"""What the kernel's buffers of two connections may take, and a little more; less than half of what is sent."""
FLOOD = [request, send(STREAM_HEAD, *[PIECE] * COUNT, chunk(body_of_stream(["end"])) + END)]


def settled_sent(r: Rig, number: int = 0) -> int:
    """How much the provider could send until it was held back."""
    conn, before = r.upstream.connections[number], -1
    while conn.sent != before:
        before = conn.sent
        time.sleep(0.25)
    return before


def test_a_slow_client_holds_its_provider_back_and_then_gets_everything():
    with rig(FLOOD) as r:
        client = r.client(receive_buffer=16_384, timeout=20)
        client.send(post(stream=True))
        head = client.receive_head()
        assert head.status == 200
        sent = settled_sent(r)
        assert sent < BOUND
        (protocol,) = r.server._server.server_state.connections
        assert protocol.transport.get_write_buffer_size() < 2_000_000
        received = client.receive_to_end_of_chunks()
        assert received.count(b"x" * 50_000) == COUNT
        assert received.endswith(b"data: [DONE]\n\n")
        assert r.wait_records(1)[0].charge_nanos == bill(10, 5)


def test_a_slow_client_does_not_slow_others_down():
    with rig(FLOOD, [forever(echo)]) as r:
        slow, fast = r.client(receive_buffer=16_384), r.client()
        slow.send(post(stream=True))
        slow.receive_head()
        settled_sent(r)
        began = time.monotonic()
        for _ in range(20):
            fast.send(post(stream=True))
            assert fast.receive().text == "hi"
        assert time.monotonic() - began < 4.0


@pytest.mark.parametrize("is_sent_later", [False, True])
def test_what_is_behind_an_unread_answer_is_not_begun(is_sent_later):
    with rig([request, send(plain("y" * 20_000_000)), *FLOOD], client_write_seconds=30.0) as r:
        client = r.client(receive_buffer=16_384, timeout=20)
        client.send(post() if is_sent_later else post() + post(stream=True) + cold(b"x"))
        r.wait_records(1)
        if is_sent_later:
            client.send(post(stream=True) + cold(b"x"))
        time.sleep(0.2)
        assert len(r.upstream.requests) == 1
        assert len(client.receive().text) == 20_000_000
        client.receive_head()
        assert client.receive_to_end_of_chunks().count(b"x" * 50_000) == COUNT
        assert client.receive().body == b"cold:/echo:x"


def test_a_silent_slow_client_is_not_the_providers_fault():
    with rig(FLOOD, idle_seconds=0.2, client_write_seconds=30.0) as r:
        client = r.client(receive_buffer=16_384, timeout=20)
        client.send(post(stream=True))
        client.receive_head()
        settled_sent(r)
        time.sleep(0.5)
        assert client.receive_to_end_of_chunks().endswith(b"data: [DONE]\n\n")


def test_a_client_that_has_caught_up_is_not_cut_later():
    pieces, rest = [PIECE] * 500, chunk(body_of_stream(["end"])) + END
    with rig([request, send(STREAM_HEAD, *pieces), sleep(1.0), send(rest)], client_write_seconds=0.6) as r:
        client = r.client(receive_buffer=16_384, timeout=20)
        client.send(post(stream=True))
        client.receive_head()
        time.sleep(0.3)
        (protocol,) = r.server._server.server_state.connections
        assert protocol.flow.write_paused
        assert client.receive_to_end_of_chunks().endswith(b"data: [DONE]\n\n")


def test_a_provider_that_reads_slowly_gets_all_of_a_large_request():
    text = "z" * 30_000_000
    with rig([read_slowly(30_000_000), send(plain("got it"))]) as r:
        client, other = r.client(timeout=20), r.client()
        sender = threading.Thread(target=client.send, args=(post(chat_body(text=text)),))
        sender.start()
        wait_for(lambda: r.gateway.exchanges)
        served = 0
        while not r.upstream.requests:
            other.send(cold(b"x"))
            assert other.receive().status == 200
            served += 1
            time.sleep(0.01)
        sender.join()
        assert client.receive().text == "got it"
        assert r.upstream.requests[0].json["messages"][0]["content"] == text
        assert served > 10  # decoding 30 MB takes the loop for a moment; waiting for the provider does not
