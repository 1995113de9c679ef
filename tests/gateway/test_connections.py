"""How many clients may be connected at once, and what operators hear of failing channels."""

import errno

import pytest
from tests.support.rawclient import post
from tests.support.rig import rig, wait_for
from tests.support.upstream import RawUpstream, echo, error, forever

from yuanjing.gateway.attempt import connect_failure


def lines(r, event):
    return [fields for level, name, fields in r.server.log.lines if (level, name) == ("warning", event)]


def open_now(r):
    return len(r.server._server.server_state.connections)


def served(r):
    client = r.client()
    client.send(post())
    return client.receive().status == 200


def test_connections_beyond_the_limit_are_told_so_and_closed():
    with rig([forever(echo)], clients_max=3) as r:
        kept = [r.client() for _ in range(3)]
        for client in kept:
            client.send(post())
            assert client.receive().status == 200
        for _ in range(5):
            client = r.client()
            answer = client.receive()
            assert (answer.status, answer.headers[b"retry-after"]) == (503, b"1")
            assert answer.body == b"Too many connections; try again in a moment"
            assert client.is_at_end()
            client.close()
            wait_for(lambda: r.gateway.counters.connections_refused and open_now(r) == 3)
        for client in kept:  # those that are there go on
            client.send(post())
            assert client.receive().status == 200
        assert r.gateway.counters.connections_refused == 5
        assert lines(r, "too many connections; more are refused") == [{"connections": 3}]
        kept[0].close()
        wait_for(lambda: served(r))


def test_those_that_are_being_told_do_not_become_too_many_themselves():
    with rig([forever(echo)], clients_max=8) as r:
        kept = [r.client() for _ in range(30)]  # and none goes away when it is told
        wait_for(lambda: r.gateway.counters.connections_refused == 22)
        assert open_now(r) <= 8 + 2
        kept[0].send(post())
        assert kept[0].receive().status == 200


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_a_lack_of_files_is_ours_and_not_the_channels(number):
    failure = connect_failure(OSError(number, "too many"))
    assert (failure.code, failure.is_of_channel) == ("overloaded", False)
    assert connect_failure(OSError(errno.ECONNREFUSED, "no")).is_of_channel


def test_a_channel_that_fails_is_told_of_once_although_another_serves():
    broken = RawUpstream([forever(error(b"401 X"))])
    good = RawUpstream([forever(echo)])
    with rig(upstreams=[broken, good], log_repeat_seconds=3600.0) as r:
        client = r.client()
        for _ in range(4):
            client.send(post())
            assert client.receive().status == 200
        assert lines(r, "channel failed") == [{"channel": "ch_1", "kind": "provider_auth"}]
        assert lines(r, "attempts failed") == []


def test_a_clients_own_fault_is_no_warning():
    with rig([forever(error(b"400 X"))], log_repeat_seconds=3600.0) as r:
        client = r.client()
        client.send(post())
        assert client.receive().status == 400
        assert [line for line in r.server.log.lines if line[0] == "warning"] == []
        assert [name for level, name, _ in r.server.log.lines if level == "info"].count("attempts failed") == 1
