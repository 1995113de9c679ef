"""What one client, with or without a key, can take from all others: not the loop, not the memory, not their places."""

from tests.support.rawclient import post
from tests.support.rig import rig, wait_for
from tests.support.upstream import echo, forever

# places


def test_requests_whose_bodies_do_not_come_take_nobodys_place():
    with rig([forever(echo)], exchanges_max=10) as r:
        for key in (None, "yj_test_nonsense"):
            for _ in range(15):
                r.client().send(post(key=key)[:-5])
        wait_for(lambda: sum(bool(c._exchange) for c in r.server._server.server_state.connections) == 30)
        assert r.gateway.is_ready
        client = r.client()
        client.send(post())
        assert client.receive().text == "hi"
