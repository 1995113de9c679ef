"""`Idempotency-Key` on chat: who runs, who waits, who gets the first one's answer, and when a key is free again."""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from tests.support.gateway import KEY, OTHER_KEY, FakeSpool, GatewayServer, api_key
from tests.support.rawclient import LLMAGE, OPENAI, Answer, RawClient, chat_body, cold, post
from tests.support.rig import Rig, bill, rig, wait_for
from tests.support.upstream import (
    END,
    STREAM_HEAD,
    Request,
    Step,
    chunk,
    echo,
    error,
    event,
    forever,
    plain,
    request,
    reset,
    send,
    sleep,
    stream,
    wait,
)

from yuanjing.domain.errors import SpoolFullError
from yuanjing.domain.identity import KeyLimits
from yuanjing.domain.usage import UsageRecord, UsageStatus

SOON = 0.02
"""How long a retry waits for an answer that may just have come, in these tests."""
modes = pytest.mark.parametrize("streams", [False, True], ids=["plain", "stream"])
dialects = pytest.mark.parametrize("path", [OPENAI, LLMAGE], ids=["openai", "llmage"])


def named(body: bytes | None = None, *, name: bytes = b"order-1", path: bytes = OPENAI, key: str = KEY) -> bytes:
    """A request that names itself."""
    return post(body, path=path, key=key, headers=b"Idempotency-Key: " + name + b"\r\n")


def ask(r: Rig, data: bytes, server: GatewayServer | None = None) -> Answer:
    """The answer to a request over a connection of its own."""
    with RawClient((server or r.server).port) as client:
        client.send(data)
        return client.receive()


def code(answer: Answer, path: bytes = OPENAI) -> str:
    """What an error says: its code, or the text of a dialect that has none."""
    return str(answer.json["error"]["code"] if path == OPENAI else answer.json["error"])


def posted(r: Rig, count: int = 1) -> list[UsageRecord]:
    """The worker has posted so many records."""
    records = list(r.wait_records(count))
    r.wait_over()
    r.server.claims.post(records)
    return records


@contextmanager
def quick(*scripts: Sequence[Step], **options: object) -> Iterator[Rig]:
    with rig(*scripts, **({"idempotency_wait_seconds": SOON} | options)) as r:  # type: ignore[arg-type]
        yield r


def check_replay(first: Answer, again: Answer) -> None:
    """The same answer, said to be the first one's."""
    assert (again.status, again.body) == (200, first.body)
    assert again.is_whole
    assert again.headers[b"idempotent-replayed"] == b"true"
    assert b"idempotent-replayed" not in first.headers
    for name in (b"x-yuanjing-usage-id", b"content-type", b"x-yuanjing-max-tokens-clamped"):
        assert again.headers.get(name) == first.headers.get(name), name
    assert again.headers[b"x-request-id"] != first.headers[b"x-request-id"]


@dialects
@modes
def test_a_retry_gets_the_first_answer_and_costs_nothing(path, streams):
    with quick([forever(echo)]) as r:
        body = chat_body(stream=streams, text="once")
        first = ask(r, named(body, path=path))
        assert (first.status, first.is_done or not streams) == (200, True)
        early = ask(r, named(body, path=path))  # it has ended, and is not posted yet
        assert (early.status, early.headers[b"retry-after"]) == (409, b"1")
        (record,) = posted(r)
        assert record.charge_nanos > 0
        for _ in range(3):
            check_replay(first, ask(r, named(body, path=path)))
        assert (len(r.upstream.requests), len(r.records)) == (1, 1)
        assert r.gateway.counters.replayed == 3
        assert ask(r, named(body, name=b"order-2", path=path)).status == 200
        assert len(r.upstream.requests) == 2


@dialects
@modes
def test_while_the_first_runs_the_others_are_told_to_wait(path, streams):
    go = threading.Event()
    with (
        quick([request, wait(go), send(stream() if streams else plain())]) as r,
        GatewayServer(r.server.directory, options=r.server.options, claims=r.server.claims) as other,
    ):
        body = chat_body(stream=streams)
        client = r.client()
        client.send(named(body, path=path))
        r.upstream.wait_requests(1)
        for server in (r.server, other):
            running = ask(r, named(body, path=path), server)
            assert (running.status, running.headers[b"retry-after"]) == (409, b"1")
            assert code(running, path) in {"idempotency_in_progress", str(running.json["error"])}
            assert b"x-should-retry" not in running.headers
            different = ask(r, named(chat_body(stream=streams, text="other"), path=path), server)
            assert (different.status, b"retry-after" in different.headers) == (422, False)
        go.set()
        first = client.receive()
        posted(r)
        check_replay(first, ask(r, named(body, path=path), other))
        assert ask(r, named(chat_body(text="third"), path=path), other).status == 422
        assert len(r.upstream.requests) == 1


