"""Entries and statements over HTTP, in JSON and as files."""

import csv
import io
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.edge.platform import Platform
from tests.edge_console.test_sign_in import code_of
from tests.support.signin import OTHER_MOBILE, Browser

from yuanjing.domain import ledger
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.money import NANOS_PER_YUAN, Book
from yuanjing.usecases import entries
from yuanjing.usecases.account import AccountPolicy

YUAN = NANOS_PER_YUAN
BOM = "\ufeff"


@pytest.fixture
async def customer_id(platform: Platform, browser: Browser) -> str:
    """Who is signed in, with some months of real money."""
    made = str((await browser.sign_in())["customer"]["id"])
    posted = (
        [ledger.top_up(Book.LIVE, made, 100 * YUAN, method="alipay", number="=yj1")],
        [ledger.place_hold(Book.LIVE, made, 5 * YUAN, hold_id="hold_1", part=1)],
        [
            ledger.settle_hold(Book.LIVE, made, 2 * YUAN + 1, hold_id="hold_1", cause="node-7:1:1-2"),
            ledger.release_hold(Book.LIVE, made, 3 * YUAN - 1, hold_id="hold_1", part=0),
            ledger.grant(Book.LIVE, made, YUAN, cause="a friend of the boss", note="secret of operators"),
        ],
    )
    for batch in posted:
        await platform.store.write(lambda tx, batch=batch: tx.ledger.post(batch))
        platform.clock.advance(20 * 86_400)  # 2026-11-01, 11-21, 12-11
        await browser.sign_in()
    return made


def rows_of(text: str) -> list[list[str]]:
    assert text.startswith(BOM)
    return list(csv.reader(io.StringIO(text.removeprefix(BOM), newline="")))


async def get(browser: Browser, path: str, **headers: str) -> Any:
    answer = await browser.client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.usefixtures("customer_id")
async def test_a_statement_in_json(browser: Browser) -> None:
    assert await get(browser, "/api/statements/2026-11") == {
        "object": "statement", "month": "2026-11", "book": "live",
        "begins_at": "2026-10-31T16:00:00Z", "ends_at": "2026-11-30T16:00:00Z",
        "is_final": True, "as_of": "2026-12-31T00:00:00Z", "opening": "0.00", "closing": "100.00",
        "sums": [
            {"reason": "topup", "entries": 1, "amount": "100.00"},
            {"reason": "hold", "entries": 2, "amount": "0.00"},
        ],
        "accounts": [
            {"account": "available", "opening": "0.00", "closing": "95.00", "entries": 2, "sums": [
                {"reason": "topup", "entries": 1, "amount": "100.00"},
                {"reason": "hold", "entries": 1, "amount": "-5.00"},
            ]},
            {"account": "held", "opening": "0.00", "closing": "5.00", "entries": 1, "sums": [
                {"reason": "hold", "entries": 1, "amount": "5.00"},
            ]},
            {"account": "promotion", "opening": "0.00", "closing": "0.00", "entries": 0, "sums": []},
        ],
    }  # fmt: skip
    december = await get(browser, "/api/statements/2026-12?book=live")
    assert (december["opening"], december["closing"], december["is_final"]) == ("100.00", "98.999999999", False)
    test = await get(browser, "/api/statements/2026-11?book=test")
    assert (test["opening"], test["closing"]) == ("0.00", "100.00")


@pytest.mark.usefixtures("customer_id")
async def test_the_months_in_json_and_as_a_file(browser: Browser) -> None:
    found = await get(browser, "/api/statements")
    assert found == {
        "object": "list",
        "data": [
            {"month": "2026-12", "book": "live", "opening": "100.00", "closing": "98.999999999", "is_final": False},
            {"month": "2026-11", "book": "live", "opening": "0.00", "closing": "100.00", "is_final": True},
        ],
        "next": None,
    }
    first = await get(browser, "/api/statements?limit=1")
    assert (len(first["data"]), first["next"]) == (1, "2026-12")
    assert (await get(browser, "/api/statements?limit=1&before=2026-12"))["data"] == found["data"][1:]
    answer = await browser.client.get("/api/statements?format=csv")
    assert rows_of(answer.text) == [
        ["month", "book", "opening (CNY)", "closing (CNY)", "final"],
        ["2026-12", "live", "100.00", "98.999999999", "no"],
        ["2026-11", "live", "0.00", "100.00", "yes"],
    ]
    assert answer.headers["content-disposition"] == 'attachment; filename="statements-live.csv"'


