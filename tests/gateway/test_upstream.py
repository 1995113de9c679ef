"""The pool of connections to a provider: reuse, staleness, limits, and answers that are no good HTTP."""

import asyncio
import ssl
import threading
import time

import pytest
from tests.support.rawclient import chat_body, post
from tests.support.rig import bill, rig, wait_for
from tests.support.upstream import (
    DONE,
    END,
    STREAM_HEAD,
    STREAM_HEAD_UNTIL_CLOSE,
    RawUpstream,
    body_of_stream,
    chunk,
    close,
    echo,
    error,
    event,
    forever,
    plain,
    plain_body,
    request,
    reset,
    send,
    send_bytewise,
    sleep,
    stream,
    usage_event,
    wait,
)

from yuanjing.gateway.upstream import ChannelPool
from yuanjing.ports.store import Topic

# reuse


def test_connections_are_kept_and_used_again():
    with rig([forever(echo)]) as r:
        client = r.client()
        for number in range(30):
            client.send(post(chat_body(text=f"t{number}", stream=number % 2 == 0)))
            assert client.receive().text == f"t{number}"
        assert len(r.upstream.connections) == 1
        assert r.channel().pool.connects == 1


@pytest.mark.parametrize(
    "answer",
    [
        plain(extra=b"connection: close\r\n"),
        b"HTTP/1.0 200 OK\r\ncontent-length: %d\r\n\r\n" % len(plain_body()) + plain_body(),
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + plain_body(),
    ],
    ids=["close", "http/1.0", "until close"],
)
def test_connections_that_are_not_to_be_kept_are_not(answer):
    with rig([request, send(answer), close]) as r:
        client = r.client()
        for _ in range(3):
            client.send(post())
            assert client.receive().text == "hello"
        wait_for(lambda: r.channel().pool.open_count == 0)
        assert len(r.upstream.connections) == 3


def test_a_stream_that_ends_at_the_close_is_whole():
    with rig([request, send(STREAM_HEAD_UNTIL_CLOSE + body_of_stream()), close]) as r:
        client = r.client()
        client.send(post(stream=True))
        answer = client.receive()
        assert (answer.text, answer.is_done) == ("hello", True)
        assert r.wait_records(1)[0].charge_nanos == bill(10, 5)


# staleness


def test_a_connection_that_was_closed_while_idle_is_not_used():
    with rig([request, send(plain("one")), sleep(0.05), close], [forever(plain("two"))]) as r:
        client = r.client()
        client.send(post())
        assert client.receive().text == "one"
        wait_for(lambda: r.channel().pool.open_count == 0)
        client.send(post())
        assert client.receive().text == "two"


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("ending", [close, reset])
def test_a_connection_that_closes_when_the_request_comes_is_retried_once_and_billed_once(streams, ending):
    with rig([request, send(plain("one")), request, ending], [forever(echo)]) as r:
        client = r.client()
        client.send(post())
        client.receive()
        client.send(post(stream=streams))
        assert client.receive().text == "hi"
        records = r.wait_records(2)
        assert [record.charge_nanos for record in records] == [bill(10, 5)] * 2
        assert records[1].attempts == 1
        assert len(r.upstream.requests) == 3


def test_a_second_closing_in_a_row_is_a_failure():
    with rig([request, send(plain("one")), request, close], [request, close]) as r:
        client = r.client()
        client.send(post())
        client.receive()
        client.send(post())
        assert client.receive().status == 503
        assert len(r.upstream.requests) == 3
        assert len(r.wait_records(1)) == 1


@pytest.mark.parametrize("ending", [close, reset])
def test_a_connection_that_closes_long_after_the_request_may_have_worked_on_it(ending):
    gate = threading.Event()
    script = [request, send(plain("one")), request, wait(gate), ending]
    with rig(script, [forever(echo)], upstream_stale_seconds=0.05) as r:
        client = r.client()
        client.send(post())
        client.receive()
        client.send(post())
        r.upstream.wait_requests(2)
        time.sleep(0.1)
        gate.set()
        assert client.receive().status == 503
        assert len(r.upstream.requests) == 2
        assert r.channel().health.failures == 1


def test_a_fresh_connection_that_closes_is_not_retried_on_the_same_channel():
    with rig([request, close]) as r:
        client = r.client()
        client.send(post())
        assert client.receive().status == 503
        assert len(r.upstream.requests) == 1


