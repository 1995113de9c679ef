"""Channels that fail are passed over, and come back by themselves (issues of routing in docs/concepts/routing.md)."""

import threading
import time

from tests.support.gateway import MODEL
from tests.support.rawclient import post
from tests.support.rig import rig, wait_for
from tests.support.upstream import (
    DONE,
    END,
    STREAM_HEAD,
    RawUpstream,
    Request,
    chunk,
    close,
    echo,
    error,
    event,
    forever,
    plain,
    request,
    send,
    usage_event,
    wait,
)

from yuanjing.gateway.health import FailedTry
from yuanjing.ports.store import Topic


class Switch:
    """A provider that fails as long as it is told to, and counts what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.fails = True
        self.asked = 0

    def __call__(self, _: Request) -> bytes:
        self.asked += 1
        return self.answer if self.fails else plain("first")


def ask(client, **fields):
    client.send(post(**fields))
    return client.receive()


def test_a_dead_channel_is_passed_over_and_taken_again_when_it_lives():
    switch = Switch(error(b"503 X"))
    options = {"breaker_pause_seconds": 0.2, "breaker_pause_seconds_max": 0.4}
    with rig(upstreams=[RawUpstream([forever(switch)]), RawUpstream([forever(plain("second"))])], **options) as r:
        client = r.client()
        assert {ask(client).text for _ in range(30)} == {"second"}
        assert switch.asked < 10, "five in a row, and probes"
        assert r.channel(1).health.shut_until
        switch.fails = False
        wait_for(lambda: ask(client).text == "first", 2)
        assert {ask(client).text for _ in range(10)} == {"first"}
        assert [line[1] for line in r.server.log.lines].count("channel shut") == 1


def test_where_all_are_shut_one_is_told_at_once_when_to_come_again():
    with rig(upstreams=[RawUpstream([forever(error(b"500 X"))])], breaker_pause_seconds=30.0) as r:
        client = r.client()
        assert {ask(client).status for _ in range(20)} == {503}
        asked = len(r.upstream.requests)
        answer = ask(client)
        assert (answer.status, answer.code) == (503, "provider_unavailable")
        assert answer.headers[b"retry-after"] == b"4", "the longest pause"
        assert len(r.upstream.requests) == asked == 20
        assert not r.records


def test_where_all_are_shut_nothing_is_leased_and_it_is_said_once():
    options = {"breaker_pause_seconds": 30.0, "lease_idle_seconds": 0.1, "tick_seconds": 0.02}
    with rig(upstreams=[RawUpstream([forever(error(b"500 X"))]) for _ in range(2)], **options) as r:
        client = r.client()
        while len(shut := [c for c in r.gateway.directory.channels.values() if c.health.shut_until]) < 2:
            assert ask(client).status == 503, shut
        wait_for(lambda: not r.gateway.purses.count)
        calls, told = r.bank.calls, r.server.log.lines[:]
        assert {ask(client).code for _ in range(10)} == {"provider_unavailable"}
        assert (r.bank.calls, r.gateway.purses.count) == (calls, 0)
        assert r.server.log.lines[len(told) :] == [("warning", "every channel of a model is shut", {"model": MODEL})]
        assert r.gateway.counters.refusals["provider_unavailable"] == 10


def test_a_channel_that_is_shut_while_money_is_leased_is_not_asked():
    with rig(upstreams=[RawUpstream([forever(plain("first"))])]) as r:
        r.bank.delay_seconds = 0.2
        client = r.client()
        client.send(post())
        wait_for(lambda: r.bank.calls == 1)
        r.server.call(lambda: shut(r, "provider_auth"))
        answer = client.receive()
        assert (answer.status, answer.code, answer.headers[b"retry-after"]) == (503, "provider_unavailable", b"10")
        assert not r.upstream.requests
        assert [line[1] for line in r.server.log.lines] == ["every channel of a model is shut"]


def test_a_channel_that_an_operator_has_tried_is_open_at_once():
    """If that was wrong it is shut again, for the first pause, and that is said although it was said a moment ago."""
    switch = Switch(error(b"402 X"))
    with rig(upstreams=[RawUpstream([forever(switch)])], signal_poll_seconds=0.01) as r:
        for times in (1, 2, 3):
            assert ask(r.client()).status == 503
            assert r.channel().health.reason == "provider_balance"
            assert r.channel().health.shut_until - r.gateway.now() < 11
            assert [line[1] for line in r.server.log.lines].count("channel shut") == times
            r.server.node.pending += [(Topic.CATALOG, "ch_gone"), (Topic.CATALOG, "ch_1")]
            wait_for(lambda: not r.channel().health.shut_until)
            wait_for(lambda n=times: [line[1] for line in r.server.log.lines].count("channel opened") == n)
        switch.fails = False
        assert ask(r.client()).text == "first"
        r.server.node.pending.append((Topic.CATALOG, "ch_1"))
        wait_for(lambda: not r.server.node.pending)
        assert [line[1] for line in r.server.log.lines].count("channel opened") == 3


def shut(r, kind: str) -> None:
    now = r.gateway.now()
    assert r.channel().health.failed(FailedTry(kind=kind, is_sure=True, tried_at=now, ended=1), now)


def test_the_beginning_of_an_answer_opens_a_channel():
    """A long answer is not waited for to its end."""
    gate = threading.Event()
    fails = [request, send(error(b"503 X")), close]
    begins = [
        request,
        send(STREAM_HEAD + chunk(event("well again"))),
        wait(gate),
        send(chunk(usage_event() + DONE) + END),
    ]
    with rig(*[fails] * 20, begins, breaker_pause_seconds=0.1, breaker_pause_seconds_max=0.1) as r:
        client = r.client()
        assert {ask(client).status for _ in range(20)} == {503}
        assert r.channel().health.shut_until
        wait_for(lambda: r.channel().health.may_try(r.gateway.now()) or time.sleep(0.02))
        time.sleep(0.12)
        client.send(post(stream=True))
        wait_for(lambda: not r.channel().health.shut_until)
        gate.set()
        assert client.receive().status == 200


def test_a_refused_credential_shuts_a_channel_at_once():
    switch = Switch(error(b"401 X", "Incorrect API key"))
    with rig(upstreams=[RawUpstream([forever(switch)]), RawUpstream([forever(plain("second"))])]) as r:
        client = r.client()
        assert {ask(client).text for _ in range(10)} == {"second"}
        assert switch.asked == 1
        assert r.channel(1).health.reason == "provider_auth"


def test_words_that_a_request_may_have_provoked_shut_nothing():
    """Else one customer could shut every channel of a model for all others."""
    switch = Switch(error(b"400 X", "Invalid value: 'sk-a'. Supported values are: low, high"))
    with rig(upstreams=[RawUpstream([forever(switch)]), RawUpstream([forever(plain("second"))])]) as r:
        client = r.client()
        assert {ask(client).text for _ in range(12)} == {"second"}
        assert switch.asked == 12
        assert not r.channel(1).health.shut_until


def test_what_is_wrong_with_a_request_does_not_shut_a_channel():
    switch = Switch(error(b"400 X", "n is wrong"))
    with rig(upstreams=[RawUpstream([forever(switch)])]) as r:
        client = r.client()
        assert {ask(client).status for _ in range(12)} == {400}
        assert switch.asked == 12
        switch.fails = False
        assert ask(client).text == "first"


def test_a_channel_that_asks_us_to_stay_away_is_left_alone():
    switch = Switch(error(b"429 X", "slow down", b"retry-after: 2\r\n"))
    with rig(upstreams=[RawUpstream([forever(switch)]), RawUpstream([forever(plain("second"))])]) as r:
        client = r.client()
        began = time.monotonic()
        assert {ask(client).text for _ in range(10)} == {"second"}
        assert switch.asked == 1
        switch.fails = False
        wait_for(lambda: ask(client).text == "first", 5)
        assert time.monotonic() - began > 1.9


def test_thirty_percent_of_failures_cost_nobody_an_answer_and_few_retries():
    """By turns the first channel fails; the second takes over what fails, and soon most of it."""
    count = 0

    def answer(got: Request) -> bytes:
        nonlocal count
        count += 1
        return error(b"500 X") if count % 10 in (0, 3, 7) else echo(got)

    with rig(upstreams=[RawUpstream([forever(answer)]), RawUpstream([forever(echo)])], breaker_pause_seconds=0.5) as r:
        client = r.client()
        assert [ask(client).status for _ in range(400)] == [200] * 400
        counters = r.gateway.counters
        assert counters.retries_refused == 0
        assert counters.retries <= 0.1 * 400
        assert r.channel(2).attempts > 200


def test_without_a_budget_no_failure_is_tried_again():
    upstreams = [RawUpstream([forever(error(b"500 X"))]), RawUpstream([forever(plain("second"))])]
    with rig(upstreams=upstreams, retry_share=0.0, retries_per_second=0.0) as r:
        assert ask(r.client()).status == 503
        assert r.gateway.counters.retries_refused == 1
