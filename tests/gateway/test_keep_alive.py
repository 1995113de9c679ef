"""The timer of idle connections, which runs only while a connection has nothing to do."""

import time

from tests.support.rawclient import chat_body, cold, post
from tests.support.rig import rig, wait_for
from tests.support.upstream import Request, echo, forever

BAD_KEY = "yj_test_nonsense"


def test_keep_alive_timer_closes_an_idle_connection_in_time():
    with rig([forever(echo)], keep_alive_seconds=1) as r:
        for sent in (b"", post(), cold(b"x"), post(key=BAD_KEY), cold(b"x") + post(), post() + cold(b"x")):
            client = r.client()
            client.send(sent)
            for _ in range(sent.count(b"HTTP/1.1")):
                client.receive()
        began = time.monotonic()
        connections = r.server._server.server_state.connections
        wait_for(lambda: len(connections) < 6)
        assert time.monotonic() - began > 0.7
        wait_for(lambda: not connections, 4.0)


def test_keep_alive_timer_runs_when_a_body_ends_after_its_answer():
    with rig([forever(echo)], keep_alive_seconds=1) as r:
        client = r.client()
        whole = cold(b"x" * 1000, b"/early")
        client.send(whole[:-100])
        assert client.receive().body == b"cold:/early:"
        client.send(whole[-100:])
        wait_for(lambda: not r.server._server.server_state.connections, 5.0)


def test_keep_alive_timer_does_not_run_during_an_answer():
    def slow(got: Request) -> bytes:
        time.sleep(1.3 if got.json["messages"][0]["content"] == "late" else 0.0)
        return echo(got)

    with rig([forever(slow)], keep_alive_seconds=1) as r:
        clients = []
        for before in (b"", post(key=BAD_KEY), cold(b"x"), post()):
            client = r.client()
            clients.append((client, before.count(b"HTTP/1.1")))
            client.send(before + post(chat_body(text="late")))
        for client, count in clients:
            for _ in range(count):
                client.receive()
            assert client.receive().text == "late"