def test_when_all_idle_connections_are_dead_one_retry_is_enough():
    gate = threading.Event()
    dead = [request, wait(gate), send(plain()), request, reset]
    with rig(*[dead] * 4, [forever(plain("alive"))]) as r:
        clients = [r.client() for _ in range(4)]
        for client in clients:
            client.send(post())
        r.upstream.wait_requests(4)
        gate.set()
        for client in clients:
            client.receive()
        wait_for(lambda: r.channel().pool.idle_count == 4)
        clients[0].send(post())
        assert clients[0].receive().text == "alive"
        assert len(r.upstream.requests) == 6


# answers that come early, twice, or unasked


def test_an_early_answer_does_not_leave_half_a_request_on_a_kept_connection():
    early = [sleep(0.05), send(error(b"413 Too Large")), sleep(0.3), request]
    with rig(early, [forever(plain("next"))]) as r:
        client = r.client(timeout=20)
        client.send(post(chat_body(text="x" * 20_000_000)))
        assert client.receive().status in (400, 413, 503)
        client.send(post())
        assert client.receive().text == "next"
        assert r.upstream.connections[0].wait_closed()


def test_interim_answers_are_passed_over():
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\ncontent-length: 5\r\n\r\n"
    with rig([request, send_bytewise(interim), send(plain("one")), request, send(interim + plain("two"))]) as r:
        client = r.client()
        for text in ("one", "two"):
            client.send(post())
            assert client.receive().text == text


def test_endless_interim_answers_are_cut():
    many = [b"HTTP/1.1 102 Processing\r\nx: " + b"y" * 1000 + b"\r\n\r\n"] * 200
    with rig([request, send(*many)]) as r:
        client = r.client()
        client.send(post())
        assert client.receive().status in (502, 503)


@pytest.mark.parametrize("unasked", [plain("unasked"), b"x", b"HTTP/1.1 408 Timeout\r\ncontent-length: 0\r\n\r\n"])
@pytest.mark.parametrize("pause", [0.0, 0.05])
@pytest.mark.parametrize("streams", [False, True])
def test_what_comes_unasked_never_reaches_the_next_request(unasked, pause, streams):
    first = stream(["one"]) if streams else plain("one")
    script = [request, send(first + unasked)] if not pause else [request, send(first), sleep(pause), send(unasked)]
    with rig(script, [forever(plain("two"))]) as r:
        client = r.client()
        client.send(post(stream=streams))
        assert client.receive().text == "one"
        assert r.upstream.connections[0].wait_closed()
        client.send(post())
        assert client.receive().text == "two"
        assert [record.charge_nanos for record in r.wait_records(2)] == [bill(10, 5)] * 2


# answers that are no HTTP, or lie about themselves


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\x01\x02",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000,
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 40_000,
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n",
        plain(extra=b"content-encoding: gzip\r\n"),
        STREAM_HEAD + b"zz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ],
    ids=str,
)
@pytest.mark.parametrize("streams", [False, True])
def test_a_bad_answer_goes_to_the_next_channel_and_costs_nothing(answer, streams):
    bad, good = RawUpstream([request, send(answer)]), RawUpstream([forever(echo)])
    with rig(upstreams=[bad, good], first_byte_seconds=2.0) as r:
        client = r.client()
        client.send(post(stream=streams))
        assert client.receive().text == "hi"
        (record,) = r.wait_records(1)
        assert (record.channel_id, record.charge_nanos) == ("ch_2", bill(10, 5))
        wait_for(lambda: r.channel(1).pool.open_count == r.channel(1).pool.idle_count)


@pytest.mark.parametrize("length", [-1, 1, 1000])
def test_a_wrong_content_length_is_no_answer(length):
    body = plain_body()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (len(body) + length)
    with rig([request, send(head + body), close]) as r:
        client = r.client()
        client.send(post())
        assert client.receive().status in (502, 503)
        assert not r.records


def test_a_plain_answer_that_is_too_large_is_cut():
    with rig([request, send(plain("x" * 300_000))], answer_bytes_max=200_000) as r:
        client = r.client()
        client.send(post())
        assert client.receive().status == 502
        assert r.upstream.connections[0].wait_closed()


