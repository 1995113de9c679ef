"""Who reads slowly is served; who reads nothing is not kept: hot answers and ASGI's, kept connections and last ones."""

import time

import pytest
from tests.support.rawclient import RawClient, cold, post
from tests.support.rig import Rig, rig, wait_for
from tests.support.upstream import echo, forever, plain

SIZE = 4_000_000


def connections(r: Rig) -> set:
    return r.server._server.server_state.connections


def read_steadily(client: RawClient) -> int:
    """Some 2 MB a second, in small portions."""
    got = 0
    while got < SIZE:
        data = client.sock.recv(32_768)
        if not data:
            break
        got += len(data)
        time.sleep(0.016)
    return got


@pytest.mark.parametrize("head", [b"", b"connection: close\r\n"], ids=["kept", "close"])
@pytest.mark.parametrize("is_hot", [True, False], ids=["hot", "cold"])
def test_a_client_that_reads_steadily_gets_everything(is_hot, head):
    limits = {"client_write_seconds": 0.7, "close_seconds": 0.7}
    with rig([forever(plain("x" * SIZE))], **limits) as r:
        client = r.client(receive_buffer=65_536)
        client.send(post(headers=head) if is_hot else cold(b"x" * SIZE, headers=head))
        assert read_steadily(client) >= SIZE


@pytest.mark.parametrize("head", [b"", b"connection: close\r\n"], ids=["kept", "close"])
@pytest.mark.parametrize("is_hot", [True, False], ids=["hot", "cold"])
def test_a_client_that_does_not_read_is_not_kept(is_hot, head):
    limits = {"client_write_seconds": 30.0, "close_seconds": 30.0}
    limits["close_seconds" if head else "client_write_seconds"] = 0.3
    with rig([forever(plain("x" * 20_000_000))], **limits) as r:
        client = r.client(receive_buffer=4096)
        client.send(post(headers=head) if is_hot else cold(b"x" * 20_000_000, headers=head))
        wait_for(lambda: any(c.flow.write_paused for c in connections(r)) or not connections(r))
        wait_for(lambda: not connections(r), 5.0)


def test_a_client_that_reads_a_little_and_then_nothing_is_not_kept():
    with rig([forever(plain("x" * 20_000_000))], client_write_seconds=0.3) as r:
        client = r.client(receive_buffer=65_536)
        client.send(post())
        for _ in range(20):
            client.sock.recv(32_768)
            time.sleep(0.05)
        assert connections(r)
        wait_for(lambda: not connections(r), 5.0)


def test_an_idle_client_that_has_not_read_its_answers_is_not_kept():
    with rig([forever(echo)], close_seconds=0.3, keep_alive_seconds=1) as r:
        client = r.client(receive_buffer=4096)
        client.send(cold(b"x" * 20_000_000))
        wait_for(lambda: not connections(r), 5.0)
