"""Every time limit, on the client's side and on the provider's: the right error, the right bill, and no hang."""

import asyncio
import socket
import threading
import time

import pytest
from tests.support.rawclient import LLMAGE, OPENAI, RawClient, chat_body, cold, post
from tests.support.rig import bill, rig, wait_for
from tests.support.upstream import (
    DONE,
    END,
    STREAM_HEAD,
    RawUpstream,
    body_of_stream,
    chunk,
    close,
    echo,
    event,
    forever,
    plain,
    request,
    send,
    sleep,
    stream,
)


def took(client: RawClient, *, least: float, most: float) -> None:
    """The gateway closes within this time."""
    began = time.monotonic()
    assert client.is_at_end()
    assert least <= time.monotonic() - began <= most


# client side: heads


@pytest.mark.parametrize("start", [b"GE", b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n", cold(b"x") + b"GET /"])
def test_a_slow_head_is_a_408(start):
    with rig([forever(echo)], request_head_seconds=0.2) as r:
        client = r.client()
        client.send(start)
        if start.startswith(cold(b"x")):
            client.receive()
        time.sleep(0.1)
        client.send(b"T")  # dribbling does not help
        assert client.receive().status == 408
        took(client, least=0.0, most=3.0)


def test_a_slow_head_behind_a_running_answer_does_not_cut_the_answer():
    with rig([request, sleep(0.6), send(plain("late"))], request_head_seconds=0.1) as r:
        client = r.client()
        client.send(post() + b"GET / HT")
        assert client.receive().text == "late"
        assert client.receive().status == 408


def test_a_head_is_not_slow_while_we_do_not_read():
    depth = 2
    script = [request, sleep(0.5), send(plain()), forever(echo)]
    with rig(script, request_head_seconds=0.1, request_body_seconds=0.1, pipeline_pause_depth=depth) as r:
        client = r.client()
        whole = post() * 4
        client.send(whole[:-30])
        time.sleep(0.02)
        client.send(whole[-30:])
        assert [client.receive().status for _ in range(4)] == [200] * 4


# client side: bodies


@pytest.mark.parametrize("sent", [0, 1, 50])
@pytest.mark.parametrize("chunks", [None, 20])
def test_a_slow_body_is_a_408(sent, chunks):
    with rig([forever(echo)], request_body_seconds=0.2) as r:
        client = r.client()
        whole = post(chunks=chunks)
        client.send(whole[: whole.index(b"\r\n\r\n") + 4 + sent])
        answer = client.receive()
        assert answer.status == 408
        assert answer.headers[b"x-should-retry"] == b"false"
        took(client, least=0.0, most=3.0)
        assert not r.upstream.requests


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        (b"/echo", b'{"error": {"message": '),
        (b"/llmage/echo", b'{"error": "'),
        (b"/api/echo", b'{"error": {"code": "request_timeout", "message": '),
    ],
)
def test_a_slow_cold_body_is_a_408_too(path, begins):
    """In the shape of its path's errors; nothing behind it is served, and the application's own words are dropped."""
    with rig([forever(echo)], request_body_seconds=0.2) as r:
        client = r.client()
        client.send(cold(b"x" * 100, path)[:-50])
        answer = client.receive()
        assert answer.status == 408
        assert answer.body.startswith(begins)
        assert answer.headers[b"connection"] == b"close"
        took(client, least=0.0, most=3.0)
        other = r.client()
        other.send(cold(b"x"))
        assert other.receive().status == 200


def test_a_slow_cold_body_behind_a_running_answer_does_not_cut_the_answer():
    with rig([request, sleep(0.6), send(plain("late"))], request_body_seconds=0.1) as r:
        client = r.client()
        client.send(post() + cold(b"x" * 100)[:-50])
        assert client.receive().text == "late"
        assert client.receive().status == 408


def test_a_slow_body_that_keeps_the_least_rate_is_read():
    with rig([forever(echo)], request_body_seconds=0.1, request_body_bytes_per_second_min=1000) as r:
        client = r.client()
        whole = post(chat_body(text="s" * 2000))
        for i in range(0, len(whole), 100):
            client.send(whole[i : i + 100])
            time.sleep(0.02)
        assert client.receive().status == 200


def test_a_slow_queued_body_is_refused_at_its_turn():
    with rig([request, sleep(0.5), send(plain())], request_body_seconds=0.1) as r:
        client = r.client()
        client.send(post() + post()[:-10])
        assert client.receive().status == 200
        assert client.receive().status == 408


# admission


def test_a_store_that_does_not_answer_is_a_503():
    with rig([forever(echo)], admission_seconds=0.2) as r:
        r.bank.delay_seconds = 2.5
        client = r.client()
        client.send(post())
        began = time.monotonic()
        assert client.receive().status == 503
        assert time.monotonic() - began < 2.0
        client.send(cold(b"x"))
        assert client.receive().status == 200
        assert not r.upstream.requests


# the provider's side

BEGUN = [request, send(STREAM_HEAD + chunk(event("abc")))]


