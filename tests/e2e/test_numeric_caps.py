"""Numbers and shapes that would cost much are refused at once and leave no memory behind (goal S13)."""

import base64
import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.load import wait_until
from tests.support.matrix import SETTINGS, Page, World
from tests.support.matrix_rules import RULES
from tests.support.platform import Platform
from tests.support.video_api import picture

pytestmark = pytest.mark.timeout(300)
TRIES = 5
SEED = 20_261_130
ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "EXPIRED")
SECONDS_MAX = 0.05
"""For the quickest of the tries, since other processes take the core away at any time."""
GROWTH_BYTES_MAX = 20 * 2**20
HUGE = (0, -1, 2**31, 2**63, 2**64, 10**400, 1.5, 1e308, True, "1", [], {})
DEEP = 10_000
CHAT, LLMAGE_CHAT = "/v1/chat/completions", "/llmage/v1/chat/completions"
VIDEO = "/llmage/video"
VIDEO_PATHS = (VIDEO, "/llmage/v1/video/generations", "/llmage/v1/video/quotes", "/v1/videos")
EDGES = (-(2**63), -(2**31), -2, 0, 1, 2, 5, 2**15, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1)
PICTURE_BYTES = 20 * 2**20
PEAK_BYTES_MAX = 6 * PICTURE_BYTES
"""While one request with such a picture is in work: its text, what is read of it, and what goes to the provider."""
AT_ONCE = 16
PEAK_BYTES_EACH_MAX = 5 * PICTURE_BYTES // 2
"""Likewise of many at once: in Base64 it is 4/3 of that, and for a moment it is there twice."""
LEFT_BYTES_MAX = 2 * PICTURE_BYTES
"""That the process keeps after many of them, for the next ones."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("caps")
    roomy = {"YUANJING_REQUEST_BODY_BYTES_MAX": "33554432", "YUANJING_UPLOAD_TEXT_BYTES_MAX": "33554432"}
    with (
        Platform(folder / "var", workers=1, **(SETTINGS | roomy)) as platform,
        World(platform, with_objects=False) as made,
    ):
        yield made
        assert "Traceback" not in platform.errors()
        assert platform.verify() == []


def memory(platform: Platform) -> int:
    """What the gateway's process has in memory."""
    (gateway,) = platform.children("gateway")
    status = Path(f"/proc/{gateway}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


def nested(depth: int, opening: str, closing: str) -> str:
    return opening * depth + "1" + closing * depth


def hostile_chats() -> Iterator[tuple[str, str]]:
    """What is wrong, and the body."""
    good = dict(RULES["POST", CHAT].body or {})
    for name in ("n", "max_tokens", "max_completion_tokens"):
        yield from ((f"{name} {str(value)[:9]}", json.dumps(good | {name: value})) for value in HUGE)
    for name in ("tools", "response_format", "metadata", "stop", "messages"):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            start = json.dumps({key: value for key, value in good.items() if key != name})[:-1]
            yield f"{name} nested", f'{start}, "{name}": {nested(DEEP, opening, closing)}}}'
    yield "many digits", json.dumps(good)[:-1] + ', "seed": ' + "9" * 100_000 + "}"


def hostile_videos() -> Iterator[tuple[str, str]]:
    good = dict(RULES["POST", VIDEO_PATHS[0]].body or {})
    for value in (0, -2, 2**31, 2**63, 2**64, 10**400, 1.5, 1e308):  # with -1 the model chooses the length
        yield f"duration {str(value)[:9]}", json.dumps(good | {"duration": value})
        yield f"seconds {str(value)[:9]}", json.dumps({**good, "duration": None, "seconds": value})
        yield f"seed {str(value)[:9]}", json.dumps({**good, "resolution": "1080p", "duration": value, "seed": 2**63})
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        yield "nested", json.dumps(good)[:-1] + f', "prompt": {nested(DEEP, opening, closing)}}}'
    yield "many digits", json.dumps(good)[:-1] + ', "duration": ' + "9" * 100_000 + "}"


def refused_soon(client: httpx2.Client, path: str, body: str, headers: dict[str, str] | None = None) -> float:
    """The quickest of some tries, which are all refused."""
    took: list[float] = []
    for _ in range(TRIES):
        began = time.perf_counter()
        answer = client.post(path, content=body, headers={"content-type": "application/json", **(headers or {})})
        took.append(time.perf_counter() - began)
        assert 400 <= answer.status_code < 500, (path, body[:200], answer.text[:200])
    return min(took)


@pytest.mark.parametrize("path", [CHAT, LLMAGE_CHAT])
def test_chat(world: World, path: str):
    check(world, path, hostile_chats())


@pytest.mark.parametrize("path", VIDEO_PATHS)
def test_video(world: World, path: str):
    check(world, path, hostile_videos())


def check(world: World, path: str, bodies: Iterator[tuple[str, str]]) -> None:
    client = world.bearer[world.me.test_key]
    before = memory(world.platform)
    slow = {what: took for what, body in bodies if (took := refused_soon(client, path, body)) > SECONDS_MAX}
    assert slow == {}
    assert memory(world.platform) - before < GROWTH_BYTES_MAX


def test_amounts_and_counts_of_the_console(world: World):
    page = world.sign_in(world.me)
    headers = {"origin": page.origin, "x-csrf-token": page.token}
    before = memory(world.platform)
    slow: dict[str, float] = {}
    for (method, path), rule in RULES.items():
        if method == "POST" and path.startswith("/api/") and rule.body:
            target, _ = world.target(path, rule, world.me.objects)
            good: dict[str, Any] = world.body(rule)["json"]
            for what, body in hostile_fields(good):
                took = refused_soon(page.client, target, body, headers)
                if took > SECONDS_MAX:
                    slow[f"{path} {what}"] = took
    assert slow == {}
    assert memory(world.platform) - before < GROWTH_BYTES_MAX
    assert_still_signed_in(page)


def hostile_fields(good: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in good:
        rest = json.dumps({key: value for key, value in good.items() if key != name})[:-1]
        start = rest + (", " if len(good) > 1 else "")
        for value in (2**64, -(10**400), 1e308, "9" * 60_000, "1e400", "-1"):
            yield f"{name} {str(value)[:9]}", f'{start}"{name}": {json.dumps(value)}}}'
        yield f"{name} nested", f'{start}"{name}": {nested(DEEP, "[", "]")}}}'


def assert_still_signed_in(page: Page) -> None:
    assert page.open()["customer"] is not None


@pytest.mark.parametrize("path", [CHAT, LLMAGE_CHAT])
def test_what_is_long_but_lawful_costs_no_more_than_it_may(world: World, path: str):
    """A thousand stop words, ten thousand pictures, a hundred tools: passed on or refused, within the balance."""
    good = dict(RULES["POST", CHAT].body or {})
    picture = {"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    changes: list[dict[str, Any]] = [
        {"stop": [f"word {n}" for n in range(1_000)]},
        {"messages": [{"role": "user", "content": [picture] * 10_000}]},
        {"tools": [tool] * 100},
        {"messages": [{"role": "user", "content": "x"}] * 10_000},
        {"n": 8, "max_tokens": 2**31 - 1},
    ]
    client, before = world.bearer[world.me.test_key], memory(world.platform)
    for change in changes:
        answer = client.post(path, json=good | change)
        assert answer.status_code in (200, 400, 402, 413, 429), (list(change), answer.status_code, answer.text[:200])
    assert memory(world.platform) - before < GROWTH_BYTES_MAX
    assert Decimal(client.get("/llmage/v1/balance").json()["available"]) >= 0


def refused_or_within(world: World, path: str, body: dict[str, Any]) -> httpx2.Response:
    """Any number is refused at once, or taken; what it costs is looked at afterwards."""
    client = world.bearer[world.me.test_key]
    answer = client.post(path, json=body)
    if answer.status_code != httpx2.codes.OK:
        refused_soon(client, path, json.dumps(body))
    return answer


def test_numbers_of_64_bits_cost_no_more_than_their_ceiling(world: World):
    """Of every field that has to do with money, in both dialects of chat and on every route of videos."""
    rng = random.Random(SEED)  # noqa: S311  # a case can be had again
    numbers = [*EDGES, *(rng.randrange(-(2**63), 2**63) for _ in range(4))]
    chat, video = dict(RULES["POST", CHAT].body or {}), dict(RULES["POST", VIDEO_PATHS[0]].body or {})
    taken = 0
    for value in numbers:
        for path in (CHAT, LLMAGE_CHAT):
            for name in ("n", "max_tokens", "max_completion_tokens", "top_k", "seed"):
                taken += refused_or_within(world, path, chat | {name: value}).is_success
        for path in VIDEO_PATHS:
            fields = (
                ("duration", "seconds", "n", "frames", "seed") if path.endswith("quotes") else ("duration", "seconds")
            )
            for name in fields:
                same = {key: one for key, one in video.items() if key != "duration" or name != "seconds"}
                if path == "/v1/videos":
                    same |= {"model": "doubao-seedance-1-5-pro-251215"}
                taken += refused_or_within(world, path, same | {name: value}).is_success
    assert taken > 20, "some are lawful, so something was charged"
    wait_until(lambda: all(task["status"] in ENDED for task in tasks(world)), 120, pause=0.5)
    wait_until(lambda: Decimal(world.bearer[world.me.test_key].get("/llmage/v1/balance").json()["held"]) < 1, 30)
    usages = world.platform.usages("--customer", world.me.id)
    assert len(usages) > 20
    for usage in usages.values():
        assert 0 <= Decimal(str(usage["charge"])) <= Decimal(str(usage["ceiling"])), (SEED, usage)


def tasks(world: World) -> list[dict[str, Any]]:
    """All of the customer's."""
    return world.bearer[world.me.test_key].get("/llmage/v1/tasks", params={"limit": 100}).json()["data"]


def peak(platform: Platform) -> int:
    """The most that the gateway's process had in memory since `forget_peak`."""
    (gateway,) = platform.children("gateway")
    status = Path(f"/proc/{gateway}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def settled_memory(platform: Platform) -> int:
    """Once it stays: an answer is here before its request has been put away there."""
    found = [memory(platform)]

    def stays() -> bool:
        found.append(memory(platform))
        return len(found) > 4 and max(found[-5:]) - min(found[-5:]) < 2**20

    wait_until(stays, 20, pause=0.1)
    return found[-1]


def forget_peak(platform: Platform) -> None:
    (gateway,) = platform.children("gateway")
    Path(f"/proc/{gateway}/clear_refs").write_text("5", encoding="ascii")


def with_picture(path: str) -> str:
    """A body with one picture of 20 MiB in it."""
    data = picture()
    text = "data:image/jpeg;base64," + base64.b64encode(data + bytes(PICTURE_BYTES - len(data))).decode()
    if path == VIDEO:
        body: dict[str, Any] = {"llmid": "7y7kfYM0Xasizyi37WvAZ", "prompt": "x", "image1_file": text}
    else:
        part = {"type": "image_url", "image_url": {"url": text}}
        body = dict(RULES["POST", CHAT].body or {}) | {"messages": [{"role": "user", "content": [part]}]}
    return json.dumps(body)


@pytest.mark.parametrize("path", [CHAT, LLMAGE_CHAT, VIDEO])
def test_large_pictures_take_bounded_memory(world: World, path: str):
    """Many of 20 MiB, one after the other: taken or refused, and memory goes back to where it was, nearly."""
    client = world.bearer[world.me.test_key]
    content = with_picture(path)
    client.post(path, content=content, headers={"content-type": "application/json"})
    before = settled_memory(world.platform)
    forget_peak(world.platform)
    for _ in range(8):
        answer = client.post(path, content=content, headers={"content-type": "application/json"})
        assert answer.status_code < 500, answer.text[:200]
    assert peak(world.platform) - before < PEAK_BYTES_MAX
    assert settled_memory(world.platform) - before < LEFT_BYTES_MAX


@pytest.mark.soak
@pytest.mark.parametrize("path", [CHAT, LLMAGE_CHAT, VIDEO])
def test_sixteen_large_pictures_at_once_take_bounded_memory(world: World, path: str):
    """Each is answered as one that is alone, and charged if it was taken."""
    content = with_picture(path).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {world.me.test_key}"}
    world.platform.run("customer", "grant", world.me.id, "1000", "--test")
    before = settled_memory(world.platform)
    forget_peak(world.platform)

    def post(_: int) -> httpx2.Response:
        return httpx2.post(world.platform.url + path, content=content, headers=headers, timeout=120, trust_env=False)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(post, range(AT_ONCE)))
    assert {answer.status_code for answer in answers} == {200}, {answer.text[:200] for answer in answers}
    assert peak(world.platform) - before < AT_ONCE * PEAK_BYTES_EACH_MAX
    assert settled_memory(world.platform) - before < 2 * LEFT_BYTES_MAX
    if path == VIDEO:
        wait_until(lambda: all(task["status"] in ENDED for task in tasks(world)), 120, pause=0.5)
        made = {task["taskid"] for task in tasks(world) if task["status"] == "SUCCEEDED"}
        assert {answer.json()["taskid"] for answer in answers} <= made
    else:
        ids = {answer.headers["x-yuanjing-usage-id"] for answer in answers}
        assert len(ids) == AT_ONCE
        wait_until(lambda: ids <= world.platform.usages("--customer", world.me.id).keys(), 30, pause=0.5)
