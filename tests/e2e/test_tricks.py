"""Tricks with paths and heads lead past no check: of files (goal S4), and of all that needs a key or a session (S9).

Which routes there are comes from the platform's own description, so that a new one is tried too.
"""

import json
import re
import socket
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

import pytest
from tests.support.hostile_paths import heads_of, hostile_paths, targets_of
from tests.support.load import wait_until
from tests.support.matrix import SETTINGS, World
from tests.support.matrix_rules import RULES, Access, Rule
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(300)
CANARY = "CanaryOutside5b1f"
OPEN = b'{"status":"ok"}'
REFUSALS = frozenset({301, 307, 308, 400, 401, 403, 404, 405, 411, 413, 414, 421, 422, 431, 501, 505})
_STATUS = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.MULTILINE)
Route = tuple[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("tricks")
    with Platform(folder / "var", workers=1, **SETTINGS) as platform, World(platform) as made:
        (platform.data / "canary.txt").write_text(CANARY)
        (platform.data / "artifacts" / "link").symlink_to(platform.data)
        yield made
        assert "Traceback" not in platform.errors()
        assert platform.verify() == []


def raw(platform: Platform, head: str, body: bytes = b"") -> bytes:
    """Everything that comes back for these bytes until the platform closes, or has nothing more to say."""
    port = int(platform.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        connection.shutdown(socket.SHUT_WR) if not head else None
        parts: list[bytes] = []
        while data := connection.recv(65_536):
            parts.append(data)
    return b"".join(parts)


def call(world: World, line: str, head: str, body: bytes = b"") -> tuple[list[int], bytes]:
    """The statuses of all answers to a request, and the bytes."""
    length = f"\r\ncontent-type: application/json\r\ncontent-length: {len(body)}" if body else ""
    lines = "\r\n".join(part for part in (f"{line} HTTP/1.1", head) if part)
    close = "" if "connection:" in head else "\r\nconnection: close"
    answer = raw(world.platform, lines + close + length, body)
    return [int(found) for found in _STATUS.findall(answer)], answer


def protected(world: World) -> list[tuple[Route, Rule]]:
    """Every described route that needs a key or a session."""
    document = world.client().get("/openapi.json").json()
    routes = [(method.upper(), path) for path, item in document["paths"].items() for method in item]
    return [(route, RULES[route]) for route in routes if RULES[route].access in (Access.KEY, Access.SESSION)]


def secrets_of(world: World) -> list[bytes]:
    """What only the right caller may see."""
    ids = [*world.me.objects.values(), world.me.id, world.me.mobile]
    return [one.encode() for one in ids if len(one) > 8]


def state(world: World) -> dict[str, Any]:
    """What an unsafe call would change."""
    page = world.sign_in(world.me)
    paths = ("/api/keys", "/api/topups", "/api/promotions", "/api/profile", "/api/tasks", "/api/balance")
    return {path: page.client.get(path).json() | {"as_of": None} for path in paths}


def has_settled(found: dict[str, Any]) -> bool:
    """Whether nothing changes by itself any more."""
    return all(Decimal(found["/api/balance"][book]["held"]) == 0 for book in ("live", "test"))


def is_harmless(statuses: list[int], answer: bytes, line: str) -> bool:
    """Refused, or the answer of what is open to all: the page, the health, the choice of methods."""
    if not statuses or all(status in REFUSALS for status in statuses):
        return True
    body = answer.partition(b"\r\n\r\n")[2]
    is_page = body.lstrip()[:15].lower() == b"<!doctype html>" or body.strip() == OPEN
    return set(statuses) <= {200, *REFUSALS} and (is_page or (line.startswith("HEAD") and not body))


def attempts(world: World, method: str, path: str, rule: Rule) -> Iterable[tuple[str, str]]:
    """Request lines and heads without any credential."""
    target, query = world.target(path, rule, world.me.objects)
    words = "&".join(f"{name}={value}" for name, value in query.items())
    end = f"?{words}" if words else ""
    for written in targets_of(target):
        yield f"{method} {written}{'' if '?' in written else end}", "host: x"
    for head in heads_of(target):
        yield f"{method} {target}{end}", head
    for other in ("HEAD", "TRACE", method.lower(), "PROPFIND"):
        yield f"{other} {target}{end}", "host: x"


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.soak)])
def test_nothing_that_is_protected_is_reached_by_tricks(world: World, step: int):
    """Each route is tried with every `step`-th trick, another one first for each, so that each trick is tried."""
    found: list[str] = []
    wait_until(lambda: has_settled(state(world)), 60, pause=0.2)  # the task that was made for the tricks
    before, tried = state(world), 0
    for number, ((method, path), rule) in enumerate(protected(world)):
        body = json.dumps(world.body(rule).get("json", {})).encode() if method in ("POST", "PUT", "PATCH") else b""
        for line, head in islice(attempts(world, method, path, rule), number % step, None, step):
            statuses, answer = call(world, line, head, body)
            tried += 1
            leaks = [secret for secret in secrets_of(world) if secret in answer and secret.decode() not in line]
            if not is_harmless(statuses, answer, line) or leaks:
                found.append(f"{line!r} with {head!r}: {statuses} {leaks} {answer[-200:]!r}")
    assert found == []
    assert tried > 5000 / step
    assert state(world) == before


