"""Callbacks, to a receiver on loopback."""

import asyncio
import contextlib
import json

import pytest
from tests.support.video_wire import Wire
from tests.support.web import Web

from yuanjing.sandbox.video import magic
from yuanjing.sandbox.video.callbacks import FORGED_URL, Subscription
from yuanjing.sandbox.video.tasks import Submission
from yuanjing.sandbox.video.wish import Wish

OK = (200, {}, b"")
BAD = (500, {}, b"")


@contextlib.asynccontextmanager
async def running(**options):
    """A simulator that posts callbacks."""
    wire = Wire(time_scale=0, **options)
    async with asyncio.TaskGroup() as group:
        wire.simulator.start(group)
        yield wire.simulator.studio
        wire.close()


def begin(studio, url, text="", sign=None, **more):
    wish = Wish(protocol="ark", model="m", prompt=text, width=64, height=48, seconds=5)
    order = Submission(id="t", owner="me", wish=wish, base_url="http://box", asked=magic.parse(text))
    task = studio.tasks.submit(order)

    def body(view):
        return {"phase": view.phase, "url": view.video_url} if view.phase != "created" else None

    extra = {"sign": sign} if sign else {}
    studio.callbacks.follow(task, Subscription(url=url, body=body, **extra, **more))
    return task


def phases(seen):
    return [json.loads(one.body)["phase"] for one in seen]


async def test_every_change_in_order():
    async with Web({"/hook": OK}) as web, running() as studio:
        begin(studio, f"{web.url}/hook?a=%2B1", sign=lambda body: {"x-length": str(len(body))})
        seen = await web.wait_for(3)
        assert phases(seen) == ["queued", "running", "succeeded"]
        assert {(one.method, one.target, one.headers["content-type"]) for one in seen} == {
            ("POST", "/hook?a=%2B1", "application/json")
        }
        assert [one.headers["x-length"] for one in seen] == [str(len(one.body)) for one in seen]
        assert json.loads(seen[-1].body)["url"].startswith("http://box/results/")


async def test_changes_come_when_the_clock_says():
    async with Web({"/hook": OK}) as web, running() as studio:
        task = begin(studio, f"{web.url}/hook", "sandbox:long-queue=50")
        assert phases(await web.wait_for(1)) == ["queued"]
        studio.clock.advance(49)
        studio.callbacks.wake(task)
        await asyncio.sleep(0.05)
        assert len(web.seen) == 1
        studio.tasks.cancel(task)
        studio.callbacks.wake(task)
        assert phases(await web.wait_for(2)) == ["queued", "canceled"]


@pytest.mark.parametrize(("ends_only", "first"), [(False, 4), (True, 1)])
async def test_repeated_at_most_three_times(ends_only, first):
    async with Web({"/hook": BAD}) as web, running() as studio:
        begin(studio, f"{web.url}/hook", repeats_only_ends=ends_only)
        seen = await web.wait_for(2 * first + 4)
        await asyncio.sleep(0.05)
        assert phases(seen) == ["queued"] * first + ["running"] * first + ["succeeded"] * 4


async def test_repeated_until_taken():
    async with Web({"/hook": [BAD, None, OK]}) as web, running(callback_wait_seconds=0.1) as studio:
        begin(studio, f"{web.url}/hook")
        assert phases(await web.wait_for(5)) == ["queued"] * 3 + ["running", "succeeded"]


async def test_nobody_there():
    async with running() as studio:
        for url in ("http://127.0.0.1:9/x", "nonsense", "http://[", ""):
            begin(studio, url)
        async with asyncio.timeout(20):
            while len(studio.callbacks._running) > 1:  # one keeps the client
                await asyncio.wait(studio.callbacks._running, return_when=asyncio.FIRST_COMPLETED)


async def test_lost_and_twice():
    async with Web({"/hook": OK, "/lost": OK}) as web, running() as studio:
        begin(studio, f"{web.url}/lost", "sandbox:callback-lost")
        begin(studio, f"{web.url}/hook", "sandbox:callback-twice")
        seen = await web.wait_for(6)
        assert phases(seen) == ["queued", "queued", "running", "running", "succeeded", "succeeded"]
        assert {one.target for one in seen} == {"/hook"}


async def test_forged():
    async with Web({"/hook": OK}) as web, running() as studio:
        begin(studio, f"{web.url}/hook", "sandbox:callback-forged", sign=lambda _: {"X-SIGNATURE": "right", "n": "1"})
        seen = await web.wait_for(4)
        assert json.loads(seen[0].body) == {"phase": "succeeded", "url": FORGED_URL}
        assert seen[0].headers["x-signature"] != "right"
        assert phases(seen[1:]) == ["queued", "running", "succeeded"]
        assert {(one.headers["x-signature"], one.headers["n"]) for one in seen[1:]} == {("right", "1")}


async def test_without_a_server_nothing_is_posted():
    wire = Wire(time_scale=0)
    async with Web({"/hook": OK}) as web:
        begin(wire.simulator.studio, f"{web.url}/hook")
        await asyncio.sleep(0.05)
        assert web.seen == []
    wire.close()
