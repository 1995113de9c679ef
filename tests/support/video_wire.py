"""The sandbox's video protocols without a server: requests by hand, a clock to turn, files that are not rendered."""

import io
import json
from concurrent.futures import Future
from pathlib import Path

from PIL import Image

from yuanjing.kit.clock import ManualClock
from yuanjing.sandbox.asgi import Reply, Request
from yuanjing.sandbox.journal import Entry
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video.rendered import Rendered
from yuanjing.sandbox.video.service import VideoSimulator

KEY = "sandbox-key"


class Answer:
    """What came back."""

    def __init__(self, status, headers, body, entry):
        self.status = status
        self.headers = headers
        self.body = body
        self.entry = entry

    @property
    def json(self):
        return json.loads(self.body)


class Wire:
    """A simulator at time scale 1 whose clock stands still until it is turned; files are ready when they are due."""

    def __init__(self, **options):
        self.clock = ManualClock()
        self.rendered = []
        options.setdefault("credentials", frozenset({KEY, "other-key"}))
        self.simulator = VideoSimulator(SandboxOptions(**options), self.clock, self._render)

    def close(self):
        self.simulator.stop()

    def pass_by(self, seconds):
        self.clock.advance(seconds)

    async def call(self, method, path, body=None, *, key=KEY, headers=None, is_too_large=False):
        """One request; `body` is bytes, or becomes JSON."""
        path, _, query = path.partition("?")
        sent = []

        async def send(message):
            sent.append(message)

        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {} if key is None else {"authorization": f"Bearer {key}"}
        request = Request(
            method=method,
            path=path,
            query=_parsed(query),
            headers={"host": "sandbox.test", **given, **(headers or {})},
            body=data,
            is_too_large=is_too_large,
            query_string=query,
        )
        entry = Entry(time=self.clock.now(), path=path)
        assert await self.simulator.handle(request, Reply(send), entry)
        head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], head, b"".join(part.get("body", b"") for part in sent[1:]), entry)

    def _render(self, wish, media):
        self.rendered.append((wish, media))
        future = Future()
        nowhere = Path("nowhere")
        future.set_result(Rendered(video=nowhere / "a.mp4", cover=nowhere / "a.jpg", last_frame=nowhere / "a.png"))
        return future


def picture(width, height, form="PNG", mode="RGB"):
    """The bytes of a picture of that size."""
    out = io.BytesIO()
    Image.new(mode, (width, height), "teal").save(out, form)
    return out.getvalue()


def _parsed(query):
    found = {}
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        found.setdefault(name, []).append(value)
    return found