@pytest.mark.parametrize("headers", [b"transfer-encoding: chunked\r\n", b""])
def test_a_stream_that_ends_in_the_middle_is_an_error_event_and_charged_as_delivered(headers):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + headers + b"\r\n"
    piece = chunk(event("abcdefgh")) if headers else event("abcdefgh")
    with rig([request, send(head + piece), sleep(0.05), close]) as r:
        client = r.client()
        client.send(post(stream=True))
        answer = client.receive()
        assert (answer.text, answer.is_done, answer.code) == ("abcdefgh", False, "provider_unavailable")
        (record,) = r.wait_records(1)
        assert (record.status, record.is_estimated) == ("upstream_broke", True)
        assert record.charge_nanos == bill(1, 3)  # "hi" and "abcdefgh", three bytes a token


def test_a_break_after_everything_but_the_end_is_a_whole_answer():
    whole = STREAM_HEAD + chunk(event("a") + event("", finish="stop") + usage_event((7, 3)))
    with rig([request, send(whole), close]) as r:
        client = r.client()
        client.send(post(stream=True))
        assert client.receive().is_done
        assert r.wait_records(1)[0].charge_nanos == bill(7, 3)


def test_what_follows_done_is_dropped_and_the_connection_is_kept():
    rest = chunk(b": bye\n\n" + event("never") + DONE) + END
    script = [request, send(STREAM_HEAD + chunk(body_of_stream(["a"]))), sleep(0.1), send(rest), forever(echo)]
    with rig(script) as r:
        client = r.client()
        client.send(post(stream=True))
        answer = client.receive()
        assert (answer.text, answer.is_done) == ("a", True)
        wait_for(lambda: r.channel().pool.idle_count == 1)
        client.send(post())
        assert client.receive().text == "hi"
        assert len(r.upstream.connections) == 1


def test_a_body_without_an_end_after_done_is_cut():
    endless = send(*[chunk(b": more\n\n")] * 1000, every=0.01)
    with rig([request, send(STREAM_HEAD + chunk(body_of_stream(["a"]))), endless], upstream_idle_seconds=0.2) as r:
        client = r.client()
        client.send(post(stream=True))
        assert client.receive().is_done
        assert r.upstream.connections[0].wait_closed(1.5)
        wait_for(lambda: r.channel().pool.open_count == 0)


def test_an_answer_byte_by_byte():
    script = [request, send_bytewise(stream(["你", "好"])), request, send_bytewise(plain("whole")), forever(echo)]
    with rig(script) as r:
        client = r.client()
        for streams, text in ((True, "你好"), (False, "whole"), (False, "hi")):
            client.send(post(stream=streams))
            assert client.receive().text == text
            wait_for(lambda: r.channel().pool.idle_count == 1)  # `[DONE]` comes some bytes before the end
        assert len(r.upstream.connections) == 1


# the limit of connections


def test_requests_wait_for_a_connection_when_the_channel_has_all_it_may_have():
    with rig([forever(lambda got: (time.sleep(0.05), echo(got))[1])], connections_max=2) as r:
        clients = [r.client() for _ in range(8)]
        for client in clients:
            client.send(post())
        assert [client.receive().text for client in clients] == ["hi"] * 8
        assert len(r.upstream.connections) == 2


def test_waiting_for_a_connection_times_out():
    gate = threading.Event()
    with rig([request, wait(gate), send(plain()), forever(echo)], connections_max=1, connect_seconds=0.2) as r:
        first, second = r.client(), r.client()
        first.send(post())
        r.upstream.wait_requests(1)
        began = time.monotonic()
        second.send(post())
        answer = second.receive()
        assert (answer.status, answer.code) == (503, "overloaded")
        assert time.monotonic() - began > 0.15
        assert r.channel().health.failures == 0  # it is our limit, and tells nothing about the provider
        assert dict(r.gateway.counters.attempts_failed) == {("ch_1", "saturated"): 1}
        gate.set()
        assert first.receive().status == 200
        second.send(post())
        assert second.receive().status == 200


def test_when_a_channel_is_full_the_next_one_answers():
    gate = threading.Event()
    full, free = RawUpstream([request, wait(gate), send(plain())]), RawUpstream([forever(plain("free"))])
    with rig(upstreams=[full, free], connections_max=1, connect_seconds=0.2) as r:
        first, second = r.client(), r.client()
        first.send(post())
        full.wait_requests(1)
        second.send(post())
        assert second.receive().text == "free"
        gate.set()
        assert first.receive().status == 200


