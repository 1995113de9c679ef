"""A client of the video calls of a running platform, and what its files really are."""

import io
import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import av
import httpx2
from PIL import Image
from tests.support.platform import Platform

ENDED = {"SUCCEEDED", "FAILED"}
_LOOK_SECONDS = 0.2
Files = Sequence[tuple[str, tuple[str, bytes, str]]]


def picture(colour: str = "teal", width: int = 512, height: int = 512) -> bytes:
    """A JPEG of one colour, with a corner of another one so that it is not all the same."""
    image = Image.new("RGB", (width, height), colour)
    image.paste("white", (0, 0, width // 4, height // 4))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=50)
    return out.getvalue()


def part(field: str, data: bytes, name: str = "01.jpg") -> tuple[str, tuple[str, bytes, str]]:
    """A file of a form."""
    return field, (name, data, "image/jpeg")


@dataclass(frozen=True)
class Clip:
    """What a video file is, as decoded."""

    width: int
    height: int
    seconds: float
    frames: int


def clip_of(data: bytes) -> Clip:
    """Decode every frame of a video."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        rate = stream.average_rate
        assert rate is not None
        return Clip(width=stream.width, height=stream.height, seconds=float(frames / rate), frames=frames)


class VideoApi:
    """Calls with one key; a context manager."""

    def __init__(self, platform: Platform, key: str = "") -> None:
        self.url = platform.url
        self.key = key or platform.key
        self.http = httpx2.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(self, fields: Mapping[str, object], files: Files = ()) -> httpx2.Response:
        """`POST /llmage/video`: a form if there are files, else JSON."""
        if not files:
            return self.http.post("/llmage/video", json=dict(fields))
        return self.http.post("/llmage/video", data={name: str(value) for name, value in fields.items()}, files=files)

    def submit(self, fields: Mapping[str, object], files: Files = ()) -> str:
        """The id of a new task."""
        answer = self.post(fields, files)
        assert answer.status_code == 200, answer.text
        return answer.json()["taskid"]

    def task(self, task_id: str) -> dict[str, object]:
        """How a task stands."""
        answer = self.http.get("/llmage/tasks", params={"taskid": task_id})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ended(self, task_id: str, seconds: float = 60.0) -> dict[str, object]:
        """How a task stands once it has ended."""
        until = time.monotonic() + seconds
        while True:
            found = self.task(task_id)
            if found["status"] in ENDED:
                return found
            assert time.monotonic() < until, found
            time.sleep(0.1)

    def listed(self, task_id: str) -> dict[str, object]:
        """The line of a task in the list of one's own."""
        cursor = ""
        while True:
            page = self.http.get("/llmage/v1/tasks", params={"limit": "100", "cursor": cursor}).json()
            for item in page["data"]:
                if item["taskid"] == task_id:
                    return item
            assert page["next"] is not None, task_id
            cursor = page["next"]

    def fetch(self, address: object) -> bytes:
        """A file of ours, without a key."""
        assert isinstance(address, str)
        assert address.startswith(self.url), address
        answer = httpx2.get(address, timeout=60, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.content

    def owned(self) -> Decimal:
        """What the customer owns in the key's book, held or not."""
        balance = self.http.get("/llmage/v1/balance").json()
        return Decimal(balance["available"]) + Decimal(balance["held"])


class Journal:
    """What providers were asked, as the platform's sandbox remembers it; it soon forgets, so a thread looks often."""

    def __init__(self, platform: Platform) -> None:
        self._url = json.loads((Path(platform.data) / "address.json").read_text())["sandbox"]
        self._seen: dict[str, tuple[str, str, dict[str, object]]] = {}
        self._twice: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(30)
        assert self._twice == [], "sent twice"

    def _watch(self) -> None:
        with httpx2.Client(base_url=self._url, trust_env=False, timeout=30) as http:
            while not self._ended.wait(_LOOK_SECONDS):
                self._look(http)

    def _look(self, http: httpx2.Client) -> None:
        answer = http.get("/sandbox/journal", params={"limit": "200", "bodies": "1"})
        for entry in answer.json()["entries"]:
            if entry["body"] and entry["body"].startswith("{") and (prompt := prompt_in(json.loads(entry["body"]))):
                found = (entry["request_id"], entry["path"], json.loads(entry["body"]))
                if self._seen.setdefault(prompt, found)[0] != found[0]:
                    self._twice.append(prompt)

    def submissions(self, prompts: Iterable[str], seconds: float = 60.0) -> dict[str, tuple[str, dict[str, object]]]:
        """Path and body of the one submission of each prompt, once all are there."""
        wanted = set(prompts)
        until = time.monotonic() + seconds
        while not wanted <= self._seen.keys():
            assert time.monotonic() < until, wanted - self._seen.keys()
            time.sleep(_LOOK_SECONDS)
        return {prompt: self._seen[prompt][1:] for prompt in wanted}


def prompt_in(body: dict[str, Any]) -> str:
    """The prompt of a provider's request."""
    if "input" in body:
        return body["input"].get("prompt", "")
    if "content" in body:
        return next((item["text"] for item in body["content"] if item["type"] == "text"), "")
    return body.get("prompt", "")