@pytest.mark.parametrize("dialect", [OPENAI, LLMAGE])
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    "script",
    [
        [request],
        [],
        [request, send(b"HTTP/1.1 200 OK\r\n")],
        [request, send(STREAM_HEAD)],
        [request, send(plain()[:-9])],
    ],
    ids=["silent", "reads nothing", "half a head", "head only", "half an answer"],
)
def test_no_first_byte(script, streams, dialect):
    limits = {"first_byte_seconds": 0.3} if streams else {"first_byte_seconds": 0.01, "plain_answer_seconds": 0.3}
    with rig(script, **limits) as r:
        client = r.client()
        began = time.monotonic()
        client.send(post(stream=streams, path=dialect))
        answer = client.receive()
        assert answer.status == 504
        assert 0.25 < time.monotonic() - began < 3.5
        assert r.upstream.connections[0].wait_closed()
        assert not r.records


def test_no_first_byte_goes_to_the_next_channel():
    slow, good = RawUpstream([request]), RawUpstream([forever(echo)])
    with rig(upstreams=[slow, good], first_byte_seconds=0.2) as r:
        client = r.client()
        client.send(post(stream=True))
        assert client.receive().text == "hi"
        assert slow.connections[0].wait_closed()
        (record,) = r.wait_records(1)
        assert (record.channel_id, record.attempts, record.charge_nanos) == ("ch_2", 2, bill(10, 5))


@pytest.mark.parametrize("every", [chunk(b": keep-alive\n\n"), chunk(b"\n")])
def test_comments_show_that_a_provider_is_alive(every):
    before, within = [every] * 8, [every] * 8
    script = [
        request,
        send(STREAM_HEAD, *before, every=0.1),
        send(chunk(event("abc")), *within, every=0.1),
        send(chunk(body_of_stream(["d"])) + END),
    ]
    with rig(script, first_byte_seconds=0.5, idle_seconds=0.5) as r:
        client = r.client(timeout=8)
        client.send(post(stream=True))
        answer = client.receive()
        assert (answer.status, answer.text, answer.is_done) == (200, "abcd", True)


def test_a_plain_answer_may_take_longer_than_a_stream_may_be_silent():
    whole = plain("hello")
    head, _, body = whole.partition(b"\r\n\r\n")
    script = [
        request,
        sleep(0.3),
        send(head + b"\r\n\r\n", *[body[i : i + 20] for i in range(0, len(body), 20)], every=0.1),
    ]
    slow, other = RawUpstream(script), RawUpstream([forever(echo)])
    limits = {"first_byte_seconds": 0.1, "idle_seconds": 0.05, "plain_answer_seconds": 0.8}
    with rig(upstreams=[slow, other], **limits) as r:
        client = r.client(timeout=8)
        client.send(post())
        assert client.receive().text == "hello"
        assert not other.requests


def test_a_plain_answer_that_takes_too_long_is_not_begun_anew_elsewhere():
    slow, other = RawUpstream([request]), RawUpstream([forever(echo)])
    with rig(upstreams=[slow, other], plain_answer_seconds=0.3) as r:
        client = r.client()
        client.send(post())
        assert client.receive().status == 504
        assert not other.requests
        assert not r.records


@pytest.mark.parametrize("dialect", [OPENAI, LLMAGE])
def test_silence_within_a_stream(dialect):
    with rig(BEGUN, idle_seconds=0.3) as r:
        client = r.client()
        began = time.monotonic()
        client.send(post(stream=True, path=dialect))
        answer = client.receive()
        assert 0.25 < time.monotonic() - began < 3.5
        assert (answer.text, answer.code, answer.is_done) == ("abc", "provider_timeout", False)
        assert r.upstream.connections[0].wait_closed()
        (record,) = r.wait_records(1)
        assert record.is_estimated
        assert record.status == "upstream_broke"
        assert record.charge_nanos == bill(1, 1)  # "hi" and "abc", three bytes a token


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("flows", [False, True])
def test_the_total_time(streams, flows):
    piece = chunk(event("abc")) if streams else b"1\r\n{\r\n"
    script = [request, send(STREAM_HEAD), send(*[piece] * 200, every=0.02)] if flows else [request]
    with rig(script, total_seconds=0.4) as r:
        client = r.client()
        began = time.monotonic()
        client.send(post(stream=streams))
        answer = client.receive()
        assert 0.35 < time.monotonic() - began < 3.5
        assert answer.code == "provider_timeout"
        assert answer.status == (200 if flows and streams else 504)
        assert r.upstream.connections[0].wait_closed()
        if flows and streams:
            (record,) = r.wait_records(1)
            assert record.charge_nanos == bill(1, record.meters["output_tokens"])
        else:
            assert not r.records


def test_the_total_time_does_not_count_the_upload():
    with rig([forever(echo)], total_seconds=0.3) as r:
        client = r.client()
        whole = post()
        client.send(whole[:-10])
        time.sleep(0.5)
        client.send(whole[-10:])
        assert client.receive().status == 200


