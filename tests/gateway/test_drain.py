"""A graceful stop: what is under way may end within the drain time; nothing stalls it, nothing is lost."""

import threading
import time

import pytest
from tests.support.rawclient import cold, post
from tests.support.rig import Rig, bill, rig, wait_for
from tests.support.upstream import DONE, END, STREAM_HEAD, chunk, echo, event, forever, plain, request, send, wait


def stopped(r: Rig, *, least: float = 0.0, most: float = 5.0) -> None:
    """The server ends by itself, in this time, and leaves nothing behind."""
    began = time.monotonic()
    r.server._thread.join(8)
    assert not r.server._thread.is_alive()
    assert least <= time.monotonic() - began <= most
    r.assert_clean()
    assert sum(r.bank.holds.values()) == sum(record.charge_nanos for record in r.records)
    assert r.server.node.has_left


def test_a_stream_under_way_ends_within_the_drain_time():
    gate = threading.Event()
    rest = chunk(event("b", finish="stop") + DONE) + END
    script = [request, send(STREAM_HEAD + chunk(event("a"))), wait(gate), send(rest)]
    with rig(script, is_stopped_by_test=True) as r:
        client = r.client()
        client.send(post(stream=True))
        client.receive_until(b'"a"')
        r.server.begin_stop()
        time.sleep(0.4)
        assert r.server._thread.is_alive()
        gate.set()
        assert client.receive_until(b"\r\n0\r\n\r\n").endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        assert client.is_at_end()
        stopped(r)
        assert [record.status for record in r.records] == ["completed"]


def test_a_plain_answer_under_way_ends_and_says_close():
    gate = threading.Event()
    with rig([request, wait(gate), send(plain())], is_stopped_by_test=True) as r:
        client = r.client()
        client.send(post())
        r.upstream.wait_requests(1)
        r.server.begin_stop()
        time.sleep(0.3)
        gate.set()
        answer = client.receive()
        assert (answer.text, answer.headers[b"connection"]) == ("hello", b"close")
        stopped(r)


def test_a_stream_that_takes_longer_is_cut_with_an_error_event_and_settled():
    with rig([request, send(STREAM_HEAD + chunk(event("abc")))], is_stopped_by_test=True,
             shutdown_drain_seconds=0.4) as r:  # fmt: skip
        client = r.client()
        client.send(post(stream=True))
        head = client.receive_head()
        r.server.begin_stop()
        head.body = client.receive_to_end_of_chunks()
        assert (head.text, head.is_done) == ("abc", False)
        assert head.code == "shutting_down"
        assert b"restarting" in head.body
        assert client.is_at_end()
        stopped(r)
        (record,) = r.records
        assert (record.status, record.charge_nanos) == ("upstream_broke", bill(1, 1))


def test_a_plain_answer_that_takes_longer_is_an_error_and_costs_nothing():
    with rig([request], is_stopped_by_test=True, shutdown_drain_seconds=0.3) as r:
        client = r.client()
        client.send(post())
        r.upstream.wait_requests(1)
        r.server.begin_stop()
        r.server.call(r.gateway.begin_stop)
        assert r.gateway.why_not_ready() == ["stopping"]
        answer = client.receive()
        assert (answer.status, answer.code) == (503, "shutting_down")
        assert answer.headers[b"connection"] == b"close"
        assert r.channel().health.failures == 0  # our stop tells nothing about the channel
        stopped(r)
        assert not r.records


def test_a_client_that_does_not_read_does_not_stall_the_stop():
    pieces = [chunk(event("x" * 50_000))] * 400
    with rig([request, send(STREAM_HEAD, *pieces)], is_stopped_by_test=True,
             shutdown_drain_seconds=0.3, close_seconds=0.3) as r:  # fmt: skip
        client = r.client(receive_buffer=4096)
        client.send(post(stream=True))
        client.receive_until(b"xxx")
        time.sleep(0.1)
        r.server.begin_stop()
        stopped(r, most=4.0)


@pytest.mark.parametrize(
    ("half", "most"),
    [(b"POST /v1/chat", 3.0), (b"", 3.0), (post()[:-10], 3.5), (cold(b"x" * 99)[:-50], 3.5)],
    ids=["half a head", "nothing", "half a hot body", "half a cold body"],
)
@pytest.mark.parametrize("before", [b"", cold(b"y")], ids=["new", "kept"])
def test_half_a_request_does_not_stall_the_stop(half, most, before):
    with rig([forever(echo)], is_stopped_by_test=True, shutdown_drain_seconds=0.4) as r:
        client = r.client()
        client.send(before + half)
        if before:
            client.receive()
        time.sleep(0.1)
        r.server.begin_stop()
        stopped(r, most=most)
        assert not r.upstream.requests


def test_a_body_that_still_arrives_is_served():
    with rig([forever(echo)], is_stopped_by_test=True) as r:
        client = r.client()
        whole = post()
        client.send(whole[:-10])
        time.sleep(0.1)
        r.server.begin_stop()
        time.sleep(0.3)
        client.send(whole[-10:])
        assert client.receive().text == "hi"
        stopped(r)


@pytest.mark.parametrize("second", [post(), cold(b"x")], ids=["hot", "cold"])
@pytest.mark.parametrize("first", [post(), cold(path=b"/sleep")], ids=["hot", "cold"])
def test_requests_queued_behind_an_answer_are_not_begun(first, second):
    gate = threading.Event()
    with rig([request, wait(gate), send(plain())], is_stopped_by_test=True) as r:
        client = r.client()
        client.send(first + second)
        time.sleep(0.1)
        r.server.begin_stop()
        time.sleep(0.2)
        gate.set()
        assert client.receive().status == 200
        assert client.is_at_end()
        stopped(r)
        assert len(r.upstream.requests) == (first == post())


def test_idle_connections_are_closed_at_once_and_new_ones_refused():
    with rig([forever(echo)], is_stopped_by_test=True) as r:
        client = r.client()
        client.send(post())
        client.receive()
        r.server.begin_stop()
        assert client.is_at_end()
        stopped(r)
        with pytest.raises(OSError, match="refused"):
            r.client()
        assert r.upstream.connections[0].wait_closed()


def test_what_is_drained_for_a_client_that_left_is_settled_at_the_stop():
    with rig([request, send(STREAM_HEAD + chunk(event("abc")))], drains=True, is_stopped_by_test=True) as r:
        client = r.client()
        client.send(post(stream=True))
        client.receive_until(b"abc")
        client.close()
        wait_for(lambda: r.gateway.draining == 1)
        r.server.begin_stop()
        stopped(r)
        assert [(x.status, x.charge_nanos) for x in r.records] == [("client_gone", bill(1, 1))]


def test_the_stop_returns_every_lease():
    with rig([forever(echo)], is_stopped_by_test=True) as r:
        client = r.client()
        client.send(post() + post(stream=True))
        for _ in range(2):
            client.receive()
        assert r.gateway.purses.leased_nanos > 0
        r.server.begin_stop()
        stopped(r)
        assert r.gateway.purses.leased_nanos == 0
        assert sum(r.bank.balance.values()) == 100 * 10**9 - 2 * bill(10, 5)
