"""The traps of putting hot routes into uvicorn's protocol, each with the tests that fail without its handling.

| # | Trap | Tests |
|---|---|---|
| 1 | answering out of the pipeline recurses | test_pipelining: test_3000_pipelined_* |
| 2 | connection_lost tells only the newest cycle | test_leaving_with_a_newer_request_queued_* |
| 3 | a paused socket does not see its client leave | test_reading_is_paused_*, test_leaving_with_* |
| 4 | bodies above 64 KiB hang | test_a_large_hot_body_* |
| 5 | a 400 in the middle of a running answer | test_garbage_* |
| 6 | httptools drops the body of an h2c upgrade | test_h2c_*, test_connect_* |
| 7 | no limit on heads, no time limit | test_timeouts: client side |
| 8 | 100 Continue is written by ASGI only | test_continue_* |
| 9 | HTTP/1.0 gets chunks | test_http10_* |
| 10 | half-close counts as gone | test_disconnect: every form, half-close too |
| 11 | disconnects come in several forms | test_disconnect: every form |
| 12 | close() waits for who does not read; unread input costs the answer | test_a_client_that_does_not_*, test_413_* |
| 13 | after our close the parser goes on | test_nothing_is_served_after_*, test_garbage_in_a_body_that_was_* |
| 14 | graceful stop cuts or stalls | test_drain |
| 15 | the lifespan ends after the connections | test_drain: test_the_stop_returns_every_lease |
| 16-19 | signals and processes | not of the protocol: with the serve command |
| 20 | total_requests and the keep-alive timer | test_total_requests_*; test_keep_alive |
| 21 | one read holds thousands of requests, and the loop reads on before anybody else | test_floods: the loop |
| 22 | trailers are appended to the headers | test_floods: test_trailers_* |
| 23 | the kernel asks for more of an answer only when much of it is gone | test_slow_readers |
"""

import contextlib
import itertools
import threading
import time

import pytest
from tests.support.rawclient import LLMAGE, OPENAI, Cut, RawClient, chat_body, cold, post
from tests.support.rig import Rig, bill, rig, wait_for
from tests.support.upstream import (
    END,
    STREAM_HEAD,
    chunk,
    echo,
    event,
    forever,
    plain,
    request,
    send,
    sleep,
    wait,
)

H2C = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
BAD_KEY = "yj_test_nonsense"


def connection(rig_: Rig) -> object:
    """The protocol of the only client connection."""
    (protocol,) = rig_.server._server.server_state.connections
    return protocol


def slow_stream(gate: threading.Event) -> list:
    """A stream whose second half waits for the test."""
    rest = chunk(event("b", finish="stop") + b"data: [DONE]\n\n") + END
    return [request, send(STREAM_HEAD + chunk(event("a"))), wait(gate), send(rest), forever(echo)]


# 2, 3: leaving with something queued


@pytest.mark.parametrize("queued", [post(), cold(b"x"), post() + cold(b"x") + post(stream=True)])
def test_leaving_with_a_newer_request_queued_ends_the_hot_answer(queued):
    gate = threading.Event()
    with rig(slow_stream(gate)) as r:
        client = r.client()
        client.send(post(stream=True) + queued)
        client.receive_until(b"\n\n")
        client.close()
        r.wait_over(1.0)
        gate.set()
        assert r.upstream.connections[0].wait_closed()
        (record,) = r.wait_records(1)
        assert record.status == "client_gone"
        assert len(r.upstream.requests) == 1


@pytest.mark.parametrize("queued", [post(), cold(b"x")])
def test_leaving_with_a_newer_request_queued_tells_the_cold_request(queued):
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(cold(path=b"/until-gone"))
        time.sleep(0.05)
        client.send(queued)
        time.sleep(0.05)
        client.close()
        wait_for(lambda: r.server.cold_notes == ["gone:/until-gone"])
        assert not r.upstream.requests


@pytest.mark.parametrize("one", [post(), cold(b"x")])
def test_reading_is_paused_from_the_16th_queued_request_on_only(one):
    gate = threading.Event()
    with rig(slow_stream(gate)) as r:
        client = r.client()
        client.send(post(stream=True))
        client.receive_until(b"\n\n")
        for _ in range(15):
            client.send(one)
            time.sleep(0.005)
        wait_for(lambda: len(connection(r).pipeline) == 15)
        assert connection(r).flow.is_reading
        client.send(one)
        wait_for(lambda: not connection(r).flow.is_reading)
        gate.set()
        assert client.receive_until(b"\r\n0\r\n\r\n")
        assert [client.receive().status for _ in range(16)] == [200] * 16


# 4: large bodies


