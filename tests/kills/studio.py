"""The simulated video providers, and how often each was asked for what: `python -m tests.kills.studio FOLDER`.

It prints its port. They speak the real protocols; only the picture is one and the same for all, and drawn once.
`GET /submissions` tells how often each `video-…` was submitted, whatever became of it.
"""

import dataclasses
import json
import re
import socket
import sys
from collections import Counter
from concurrent.futures import Future
from pathlib import Path

import uvicorn

from yuanjing.sandbox.app import create_app
from yuanjing.sandbox.asgi import App, Message, Receive, Scope, Send
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video.render import Renderer
from yuanjing.sandbox.video.rendered import Rendered
from yuanjing.sandbox.video.wish import Resolved, Wish

_NAME = re.compile(rb"video-\d+")


class Counting:
    """The application, with an account of its submissions."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._submissions: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            if scope.get("path") == "/submissions":
                await self._tell(send)
            else:
                await self._app(scope, receive, send)
            return
        seen = bytearray()

        async def counted() -> Message:
            message = await receive()
            seen.extend(message.get("body", b""))  # type: ignore[arg-type]
            if message["type"] == "http.request" and not message.get("more_body"):
                self._submissions.update({name.decode() for name in _NAME.findall(seen)})
            return message

        await self._app(scope, counted, send)

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(self._submissions).encode()})


def main() -> None:
    """Serve until ended."""
    options = SandboxOptions(time_scale=0.1, video_cache_folder=Path(sys.argv[1]))
    renderer = Renderer(options)

    def render(wish: Wish, media: tuple[Resolved, ...]) -> "Future[Rendered]":
        return renderer.start(dataclasses.replace(wish, prompt="one for all"), media)

    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    app = Counting(create_app(options, render=render))
    config = uvicorn.Config(app, ws="none", log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