def test_the_same_bytes_with_a_key_do_reach_it(world: World):
    """The requests above are good ones but for what is missing in them."""
    reached = 0
    for (method, path), rule in protected(world):
        if method == "GET" and rule.access is Access.KEY:
            target, query = world.target(path, rule, world.me.objects)
            words = "&".join(f"{name}={value}" for name, value in query.items())
            head = f"host: x\r\nauthorization: Bearer {world.me.test_key}"
            statuses, _ = call(world, f"GET {target}?{words}", head)
            assert statuses == [rule.ok], path
            reached += 1
    assert reached >= 8


def test_two_lengths_are_no_second_request(world: World):
    """What one server takes for a body and another for a request must not be served."""
    inner = b"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + world.me.test_key.encode() + b"\r\n\r\n"
    both = f"content-length: {len(inner) + 5}\r\ntransfer-encoding: chunked"
    twice = f"content-length: 0\r\ncontent-length: {len(inner)}"
    for path in ("/v1/chat/completions", "/llmage/video", "/api/auth/codes"):
        for head in (both, twice, f"transfer-encoding: chunked, identity\r\ncontent-length: {len(inner)}"):
            answer = raw(world.platform, f"POST {path} HTTP/1.1\r\nhost: x\r\n{head}", b"0\r\n\r\n" + inner)
            assert _STATUS.findall(answer)[:1] == [b"400"], (path, head, answer[:300])
            assert b"qwen3-max" not in answer


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.soak)])
def test_no_path_leads_to_a_file_that_is_not_given_out(world: World, step: int):
    data = world.platform.data
    secret = [CANARY, "root:x:0:0", *(file.read_text().strip() for file in (data / "secrets").iterdir())]
    needles = [*(one.encode() for one in secret), b"SQLite format 3", b"PATH="]
    paths = hostile_paths(str(data))
    assert len(paths) >= 150
    found: list[str] = []
    head = f"host: x\r\nauthorization: Bearer {world.me.test_key}"
    for number, path in enumerate(paths):
        plain = path.replace(" ", "%20").replace("\\", "%5c")
        others = (f"/v1/videos/{plain}/content", f"/assets/{plain}", f"/{plain.lstrip('/')}")
        for target in (f"/idfile?path={plain}", *(others if number % step == 0 else ())):
            statuses, answer = call(world, f"GET {target}", head)
            is_served = 200 in statuses and not is_harmless(statuses, answer, target)
            if is_served or any(status >= 500 for status in statuses) or any(one in answer for one in needles):
                found.append(f"{target}: {statuses} {answer[:300]!r}")
    assert found == []


@pytest.mark.parametrize(
    "name", ["../../evil.png", "..\\evil.png", "/var/evil.png", "evil.png\x00.txt", "%2e%2e/evil.png", "e" * 5000]
)
def test_the_name_of_a_file_that_comes_in_is_no_path(world: World, name: str):
    client = world.bearer[world.me.test_key]
    before = {path for path in world.platform.data.parent.rglob("*") if "evil" in path.name}
    body = {**(RULES["POST", "/llmage/video"].body or {}), "duration": "5"}
    picture = {"image1_file": (name, b"\x89PNG\r\n\x1a\n", "image/png")}
    answer = client.post("/llmage/video", data=body, files=picture)
    assert 400 <= answer.status_code < 500
    assert {path for path in world.platform.data.parent.rglob("*") if "evil" in path.name} == before == set()