@pytest.mark.parametrize("size", [300_000, 30_000_000])
@pytest.mark.parametrize("chunks", [None, 65_000])
def test_a_large_hot_body_arrives_whole(size, chunks):
    text = "abcdefghij" * (size // 10)
    with rig([request, send(plain())]) as r:
        client = r.client(timeout=20)
        client.send(post(chat_body(text=text), chunks=chunks))
        assert client.receive().status == 200
        assert r.upstream.requests[0].json["messages"][0]["content"] == text


# 5: garbage


def test_garbage_in_the_middle_of_a_running_answer_never_puts_a_400_into_it():
    gate = threading.Event()
    with rig(slow_stream(gate)) as r:
        client = r.client()
        client.send(post(stream=True))
        seen = client.receive_until(b"\n\n")
        client.send(b"\x00\x01 not HTTP\r\n\r\n")
        with pytest.raises((Cut, ConnectionError)):
            client.receive_until(b"there is no more")
        assert b"400" not in seen + client.buffer
        gate.set()
        assert r.wait_records(1)[0].status == "client_gone"


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["same read", "later"])
@pytest.mark.parametrize("path", [OPENAI, LLMAGE])
def test_garbage_in_a_body_that_was_refused_leaves_the_refusal_readable(path, pause):
    with rig([forever(echo)], request_body_bytes_max=1000) as r:
        client = r.client()
        whole = post(chat_body(text="x" * 5000), chunks=500, path=path)
        cut = whole.index(b"1f4\r\n", 3000)
        client.send(whole[:cut] if pause else whole[:cut] + b"ZZZZ\r\n\r\n garbage")
        time.sleep(pause)
        client.send(b"ZZZZ\r\n\r\n garbage")
        assert client.receive().status == 413
        assert client.is_at_end()


@pytest.mark.parametrize("streams", [False, True], ids=["plain", "stream"])
def test_garbage_behind_a_request_does_not_cost_its_answer(streams):
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(post(stream=streams) + b"\x00\x01 garbage")
        answer = client.receive()
        assert (answer.status, answer.headers[b"connection"]) == (200, b"close")
        assert client.is_at_end()
        assert r.wait_records(1)[0].status == "completed"


def test_garbage_on_a_new_connection_gets_a_400_and_the_end():
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(b"\x00\x01 not HTTP\r\n\r\n")
        answer = client.receive()
        assert answer.status == 400
        assert client.is_at_end()


# 6: upgrades


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/echo"])
def test_h2c_upgrade_keeps_its_body(path, size):
    with rig([forever(echo)]) as r:
        client = r.client()
        body = chat_body(text="kept")
        for _ in range(2):
            client.send_pieces(post(body, path=path, headers=H2C), size)
            answer = client.receive()
            assert answer.status == 200
            assert b"kept" in answer.body


def test_h2c_upgrade_behind_a_running_answer_waits_for_its_turn():
    with rig([request, sleep(0.1), send(plain("one")), forever(echo)]) as r:
        client = r.client()
        client.send(post() + post(chat_body(text="two"), headers=H2C) + cold(b"three"))
        assert [client.receive().body[-20:].count(b"three") for _ in range(3)] == [0, 0, 1]
        assert [q.json["messages"][0]["content"] for q in r.upstream.requests] == ["hi", "two"]


@pytest.mark.parametrize("path", [OPENAI, b"/echo"])
def test_h2c_upgrade_keeps_what_else_connection_says(path):
    upgrade = b"connection: Upgrade, close , HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n"
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(post(path=path, headers=upgrade) + post())
        answer = client.receive()
        assert (answer.status, answer.headers[b"connection"]) == (200, b"close")
        assert client.is_at_end()
        assert len(r.upstream.requests) == (path == OPENAI)


@pytest.mark.parametrize("streams", [False, True])
def test_h2c_upgrade_keeps_the_version(streams):
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(post(headers=H2C, version=b"1.0", stream=streams))
        answer = client.receive()
        assert b"transfer-encoding" not in answer.headers
        assert (answer.text, answer.headers[b"connection"]) == ("hi", b"close")


def test_many_h2c_upgrades_in_one_read_do_not_recurse():
    with rig([forever(echo)], heartbeat_fresh_seconds=30.0) as r:
        client = r.client(timeout=20)
        sender = threading.Thread(target=client.send, args=(cold(b"x", method=b"POST", headers=H2C) * 2000,))
        sender.start()
        assert {client.receive().body for _ in range(2000)} == {b"cold:/echo:x"}
        sender.join()


def test_websocket_upgrade_is_served_as_plain_http_where_there_is_no_websocket():
    upgrade = b"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(cold(path=b"/ws", method=b"GET", headers=upgrade))
        assert client.receive().body == b"cold:/ws:"


