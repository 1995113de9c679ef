"""All that a customer can read of its money agrees: balance, entries, statements, usage by day and each record."""

import csv
import datetime as dt
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.support.load import wait_until
from tests.support.matrix import CHAT, SETTINGS, VIDEO, Page, World
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(300)
ACCOUNTS = ("available", "held", "promotion")
TOPUP = {"method": "manual", "way": "transfer", "amount": "12.34"}
CHATS = 12


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("books")
    more = {"YUANJING_LEASE_IDLE_SECONDS": "0.2", "YUANJING_TRANSFER_INSTRUCTIONS": "{number}: {amount}"}
    with Platform(folder / "var", workers=1, **(SETTINGS | more)) as platform:
        with World(platform, with_objects=False) as made:
            live(made)
            yield made
        assert platform.verify() == []


@pytest.fixture
def page(world: World) -> Page:
    return world.sign_in(world.me)


def live(world: World) -> None:
    """Money comes in in two ways and goes out in three; then nothing is held any more."""
    page = world.sign_in(world.me)
    order = page.call("POST", "/api/topups", json=TOPUP)
    assert order.status_code == 200, order.text
    world.platform.run("topup", "confirm", order.json()["number"], "--amount", "12.34", "--evidence", "a receipt")
    ids: set[str] = set()
    for number in range(CHATS):
        for key in (world.me.test_key, world.me.live_key):
            answer = world.bearer[key].post("/v1/chat/completions", json={**CHAT, "stream": number % 3 == 0})
            assert answer.status_code == 200, answer.text
            ids.add(answer.headers["x-yuanjing-usage-id"])
    client = world.bearer[world.me.test_key]
    task = client.post("/llmage/video", json=VIDEO).json()["taskid"]
    wait_until(lambda: client.get("/llmage/tasks", params={"taskid": task}).json()["status"] == "SUCCEEDED", 60)
    wait_until(lambda: len(records(page, "live")) + len(records(page, "test")) == len(ids) + 1, pause=0.2)
    wait_until(lambda: all(balance(page, book)["held"] == 0 for book in ("live", "test")), 20, pause=0.2)


