"""Faults of our own: a bug in one place ends what it has hit, is logged, and takes nothing else along."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from tests.support.gateway import MODEL, FakeSpool, api_key
from tests.support.rawclient import chat_body, post
from tests.support.rig import Rig, rig, wait_for
from tests.support.upstream import STREAM_HEAD, chunk, close, echo, event, forever, plain, request, send, stream, wait

from yuanjing.domain.errors import SpoolError, SpoolFullError, StoreUnavailableError
from yuanjing.gateway.exchange import Exchange
from yuanjing.gateway.loops import Loops
from yuanjing.ports.store import Topic

every_mode = pytest.mark.parametrize("streams", [False, True], ids=["plain", "stream"])


def break_one(monkeypatch, exchange, name):
    """Let a method of this exchange raise, and of no other."""
    method = getattr(Exchange, name)

    def breaks(self, *arguments):
        return broken() if self is exchange else method(self, *arguments)

    monkeypatch.setattr(Exchange, name, breaks)


def errors(r: Rig) -> list[str]:
    return [event for level, event, _ in r.server.log.lines if level == "error"]


def clean_but_for(r: Rig, errors_logged: int) -> None:
    """Nothing is left over, and just these errors were logged."""
    wait_for(lambda: r.leftovers() == [f"errors logged: {errors_logged}"], 3.0, lambda: f"{r.leftovers()} {errors(r)}")


# the loops


class Bad:
    """An exchange whose clock hand is broken."""

    request_id = "req_bad"

    def tick(self, _now: float) -> None:
        raise AttributeError("bug")

    def crash(self) -> None:
        raise AttributeError("another")

    def stop(self) -> None:
        pass


def test_one_bad_exchange_does_not_stop_the_clock_of_the_others():
    gate = threading.Event()
    with rig([request, send(STREAM_HEAD), wait(gate)], is_stopped_by_test=True, first_byte_seconds=0.3) as r:
        r.server.call(lambda: r.gateway.exchanges.add(Bad()))
        wait_for(lambda: len(errors(r)) == 2)
        assert errors(r) == ["a request was given up for a bug", "and could not be ended"]
        client = r.client()
        client.send(post(stream=True))
        assert client.receive().code == "provider_timeout"
        gate.set()
        clean_but_for(r, 2)


def test_a_request_whose_clock_raises_is_ended_and_its_money_is_free(monkeypatch):
    gate = threading.Event()
    with rig([request, send(STREAM_HEAD + chunk(event("a"))), wait(gate)], is_stopped_by_test=True) as r:
        client = r.client()
        client.send(post(stream=True))
        client.receive_until(b'"a"')
        (exchange,) = r.gateway.exchanges
        break_one(monkeypatch, exchange, "_tick_stream")
        rest = client.receive_until(b"\r\n0\r\n\r\n")
        assert b"internal_error" in rest
        assert b"[DONE]" not in rest
        assert b"secret" not in rest
        assert client.is_at_end()
        gate.set()
        clean_but_for(r, 1)
        assert not r.records
        assert "secret', 'words" not in str(r.server.log.lines)


def broken(*_: object, **__: object) -> None:
    raise ValueError("secret", "words")


def test_the_heart_goes_on_after_an_error_that_is_not_ours():
    with rig([forever(echo)], is_stopped_by_test=True, heartbeat_seconds=0.02, heartbeat_fresh_seconds=0.5) as r:
        beat, times = r.server.node.beat, []

        async def bad():
            times.append(1)
            raise OSError("the network is gone")

        r.server.node.beat = bad
        wait_for(lambda: len(times) > 3)
        wait_for(lambda: not r.gateway.is_ready)
        r.server.node.beat = beat
        wait_for(lambda: r.gateway.is_ready)
        client = r.client()
        client.send(post())
        assert client.receive().status == 200
        assert errors(r) == ["a pass of a loop failed"]
        assert ("info", "a loop works again") in [line[:2] for line in r.server.log.lines]
        clean_but_for(r, 1)


def test_a_catalogue_that_cannot_be_read_loses_no_other_signal_and_is_read_again():
    with rig([forever(echo)]) as r:
        directory, node = r.server.directory, r.server.node
        client = r.client()
        client.send(post())
        assert client.receive().status == 200
        load, tries = directory.load, []

        async def bad():
            tries.append(1)
            raise StoreUnavailableError("down")

        directory.load = bad
        directory.keys = [api_key(revoked_at=1.0)]
        node.pending.extend([(Topic.CATALOG, ""), (Topic.KEY, "AbCd1234")])
        wait_for(lambda: len(tries) > 2)
        client.send(post())
        assert client.receive().status == 401
        directory.channels.clear()
        directory.load = load
        wait_for(lambda: not r.gateway.directory.channels)


async def test_a_loop_that_ends_ends_the_process():
    ended, log = [], Silent()
    loops = Loops(log, on_fenced=lambda: None, on_ended=lambda: ended.append(1))

    async def leave():
        raise asyncio.CancelledError

    async def stay():
        pass

    loops.start("a", 0.0, leave)
    loops.start("b", 0.0, stay)
    for _ in range(20):
        await asyncio.sleep(0)
    assert (ended, log.events) == ([1], ["a loop has ended; the process ends too"])
    loops.stop()
    for _ in range(20):
        await asyncio.sleep(0)
    assert ended == [1]


class Silent:
    def __init__(self):
        self.events = []

    def info(self, event: str, **_: object) -> None:
        self.events.append(event)

    warning = error = info


# the bill that is not written, or of which nobody hears


class PickySpool(FakeSpool):
    """Cannot encode records of streams."""

    def append(self, records, watermarks):
        if any(record.is_stream for record in [*records, *watermarks]):
            raise ValueError("no such letter")
        return super().append(records, watermarks)


def test_a_record_that_cannot_be_written_takes_no_other_along():
    with rig([forever(echo)], is_stopped_by_test=True) as r:
        spool = PickySpool(records=r.spool.records)
        r.gateway.spooler._spool = spool
        good, bad = r.client(), r.client()
        hold_flush(r)
        bad.send(post(stream=True))
        good.send(post())
        wait_for(lambda: len(r.gateway.spooler._records) == 2)
        r.server.call(r.gateway.spooler.flush)
        assert good.receive().status == 200
        answer = bad.receive()
        assert (answer.code, answer.is_done) == ("store_unavailable", False)
        clean_but_for(r, 1)
        assert [record.is_stream for record in r.records] == [False]
        assert r.gateway.is_ready


def hold_flush(r: Rig) -> None:
    """Records gather until the test flushes."""
    r.gateway.spooler._is_scheduled = True


@every_mode
def test_telling_one_that_raises_does_not_keep_the_others_waiting(streams, monkeypatch):
    with rig([forever(echo)], is_stopped_by_test=True) as r:
        clients = [r.client() for _ in range(3)]
        hold_flush(r)
        for i, client in enumerate(clients, start=1):
            client.send(post(stream=streams))
            wait_for(lambda i=i: len(r.gateway.spooler._records) == i)
        break_one(monkeypatch, r.gateway.spooler._waiting[1], "_end_stream" if streams else "_end_plain")
        r.server.call(r.gateway.spooler.flush)
        assert clients[0].receive().status == 200
        assert clients[2].receive().status == 200
        wait_for(lambda: errors(r))
        clean_but_for(r, 1)
        assert len(r.records) == 3


@every_mode
def test_a_bill_of_which_nobody_hears_ends_the_answer_in_time(streams):
    with rig([forever(echo)], is_stopped_by_test=True, settling_seconds=0.1) as r:
        client = r.client()
        hold_flush(r)
        client.send(post(stream=streams))
        answer = client.receive()
        assert (answer.code, answer.is_done) == ("internal_error", False)
        r.server.call(r.gateway.spooler.flush)
        clean_but_for(r, 1)
        assert len(r.records) == 1


@pytest.mark.parametrize("error", [ValueError("codec"), OverflowError("int"), OSError("disk")])
def test_whatever_append_raises_no_answer_hangs_and_money_is_kept(error):
    with rig([forever(echo)], is_stopped_by_test=True) as r:
        append = r.spool.append

        def bad(*_: object) -> int:
            raise error

        r.spool.append = bad
        client = r.client()
        for streams in (False, True):
            client.send(post(stream=streams))
            answer = client.receive()
            assert (answer.code, answer.is_done) == ("store_unavailable", False)
        r.spool.append = append
        client.send(post())
        assert client.receive().status == 200
        clean_but_for(r, 2)
        assert len(r.records) == 1


# the spool that is broken, and the one that is full


def test_a_broken_spool_cuts_what_runs_and_ends_the_process_when_the_disk_works():
    gate = threading.Event()
    first = chunk(event("a"))
    script = [[request, send(STREAM_HEAD + first), wait(gate)], [forever(echo)]]
    with rig(*script, is_stopped_by_test=True, spool_retry_seconds=0.05) as r:
        ended = []
        object.__setattr__(r.gateway._parts, "on_broken", lambda: ended.append(1))
        running, other = r.client(), r.client()
        running.send(post(stream=True))
        running.receive_until(b'"a"')
        r.spool.is_broken = True
        other.send(post())
        assert other.receive().code == "store_unavailable"
        r.spool.room = 0
        rest = running.receive_until(b"\r\n0\r\n\r\n")
        assert b"store_unavailable" in rest
        assert b"[DONE]" not in rest
        assert r.gateway.why_not_ready() == ["the spool cannot be written"]
        other.send(post())
        assert other.receive().code == "store_unavailable"
        time.sleep(0.2)
        assert not ended
        assert "the spool is full" not in [event for _, event, _ in r.server.log.lines]
        r.spool.is_broken = False
        wait_for(lambda: ended)
        assert not r.gateway.is_ready  # what the old spool has kept is not known: only a new life may go on
        gate.set()
        r.wait_over()


def test_a_spool_that_breaks_by_itself_is_noticed_although_nobody_asks():
    options = {"is_stopped_by_test": True, "spool_retry_seconds": 0.05, "heartbeat_seconds": 0.05}
    with rig([forever(echo)], **options) as r:  # type: ignore[arg-type]
        ended = []
        object.__setattr__(r.gateway._parts, "on_broken", lambda: ended.append(1))
        r.spool.is_broken, r.spool.room = True, 0
        wait_for(lambda: r.gateway.why_not_ready() == ["the spool cannot be written"])
        assert not ended
        r.spool.is_broken = False
        wait_for(lambda: ended)


def test_money_that_may_be_on_a_broken_disk_is_not_spent_again():
    with rig([forever(echo)], is_stopped_by_test=True) as r:
        client = r.client()
        client.send(post())
        assert client.receive().status == 200
        (record,) = r.records
        r.spool.is_broken = True
        client.send(post())
        assert client.receive().status == 503
        held = sum(r.bank.holds.values())
        assert held - r.gateway.purses.leased_nanos == 2 * record.charge_nanos


def test_a_full_spool_refuses_before_the_work_and_opens_again_by_itself():
    with rig([forever(echo)]) as r:
        client = r.client()
        client.send(post())
        assert client.receive().status == 200
        r.spool.room = 0
        client.send(post())
        answer = client.receive()
        assert (answer.status, answer.code, answer.headers[b"retry-after"]) == (503, "store_unavailable", b"1")
        assert r.gateway.why_not_ready() == ["the spool is full"]
        assert len(r.upstream.requests) == 1
        wait_for(lambda: ("warning", "the spool is full") in [line[:2] for line in r.server.log.lines])
        r.spool.room = 10
        client.send(post())
        assert client.receive().status == 200
        assert r.gateway.is_ready


def test_what_is_in_work_has_its_place_in_the_spool():
    gate = threading.Event()
    with rig([request, wait(gate), send(plain())], [request, wait(gate), send(plain())]) as r:
        r.spool.room = 2
        clients = [r.client() for _ in range(3)]
        for i, client in enumerate(clients[:2], start=1):
            client.send(post())
            wait_for(lambda i=i: len(r.gateway.exchanges) == i or r.gateway.exchanges)
        clients[2].send(post())
        assert clients[2].receive().status == 503
        gate.set()
        statuses = sorted(client.receive().status for client in clients[:2])
        assert statuses in ([200, 200], [200, 503])


def test_a_full_spool_that_is_met_too_late_gives_the_money_back():
    with rig([forever(echo)], is_stopped_by_test=True) as r:
        append = r.spool.append

        def full(*_: object) -> int:
            raise SpoolFullError("full")

        r.spool.append = full
        client = r.client()
        client.send(post())
        assert client.receive().code == "store_unavailable"
        r.spool.append = append
        client.send(post())
        assert client.receive().status == 200
        clean_but_for(r, 1)


def test_a_spool_that_breaks_while_rows_are_forgotten_is_noticed():
    with rig([forever(echo)], is_stopped_by_test=True, heartbeat_seconds=0.02) as r:

        def bad(_seq: int) -> None:
            raise SpoolError("gone")

        r.spool.forget = bad
        wait_for(lambda: r.gateway.why_not_ready() == ["the spool cannot be written"])
        del r.spool.forget


# what is left of a request, and what is told of it


def test_an_idle_connection_keeps_nothing_of_the_request_before():
    large = "x" * 100_000
    with rig([request, send(stream([large])), request, send(plain(large))]) as r:
        client, kept = r.client(), []
        add = r.gateway.spooler.add
        r.gateway.spooler.add = lambda record, exchange: (kept.append(exchange), add(record, exchange))
        for streams in (True, False):
            client.send(post(chat_body(stream=streams, max_tokens=4096)))
            assert client.receive().text == large
        wait_for(lambda: len(kept) == 2 and all(exchange.is_over for exchange in kept))
        for exchange in kept:
            assert not any(len(held) > 1000 for held in reachable(exchange))


def reachable(exchange: object) -> Iterator[bytes | str]:
    """The texts that an exchange holds, itself or through what only requests have."""
    seen, todo = set(), [exchange]
    while todo:
        thing = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, bytes | bytearray | str):
            yield thing
        elif isinstance(thing, list | tuple):
            todo.extend(thing)
        elif isinstance(thing, dict):
            todo.extend(thing.values())
        elif type(thing).__name__ in HELD_BY_REQUESTS:
            todo.extend(getattr(thing, name, None) for name in getattr(type(thing), "__slots__", ()))
            todo.append(getattr(thing, "__dict__", None))


HELD_BY_REQUESTS = {
    "Exchange",
    "ChatRequest",
    "Attempt",
    "OpenAIAnswer",
    "LlmageAnswer",
    "AnswerContext",
    "SseSplitter",
}


def test_a_slow_request_and_a_broken_stream_say_where_it_happened():
    broken_stream = [request, send(STREAM_HEAD + chunk(event("a"))), close]
    with rig([request, send(plain()), *broken_stream], log_slow_request_seconds=0.0001) as r:
        client = r.client()
        client.send(post())
        assert client.receive().status == 200
        client.send(post(stream=True))
        assert client.receive().code == "provider_unavailable"
        client.send(post(b"{}"))
        assert client.receive().status == 400
        lines = [(event, fields) for level, event, fields in r.server.log.lines if level == "warning"]
        slow = [fields for event, fields in lines if event == "slow request"]
        assert [(f["model"], f["channel"], f["outcome"]) for f in slow[:2]] == [
            (MODEL, "ch_1", "completed"),
            (MODEL, "ch_1", "upstream_broke"),
        ]
        assert all(f["outcome"] == "missing_required_parameter" and f["model"] is None for f in slow[2:])
        assert slow[0]["usage"] == r.records[0].id
        assert slow[0]["first_byte_ms"] >= 0
        assert [f["channel"] for event, f in lines if event == "stream broke"] == ["ch_1"]
        assert "hi" not in {str(value) for _, fields in lines for value in fields.values()}


# money that cannot be asked for, or given back


def test_a_lease_that_fails_in_a_new_way_refuses_at_once_and_the_next_is_served():
    with rig([forever(echo)], is_stopped_by_test=True) as r:
        acquire = r.bank.acquire

        async def bad(*_: object, **__: object) -> None:
            raise OSError("the network is gone")

        r.bank.acquire = bad
        client = r.client()
        client.send(post())
        assert client.receive().code == "store_unavailable"
        r.bank.acquire = acquire
        client.send(post())
        assert client.receive().status == 200
        assert errors(r) == ["background work failed"]
        clean_but_for(r, 1)


def test_money_whose_return_fails_in_a_new_way_is_returned_later():
    with rig([forever(echo)], is_stopped_by_test=True, lease_idle_seconds=0.05, heartbeat_seconds=0.02) as r:
        give_back, tries = r.bank.give_back, []

        async def bad(*_: object) -> None:
            tries.append(1)
            raise OSError("the network is gone")

        r.bank.give_back = bad
        client = r.client()
        client.send(post())
        assert client.receive().status == 200
        wait_for(lambda: len(tries) >= 2)
        r.bank.give_back = give_back
        (record,) = r.records
        wait_for(lambda: sum(r.bank.holds.values()) == record.charge_nanos)
