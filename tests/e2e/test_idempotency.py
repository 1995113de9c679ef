"""Idempotency keys on the whole platform: a thousand at once over several processes.

Those of processes that die are in `tests/kills`.
"""

import json
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
from tests.support.crowd import Reply, all_at_once, post
from tests.support.load import PATH, balance, chat_body, wait_until
from tests.support.platform import Platform
from tests.support.video_api import VideoApi

pytestmark = pytest.mark.timeout(300)
SECONDS = 90.0
COUNT = 1000
SEEDANCE_15 = "CrEMkFQfRCmbmopZsCqLj"
VIDEO = {"llmid": SEEDANCE_15, "prompt": "a thousand at once", "duration": 5, "ratio": "16:9", "resolution": "480p"}


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where the database is."""
    if request.param == "sqlite":
        return {}
    return {"YUANJING_DATABASE_URL": request.getfixturevalue("postgres_url")}


def named(platform: Platform, path: str, name: str, body: dict[str, object]) -> bytes:
    """A request under this name."""
    headers = [("Authorization", f"Bearer {platform.key}"), ("Idempotency-Key", name)]
    return post(path, headers, json.dumps(body).encode())


def crowd(platform: Platform, request: bytes) -> tuple[list[Reply], Reply]:
    """A thousand connections with one request: those that were answered whole, and one that asks until it is, too."""
    port = httpx2.URL(platform.url).port
    assert port is not None
    replies = all_at_once(port, request, COUNT)
    statuses = Counter(reply.status for reply in replies)
    assert set(statuses) <= {200, 409}, statuses
    assert all(reply.headers["retry-after"] == "1" for reply in replies if reply.status == 409)
    end = time.monotonic() + SECONDS
    while True:
        (last,) = all_at_once(port, request, 1)
        if last.status == 200:
            break
        assert last.status == 409, last
        assert time.monotonic() < end, last
        time.sleep(0.1)
    whole = [reply for reply in replies if reply.status == 200]
    assert whole
    assert sum("idempotent-replayed" not in reply.headers for reply in whole) == 1
    assert {reply.body for reply in whole} == {last.body}
    return whole, last


def sandbox_calls(platform: Platform, ending: str) -> int:
    """How many submissions to such a path the simulated providers have seen; they remember the last 200."""
    sandbox = json.loads((platform.data / "address.json").read_text())["sandbox"]
    found = httpx2.get(f"{sandbox}/sandbox/journal?limit=200", trust_env=False).json()
    return sum(entry["path"].endswith(ending) for entry in found["entries"])


def chats(platform: Platform) -> None:
    """A plain answer, then a stream: one call, one charge, one answer of each."""
    for number, is_stream in enumerate((False, True), start=1):
        body = chat_body("at once", is_stream=is_stream)
        whole, last = crowd(platform, named(platform, PATH, f"chat-{is_stream}", body))
        assert last.body.endswith(b"data: [DONE]\n\n" if is_stream else b"}")
        (usage_id,) = {reply.headers["x-yuanjing-usage-id"] for reply in [*whole, last]}
        assert sandbox_calls(platform, "/chat/completions") == number
        wait_until(lambda u=usage_id: u in platform.usages(), 20, pause=0.2)


def videos(platform: Platform) -> None:
    """One task, one call of its provider, one charge."""
    _, last = crowd(platform, named(platform, "/llmage/video", "video", VIDEO))
    with VideoApi(platform) as api:
        task_id = json.loads(last.body)["taskid"]
        assert api.ended(task_id)["status"] == "SUCCEEDED"
        (listed,) = api.http.get("/llmage/v1/tasks", params={"limit": "100"}).json()["data"]
    assert listed["taskid"] == task_id
    assert sandbox_calls(platform, "/tasks") == 1


@pytest.mark.parametrize("workers", [3])
def test_a_thousand_at_once_over_several_processes_are_one_call_and_one_charge(tmp_path: Path, settings, workers):
    with Platform(tmp_path / "var", workers=workers, YUANJING_SANDBOX_TIME_SCALE="0.3", **settings) as platform:
        chats(platform)
        videos(platform)
        wait_until(lambda: len(platform.usages()) == 3 and balance(platform, platform.key)["held"] == 0, 30, pause=0.2)
        usages = platform.usages().values()
        assert {usage["status"] for usage in usages} == {"completed"}
        paid = sum(Decimal(str(usage["charge"])) for usage in usages)
        assert balance(platform, platform.key)["available"] == Decimal(100) - paid
        assert platform.verify() == []
        assert "Traceback" not in platform.errors()