def test_connect_is_refused_and_nothing_breaks():
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(b"CONNECT example.com:80 HTTP/1.1\r\nhost: example.com:80\r\n\r\n")
        assert client.receive().status in (400, 405, 501)
        assert client.is_at_end()


# 8: 100 Continue


def test_continue_is_written_to_a_hot_request_that_is_admissible():
    body = chat_body()
    with rig([forever(echo)]) as r:
        client = r.client()
        whole = post(body, headers=b"expect: 100-continue\r\n")
        client.send(whole[: -len(body)])
        assert client.receive_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(body)
        assert client.receive().status == 200


def test_continue_is_written_at_the_turn_of_the_request():
    body, gate = chat_body(), threading.Event()
    with rig([request, wait(gate), send(plain()), forever(echo)]) as r:
        client = r.client()
        client.send(post() + post(body, headers=b"expect: 100-continue\r\n")[: -len(body)])
        assert client.is_silent(0.1)
        gate.set()
        assert client.receive().interim == []
        assert client.receive_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(body)
        assert client.receive().status == 200


def test_continue_is_never_written_to_http10():
    body = chat_body()
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(post(body, version=b"1.0", headers=b"expect: 100-continue\r\n")[: -len(body)])
        assert client.is_silent(0.1)
        client.send(body)
        assert client.receive().interim == []


@pytest.mark.parametrize("key", [None, BAD_KEY, "yj_test_AbCd1234_0123456789abcdefghijABCDEFGHIJ01_000000"])
def test_continue_is_never_written_before_admission(key):
    body = chat_body()
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(post(body, key=key, headers=b"expect: 100-continue\r\n")[: -len(body)])
        answer = client.receive()
        assert answer.status == 401
        assert answer.interim == []
        assert answer.headers[b"connection"] == b"close"
        assert client.is_at_end()


def test_continue_is_never_written_for_a_body_that_is_too_large():
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 99999999\r\n\r\n")
        answer = client.receive()
        assert answer.status == 413
        assert answer.interim == []


def test_continue_of_a_cold_request_is_still_written_by_asgi():
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(cold(b"abc", headers=b"expect: 100-continue\r\n")[:-3])
        assert client.receive_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"abc")
        assert client.receive().body == b"cold:/echo:abc"


# 9: HTTP/1.0


@pytest.mark.parametrize("headers", [b"", b"connection: keep-alive\r\n"])
@pytest.mark.parametrize("streams", [False, True])
def test_http10_gets_no_chunks_and_ends_by_closing(streams, headers):
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(post(version=b"1.0", stream=streams, headers=headers))
        answer = client.receive()
        assert answer.status == 200
        assert b"transfer-encoding" not in answer.headers
        assert answer.headers[b"connection"] == b"close"
        assert answer.text == "hi"
        assert answer.is_done is streams
        assert client.is_at_end()


# 12: clients that do not read


def test_a_client_that_does_not_read_the_last_answer_is_dropped():
    with rig([forever(plain("x" * 20_000_000))], close_seconds=0.2, client_write_seconds=30.0) as r:
        client = r.client(receive_buffer=4096)
        client.send(post(headers=b"connection: close\r\n"))
        r.wait_records(1)
        wait_for(lambda: not r.server._server.server_state.connections, 2.0)


def test_a_client_that_does_not_read_is_dropped_after_the_write_timeout():
    with rig([forever(plain("x" * 20_000_000))], client_write_seconds=0.2) as r:
        client = r.client(receive_buffer=4096)
        client.send(post())
        wait_for(lambda: r.server._server.server_state.connections, 2.0)
        wait_for(lambda: not r.server._server.server_state.connections, 2.0)


def test_a_client_that_does_not_close_after_a_413_is_dropped():
    with rig([forever(echo)], request_body_bytes_max=1000, close_seconds=0.2) as r:
        client = r.client()
        client.send(post(chat_body(text="x" * 2000))[:-100])
        assert client.receive().status == 413
        wait_for(lambda: not r.server._server.server_state.connections, 1.5)


# 13: nothing after the last answer


def warm(r: Rig) -> None:
    """Key, lease and connection are there: the next request would be sent at once."""
    client = r.client()
    client.send(post())
    assert client.receive().status == 200