def test_the_same_body_for_the_other_dialect_is_another_request():
    with quick([forever(echo)]) as r:
        assert ask(r, named()).status == 200
        posted(r)
        wrong = ask(r, named(path=LLMAGE))
        assert (wrong.status, wrong.json["error"]) == (
            422,
            "This Idempotency-Key was used for another request; choose a new one for each request",
        )


@modes
def test_a_retry_that_comes_between_the_end_and_the_posting_waits_a_moment(streams):
    with rig([forever(echo)], idempotency_wait_seconds=0.5) as r:
        body = chat_body(stream=streams)
        first = ask(r, named(body))
        records = list(r.records)
        threading.Timer(0.1, lambda: r.server.claims.post(records)).start()
        check_replay(first, ask(r, named(body)))


def test_a_hundred_at_once_over_two_processes_are_one_request():
    with (
        quick([request, sleep(0.3), send(plain("one"))], [forever(error())]) as r,
        GatewayServer(r.server.directory, options=r.server.options, claims=r.server.claims) as other,
    ):
        servers = itertools.cycle([r.server, other])
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda server: ask(r, named(), server), itertools.islice(servers, 100)))
        assert sorted({answer.status for answer in answers}) == [200, 409]
        assert [answer.status for answer in answers].count(200) == 1
        assert len(r.upstream.requests) == 1
        assert r.server.claims.calls < 100, "claims that come at once share a transaction"
        first = next(answer for answer in answers if answer.status == 200)
        records = [*r.records, *other.spool.records]  # type: ignore[attr-defined]
        assert [record.charge_nanos for record in records] == [bill(10, 5)]
        r.server.claims.post(records)
        for server in (r.server, other):
            check_replay(first, ask(r, named(), server))


@pytest.mark.parametrize("name", [b"", b"x" * 256, "é".encode(), b"a\tb", b"1\r\nIdempotency-Key: 2"], ids=range(5))
@dialects
def test_what_is_no_key_is_refused(path, name):
    with quick([forever(echo)]) as r:
        refused = ask(r, named(name=name, path=path))
        assert refused.status == 400
        assert "Idempotency-Key" in str(refused.json["error"])
        if path == OPENAI:
            assert (code(refused), refused.json["error"]["param"]) == ("invalid_parameter", "Idempotency-Key")
        assert r.server.claims.calls == 0
        assert not r.upstream.requests


@pytest.mark.parametrize("name", [b"x" * 255, b'"8e03978e-40d5-43dd-bc93-6894a57f9324"', b"a b~!"], ids=range(3))
def test_what_is_a_key(name):
    with quick([forever(echo)]) as r:
        first = ask(r, named(name=name))
        posted(r)
        check_replay(first, ask(r, named(name=b"  " + name + b" ")))


def test_routes_beside_chat_do_not_look_at_it():
    with quick([forever(echo)]) as r:
        assert ask(r, cold(b"x", headers=b"idempotency-key: \r\n")).body == b"cold:/echo:x"
        assert ask(r, cold(method=b"GET", path=OPENAI, headers=b"idempotency-key: 1\r\n")).status == 200
        assert r.server.claims.calls == 0


def test_a_request_without_it_asks_nobody():
    with quick([forever(echo)]) as r:
        for _ in range(5):
            assert ask(r, post()).status == 200
        assert r.server.claims.calls == 0
        assert all(record.kept is None for record in r.records)


@pytest.mark.parametrize("failure", [error(b"400 X", "no"), error(b"500 X"), b"HTTP/1.1 200 OK\r\n\r\n"], ids=range(3))
@modes
def test_what_cost_nothing_leaves_the_key_free(failure, streams):
    with quick([request, send(failure), reset], [forever(echo)]) as r:
        body = chat_body(stream=streams)
        assert ask(r, named(body)).status >= 400
        assert not r.records
        again = ask(r, named(body))
        assert (again.status, b"idempotent-replayed" in again.headers) == (200, False)
        assert len(r.upstream.requests) == 2


