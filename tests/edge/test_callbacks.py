from types import SimpleNamespace

import httpx2
import pytest
from fastapi import FastAPI

from yuanjing.domain.errors import NotFoundError
from yuanjing.edge import callbacks, errors
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.upstream import CallbackRefusedError


class Taker:
    """Keeps what comes, and fails as a test wants it."""

    def __init__(self) -> None:
        self.taken = []
        self.error: Exception | None = None

    async def take(self, channel_id, token, callback):
        if self.error is not None:
            raise self.error
        self.taken.append((channel_id, token, callback))
        return False


@pytest.fixture
def taker():
    return Taker()


@pytest.fixture
async def client(taker):
    app = FastAPI()
    app.state.parts = SimpleNamespace(callbacks=taker, clock=ManualClock())
    errors.install(app)
    app.include_router(callbacks.router)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://t") as opened:
        opened.app = app
        yield opened


async def test_a_callback_is_handed_on_as_it_came(client, taker):
    answer = await client.post("/callbacks/video/ch_1/t0k%65n?a=%2B", content=b'{"id":"T"}', headers={"X-Sign": "s"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    [(channel_id, token, callback)] = taker.taken
    assert (channel_id, token) == ("ch_1", "t0ken")
    assert (callback.path, callback.query, callback.body) == ("/callbacks/video/ch_1/t0k%65n", "a=%2B", b'{"id":"T"}')
    assert callback.headers["x-sign"] == "s"
    assert callback.received_at == ManualClock().unix()


async def test_refusals(client, taker):
    taker.error = CallbackRefusedError("the signature is wrong")
    answer = await client.post("/callbacks/video/ch_1/t")
    assert (answer.status_code, answer.content) == (403, b"")
    taker.error = NotFoundError("There is nothing at this path")
    assert (await client.post("/callbacks/video/ch_1/t")).status_code == 404
    assert (await client.get("/callbacks/video/ch_1/t")).status_code == 405


async def test_endless_bodies_are_not_read(client, taker):
    pieces = 0

    async def endless():
        nonlocal pieces
        while pieces < 10_000:
            pieces += 1
            yield b"x" * 65_536

    answer = await client.post("/callbacks/video/ch_1/t", content=endless())
    assert answer.status_code == 404
    assert taker.taken == []


async def test_a_platform_without_video_has_no_such_path(client):
    client.app.state.parts.callbacks = None
    assert (await client.post("/callbacks/video/ch_1/t")).status_code == 404
