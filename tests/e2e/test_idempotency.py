"""Idempotency keys on the whole platform: many at once over several processes. Those that die are in `tests/kills`."""

import contextlib
import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
from tests.support.load import PATH, balance, chat_body, wait_until
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(300)
SECONDS = 90.0


def send(platform: Platform, name: str, body: dict[str, object]) -> httpx2.Response | None:
    """One try over a connection of its own; None if it broke."""
    headers = {"Authorization": f"Bearer {platform.key}", "Idempotency-Key": name}
    try:
        with httpx2.Client(trust_env=False, timeout=30) as client:
            return client.post(platform.url + PATH, json=body, headers=headers)
    except httpx2.HTTPError:
        return None


def is_whole(answer: httpx2.Response | None, body: dict[str, object]) -> bool:
    if answer is None or answer.status_code != 200:
        return False
    return answer.text.endswith("data: [DONE]\n\n") if body["stream"] else answer.text.endswith("}")


def until_answered(platform: Platform, name: str, body: dict[str, object]) -> httpx2.Response:
    """Send it again, as SDKs do, until it is answered."""
    end = time.monotonic() + SECONDS
    while True:
        answer = send(platform, name, body)
        if is_whole(answer, body):
            assert answer is not None
            return answer
        if answer is not None and answer.status_code != 200:
            assert answer.status_code in {409, 503}, answer.text
        assert time.monotonic() < end, answer
        time.sleep(0.1)


def sandbox_calls(platform: Platform) -> int:
    """How many chats the simulated provider has seen; it remembers the last 200."""
    sandbox = json.loads((platform.data / "address.json").read_text())["sandbox"]
    found = httpx2.get(f"{sandbox}/sandbox/journal?limit=200", trust_env=False).json()
    return sum(entry["path"].endswith("/chat/completions") for entry in found["entries"])


def at_once(platform: Platform, count: int, *, streams: bool) -> None:
    """So many of one request at once: one call, one charge, one answer."""
    body, name = chat_body("at once", is_stream=streams), f"at-once-{streams}"
    before = sandbox_calls(platform)
    barrier = threading.Barrier(min(count, 100))

    def one(_: int) -> httpx2.Response | None:
        if barrier.n_waiting or not barrier.broken:
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(5)
        return send(platform, name, body)

    with ThreadPoolExecutor(min(count, 100)) as pool:
        answers = [answer for answer in pool.map(one, range(count)) if answer is not None]
    assert len(answers) == count
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {200, 409}, statuses
    assert statuses[200] >= 1
    assert all(a.headers["retry-after"] == "1" for a in answers if a.status_code == 409)
    last = until_answered(platform, name, body)
    whole = [answer for answer in answers if answer.status_code == 200] + [last]
    assert {answer.text for answer in whole} == {last.text}
    (usage_id,) = {answer.headers["x-yuanjing-usage-id"] for answer in whole}
    assert sum("idempotent-replayed" not in answer.headers for answer in whole) == 1
    assert sandbox_calls(platform) == before + 1
    wait_until(lambda: usage_id in platform.usages(), 20, pause=0.2)


def check_books(platform: Platform, charged: set[str]) -> None:
    """These usage records and no others of whole answers; the money adds up."""
    wait_until(lambda: balance(platform, platform.key)["held"] == 0, 30, pause=0.2)
    usages = platform.usages()
    assert {id_ for id_, usage in usages.items() if usage["status"] == "completed"} == charged
    paid = sum(Decimal(str(usage["charge"])) for usage in usages.values())
    assert balance(platform, platform.key)["available"] == Decimal(100) - paid
    assert platform.verify() == []


def test_many_at_once_over_several_processes_are_one_call_and_one_charge(tmp_path: Path):
    with Platform(tmp_path / "var", workers=3, YUANJING_SANDBOX_TIME_SCALE="0.3") as platform:
        for streams in (False, True):
            at_once(platform, 100, streams=streams)
        check_books(platform, set(platform.usages()))
        assert len(platform.usages()) == 2
        assert "Traceback" not in platform.errors()


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_thousand_at_once(tmp_path: Path, postgres_empty_url: str):
    settings = {"YUANJING_DATABASE_URL": postgres_empty_url, "YUANJING_SANDBOX_TIME_SCALE": "0.3"}
    with Platform(tmp_path / "var", workers=4, **settings) as platform:
        for streams in (False, True):
            at_once(platform, 1000, streams=streams)
        assert len(platform.usages()) == 2
        check_books(platform, set(platform.usages()))