@pytest.mark.parametrize("body", [b"{", chat_body(model="unknown"), chat_body(n=1000)], ids=range(3))
def test_a_refused_request_leaves_the_key_free(body):
    with quick([forever(echo)]) as r:
        assert ask(r, named(body)).status in (400, 404)
        wait_for(lambda: r.server.claims.calls == 2)
        assert ask(r, named()).status == 200


def test_a_stream_that_broke_is_charged_and_leaves_the_key_free():
    broken = [request, send(STREAM_HEAD + chunk(event("half"))), sleep(0.05), reset]
    with quick(broken, [forever(echo)]) as r:
        body = chat_body(stream=True)
        first = ask(r, named(body))
        assert first.code == "provider_unavailable"
        assert ask(r, named(body)).status == 409, "its charge is not posted"
        posted(r)
        again = ask(r, named(body))
        assert (again.is_done, b"idempotent-replayed" in again.headers) == (True, False)
        records = r.wait_records(2)
        assert [record.status for record in records] == [UsageStatus.UPSTREAM_BROKE, UsageStatus.COMPLETED]


@pytest.mark.parametrize("drains", [False, True], ids=["cancel", "drain"])
@modes
def test_a_client_that_left_finds_its_answer_if_it_came_whole(drains, streams):
    go = threading.Event()
    begin, end = (STREAM_HEAD + chunk(event("a")), chunk(event("b", finish="stop") + b"data: [DONE]\n\n") + END)
    steps = [request, send(begin), wait(go), send(end)] if streams else [request, wait(go), send(plain("ab"))]
    with quick(steps, [forever(echo)], drains=drains) as r:
        body = chat_body(stream=streams, text="new")
        client = r.client()
        client.send(named(body))
        if streams:
            client.receive_until(b'"a"')
        else:
            r.upstream.wait_requests(1)
        client.close()
        wait_for(lambda: r.gateway.counters.client_gone == 1)
        go.set()
        (record,) = posted(r)
        assert record.status is UsageStatus.CLIENT_GONE
        again = ask(r, named(body))
        assert again.text == ("ab" if drains else "new")
        assert (b"idempotent-replayed" in again.headers) is drains
        assert again.is_done or not streams
        assert len(r.upstream.requests) == (1 if drains else 2)
        if drains:
            assert again.headers[b"x-yuanjing-usage-id"] == record.id.encode()


@pytest.mark.parametrize("option", ["idempotency_answer_bytes_max", "idempotency_answers_bytes_max"])
@modes
def test_of_an_answer_that_is_too_large_to_be_kept_a_retry_is_told(streams, option):
    with quick([forever(echo)], **{option: 600}) as r:
        body, small = chat_body(stream=streams, text="x" * 500), chat_body(stream=streams, text="x")
        first = ask(r, named(body))
        assert first.status == 200
        (record,) = posted(r)
        again = ask(r, named(body))
        assert (again.status, code(again), again.headers[b"x-should-retry"]) == (410, "answer_not_kept", b"false")
        assert record.id in again.json["error"]["message"]
        assert r.gateway.claims.kept_bytes == 0
        if not streams:
            kept = ask(r, named(small, name=b"2"))
            posted(r, 2)
            check_replay(kept, ask(r, named(small, name=b"2")))


def test_a_store_that_does_not_answer_refuses_and_takes_nothing():
    with quick([forever(echo)], heartbeat_seconds=0.05) as r:
        r.server.claims.is_down = True
        assert code(ask(r, named())) == "store_unavailable"
        assert ask(r, post()).status == 200, "who names nothing does not need it"
        calls = r.server.claims.calls
        wait_for(lambda: r.server.claims.calls > calls + 2)
        r.server.claims.is_down = False
        assert ask(r, named()).status == 200


def test_a_client_that_leaves_while_its_key_is_claimed_leaves_it_free():
    with quick([forever(echo)]) as r:
        r.server.claims.delay_seconds = 0.2
        client = r.client()
        client.send(named())
        wait_for(lambda: r.server.claims.calls == 1)
        client.close()
        wait_for(lambda: not r.gateway.exchanges)
        r.server.claims.delay_seconds = 0.0
        wait_for(lambda: r.server.claims.calls == 2)
        assert ask(r, named()).status == 200
        assert len(r.upstream.requests) == 1