@pytest.mark.usefixtures("customer_id")
async def test_a_statement_as_a_file_adds_up(browser: Browser) -> None:
    answer = await browser.client.get("/api/statements/2026-12", headers={"accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == 'attachment; filename="statement-live-2026-12.csv"'
    header, *rows = rows_of(answer.text)
    assert header == [
        "time (UTC+8)", "book", "account", "number", "reason", "amount (CNY)", "balance (CNY)", "reference",
    ]  # fmt: skip
    assert rows[:3] == [
        ["2026-12-01 00:00:00", "live", "available", "", "opening", "", "95.00", ""],
        ["2026-12-11 08:00:00", "live", "available", "3", "release", "2.999999999", "97.999999999", "hold_1"],
        ["2026-12-11 08:00:00", "live", "available", "4", "grant", "1.00", "98.999999999", ""],
    ]
    for account in ("available", "held"):
        its = [row for row in rows if row[2] == account]
        opening, closing = Decimal(its[0][6]), Decimal(its[-1][6])
        assert (its[0][4], its[-1][4]) == ("opening", "closing")
        assert opening + sum(Decimal(row[5]) for row in its[1:-1]) == closing
    assert "node-7" not in answer.text
    assert "boss" not in answer.text
    assert "secret" not in answer.text


async def test_a_month_without_an_entry_is_a_file_too(browser: Browser) -> None:
    """Of an account that was never used as well: each opens and closes alike, as it does in JSON."""
    await browser.sign_in()
    for query in ("2026-11?book=live", "1970-01?book=test", "1999-01"):
        month = query.partition("?")[0]
        answer = await browser.client.get(f"/api/statements/{query}", headers={"accept": "text/csv"})
        assert answer.status_code == 200, answer.text
        rows = rows_of(answer.text)[1:]
        assert [(row[2], row[4], row[6]) for row in rows] == [
            (kind, word, "0.00") for kind in ("available", "held", "promotion") for word in ("opening", "closing")
        ]
        assert rows[0][0] == f"{month}-01 00:00:00"


@pytest.mark.usefixtures("customer_id")
async def test_entries_in_json(browser: Browser) -> None:
    found = await get(browser, "/api/entries?limit=3")
    assert [(one["number"], one["reason"], one["amount"], one["reference"]) for one in found["data"]] == [
        (4, "grant", "1.00", ""),
        (3, "release", "2.999999999", "hold_1"),
        (2, "hold", "-5.00", "hold_1"),
    ]
    assert found["next"] == "2"
    (last,) = (await get(browser, f"/api/entries?limit=3&before={found['next']}"))["data"]
    assert last == {
        "number": 1, "at": "2026-11-01T00:00:00Z", "book": "live", "account": "available", "reason": "topup",
        "amount": "100.00", "balance_before": "0.00", "balance_after": "100.00", "reference": "=yj1",
    }  # fmt: skip
    held = await get(browser, "/api/entries?account=held&reason=settle")
    assert [(one["number"], one["amount"], one["balance_after"]) for one in held["data"]] == [
        (2, "-2.000000001", "2.999999999")
    ]
    (play,) = (await get(browser, "/api/entries?book=test"))["data"]
    assert (play["reason"], play["amount"]) == ("grant", "100.00")


@pytest.mark.usefixtures("customer_id")
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("from=2026-11-01&to=2026-11-01", [1]),
        ("from=2026-11-02&to=2026-11-21", [2]),
        ("to=2026-11-20", [1]),
        ("from=2026-11-21T00:00:00Z", [4, 3, 2]),
        ("from=2026-11-21T08:00:00.5%2B08:00", [4, 3]),
        ("to=2026-11-21T08:00:00+08:00", [1]),
        ("from=2027-01-01", []),
    ],
)
async def test_entries_by_time(browser: Browser, query: str, numbers: list[int]) -> None:
    found = await get(browser, f"/api/entries?{query}")
    assert [one["number"] for one in found["data"]] == numbers


