"""An answer ends only when its bill is durable and the process may still answer for it."""

import threading
import time
from collections.abc import Sequence

import pytest
from tests.support.chat import Reply, ScriptedUpstream, Seen, plain, post, stream, user
from tests.support.gateway import FakeDirectory, FakeNode, FakeSpool, GatewayServer, channel
from tests.support.rawclient import post as post_bytes
from tests.support.rig import rig, wait_for
from tests.support.upstream import echo, forever

from yuanjing.domain.usage import UsageRecord
from yuanjing.gateway.options import GatewayOptions

ANSWER = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
}
CHUNK = {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": ANSWER["usage"]}
every_dialect = pytest.mark.parametrize("dialect", ["openai", "llmage"])
every_mode = pytest.mark.parametrize("mode", ["stream", "plain"])


class WatchingSpool(FakeSpool):
    """Waits a little in each write, with the loop held, and notes what the client has by then."""

    received = bytearray()
    seen: bytes | None = None

    def append(self, records: Sequence[UsageRecord], watermarks: Sequence[UsageRecord]) -> int:
        if records:
            time.sleep(0.1)
            self.seen = bytes(self.received)
        return super().append(records, watermarks)


@every_mode
def test_the_bill_is_written_before_the_answer_ends(mode):
    spool = WatchingSpool()
    with rig([forever(echo)]) as r:
        r.gateway.spooler._spool = spool
        client = r.client()
        spool.received = bytearray()

        def receive() -> None:
            while not spool.received.endswith((b"[DONE]\n\n\r\n0\r\n\r\n", b"}")):
                spool.received += client.sock.recv(65_536)

        receiver = threading.Thread(target=receive, daemon=True)
        receiver.start()
        client.send(post_bytes(stream=mode == "stream"))
        receiver.join(5)
        assert not receiver.is_alive()
        assert spool.seen is not None
        assert b"[DONE]" not in spool.seen
        assert mode == "stream" or spool.seen == b""
        r.spool.records.extend(spool.records)  # for the rig's sums


def answer_of(mode: str) -> bytes:
    return stream(CHUNK, USAGE, b"[DONE]") if mode == "stream" else plain(ANSWER)


@every_mode
@every_dialect
def test_an_answer_whose_bill_cannot_be_written_does_not_look_whole(dialect, mode):
    spool = FakeSpool()
    with (
        ScriptedUpstream(answer_of(mode)) as upstream,
        GatewayServer(FakeDirectory([channel(upstream.url)]), spool=spool) as server,
    ):
        spool.is_broken = True
        reply = post(server, dialect, user("x", stream=mode == "stream"))
        assert b"[DONE]" not in reply.body
        if reply.status == 200:  # a stream that had begun
            assert mode == "stream"
            assert reply.error["code"] == "store_unavailable"
        else:
            assert reply.status == 503
            assert b"choices" not in reply.body
        assert post(server, dialect, user("x")).status == 503  # nobody is admitted whose bill would be lost


@every_mode
def test_a_process_that_is_not_heard_of_acknowledges_nothing(mode):
    node = FakeNode()
    options = GatewayOptions(tick_seconds=0.02, heartbeat_seconds=0.05, heartbeat_fresh_seconds=0.4)
    released = threading.Event()

    def late(_: Seen) -> bytes:
        assert released.wait(10)
        return answer_of(mode)

    with (
        ScriptedUpstream(late) as upstream,
        GatewayServer(FakeDirectory([channel(upstream.url)]), options=options, node=node) as server,
    ):
        replies: list[Reply] = []
        asking = threading.Thread(
            target=lambda: replies.append(post(server, "openai", user("x", stream=mode == "stream")))
        )
        asking.start()
        wait_for(lambda: upstream.seen)
        node.is_down = True
        wait_for(lambda: not server.gateway.is_fresh())
        released.set()
        asking.join(5)
        (reply,) = replies
        assert b"[DONE]" not in reply.body
        if mode == "plain":
            assert reply.status == 503
            assert not server.spool.records
