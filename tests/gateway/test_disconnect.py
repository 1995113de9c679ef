"""A client that leaves, in every state and form: what it is billed, and what becomes of its provider.

A half-closing client (one that shuts its sending side and waits) counts as gone: telling it from one that has left
would hide real disconnects. This is documented for clients.
"""

import itertools
import threading
import time

import pytest
from tests.support.gateway import KEY
from tests.support.rawclient import RawClient, chat_body, cold, post
from tests.support.rig import Rig, bill, rig, wait_for
from tests.support.upstream import (
    END,
    STREAM_HEAD,
    RawUpstream,
    body_of_stream,
    chunk,
    close,
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
    usage_event,
    wait,
)

from yuanjing.domain.dialects import Dialect
from yuanjing.gateway.exchange import Exchange

FORMS = {"close": RawClient.close, "reset": RawClient.reset, "half-close": RawClient.half_close}
both = pytest.mark.parametrize("streams", [False, True], ids=["plain", "stream"])
policies = pytest.mark.parametrize("drains", [False, True], ids=["cancel", "drain"])


def left(r: Rig) -> None:
    """The exchange is over; the gateway is fit."""
    r.wait_over(2.0)
    other = r.client()
    other.send(cold(b"x"))
    assert other.receive().status == 200


# before anything was sent


@policies
@both
def test_leaving_while_the_request_arrives_costs_nothing(drains, streams):
    with rig([forever(echo)], drains=drains) as r:
        for form, missing in itertools.product(FORMS, [1, 80]):
            client = r.client()
            client.send(post(stream=streams)[:-missing])
            wait_for(lambda: any(c._exchange for c in r.server._server.server_state.connections))
            FORMS[form](client)
            left(r)
        assert not r.upstream.requests
        assert not r.records


@policies
@both
def test_leaving_while_the_request_is_admitted_costs_nothing(drains, streams):
    with rig([forever(echo)], drains=drains) as r:
        r.bank.delay_seconds = 0.3
        client = r.client()
        client.send(post(stream=streams))
        wait_for(lambda: r.bank.calls == 1)
        client.close()
        left(r)
        time.sleep(0.4)
        assert not r.upstream.requests
        assert not r.records


@policies
@both
def test_leaving_while_a_connection_is_waited_for_costs_nothing(drains, streams):
    gate = threading.Event()
    script = [request, wait(gate), send(plain()), forever(echo)]
    with rig(script, drains=drains, connections_max=1) as r:
        first, client = r.client(), r.client()
        first.send(post())
        r.upstream.wait_requests(1)
        client.send(post(stream=streams))
        wait_for(lambda: len(r.gateway.exchanges) == 2)
        time.sleep(0.05)
        client.close()
        wait_for(lambda: len(r.gateway.exchanges) == 1, 1.0)
        gate.set()
        first.receive()
        left(r)
        time.sleep(0.05)
        assert len(r.upstream.requests) == 1
        assert len(r.records) == 1


# after it was sent, before the provider has accepted


@both
@pytest.mark.parametrize("form", FORMS)
def test_leaving_before_the_provider_answers_cancels_and_charges_the_input_of_a_plain_request(streams, form):
    """A stream's head comes when the provider begins, a plain answer's when it has ended."""
    with rig([request, send(b"HTTP/1.1 200 OK\r\n")]) as r:
        client = r.client()
        client.send(post(stream=streams))
        r.upstream.wait_requests(1)
        time.sleep(0.02)
        FORMS[form](client)
        assert r.upstream.connections[0].wait_closed()
        left(r)
        seen = [(record.status, record.is_estimated, record.charge_nanos) for record in r.records]
        assert seen == ([] if streams else [("client_gone", True, bill(1, 0))])


@both
@pytest.mark.parametrize("form", FORMS)
def test_leaving_before_the_provider_accepts_drains_for_the_exact_bill(streams, form):
    gate = threading.Event()
    with rig([request, wait(gate), send(stream() if streams else plain()), forever(echo)], drains=True) as r:
        client = r.client()
        client.send(post(stream=streams))
        r.upstream.wait_requests(1)
        FORMS[form](client)
        wait_for(lambda: r.gateway.draining == 1)
        gate.set()
        (record,) = r.wait_records(1)
        assert (record.status, record.is_estimated, record.charge_nanos) == ("client_gone", False, bill(10, 5))
        left(r)
        other = r.client()
        other.send(post())
        assert other.receive().status == 200
        assert len(r.upstream.connections) == 1  # read to the end, and kept


