"""What a channel may be asked for: its limits, and what it shows by its times (docs/concepts/routing.md)."""

import threading
from dataclasses import replace

import pytest
from tests.support.rawclient import post
from tests.support.rig import rig, wait_for
from tests.support.upstream import RawUpstream, Request, echo, forever, plain

from yuanjing.domain.catalog import ChannelLimits
from yuanjing.gateway.capacity import ChannelCapacity
from yuanjing.gateway.options import GatewayOptions
from yuanjing.ports.store import Topic

OPTIONS = GatewayOptions(
    adaptive_concurrency_min=10, adaptive_tolerance=3.0, adaptive_answers_min=5, adaptive_window_seconds=1.0
)


class Channel:
    """A channel whose answers begin after so many seconds, however many are under way."""

    def __init__(self, connections_max=1000, limits=None, options=OPTIONS):
        self.capacity = ChannelCapacity(options, limits or ChannelLimits(), connections_max)
        self.now = 100.0

    def serve(self, seconds, *, busy, windows=1):
        """Windows of a second with `busy` requests under way; what is let in after them."""
        for _ in range(windows):
            self.now += 1.0
            self.capacity.first_bytes += 50
            self.capacity.first_byte_seconds += 50 * seconds
            self.capacity.look(busy, self.now)
            self.capacity.fit(1)
        return self.capacity.most


ANY = Channel().capacity.most


def test_any_number_is_let_in_at_first():
    """The pool of connections has its own limit, and requests may wait for one."""
    assert ANY > 10**6


def test_times_that_vary_within_the_tolerance_change_nothing():
    one = Channel()
    for seconds in (0.5, 0.6, 1.2, 0.4, 1.4, 0.5):
        assert one.serve(seconds, busy=400) == ANY


def test_a_channel_that_becomes_slow_is_sent_less_until_it_is_quick_again():
    one = Channel()
    one.serve(0.5, busy=200, windows=10)
    first = one.serve(3.0, busy=200)
    assert first < 200, "fewer than were under way"
    assert 10 <= one.serve(3.0, busy=first, windows=3) < first
    few = one.capacity.most
    grown = one.serve(0.5, busy=few, windows=3)
    assert grown > few
    assert one.serve(0.5, busy=1000, windows=200) == ANY


def test_one_that_is_hardly_used_keeps_what_it_may():
    one = Channel()
    one.serve(0.5, busy=200, windows=5)
    one.serve(3.0, busy=200)
    few = one.serve(0.5, busy=1)
    assert one.serve(0.5, busy=1, windows=10) == few, "nothing is learned about more"


def test_it_is_never_sent_less_than_the_least():
    one = Channel()
    one.serve(0.1, busy=100)
    assert one.serve(60.0, busy=100, windows=20) >= 10


def test_what_is_slow_for_long_becomes_usual():
    """Another model behind it, say: what it takes is no sign of too much any more."""
    one = Channel()
    one.serve(0.5, busy=100)
    one.serve(2.0, busy=20, windows=100)
    assert one.serve(2.0, busy=1000, windows=300) == ANY


def test_few_answers_say_nothing():
    one = Channel()
    one.serve(0.5, busy=100)
    one.capacity.first_bytes, one.capacity.first_byte_seconds = 4, 400.0
    one.capacity.look(100, one.now + 5)
    one.capacity.fit(1)
    assert one.capacity.most == ANY


def test_it_can_be_turned_off():
    one = Channel(options=replace(OPTIONS, adaptive_concurrency=False))
    one.serve(0.5, busy=100)
    assert one.serve(60.0, busy=100, windows=5) == ANY


@pytest.mark.parametrize(("processes", "most"), [(1, 9), (2, 4), (4, 2), (100, 1)])
def test_processes_share_the_limit_of_what_is_under_way(processes, most):
    one = Channel(limits=ChannelLimits(concurrency=9))
    one.capacity.fit(processes)
    assert one.capacity.most == most


