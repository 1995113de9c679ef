"""The load itself: an answer is never taken for that of another request."""

import asyncio
from typing import cast

from tests.kills.client import Connection, Load


class Wire(asyncio.Transport):
    """What was sent; nothing is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))


def test_a_connection_that_was_lost_while_idle_asks_for_one_thing_at_a_time():
    async def scene() -> tuple[list[bytes], list[bytes]]:
        load = Load([1], [b"key"], [b"scarce"], seed=1)
        connection, first, second = Connection(load, 0), Wire(), Wire()
        connection.connect = lambda: None  # type: ignore[method-assign]
        connection.connection_made(first)  # nothing is wished for yet: it is idle
        connection.connection_lost(None)
        load._target = 2
        connection.connection_made(second)
        load._park(0.0, 7)
        await asyncio.sleep(0.01)
        load.wake(load._loop.time())
        return first.sent, second.sent

    first, second = asyncio.run(scene())
    assert first == []
    assert len(second) == 1
    assert b"idempotency-key: op-0\r\n" in second[0]


def test_an_idle_connection_is_woken_for_what_is_due():
    async def scene() -> list[bytes]:
        load, wire = Load([1], [b"key"], [b"scarce"], seed=1), Wire()
        Connection(load, 0).connection_made(cast("asyncio.BaseTransport", wire))
        load._park(0.0, 7)
        await asyncio.sleep(0.01)
        load.wake(load._loop.time())
        return wire.sent

    (sent,) = asyncio.run(scene())
    assert b"idempotency-key: op-7\r\n" in sent