@both
@pytest.mark.parametrize(
    "ending",
    [close, reset, send(error(b"500 X")), send(error(b"400 X")), send(b"\x00\x01")],
    ids=["close", "reset", "500", "400", "garbage"],
)
def test_a_failure_while_draining_is_not_billed_if_nothing_was_accepted(streams, ending):
    gate = threading.Event()
    with rig([request, wait(gate), ending], [forever(echo)], drains=True) as r:
        client = r.client()
        client.send(post(stream=streams))
        r.upstream.wait_requests(1)
        client.close()
        wait_for(lambda: r.gateway.draining == 1)
        gate.set()
        left(r)
        assert not r.records
        assert len(r.upstream.requests) == 1  # nobody is there to retry for


# after the provider has accepted


@both
def test_leaving_after_the_provider_accepted_cancels_and_charges_our_count(streams):
    head = STREAM_HEAD if streams else plain()[:-50]
    with rig([request, send(head)]) as r:
        client = r.client()
        client.send(post(stream=streams))
        r.upstream.wait_requests(1)
        time.sleep(0.05)
        client.close()
        assert r.upstream.connections[0].wait_closed()
        (record,) = r.wait_records(1)
        assert (record.status, record.is_estimated, record.charge_nanos) == ("client_gone", True, bill(1, 0))


@pytest.mark.parametrize("form", FORMS)
def test_leaving_a_running_stream_cancels_and_charges_our_count(form):
    with rig([request, send(*[STREAM_HEAD] + [chunk(event("abc"))] * 4)]) as r:
        client = r.client()
        client.send(post(stream=True))
        while client.buffer.count(b"abc") < 4:
            client._more()
        FORMS[form](client)
        assert r.upstream.connections[0].wait_closed()
        (record,) = r.wait_records(1)
        assert (record.status, record.is_estimated, record.charge_nanos) == ("client_gone", True, bill(1, 4))
        left(r)


def test_leaving_a_running_stream_charges_the_usage_that_was_sent():
    with rig([request, send(STREAM_HEAD + chunk(event("abc") + usage_event((7, 3)) + event("d")))]) as r:
        client = r.client()
        client.send(post(stream=True))
        client.receive_until(b'"d"')
        client.close()
        assert r.upstream.connections[0].wait_closed()
        (record,) = r.wait_records(1)
        assert (record.is_estimated, record.charge_nanos) == (False, bill(7, 3))


@pytest.mark.parametrize("form", FORMS)
def test_leaving_a_running_stream_drains_for_the_exact_bill(form):
    gate = threading.Event()
    script = [request, send(STREAM_HEAD + chunk(event("abc"))), wait(gate), send(chunk(body_of_stream()) + END)]
    with rig([*script, forever(echo)], drains=True) as r:
        client = r.client()
        client.send(post(stream=True))
        client.receive_until(b"abc")
        FORMS[form](client)
        wait_for(lambda: r.gateway.draining == 1)
        gate.set()
        (record,) = r.wait_records(1)
        assert (record.status, record.is_estimated, record.charge_nanos) == ("client_gone", False, bill(10, 5))
        left(r)
        assert r.channel().pool.idle_count == 1


def test_leaving_a_running_stream_that_then_breaks_charges_our_count():
    gate = threading.Event()
    with rig([request, send(STREAM_HEAD + chunk(event("abc"))), wait(gate), close], drains=True) as r:
        client = r.client()
        client.send(post(stream=True))
        client.receive_until(b"abc")
        client.close()
        wait_for(lambda: r.gateway.draining == 1)
        gate.set()
        (record,) = r.wait_records(1)
        assert (record.status, record.is_estimated, record.charge_nanos) == ("client_gone", True, bill(1, 1))


def test_a_client_that_does_not_read_and_leaves_is_drained_all_the_same():
    big = [chunk(event("x" * 60_000))] * 400
    script = [request, send(STREAM_HEAD), send(*big), send(chunk(body_of_stream(tokens=(9, 9))) + END)]
    with rig(script, drains=True) as r:
        client = r.client(receive_buffer=4096)
        client.send(post(stream=True))
        client.receive_until(b"xxx")
        time.sleep(0.2)
        client.reset()
        (record,) = r.wait_records(1)
        assert (record.is_estimated, record.charge_nanos) == (False, bill(9, 9))


# the limits of draining


def test_only_so_many_streams_are_drained_at_once():
    gate = threading.Event()
    script = [request, send(STREAM_HEAD + chunk(event("abc"))), wait(gate), send(chunk(body_of_stream()) + END)]
    with rig(script, drains=True, drain_streams_max=2) as r:
        for number in range(1, 5):
            client = r.client()
            client.send(post(stream=True))
            client.receive_until(b"abc")
            client.close()
            wait_for(lambda number=number: r.gateway.draining + len(r.records) == number)
        assert r.gateway.draining == 2
        assert [record.charge_nanos for record in r.records] == [bill(1, 1)] * 2
        gate.set()
        assert [record.charge_nanos for record in r.wait_records(4)[2:]] == [bill(10, 5)] * 2