def ask(client, **fields):
    client.send(post(**fields))
    return client.receive()


def two(answer="first"):
    return [RawUpstream([forever(plain(answer))]), RawUpstream([forever(plain("second"))])]


def test_what_does_not_fit_into_the_minute_goes_to_the_next_channel():
    with rig(upstreams=two(), limits=[ChannelLimits(requests_per_minute=3)]) as r:
        client = r.client()
        assert [ask(client).text for _ in range(6)] == ["first"] * 3 + ["second"] * 3
        assert len(r.wait_records(6)) == 6


def test_tokens_count_when_they_are_known():
    """Each answer of this provider counts 10 tokens of input and 5 of output."""
    with rig(upstreams=two(), limits=[ChannelLimits(tokens_per_minute=1000)]) as r:
        client = r.client()
        answers = [ask(client).text for _ in range(80)]
        begin = answers.index("second")
        assert 60 <= begin <= 67, "a thousand by fifteen, less what the next one is thought to take"
        assert set(answers[begin:]) == {"second"}


def test_where_no_channel_has_room_one_is_told_when_to_come_again():
    with rig(upstreams=[RawUpstream([forever(plain())])], limits=[ChannelLimits(requests_per_minute=2)]) as r:
        client = r.client()
        assert [ask(client).status for _ in range(2)] == [200, 200]
        answer = ask(client)
        assert (answer.status, answer.code) == (503, "overloaded")
        assert 30 <= int(answer.headers[b"retry-after"]) <= 60
        assert len(r.upstream.requests) == 2
        assert len(r.wait_records(2)) == 2, "nothing is charged for it"


def test_as_many_as_may_be_under_way_and_no_more():
    gate = threading.Event()

    def answer(_: Request) -> bytes:
        gate.wait(5)
        return plain("first")

    upstreams = [RawUpstream([forever(answer)]), RawUpstream([forever(plain("second"))])]
    with rig(upstreams=upstreams, limits=[ChannelLimits(concurrency=2)]) as r:
        clients = [r.client() for _ in range(2)]
        for client in clients:
            client.send(post())
        wait_for(lambda: r.channel(1).in_flight == 2)
        other = r.client()
        assert ask(other).text == "second"
        gate.set()
        assert [client.receive().text for client in clients] == ["first", "first"]
        assert ask(other).text == "first", "there is room again"
        assert r.channel(1).in_flight == 0


def test_new_limits_hold_without_new_connections():
    with rig(upstreams=two()) as r:
        client = r.client()
        assert ask(client).text == "first"
        before = r.channel(1)
        directory = r.server.directory
        directory.channels[0] = replace(directory.channels[0], limits=ChannelLimits(requests_per_minute=1))
        r.server.node.pending.append((Topic.CATALOG, ""))
        wait_for(lambda: r.channel(1).capacity.has_minute)
        assert r.channel(1) is before
        assert [ask(client).text for _ in range(3)] == ["first", "second", "second"]


def test_only_streams_tell_how_long_a_first_byte_takes():
    """A plain answer begins when all of it is made, which says nothing about how busy a provider is."""
    begun = []
    with rig(upstreams=[RawUpstream([forever(echo)])], adaptive_answers_min=10**9) as r:
        client = r.client()
        for is_stream in (False, True, False):
            assert ask(client, stream=is_stream).status == 200
            begun.append(r.channel(1).capacity.first_bytes)
    assert begun == [0, 1, 1]


def test_who_is_held_back_for_a_slow_client_takes_no_place_of_what_the_provider_can_bear():
    one = Channel()
    one.serve(0.1, busy=200, windows=3)
    most = one.serve(1.0, busy=200)
    assert most < 200
    one.capacity.fit(1, held=500)
    assert one.capacity.most == most + 500
    set_by_operator = Channel(limits=ChannelLimits(concurrency=100))
    set_by_operator.capacity.fit(1, held=500)
    assert set_by_operator.capacity.most == 100