@pytest.mark.parametrize(
    "first",
    [
        post(headers=b"connection: close\r\n"),
        post(version=b"1.0"),
        post(key=BAD_KEY, headers=b"connection: close\r\n"),
        post(key=BAD_KEY, version=b"1.0"),
        post(b"{", headers=b"connection: close\r\n"),
    ],
    ids=["close", "http/1.0", "refused and close", "refused and http/1.0", "no JSON and close"],
)
def test_nothing_is_served_after_the_last_answer(first):
    with rig([forever(lambda got: (time.sleep(0.03), echo(got))[1])]) as r:
        warm(r)
        for number, (second, pause) in enumerate(itertools.product([post(), cold(b"x")], [0.0, 0.01])):
            client = r.client()
            client.send(first)
            time.sleep(pause)
            client.send(second)
            answer = client.receive()
            assert answer.headers[b"connection"] == b"close"
            assert client.is_at_end()
            assert len(r.upstream.requests) == 1 + (number + 1 if answer.status == 200 else 0)


@pytest.mark.parametrize("size", [1000, 2000], ids=["small read", "larger"])
@pytest.mark.parametrize("chunks", [None, 500])
@pytest.mark.parametrize("second", [post(), cold(path=b"/until-gone")], ids=["hot", "cold"])
def test_nothing_is_served_after_a_body_that_was_too_large(chunks, second, size):
    with rig([forever(echo)], request_body_bytes_max=1000) as r:
        warm(r)
        client = r.client()
        client.send(post(chat_body(text="x" * size), chunks=chunks) + second)
        assert client.receive().status == 413
        assert client.is_at_end()
        time.sleep(0.05)
        assert r.channel().attempts == 1
        assert not r.server.cold_notes


@pytest.mark.parametrize("behind", [post(), cold(b"x"), post(key=BAD_KEY)], ids=["hot", "cold", "refused"])
@pytest.mark.parametrize("before", [0, 10, 15, 16, 40])
def test_nothing_is_served_after_the_last_answer_of_many_in_one_read(before, behind):
    with rig([forever(echo)]) as r:
        warm(r)
        client = r.client()
        whole = post(key=BAD_KEY) * before + post(headers=b"connection: close\r\n") + behind * 500
        sender = threading.Thread(target=send_what_can_be_sent, args=(client, whole))
        sender.start()
        for _ in range(before):
            assert client.receive().status == 401
        assert client.receive().status == 200
        assert client.is_at_end()
        sender.join()
        total = r.server._server.server_state.total_requests
        assert (len(r.upstream.requests), total) == (2, 1 + before + 1)


@pytest.mark.parametrize("second", [post(), cold(path=b"/until-gone")], ids=["hot", "cold"])
def test_nothing_is_served_after_the_last_answer_of_a_stopping_server(second):
    with rig([forever(echo)], is_stopped_by_test=True) as r:
        warm(r)
        client = r.client()
        wait_for(lambda: len(r.server._server.server_state.connections) == 2)
        r.server.call(lambda: [c.shutdown() for c in r.server._server.server_state.connections])
        client.send(post(key=BAD_KEY) + second)
        assert client.receive().headers[b"connection"] == b"close"
        assert client.is_at_end()
        assert r.channel().attempts == 1
        assert not r.server.cold_notes


def test_a_client_that_sends_on_after_its_last_request_can_read_the_answer():
    gate = threading.Event()
    with rig([request, wait(gate), send(plain())]) as r:
        client = r.client()
        client.send(post(headers=b"connection: close\r\n") + post() * 20)
        r.upstream.wait_requests(1)
        gate.set()
        assert client.receive().status == 200
        for _ in range(20):  # a reset would end this
            client.send(post())
            time.sleep(0.005)
        assert client.is_at_end()


def test_what_follows_a_last_cold_request_does_not_cut_its_answer():
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(cold(b"x", b"/sleep", headers=b"connection: close\r\n") + post() * 500)
        assert client.receive().body == b"cold:/sleep:x"
        assert not r.upstream.requests


def send_what_can_be_sent(client: RawClient, data: bytes) -> None:
    """To a gateway that closes meanwhile."""
    with contextlib.suppress(ConnectionError):
        client.send(data)


# 20: counters and timers


def test_total_requests_counts_every_answer_once():
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(post() + cold(b"x") + post(key=BAD_KEY) + post(stream=True) + cold(b"y"))
        for _ in range(5):
            client.receive()
        last = r.client()
        last.send(post(headers=b"connection: close\r\n"))
        last.receive()
        cut = r.client()
        cut.send(post(version=b"1.0"))
        cut.receive()
        wait_for(lambda: r.server._server.server_state.total_requests == 7, 1.0)


def test_the_right_bill_after_everything():
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(post() + post(stream=True))
        assert [client.receive().text for _ in range(2)] == ["hi", "hi"]
        assert [record.charge_nanos for record in r.wait_records(2)] == [bill(10, 5)] * 2
