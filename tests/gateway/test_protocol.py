"""What is hot and what falls through to ASGI; bodies in every framing; limits of a request."""

import contextlib
import threading

import pytest
from tests.support.rawclient import LLMAGE, OPENAI, chat_body, cold, post
from tests.support.rig import Rig, rig
from tests.support.upstream import echo, forever


@pytest.fixture(scope="module")
def shared():
    with rig([forever(echo)], request_body_bytes_max=1_000_000) as r:
        yield r


# hot or cold


@pytest.mark.parametrize(
    "path",
    [
        OPENAI,
        LLMAGE,
        OPENAI + b"?x=1",
        OPENAI + b"?",
        OPENAI + b"#x",
        OPENAI + b"?a#b?c",
        OPENAI + b"#a?b",
        b"http://g" + OPENAI,
        b"http://g:80" + LLMAGE + b"?a=/b",
        b"/v1/chat/%63ompletions",
        b"/v1/chat%2Fcompletions?x=1",
        b"http://g/v1/chat/completion%73#x",
    ],
)
def test_hot_targets(shared: Rig, path):
    client, before = shared.client(), len(shared.upstream.requests)
    client.send(post(path=path))
    assert client.receive().text == "hi"
    assert len(shared.upstream.requests) == before + 1


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        (b"/v1/chat%252Fcompletions", b"/v1/chat%2Fcompletions"),
        (b"//v1/chat/completions", b"//v1/chat/completions"),
        (b"/v1//chat/completions", b"/v1//chat/completions"),
        (b"/v1/chat/completions/", b"/v1/chat/completions/"),
        (b"/v1/chat/completions;x", b"/v1/chat/completions;x"),
        (b"/V1/chat/completions", b"/V1/chat/completions"),
        (b"/v1/chat/./completions", b"/v1/chat/./completions"),
        (b"/?/v1/chat/completions", b"/"),
        (b"/#/v1/chat/completions", b"/"),
        (b"http://g/v1/models", b"/v1/models"),
        (b"http://g", b"/"),
        (b"http://g:80?/v1/chat/completions", b"/"),
    ],
)
def test_everything_else_is_cold(shared: Rig, path, seen):
    client, before = shared.client(), len(shared.upstream.requests)
    client.send(post(path=path))
    assert client.receive().body.startswith(b"cold:" + seen + b":")
    assert len(shared.upstream.requests) == before


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"OPTIONS", b"HEAD", b"DELETE", b"PATCH"])
@pytest.mark.parametrize("path", [OPENAI, LLMAGE])
def test_other_methods_on_hot_paths_reach_asgi(shared: Rig, method, path):
    client = shared.client()
    client.send(cold(b"", path, method=method) + cold(b"next"))
    head = client.receive_head()
    assert head.status == 200
    if method != b"HEAD":
        assert client.receive_exactly(int(head.headers[b"content-length"])) == b"cold:" + path + b":"
    assert client.receive().body == b"cold:/echo:next"


def test_options_for_the_whole_server_reaches_asgi(shared: Rig):
    client = shared.client()
    client.send(cold(b"", b"*", method=b"OPTIONS"))
    assert client.receive().body == b"cold:*:"


@pytest.mark.parametrize("target", [b"/\xc3\xa9", b"http://[x/", b"http://"])
def test_a_target_that_is_none_gets_a_400(shared: Rig, target):
    client = shared.client()
    client.send(cold(b"", target))
    assert client.receive().status == 400
    assert client.is_at_end()


# bodies


@pytest.mark.parametrize("chunks", [1, 10, 1000])
def test_chunked_uploads_with_trailers_and_extensions(shared: Rig, chunks):
    client = shared.client()
    whole = post(chat_body(text="é" * 50), chunks=chunks)
    whole = whole[:-5] + b"0;last=1\r\nx-trailer: 1\r\nauthorization: Bearer other\r\n\r\n"
    client.send(whole * 2)
    assert [client.receive().text for _ in range(2)] == ["é" * 50] * 2


@pytest.mark.parametrize("chunks", [None, 9])
@pytest.mark.parametrize("path", [OPENAI, b"/echo"])
def test_a_small_request_split_at_every_byte(shared: Rig, chunks, path):
    whole = post(chat_body(text="split"), chunks=chunks, path=path)
    client = shared.client()
    for cut in range(1, len(whole)):
        client.send(whole[:cut])
        client.send(whole[cut:])
        answer = client.receive()
        assert answer.status == 200
        assert b"split" in answer.body


@pytest.mark.parametrize(
    "head", [b"content-length: 0\r\n\r\n", b"\r\n", b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"]
)
def test_an_empty_body_is_a_400_and_the_connection_goes_on(shared: Rig, head):
    client = shared.client()
    line, _, rest = post(b"").partition(b"content-length: 0\r\n\r\n")
    assert not rest
    client.send(line + head + cold(b"x"))
    answer = client.receive()
    assert (answer.status, answer.code) == (400, "invalid_json")
    assert client.receive().body == b"cold:/echo:x"


@pytest.mark.parametrize(
    "framing",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: 5\r\ncontent-length: 5\r\n",
        b"content-length: +5\r\n",
        b"content-length: -5\r\n",
        b"content-length: 5,5\r\n",
        b"content-length: 0x5\r\n",
        b"content-length: 99999999999999999999999\r\n",
        b"transfer-encoding: gzip\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"content-length : 5\r\n",
        b"x: 1\r\n folded\r\n",
    ],
)
@pytest.mark.parametrize("path", [OPENAI, b"/echo"])
def test_ambiguous_framing_is_refused(shared: Rig, framing, path):
    client, before = shared.client(), len(shared.upstream.requests)
    client.send(b"POST " + path + b" HTTP/1.1\r\nhost: g\r\n" + framing + b"\r\nhello")
    assert client.receive().status == 400
    assert client.is_at_end()
    assert len(shared.upstream.requests) == before


