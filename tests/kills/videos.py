"""Customers who ask for videos: each is submitted under its own name until it is taken, then followed to its end."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.kills.client import ANSWER_SECONDS

_WAYS = ("", "", "sandbox:moderation", "", "", "sandbox:invalid-input", "", "", "sandbox:lost-reply", "")
_MODELS = (
    {"model": "happyhorse-1.0-t2v", "seconds": "3", "size": "1280x720"},
    {"model": "doubao-seedance-1-5-pro-251215", "seconds": "4", "size": "864x480"},
)


class NotSoError(Exception):
    """Something must not be."""


@dataclass(kw_only=True, slots=True)
class SeenVideos:
    """What became of them: number → task, number → its last answer."""

    tasks: dict[int, str] = field(default_factory=dict)
    ended: dict[int, dict[str, Any]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    wrong: list[str] = field(default_factory=list)


class VideoLoad:
    """Submits `count` videos, some at a time, and follows each to its end."""

    def __init__(self, ports: Sequence[int], keys: Sequence[bytes], *, seed: int, end_seconds: float) -> None:
        self.seen = SeenVideos()
        self._end_seconds = end_seconds
        self._ports, self._keys = ports, keys
        self._random = random.Random(seed)  # noqa: S311  # nothing secret
        self._next = 0

    async def run(self, count: int, at_once: int) -> None:
        """Until all have ended."""
        async with asyncio.TaskGroup() as group:
            for _ in range(min(count, at_once)):
                group.create_task(self._work(count))

    async def _work(self, count: int) -> None:
        while self._next < count:
            number = self._next
            self._next += 1
            try:
                task_id = self.seen.tasks[number] = await self._submit(number)
                self.seen.ended[number] = await self._follow(number, task_id)
            except NotSoError as error:
                self.seen.wrong.append(str(error))

    async def _submit(self, number: int) -> str:
        way = _WAYS[number % len(_WAYS)]
        body = json.dumps(_MODELS[number // 3 % len(_MODELS)] | {"prompt": f"video-{number} {way}"}).encode()
        while True:
            status, answer = await self._ask(number, b"POST /v1/videos", body)
            if status == 200:
                return str(answer["id"])
            if status not in (0, 409, 503):
                raise NotSoError(f"video-{number}: {status} {answer}")
            await asyncio.sleep(self._random.uniform(0.3, 0.6))

    async def _follow(self, number: int, task_id: str) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            await asyncio.sleep(self._random.uniform(0.8, 1.2))
            status, answer = await self._ask(number, b"GET /v1/videos/" + task_id.encode(), b"")
            if status == 200 and answer["status"] in ("completed", "failed"):
                return answer
            if status not in (0, 200, 503):
                raise NotSoError(f"video-{number}: {status} {answer}")
            if loop.time() - began > self._end_seconds:
                raise NotSoError(f"video-{number} does not end: {answer}")

    async def _ask(self, number: int, what: bytes, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and document; status 0 if the connection broke or was silent for too long."""
        key = self._keys[number % len(self._keys)]
        head = what + b" HTTP/1.1\r\nhost: kills\r\nconnection: close\r\nauthorization: Bearer " + key
        head += b"\r\nidempotency-key: video-%d\r\ncontent-type: application/json\r\n" % number if body else b"\r\n"
        try:
            async with asyncio.timeout(ANSWER_SECONDS * 2):
                port = self._random.choice(self._ports)
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
                    answer = await reader.read()
                finally:
                    writer.transport.abort()
        except (OSError, TimeoutError):
            answer = b""
        head, mark, told = answer.partition(b"\r\n\r\n")
        if not mark or not told.endswith(b"}"):
            self.seen.broken += 1
            return 0, {}
        status = int(head[9:12])
        self.seen.statuses[status] += 1
        return status, json.loads(told)


def video_charge(told: dict[str, Any]) -> int:
    """What a video must cost by the published prices of what its answer says was made; in nano-yuan."""
    seconds = int(told["seconds"])
    yuan = Fraction("0.9") * seconds
    if told["model"] != _MODELS[0]["model"]:
        width, height = map(int, told["size"].split("x"))
        yuan = Fraction(16, 10**6) * (width * height * (24 * seconds + 1) // 1024)
    return int(yuan * 10**9)


def told_charge(told: dict[str, Any]) -> int:
    """What its answer says that it costs; in nano-yuan."""
    return int(Fraction(told["yuanjing"]["charge"]) * 10**9)