def test_plain_requests_beyond_those_that_are_drained_are_charged_for_their_input():
    gate = threading.Event()
    with rig([request, wait(gate), send(plain())], drains=True, drain_streams_max=2) as r:
        for number in range(1, 5):
            client = r.client()
            client.send(post())
            r.upstream.wait_requests(number)
            client.close()
            wait_for(lambda number=number: r.gateway.draining + len(r.records) == number)
        assert r.gateway.draining == 2
        assert [(record.status, record.charge_nanos) for record in r.records] == [("client_gone", bill(1, 0))] * 2
        gate.set()
        assert [record.charge_nanos for record in r.wait_records(4)[2:]] == [bill(10, 5)] * 2


def test_a_plain_answer_that_takes_longer_than_draining_is_charged_for_its_input():
    with rig([request], drains=True, drain_seconds=0.3) as r:
        client = r.client()
        client.send(post())
        r.upstream.wait_requests(1)
        client.close()
        assert r.upstream.connections[0].wait_closed()
        (record,) = r.wait_records(1)
        assert (record.status, record.is_estimated, record.charge_nanos) == ("client_gone", True, bill(1, 0))
        left(r)
        assert r.channel().health.in_row == 0


@pytest.mark.parametrize("is_accepted", [False, True])
def test_draining_ends_after_its_time(is_accepted):
    with rig([request, *([send(STREAM_HEAD + chunk(event("abc")))] if is_accepted else [])],
             drains=True, drain_seconds=0.3) as r:  # fmt: skip
        client = r.client()
        client.send(post(stream=True))
        r.upstream.wait_requests(1)
        if is_accepted:
            client.receive_until(b"abc")
        client.close()
        began = time.monotonic()
        assert r.upstream.connections[0].wait_closed()
        assert 0.2 < time.monotonic() - began < 2.9
        left(r)
        assert [record.charge_nanos for record in r.records] == ([bill(1, 1)] if is_accepted else [])


# settling


@both
def test_leaving_while_the_bill_is_written_is_charged_once(streams):
    with rig([forever(echo)]) as r:
        told = threading.Event()
        spool = r.spool

        def append(records, watermarks, write=spool.append):
            told.set()
            time.sleep(0.05)
            return write(records, watermarks)

        spool.append = append  # type: ignore[method-assign]
        client = r.client()
        client.send(post(stream=streams))
        assert told.wait(5)
        client.reset()
        left(r)
        assert [record.charge_nanos for record in r.records] == [bill(10, 5)]


def test_a_leaving_client_does_not_disturb_the_next_one_on_the_same_provider_connection():
    with rig([forever(lambda got: (time.sleep(0.02), echo(got))[1])], connections_max=1, drains=True) as r:
        for number in range(10):
            leaving, staying = r.client(), r.client()
            leaving.send(post(chat_body(text="wrong", stream=True)))
            staying.send(post(chat_body(text=f"right{number}", stream=True)))
            time.sleep(0.005)
            leaving.close()
            assert staying.receive().text == f"right{number}"


def test_a_retry_is_not_made_for_a_client_that_left():
    bad, good = RawUpstream([request, sleep(0.2), send(error())]), RawUpstream([forever(echo)])
    with rig(upstreams=[bad, good]) as r:
        client = r.client()
        client.send(post())
        bad.wait_requests(1)
        client.close()
        left(r)
        time.sleep(0.25)
        assert not good.requests


class Side:
    """A connection that only remembers."""

    known_key = None

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def default_headers(self) -> bytes:
        return b""

    def address(self, _: bytes | None) -> str:
        return "127.0.0.1"

    def exchange_over(self, exchange: Exchange) -> None:
        """Nothing follows."""


def test_an_exchange_whose_client_left_just_before_its_turn_does_not_begin():
    with rig([forever(echo)]) as r:
        side = Side()

        def leave_and_start() -> None:
            exchange = Exchange(side, r.gateway, Dialect.OPENAI)
            exchange.authorization = b"Bearer " + KEY.encode()
            exchange.receive(chat_body())
            exchange.receive_end()
            exchange.client_gone()
            exchange.start()

        r.server.call(leave_and_start)
        assert not r.gateway.exchanges
        assert not side.written
        time.sleep(0.05)
        assert not r.upstream.requests