def get(page: Page, path: str, **query: object) -> Any:
    answer = page.call("GET", path, params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()


def everything(page: Page, path: str, cursor: str, **query: object) -> list[Any]:
    """All pages, small ones; nothing comes twice."""
    found: list[Any] = []
    after: dict[str, object] = {}
    while True:
        answer = get(page, path, limit=7, **query, **after)
        found += answer["data"]
        if answer["next"] is None:
            return found
        after = {cursor: answer["next"]}


def balance(page: Page, book: str) -> dict[str, Decimal]:
    return {name: Decimal(get(page, "/api/balance")[book][name]) for name in ACCOUNTS}


def records(page: Page, book: str) -> list[Any]:
    return everything(page, "/api/usage", "cursor", book=book)


def entries(page: Page, book: str, account: str) -> list[Any]:
    """Oldest first."""
    return everything(page, "/api/entries", "before", book=book, account=account)[::-1]


@pytest.mark.parametrize("book", ["live", "test"])
def test_entries_lead_to_the_balance_without_a_gap(page: Page, book: str):
    for account, owned in balance(page, book).items():
        stood = Decimal(0)
        for number, entry in enumerate(entries(page, book, account), 1):
            assert entry["number"] == number
            assert Decimal(entry["balance_before"]) == stood
            stood += Decimal(entry["amount"])
            assert Decimal(entry["balance_after"]) == stood >= 0
        assert stood == owned, account


@pytest.mark.parametrize("book", ["live", "test"])
def test_statements_are_the_sums_of_the_entries(page: Page, book: str):
    months = everything(page, "/api/statements", "before", book=book)[::-1]
    assert months
    owned = Decimal(0)
    for month in months:
        assert Decimal(month["opening"]) == owned
        owned = Decimal(month["closing"])
        statement = get(page, f"/api/statements/{month['month']}", book=book)
        assert (statement["opening"], statement["closing"]) == (month["opening"], month["closing"])
        for account in statement["accounts"]:
            its = [
                one
                for one in entries(page, book, account["account"])
                if statement["begins_at"] <= one["at"] < statement["ends_at"]
            ]
            sums = {one["reason"]: (one["entries"], Decimal(one["amount"])) for one in account["sums"]}
            assert account["entries"] == len(its) == sum(count for count, _ in sums.values())
            for reason, (count, amount) in sums.items():
                amounts = [Decimal(one["amount"]) for one in its if one["reason"] == reason]
                assert (len(amounts), sum(amounts)) == (count, amount)
            moved = sum((amount for _, amount in sums.values()), Decimal(0))
            assert Decimal(account["opening"]) + moved == Decimal(account["closing"])
        moved = sum((Decimal(one["amount"]) for one in statement["sums"]), Decimal(0))
        assert Decimal(statement["opening"]) + moved == Decimal(statement["closing"])
    assert owned == sum(balance(page, book).values())


@pytest.mark.parametrize("book", ["live", "test"])
def test_usage_is_what_was_settled(page: Page, book: str):
    used = records(page, book)
    charged = sum(Decimal(one["charge"]) for one in used)
    assert charged > 0
    everywhere = [entry for account in ACCOUNTS for entry in entries(page, book, account)]
    assert charged == -sum(Decimal(one["amount"]) for one in everywhere if one["reason"] == "settle")
    newest = dt.date.fromisoformat(used[0]["posted_at"][:10])
    span = {"from": newest - dt.timedelta(days=1), "to": newest + dt.timedelta(days=1), "book": book}
    for group in ("day", "key", "model", "day,key,model"):
        days = get(page, "/api/usage/days", group=group, **span)
        assert sum(Decimal(one["charge"]) for one in days["data"]) == Decimal(days["total"]["charge"]) == charged
        assert sum(one["requests"] for one in days["data"]) == days["total"]["requests"] == len(used)


def test_each_record_is_what_its_price_makes_of_it(page: Page):
    for record in (*records(page, "live"), *records(page, "test")):
        shown = get(page, f"/api/usage/{record['id']}")
        made = shown["arithmetic"]
        assert {**shown, "arithmetic": None} == {**record, "arithmetic": None}
        lines = [Decimal(line["rate"]) * line["quantity"] / line["per"] for line in made["lines"]]
        assert [Decimal(line["amount"]) for line in made["lines"]] == lines
        assert Decimal(made["total"]) == sum(lines).quantize(Decimal("1e-9"), "ROUND_CEILING")
        assert record["charge"] == made["charge"]
        assert Decimal(made["charge"]) == min(Decimal(made["total"]), Decimal(made["ceiling"]))


@pytest.mark.parametrize("book", ["live", "test"])
def test_files_have_what_the_pages_have(page: Page, book: str):
    for account in ("available", "held"):
        rows = file_of(page, "/api/entries", book=book, account=account)
        shown = entries(page, book, account)[::-1]
        assert [(row["number"], row["amount (CNY)"]) for row in rows] == [
            (str(one["number"]), one["amount"]) for one in shown
        ]
    rows = file_of(page, "/api/usage", book=book)
    assert [(row["usage"], row["charge (CNY)"]) for row in rows] == [
        (one["id"], one["charge"]) for one in records(page, book)
    ]


def file_of(page: Page, path: str, **query: object) -> list[dict[str, str]]:
    answer = page.call("GET", path, params={**query, "format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv"), answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_a_key_and_an_operator_see_the_same_balance(world: World, page: Page):
    for key, book in ((world.me.live_key, "live"), (world.me.test_key, "test")):
        seen = world.bearer[key].get("/llmage/v1/balance").json()
        shown: Any = world.platform.run("customer", "balance", world.me.id)["balances"]
        for name in ("available", "held"):
            assert Decimal(seen[name]) == balance(page, book)[name] == Decimal(shown[book][name])


def test_the_other_customer_has_nothing_of_it(world: World):
    other = world.sign_in(world.other)
    assert records(other, "live") == records(other, "test") == []
    assert {one["reason"] for one in entries(other, "live", "available")} == {"grant"}
