"""A customer's account at real processes: a key from its making to its end, a month's statement, a low balance."""

import csv
import io
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.load import Load, wait_until
from tests.support.matrix import Page, World
from tests.support.matrix_rules import CHAT
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(300)
SIGNAL_SECONDS = 2.0
"""In which a gateway on a busy machine has read what it polls for every 0.1 s."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("account")
    settings = {"YUANJING_LOW_BALANCE_CHECK_SECONDS": "0.2", "YUANJING_SMS_RESEND_SECONDS": "0.001"}
    with Platform(folder / "var", workers=2, **settings) as platform, World(platform, with_objects=False) as made:
        yield made
        assert platform.verify() == []


@pytest.fixture(scope="module")
def page(world: World) -> Page:
    return world.sign_in(world.me)


def chat(world: World, key: str) -> httpx2.Response:
    """On a new connection, which any of the gateways may have taken."""
    headers = {"authorization": f"Bearer {key}", "connection": "close"}
    return world.client().post("/v1/chat/completions", json=CHAT, headers=headers)


def both_gateways(world: World, key: str, status: int) -> bool:
    return all(chat(world, key).status_code == status for _ in range(8))


def test_a_key_from_its_making_to_its_end(world: World, page: Page) -> None:
    made = page.call("POST", "/api/keys", json={"book": "test", "name": "mine", "budget": "1"}).json()
    path, key = f"/api/keys/{made['id']}", made["key"]
    answer = chat(world, key)
    assert answer.status_code == 200, answer.text
    cost = Decimal(answer.json()["usage"]["cost"])
    assert cost > 0
    wait_until(lambda: page.call("GET", path).json()["last_used_at"] is not None, 20)
    found = page.call("GET", path).json()
    assert Decimal(found["spent_this_month"]) == Decimal(found["spent_total"]) == Decimal(found["budget_spent"]) == cost

    assert page.call("PATCH", path, json={"models": ["qwen-plus"]}).status_code == 200
    wait_until(lambda: both_gateways(world, key, 403), 20)
    assert page.call("PATCH", path, json={"models": []}).status_code == 200
    wait_until(lambda: both_gateways(world, key, 200), 20)
    assert page.call("DELETE", path).status_code == 204
    wait_until(lambda: both_gateways(world, key, 401), 20)
    for log in world.platform.data.parent.glob("serve.*"):
        assert key.split("_")[3] not in log.read_text(encoding="utf-8")


def test_a_budget_that_is_set_later_holds_at_every_gateway(world: World, page: Page) -> None:
    """And one that is taken away holds no more; what leases hold meanwhile is never lost, which `verify` says."""
    made = page.call("POST", "/api/keys", json={"book": "test"}).json()
    path, key = f"/api/keys/{made['id']}", made["key"]
    assert both_gateways(world, key, 200)
    for budget, status in (("0.000001", 429), (None, 200), ("5", 200), ("0.000002", 429), ("5", 200)):
        assert page.call("PATCH", path, json={"budget": budget}).status_code == 200
        wait_until(lambda status=status: both_gateways(world, key, status), 20)
    wait_until(lambda: page.call("GET", path).json()["budget_held"] == "0.00", 20)
    found = page.call("GET", path).json()
    assert Decimal(0) < Decimal(found["budget_spent"]) < Decimal(found["spent_total"])


def test_a_budget_that_is_lowered_binds_although_the_key_is_busy(world: World, page: Page) -> None:
    """Both gateways have much leased and never rest; once they know, they spend no more than what ran."""
    made = page.call("POST", "/api/keys", json={"book": "test", "budget": "20"}).json()
    path, key, clients = f"/api/keys/{made['id']}", made["key"], 8
    long_answers = {name: value for name, value in CHAT.items() if name != "max_tokens"}
    headers = {"authorization": f"Bearer {key}", "connection": "close"}
    with ThreadPoolExecutor(clients) as pool:
        ask = partial(world.client().post, "/v1/chat/completions", json=long_answers, headers=headers)
        assert {one.result().status_code for one in [pool.submit(ask) for _ in range(clients)]} == {200}
    with Load(world.platform, clients=clients, key=key, text="word " * 3000, max_tokens=200) as load:
        wait_until(lambda: load.statuses[200] > 2 * clients, 60)
        assert page.call("PATCH", path, json={"budget": "0.01"}).status_code == 200
        known = time.monotonic() + SIGNAL_SECONDS
        wait_until(lambda: time.monotonic() > known)
        spent = sum(load.whole.values())
        refused = load.statuses[429]
        wait_until(lambda: load.statuses[429] > refused + 5 * clients, 60)
    assert load.broken == []
    usages = world.platform.usages("--customer", world.me.id)
    ceiling = max(Decimal(str(usages[one]["ceiling"])) for one in load.whole if one in usages)
    assert sum(load.whole.values()) - spent <= Decimal("0.01") + clients * ceiling
    wait_until(lambda: page.call("GET", path).json()["budget_held"] == "0.00", 20)


def test_a_statement_adds_up_to_the_balance(world: World, page: Page) -> None:
    assert chat(world, world.me.test_key).status_code == 200
    wait_until(lambda: balance(page)["held"] == "0.00", 30)
    (month,) = page.call("GET", "/api/statements?book=test").json()["data"]
    text = page.call("GET", f"/api/statements/{month['month']}?book=test&format=csv").text
    header, *rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    amount, standing = header.index("amount (CNY)"), header.index("balance (CNY)")
    available = [row for row in rows if row[header.index("account")] == "available"]
    total = sum(Decimal(row[amount] or "0") for row in available)
    assert total == Decimal(available[-1][standing])
    assert available[-1][standing] == balance(page)["available"] == month["closing"]
    assert {row[header.index("reason")] for row in available} >= {"opening", "grant", "hold", "release", "closing"}


def balance(page: Page) -> Any:
    return page.call("GET", "/api/balance").json()["test"]


def test_a_low_balance_is_told(world: World, page: Page) -> None:
    """In the live book the customer has 100 CNY."""
    assert page.call("PATCH", "/api/profile", json={"low_balance": "50", "language": "en"}).status_code == 200
    assert page.call("PATCH", "/api/profile", json={"low_balance": "100.01"}).json()["low_balance"] == "100.01"
    outbox = world.platform.data / "outbox.jsonl"
    wait_until(lambda: len(notices(outbox, world.me.mobile)) == 1, 20)
    (notice,) = notices(outbox, world.me.mobile)
    assert (notice["kind"], notice["fields"]) == ("low-balance-en", {"balance": "100.00", "threshold": "100.01"})


def notices(outbox: Path, mobile: str) -> list[Any]:
    lines = [json.loads(line) for line in outbox.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["kind"] != "code" and line["mobile"] == f"+86{mobile}"]