def test_the_total_time_bounds_retries():
    upstreams = [RawUpstream([request]) for _ in range(3)]
    with rig(upstreams=upstreams, first_byte_seconds=1.0, total_seconds=1.2) as r:
        client = r.client()
        began = time.monotonic()
        client.send(post(stream=True))
        assert client.receive().status == 504
        assert time.monotonic() - began < 2.7  # three tries would take three seconds


# connecting


def full_backlog() -> tuple[list[socket.socket], str]:
    """A port whose connections never open: its backlog is full and nobody accepts."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    sockets = [listener]
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)  # noqa: FBT003  # the socket module's own signature
        filler.connect_ex(listener.getsockname())
        sockets.append(filler)
    return sockets, f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


class _Nowhere(RawUpstream):
    """A provider at an address where nobody listens, or where nothing ever opens."""

    address = ""

    @property
    def url(self) -> str:
        return self.address


def test_a_connection_that_never_opens_goes_to_the_next_channel_in_time():
    sockets, address = full_backlog()
    black, good = _Nowhere([]), RawUpstream([forever(echo)])
    black.address = address
    with rig(upstreams=[black, good], connect_seconds=0.3) as r:
        client = r.client()
        began = time.monotonic()
        client.send(post())
        assert client.receive().text == "hi"
        assert 0.25 < time.monotonic() - began < 3.5
        assert r.channel(1).pool.connect_failures == 1
        assert r.channel(1).pool.open_count == 0
    for one in sockets:
        one.close()


@pytest.mark.parametrize("streams", [False, True])
def test_a_refused_connection_is_a_503_and_costs_nothing(streams):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    nobody = _Nowhere([])
    nobody.address = f"http://127.0.0.1:{port}/v1"
    with rig(upstreams=[nobody]) as r:
        client = r.client()
        client.send(post(stream=streams))
        answer = client.receive()
        assert (answer.status, answer.code) == (503, "provider_unavailable")
        assert str(port).encode() not in answer.body
        assert not r.records


def test_a_name_that_does_not_resolve_is_a_503():
    nobody = _Nowhere([])
    nobody.address = "http://name.invalid/v1"
    with rig(upstreams=[nobody], first_byte_seconds=3.0) as r:
        r.channel().pool.host = "x" * 70 + ".invalid"  # a label that is too long for DNS fails in its own way
        client = r.client()
        client.send(post())
        assert client.receive().status == 503


# comments on silent streams


def test_comments_on_a_silent_stream_before_and_after_the_first_event():
    script = [request, sleep(0.5), send(STREAM_HEAD + chunk(event("a"))), sleep(0.5)]
    rest = chunk(event("", finish="stop") + DONE) + END
    with rig([*script, send(rest)], keepalive_comment_seconds=0.15) as r:
        client = r.client()
        client.send(post(stream=True))
        answer = client.receive()
        before, _, after = answer.body.partition(b"data: ")
        assert 2 <= before.count(b": keep-alive\n\n") <= 4
        assert 2 <= after.count(b": keep-alive\n\n") <= 4
        assert (answer.text, answer.is_done) == ("a", True)


def test_no_comments_in_a_plain_answer():
    with rig([request, sleep(0.4), send(plain())], keepalive_comment_seconds=0.1) as r:
        client = r.client()
        client.send(post())
        assert client.receive().text == "hello"


def test_comments_do_not_prevent_a_retry_before_the_first_event():
    bad = RawUpstream([request, sleep(0.4), send(b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")])
    with rig(upstreams=[bad, RawUpstream([forever(stream())])], keepalive_comment_seconds=0.1) as r:
        client = r.client()
        client.send(post(stream=True))
        answer = client.receive()
        assert answer.body.startswith(b": keep-alive\n\n")
        assert (answer.text, answer.is_done) == ("hello", True)
        assert r.wait_records(1)[0].charge_nanos == bill(10, 5)


def test_a_failure_after_comments_is_an_error_event_and_costs_nothing():
    with rig([request, sleep(0.3), close], keepalive_comment_seconds=0.1) as r:
        client = r.client()
        client.send(post(stream=True))
        answer = client.receive()
        assert (answer.status, answer.code, answer.is_done) == (200, "provider_unavailable", False)
        assert not r.records


def test_an_idle_connection_to_a_provider_is_closed():
    with rig([forever(echo)], upstream_idle_seconds=0.3) as r:
        client = r.client()
        client.send(post())
        client.receive()
        assert r.channel().pool.idle_count == 1
        assert r.upstream.connections[0].wait_closed(1.5)
        wait_for(lambda: r.channel().pool.open_count == 0)
        client.send(post())
        assert client.receive().status == 200


def test_a_lookup_that_hangs_ends_and_is_not_sent_later():
    gate = threading.Event()
    with rig([forever(echo)], admission_seconds=0.2) as r:
        slow = r.server.directory.find_key

        async def find_key(public_id: str) -> object:
            await asyncio.to_thread(gate.wait, 5)
            return await slow(public_id)

        r.server.directory.find_key = find_key  # type: ignore[method-assign, assignment]
        client = r.client()
        client.send(post())
        assert client.receive().status == 503
        gate.set()
        time.sleep(0.1)
        assert not r.upstream.requests