class FullOnce(FakeSpool):
    """Has no room for the first record."""

    is_full = True

    def append(self, records: Sequence[UsageRecord], watermarks: Sequence[UsageRecord]) -> int:
        if self.is_full and records:
            self.is_full = False
            raise SpoolFullError("full")
        return super().append(records, watermarks)


@modes
def test_an_answer_that_could_not_be_charged_leaves_the_key_free(streams):
    with quick([forever(echo)]) as r:
        spool = FullOnce()
        with GatewayServer(r.server.directory, options=r.server.options, claims=r.server.claims, spool=spool) as server:
            body = chat_body(stream=streams)
            assert ask(r, named(body), server).code == "store_unavailable"
            assert ask(r, named(body), server).status == 200
            assert len(spool.records) == 1


def test_what_a_dying_process_leaves_of_a_stream_frees_the_key():
    go = threading.Event()
    with quick([request, send(STREAM_HEAD + chunk(event("a"))), wait(go), reset], watermark_seconds=0.05) as r:
        client = r.client()
        client.send(named(chat_body(stream=True)))
        wait_for(lambda: r.spool.watermarks)
        (watermark,) = r.spool.watermarks.values()
        assert watermark.kept is not None
        assert not watermark.kept.is_whole
        go.set()
        client.receive()


def test_an_answer_is_given_again_when_money_and_providers_are_gone():
    with quick([forever(echo)], lease_idle_seconds=0.05) as r:
        first = ask(r, named())
        posted(r)
        wait_for(lambda: not r.gateway.purses.count)
        taken, r.bank.balance["cus_1"] = r.bank.balance["cus_1"], 0
        assert code(ask(r, post())) == "insufficient_quota"
        check_replay(first, ask(r, named()))
        channels, r.server.directory.channels = r.server.directory.channels, []
        r.server.call(lambda: r.gateway.spawn(r.gateway._reload()))
        wait_for(lambda: code(ask(r, post())) == "provider_unavailable")
        check_replay(first, ask(r, named()))
        r.bank.balance["cus_1"], r.server.directory.channels = taken, channels


def test_a_shortened_answer_is_given_again_with_its_header():
    with quick([forever(echo)]) as r:
        r.bank.balance["cus_1"] = bill(300, 40)
        first = ask(r, named())
        assert b"x-yuanjing-max-tokens-clamped" in first.headers
        posted(r)
        check_replay(first, ask(r, named()))
        r.bank.balance["cus_1"] += 100 * 10**9 - bill(300, 40)


def test_a_key_means_nothing_under_another_api_key():
    with quick([forever(echo)]) as r:
        r.server.directory.keys.append(api_key(OTHER_KEY))
        assert ask(r, named()).status == 200
        other = ask(r, named(chat_body(text="mine"), key=OTHER_KEY))
        assert (other.status, other.text) == (200, "mine")


def test_retries_count_as_requests_of_their_key():
    with quick([forever(echo)]) as r:
        r.server.directory.keys[0] = api_key(limits=KeyLimits(requests_per_minute=3))
        assert ask(r, named()).status == 200
        posted(r)
        assert [ask(r, named()).status for _ in range(3)] == [200, 200, 429]


@modes
def test_a_replay_keeps_to_http_1_0(streams):
    with quick([forever(echo)]) as r:
        body = chat_body(stream=streams)
        first = ask(r, named(body))
        posted(r)
        again = ask(r, named(body).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert (again.body, again.headers[b"idempotent-replayed"]) == (first.body, b"true")
        assert b"transfer-encoding" not in again.headers


def test_replays_in_a_pipeline_are_answered_in_their_order():
    def slowly(got: Request) -> bytes:
        time.sleep(0.1)
        return echo(got)

    with quick([forever(slowly)]) as r:
        first = ask(r, named())
        posted(r)
        client = r.client()
        client.send(post(chat_body(text="before")) + named() + post(chat_body(text="after")))
        assert client.receive().text == "before"
        check_replay(first, client.receive())
        assert client.receive().text == "after"