def test_bare_line_feeds_are_refused(shared: Rig):
    client = shared.client()
    client.send(b"POST /v1/chat/completions HTTP/1.1\nhost: g\ncontent-length: 0\n\n")
    assert client.receive().status == 400


# 413


@pytest.mark.parametrize("sends_all", [True, False])
@pytest.mark.parametrize("key", ["good", None])
def test_413_announced_can_be_read(shared: Rig, sends_all, key):
    client = shared.client()
    body = b"x" * 20_000_000
    whole = post(body) if key else post(body, key=None)
    client.send(whole if sends_all else whole[:2000])
    answer = client.receive()
    assert answer.status == 413
    assert answer.headers[b"connection"] == b"close"
    assert answer.code == "request_too_large"
    assert client.is_at_end()


@pytest.mark.parametrize("dialect", [OPENAI, LLMAGE])
def test_413_of_a_chunked_body_can_be_read_and_nothing_of_it_is_kept(shared: Rig, dialect):
    client = shared.client()
    client.send(post(b"x" * 20_000_000, chunks=100_000, path=dialect))
    assert client.receive().status == 413
    assert client.is_at_end()


def test_413_of_a_queued_request_comes_at_its_turn(shared: Rig):
    client = shared.client()
    sender = threading.Thread(target=client.send, args=(post() + post(b"x" * 3_000_000),))
    sender.start()
    assert client.receive().status == 200
    assert client.receive().status == 413
    sender.join()


def test_a_body_of_exactly_the_limit_is_read(shared: Rig):
    client = shared.client()
    pad = 1_000_000 - len(chat_body(text=""))
    for chunks in (None, 65_536):
        client.send(post(chat_body(text="y" * pad), chunks=chunks))
        assert client.receive().status == 200
    client.send(post(chat_body(text="y" * (pad + 1)), chunks=65_536))
    assert client.receive().status == 413


# heads


@pytest.mark.parametrize("size", [60_000, 66_000, 200_000, 2_000_000])
@pytest.mark.parametrize("piece", [1_500, 10_000_000])
@pytest.mark.parametrize("path", [OPENAI, b"/echo"])
def test_431_above_64_kib_of_headers(shared: Rig, size, piece, path):
    client = shared.client()
    whole = post(path=path, headers=b"x-many: " + b"v" * 990 + b"\r\n" * (size < 0))
    line = b"x-many: " + b"v" * 990 + b"\r\n"
    whole = post(path=path, headers=line * (size // len(line)))
    sender = threading.Thread(target=quietly, args=(client.send_pieces, whole, piece))
    sender.start()
    answer = client.receive()
    sender.join()
    assert answer.status == (200 if size == 60_000 else 431)
    if answer.status == 431:
        assert answer.headers[b"connection"] == b"close"
        assert client.is_at_end()


def test_431_for_one_endless_header_or_target(shared: Rig):
    for start in (b"POST /v1/chat/completions HTTP/1.1\r\nx: ", b"GET /", b"GET / HTTP/1.1\r\nx"):
        client = shared.client()
        client.send(start + b"a" * 70_000)
        assert client.receive().status == 431
        assert client.is_at_end()


def test_431_behind_another_request_in_the_same_read(shared: Rig):
    client = shared.client()
    client.send(post(key=None) + post(headers=b"x: " + b"v" * 70_000 + b"\r\n"))
    assert client.receive().status == 401
    assert client.receive().status == 431


@pytest.mark.parametrize(
    "tail",
    [
        b"0\r\n" + b"x-trailer: " + b"v" * 500_000,
        b"0\r\n" + (b"x-trailer: " + b"v" * 1000 + b"\r\n") * 500,
        b"5;ext=" + b"e" * 500_000,
        b"1;ext=" + b"e" * 100 + b"\r\nx\r\n" + (b"1;ext=" + b"e" * 1000 + b"\r\nx\r\n") * 500,
    ],
    ids=["one trailer", "many trailers", "one extension", "many extensions"],
)
@pytest.mark.parametrize("path", [OPENAI, b"/echo"])
def test_endless_trailers_and_chunk_extensions_are_cut(shared: Rig, tail, path):
    client = shared.client()
    client.send(post(chunks=10, path=path)[:-5])
    quietly(client.send_pieces, tail, 20_000)
    with contextlib.suppress(ConnectionError):  # cut before the answer could be read: as good
        assert b" 400 " in client.receive_to_end()[:20]


def quietly(send, *args) -> None:
    """A client whose peer may close while it sends."""
    try:
        send(*args)
    except ConnectionError:
        return