@pytest.mark.usefixtures("customer_id")
async def test_entries_as_a_file_are_all_of_them_and_no_formulas(
    platform: Platform, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One unit of work for each page, and none open between them."""
    monkeypatch.setattr(entries, "CHUNK", 2)
    before = platform.store.counters.reads
    answer = await browser.client.get("/api/entries?limit=1&format=csv")
    reads = platform.store.counters.reads - before
    rows = rows_of(answer.text)[1:]
    assert [row[3] for row in rows] == ["4", "3", "2", "1"]
    assert rows[-1][-1] == "'=yj1"
    assert rows[2][5] == "-5.00"  # a number of ours stays one
    assert reads >= 3


@pytest.mark.usefixtures("customer_id")
@pytest.mark.parametrize(
    ("accept", "query", "is_csv"),
    [
        ("text/csv", "", True),
        ("text/csv", "?format=json", False),
        ("application/json", "?format=csv", True),
        ("*/*", "", False),
        ("", "", False),
        ("text/csv;q=0.5, application/json;q=0.4", "", True),
        ("text/csv;q=0.5, application/json", "", False),
        ("text/csv;q=0", "", False),
        ("Text/CSV; charset=utf-8", "", True),
        ("text/csv;q=high", "", False),
    ],
)
async def test_which_form_is_asked_for(browser: Browser, accept: str, query: str, *, is_csv: bool) -> None:
    for path in ("/api/entries", "/api/statements", "/api/statements/2026-11"):
        answer = await browser.client.get(path + query, headers={"accept": accept})
        assert answer.headers["content-type"].startswith("text/csv") == is_csv


@pytest.mark.usefixtures("customer_id")
async def test_a_head_of_a_file_has_no_body(browser: Browser) -> None:
    answer = await browser.client.head("/api/entries?format=csv")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/api/entries?limit=0", "limit"),
        ("/api/entries?limit=201", "limit"),
        ("/api/entries?limit=x", "limit"),
        ("/api/entries?before=0", "before"),
        ("/api/entries?before=9223372036854775808", "before"),
        ("/api/entries?book=other", "book"),
        ("/api/entries?account=revenue", "account"),
        ("/api/entries?reason=theft", "reason"),
        ("/api/entries?format=xml", "format"),
        ("/api/entries?from=yesterday", "from"),
        ("/api/entries?from=2026-13-01", "from"),
        ("/api/entries?from=2026-11-01T00:00:00", "from"),
        ("/api/entries?to=1969-12-31", "to"),
        ("/api/entries?to=9999-12-31", "to"),
        ("/api/entries?to=" + "1" * 41, "to"),
        ("/api/entries?customer_id=cus_x", "customer_id"),
        ("/api/statements?before=2026-1", "before"),
        ("/api/statements?limit=201", "limit"),
        ("/api/statements?customer=cus_x", "customer"),
        ("/api/statements/2026-13", "month"),
        ("/api/statements/november", "month"),
        ("/api/statements/2026-11?book=", "book"),
        ("/api/statements/2026-11?account=held", "account"),
    ],
)
async def test_faults_are_named(browser: Browser, path: str, param: str) -> None:
    await browser.sign_in()
    answer = await browser.client.get(path)
    assert code_of(answer) == (400, "invalid_parameter", param)


@pytest.mark.usefixtures("customer_id")
@pytest.mark.parametrize(
    ("path", "rows", "param"),
    [
        ("/api/entries?format=csv", 4, "from"),
        ("/api/entries?format=csv&to=2026-11-30", 2, "from"),
        ("/api/entries?format=csv&reason=hold", 1, "from"),
        ("/api/statements/2026-11?format=csv", 3, "format"),
    ],
)
async def test_a_file_has_so_many_entries_and_no_more(
    platform: Platform, browser: Browser, path: str, rows: int, param: str
) -> None:
    for rows_max, status in ((rows, 200), (rows - 1, 400)):
        parts = platform.changed(account=AccountPolicy(export_rows_max=rows_max))
        other = platform.browser(parts=parts)
        async with other.client:
            other.client.cookies = browser.client.cookies
            answer = await other.client.get(path)
            assert answer.status_code == status, rows_max
            if status == 400:
                assert code_of(answer) == (400, "invalid_parameter", param)
                assert f"{rows_max} entries" in answer.json()["error"]["message"]


async def test_a_rare_reason_counts_what_lies_between(platform: Platform, browser: Browser, customer_id: str) -> None:
    """And is told so: what bounds a file is what must be read for it."""
    for number in range(2):
        await platform.store.write(
            lambda tx, number=number: tx.ledger.post(
                [
                    ledger.grant(Book.LIVE, customer_id, YUAN, cause=f"g{number}", note=""),
                    ledger.place_hold(Book.LIVE, customer_id, 1, hold_id=f"hold_g{number}", part=1),
                ]
            )
        )
    parts = platform.changed(account=AccountPolicy(export_rows_max=2))
    other = platform.browser(parts=parts)
    async with other.client:
        other.client.cookies = browser.client.cookies
        answer = await other.client.get("/api/entries?format=csv&reason=grant&from=2026-12-30")
    assert code_of(answer) == (400, "invalid_parameter", "from")
    assert "would have to be read, whatever their reason" in answer.json()["error"]["message"]


async def test_a_month_to_come_is_not_found(browser: Browser) -> None:
    await browser.sign_in()
    assert code_of(await browser.client.get("/api/statements/2026-12")) == (404, "not_found", "month")
    assert (await get(browser, "/api/statements/1999-01"))["closing"] == "0.00"


async def test_customers_see_their_own_only(platform: Platform, browser: Browser, customer_id: str) -> None:
    other = platform.browser(peer="127.0.0.2")
    async with other.client:
        assert (await other.sign_in(OTHER_MOBILE))["customer"]["id"] != customer_id
        assert (await get(other, "/api/entries"))["data"] == []
        assert (await get(other, "/api/statements"))["data"] == []
        assert (await get(other, "/api/statements/2026-11"))["closing"] == "0.00"
    for path in ("/api/entries", "/api/statements", "/api/statements/2026-11"):
        browser.client.cookies.clear()
        assert code_of(await browser.client.get(path))[:2] == (401, "not_signed_in")


@pytest.mark.usefixtures("customer_id")
async def test_a_store_that_fails_at_the_first_page_is_told_as_an_error(
    platform: Platform, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, count = platform.store.read, 0

    async def failing(work: Any) -> Any:
        nonlocal count
        count += 1
        if count > 1:  # the first finds the session
            raise StoreUnavailableError("the database cannot be reached")
        return await read(work)

    monkeypatch.setattr(platform.store, "read", failing)
    assert code_of(await browser.client.get("/api/entries?format=csv"))[:2] == (503, "store_unavailable")


async def test_a_statement_that_the_ledger_does_not_bear_out_is_not_shown(
    platform: Platform, browser: Browser, customer_id: str
) -> None:
    months = platform.store._tx.ledger._months
    key = next(key for key in months if key[:2] == (Book.LIVE, ledger.available(customer_id)))
    months[key] = replace(months[key], amount_nanos=1)
    with capture_logs() as logs:
        for query in ("", "?format=csv"):
            answer = await browser.client.get(f"/api/statements/2026-11{query}")
            assert code_of(answer) == (500, "internal_error", None)
            assert "customer:" not in answer.text
    assert [(one["event"], one["error"]) for one in logs] == [("edge.failed", "DamagedError")] * 2


@pytest.mark.usefixtures("customer_id")
async def test_a_store_that_fails_later_breaks_the_file_off(
    platform: Platform, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "CHUNK", 2)
    read, count = platform.store.read, 0

    async def failing(work: Any) -> Any:
        nonlocal count
        count += 1
        if count > 3:  # after the session, how many there are, and a page
            raise StoreUnavailableError("the database cannot be reached")
        return await read(work)

    monkeypatch.setattr(platform.store, "read", failing)
    with pytest.raises(RuntimeError, match="response already started") as broken:
        await browser.client.get("/api/entries?format=csv")
    assert isinstance(broken.value.__cause__, StoreUnavailableError)