def test_a_channel_that_is_gone_keeps_no_connection():
    gate = threading.Event()
    begun = STREAM_HEAD + chunk(body_of_stream(["a"]))
    script = [request, send(begun), wait(gate)]
    with rig(
        script,
        [request, send(STREAM_HEAD + chunk(event("a"))), wait(gate), send(chunk(event("", finish="stop") + DONE))],
    ) as r:
        pool = r.channel().pool
        done, running = r.client(), r.client()
        done.send(post(stream=True))
        assert done.receive().is_done  # its connection waits for the body's end, which never comes
        running.send(post(stream=True))
        running.receive_until(b'"a"')
        assert (pool.open_count, pool.idle_count) == (2, 0)
        r.server.directory.channels.clear()
        r.server.node.pending.append((Topic.CATALOG, ""))
        wait_for(lambda: pool.open_count == 1)
        gate.set()
        assert b"[DONE]" in running.receive_until(b"\r\n0\r\n\r\n")
        wait_for(lambda: pool.open_count == 0)


def test_a_waiting_request_gets_the_place_of_a_connection_that_broke():
    gate = threading.Event()
    with rig([request, wait(gate), reset], [forever(echo)], connections_max=1) as r:
        first, second = r.client(), r.client()
        first.send(post())
        r.upstream.wait_requests(1)
        second.send(post())
        time.sleep(0.05)
        gate.set()
        assert first.receive().status == 503
        assert second.receive().text == "hi"


def test_waiting_requests_whose_clients_leave_take_no_connection():
    gate = threading.Event()
    with rig([request, wait(gate), send(plain()), forever(echo)], connections_max=1) as r:
        first, last = r.client(), r.client()
        first.send(post())
        r.upstream.wait_requests(1)
        leaving = [r.client() for _ in range(5)]
        for client in leaving:
            client.send(post())
        last.send(post(chat_body(text="last")))
        time.sleep(0.05)
        for client in leaving:
            client.close()
        time.sleep(0.05)
        gate.set()
        assert first.receive().status == 200
        assert last.receive().text == "last"
        assert len(r.upstream.requests) == 2


def test_a_connection_that_becomes_free_at_once_is_found():
    with rig([forever(echo)], connections_max=1) as r:
        clients = [r.client() for _ in range(6)]
        for _ in range(40):
            for client in clients:
                client.send(post())
            for client in clients:
                assert client.receive().status == 200
        assert len(r.upstream.connections) == 1


def test_connections_that_are_reset_at_once_leave_nothing_behind():
    with rig([reset]) as r:
        client = r.client()
        for _ in range(20):
            client.send(post())
            assert client.receive().status == 503
        wait_for(lambda: r.channel().pool.open_count == 0)


# moments that are hard to meet on a real socket


def pool_of(port: int, *, connections_max: int) -> ChannelPool:
    return ChannelPool(
        f"http://127.0.0.1:{port}/v1",
        connections_max=connections_max,
        connect_seconds=0.5,
        header_bytes_max=65_536,
        tls=ssl.create_default_context,
        now=time.monotonic,
    )


async def test_a_connection_that_became_free_before_the_wait_began_is_taken():
    with RawUpstream([]) as upstream:
        pool = pool_of(upstream.port, connections_max=1)
        connection = await pool.connect()
        pool.give_back(connection)
        assert await pool.connect() is connection
        connection.abandon()
        await asyncio.sleep(0.01)


async def test_a_connection_that_broke_while_it_was_handed_over_is_not_used():
    with RawUpstream([]) as upstream:
        pool = pool_of(upstream.port, connections_max=1)
        connection = await pool.connect()
        waiting = asyncio.ensure_future(pool.connect())
        await asyncio.sleep(0.01)
        pool.give_back(connection)
        connection.abandon()
        other = await waiting
        assert other is not connection
        assert pool.open_count == 1
        other.abandon()
        await asyncio.sleep(0.01)


async def test_a_place_that_was_offered_to_a_waiter_whose_time_ran_out_goes_to_the_next():
    with RawUpstream([]) as upstream:
        pool = pool_of(upstream.port, connections_max=1)
        connection = await pool.connect()
        first, second = asyncio.ensure_future(pool.connect()), asyncio.ensure_future(pool.connect())
        await asyncio.sleep(0.01)
        connection.abandon()
        first.cancel()
        other = await second
        assert pool.open_count == 1
        other.abandon()
        await asyncio.sleep(0.01)
