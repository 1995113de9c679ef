"""Providers to run the contract of `VideoUpstream` against: the sandbox's simulators on a real port, and the twin."""

import itertools
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from yuanjing.adapters.memory.video_upstream import MemoryVideoUpstream
from yuanjing.domain.tasks import Submission, UpstreamError
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.upstream import ChannelAccess, TaskRef
from yuanjing.sandbox.app import create_app
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video.rendered import Rendered

KEY = "sandbox-key"
BASES = {"dashscope": "/api/v1", "ark": "/api/v3", "vidu": "", "memory": ""}
MODELS = {
    "dashscope": "happyhorse-1.0-t2v",
    "ark": "doubao-seedance-1-5-pro-251215",
    "vidu": "viduq3-pro",
    "memory": "m-1",
}


def render(wish, media):
    del wish, media
    future = Future()
    nowhere = Path("nowhere")
    future.set_result(Rendered(video=nowhere / "a.mp4", cover=nowhere / "a.jpg", last_frame=nowhere / "a.png"))
    return future


class Box:
    """Something that makes videos, and its clock."""

    def __init__(self, url, clock):
        self.url = url
        self.clock = clock

    def access(self, protocol, key=KEY):
        return ChannelAccess(base_url=self.url + BASES[protocol], credential=key)

    def ref(self, task_id, protocol, model=None):
        return TaskRef(upstream_task_id=task_id, model=model or MODELS[protocol], submitted_at=self.clock.unix())


@contextmanager
def box_running():
    clock = ManualClock()
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(SandboxOptions(credentials=frozenset({KEY, "other-key"}), callback_pause_seconds=0), clock, render)
    config = uvicorn.Config(app, log_config=None, lifespan="on", ws="none", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield Box(f"http://127.0.0.1:{listener.getsockname()[1]}", clock)
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


NUMBER = itertools.count()


def submission(protocol, prompt="a cat", **changes):
    values = {"id": f"t-{next(NUMBER)}-1", "model": MODELS[protocol], "prompt": prompt}
    values |= {"resolution": "720p", "ratio": "16:9", "duration_seconds": 5}
    return Submission(**(values | changes))


async def failure_of(awaitable):
    with pytest.raises(UpstreamError) as caught:
        await awaitable
    return caught.value.failure


async def finished(box, upstream, protocol, given, seconds=60):
    """Submit, let the time pass, and query."""
    accepted = await upstream.submit(box.access(protocol), given)
    box.clock.advance(seconds)
    return await upstream.query(box.access(protocol), box.ref(accepted.upstream_task_id, protocol, given.model))


def memory_running():
    """The twin, and a box whose clock is its time."""
    clock = ManualClock()
    return Box("http://memory.test", clock), MemoryVideoUpstream(clock, credentials=(KEY, "other-key"))
