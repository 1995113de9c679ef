"""The page of messages that development keeps: who sees it, and that it can do no harm."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.edge.platform import Platform

from yuanjing.adapters.sms.outbox import Outbox, read_messages
from yuanjing.edge import site
from yuanjing.edge.app import create_app
from yuanjing.edge.parts import EdgeParts
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.messages import Notice

MOBILE = "+8613912345678"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.jsonl"


@pytest.fixture
def parts(platform: Platform, path: Path) -> EdgeParts:
    return platform.changed(outbox=lambda limit: read_messages(path, limit=limit))


@pytest.fixture
def plain_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The home page that stands where the console was not built."""
    monkeypatch.setattr(site, "is_built", lambda: False)


async def get(
    parts: EdgeParts, url: str = "http://127.0.0.1:8080/outbox", peer: str = "127.0.0.1", **headers: str
) -> Any:
    transport = httpx2.ASGITransport(app=create_app(parts), client=(peer, 4711))
    async with httpx2.AsyncClient(transport=transport) as client:
        return await client.get(url, headers=headers)


async def test_messages_are_shown_newest_first(parts: EdgeParts, path: Path) -> None:
    sender = Outbox(path, ManualClock())
    assert "There is none yet" in (await get(parts)).text
    await sender.send_code(MOBILE, "111111", minutes=5)
    await sender.send_code(MOBILE, "222222", minutes=5)
    await sender.send_notice(MOBILE, Notice.LOW_BALANCE, {"balance": "1.00", "<b>": "<script>alert(1)</script>"})
    answer = await get(parts)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    text = answer.text
    assert -1 < text.index("balance: 1.00") < text.index("222222") < text.index("111111")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


async def test_nothing_of_the_page_can_act(parts: EdgeParts) -> None:
    answer = await get(parts)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"


async def test_only_the_last_fifty_are_shown(parts: EdgeParts, path: Path) -> None:
    sender = Outbox(path, ManualClock())
    for number in range(60):
        await sender.send_code(MOBILE, f"{number:06}", minutes=5)
    text = (await get(parts)).text
    assert ("000010" in text, "000009" in text) == (True, False)


@pytest.mark.parametrize(
    ("url", "peer", "headers"),
    [
        ("http://127.0.0.1:8080/outbox", "192.0.2.1", {}),
        ("http://127.0.0.1:8080/outbox", "127.0.0.1", {"x-forwarded-for": "192.0.2.1"}),
        ("http://rebound.example:8080/outbox", "127.0.0.1", {}),
        ("http://127.0.0.1.example/outbox", "127.0.0.1", {}),
        ("http://192.0.2.9:8080/outbox", "127.0.0.1", {}),
        ("http://127.0.0.1:8080/outbox", "127.0.0.1", {"host": ""}),
    ],
    ids=["another machine", "through a proxy", "rebound", "like ours", "by its outer address", "no name"],
)
async def test_it_is_for_this_machine_only(parts: EdgeParts, url: str, peer: str, headers: dict[str, str]) -> None:
    answer = await get(parts, url, peer, **headers)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("host", ["localhost:8080", "LOCALHOST", "127.0.0.2:9", "[::1]:8080"])
async def test_names_of_this_machine(parts: EdgeParts, host: str) -> None:
    assert (await get(parts, host=host)).status_code == 200


@pytest.mark.usefixtures("plain_home")
async def test_where_messages_are_sent_there_is_no_such_page(platform: Platform) -> None:
    assert platform.parts.outbox is None
    for method in ("GET", "POST"):
        transport = httpx2.ASGITransport(app=create_app(platform.parts), client=("127.0.0.1", 4711))
        async with httpx2.AsyncClient(transport=transport) as client:
            assert (await client.request(method, "http://127.0.0.1:8080/outbox")).status_code == 404
    assert "/outbox" not in (await get(platform.parts, "http://127.0.0.1:8080/")).text


@pytest.mark.usefixtures("plain_home")
async def test_the_home_page_leads_there(parts: EdgeParts) -> None:
    home = await get(parts, "http://127.0.0.1:8080/")
    schema = await get(parts, "http://127.0.0.1:8080/openapi.json")
    assert '<a href="/outbox">' in home.text
    assert "/outbox" not in schema.json()["paths"]
