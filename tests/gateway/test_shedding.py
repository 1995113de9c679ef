"""Where the event loop cannot keep up, requests are refused before they cost anything."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.rawclient import post
from tests.support.rig import Rig, rig, wait_for
from tests.support.upstream import RawUpstream, forever, plain

from yuanjing.gateway.shedding import LOOK_SECONDS, Shedder


def shedder():
    return Shedder(most=4096, least=64, lag_seconds=0.1)


def test_nothing_is_shed_by_many_requests_alone():
    one = shedder()
    for _ in range(100):
        one.look(0.05, 4000)
    assert (one.most, one.is_shedding) == (4096, False)


def test_one_pause_is_no_overload():
    one = shedder()
    for _ in range(10):
        one.look(3.0, 2000)
        one.look(0.0, 2000)
    assert one.most == 4096


def test_while_the_loop_lags_fewer_are_let_in_and_then_more_again():
    one = shedder()
    for _ in range(3):
        one.look(0.11, 2000)
    assert not one.is_shedding
    one.look(0.11, 2000)
    assert (one.most, one.is_shedding) == (1800, True)
    one.look(0.0, 1800)
    assert one.most == 1981
    one.look(0.11, 1500)
    assert one.most == 1350, "once it sheds, each look counts"
    one.look(5.0, 1000)
    assert one.most == 700, "the longer it lags, the fewer, but never many fewer at once"
    one.look(0.125, 700)
    assert one.most == 560


def test_from_the_fewest_to_all_takes_less_than_two_seconds():
    one = shedder()
    for _ in range(100):
        one.look(9.0, 10)
    looks = 0
    while one.is_shedding:
        one.look(0.0, 100)
        looks += 1
    assert looks * LOOK_SECONDS <= 1.5
    assert one.most == 4096


def test_some_are_always_let_in():
    one = shedder()
    for _ in range(100):
        one.look(9.0, 10)
    assert one.most == 64


@contextmanager
def busy(r: Rig) -> Iterator[None]:
    """The server's loop has so much to do that each of its turns takes a tenth of a second."""
    over = threading.Event()

    def work() -> None:
        time.sleep(0.1)
        if not over.is_set():
            r.server.loop.call_soon(work)

    r.server.loop.call_soon_threadsafe(work)
    yield
    over.set()


def test_a_process_that_cannot_keep_up_refuses_at_once_and_recovers():
    gate = threading.Event()

    def answer(_: object) -> bytes:
        gate.wait(20)
        return plain("late")

    upstreams = [RawUpstream([forever(answer)])]
    with rig(upstreams=upstreams, overload_exchanges_min=5, overload_lag_seconds=0.05) as r:
        clients = [r.client() for _ in range(30)]
        for client in clients:
            client.send(post())
        wait_for(lambda: len(r.gateway.exchanges) == 30)
        with busy(r):
            wait_for(lambda: r.gateway.shedder.is_shedding)
            other = r.client()
            other.send(post())
            answer_of = other.receive()
            assert (answer_of.status, answer_of.code) == (503, "overloaded")
            assert answer_of.headers[b"retry-after"] == b"1"
            assert r.gateway.why_not_ready() == ["too many requests in work"]
        gate.set()
        assert {client.receive().status for client in clients} == {200}, "what was let in is served"
        wait_for(lambda: not r.gateway.shedder.is_shedding, 2.0)
        other.send(post())
        assert other.receive().status == 200
        assert [line[1] for line in r.server.log.lines].count("overloaded: requests are refused") == 1
