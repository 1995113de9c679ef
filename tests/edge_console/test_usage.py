"""A customer's usage over HTTP: records, days, files and receipts; and nothing of anybody else's."""

import csv
import io
import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from structlog.testing import capture_logs
from tests.edge.platform import LLMID, PEPPER, Platform
from tests.edge_console.test_sign_in import code_of
from tests.support.signin import Browser

from yuanjing.domain.days import day_of, start_of
from yuanjing.domain.identity import Customer
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ChatPrice, charge_nanos
from yuanjing.domain.usage import ChatUsage, PostedUsage, UsageRecord, UsageStatus
from yuanjing.usecases.customers import create_customer
from yuanjing.usecases.keys import create_key
from yuanjing.usecases.receipts import check_receipt, read_key_document
from yuanjing.usecases.usage_pages import UsagePolicy
from yuanjing.usecases.usages import show_usage

MINE, OTHERS = "+8613800138000", "+8613800138001"
DAY = 86_400.0
COUNTS = ChatUsage(input_tokens=1_000, output_tokens=50, cache_read_tokens=400, reasoning_tokens=7)


async def price_of(platform: Platform) -> ChatPrice:
    found = await platform.store.read(lambda tx: [one for one in tx.catalog.prices() if one.offer_id == LLMID])
    assert isinstance(found[0], ChatPrice)
    return found[0]


async def posted(platform: Platform, usage_id: str, *, at: float, key_id: str, **changes: Any) -> PostedUsage:
    """A record of a chat."""
    price, counts = await price_of(platform), changes.pop("counts", COUNTS)
    uncollected = changes.pop("uncollected_nanos", 0)
    values: dict[str, Any] = {
        "book": Book.TEST, "customer_id": platform.customer.id, "key_id": key_id, "offer_id": LLMID,
        "model": "qwen3-max", "operation": "chat", "channel_id": "ch_secret", "hold_id": "hold_1", "price_id": price.id,
        "meters": counts.meters(), "ceiling_nanos": 10**12, "charge_nanos": charge_nanos(price, counts),
        "started_at": at - 2, "request_id": "req_1", "upstream_request_id": "up_secret",
    }  # fmt: skip
    record = UsageRecord(id=usage_id, **(values | changes))
    made = PostedUsage(
        record=record, settle_transfer_id="settle_secret", late_shortfall_nanos=uncollected, posted_at=at
    )
    await platform.store.write(lambda tx: tx.usages.add_new([made]))
    return made


@pytest.fixture
async def key_id(platform: Platform) -> str:
    key, _ = await platform.make_key(name="mine")
    return key.id


@pytest.fixture
async def signed_in(browser: Browser) -> Browser:
    await browser.sign_in(MINE)
    return browser


async def other_customer(platform: Platform) -> tuple[Customer, str]:
    """Another customer, and its key."""
    other = await create_customer(platform.store, platform.clock, mobile=OTHERS, name="Other", test_grant_nanos=0)
    key, _ = await create_key(platform.store, platform.clock, PEPPER, customer_id=other.id, book=Book.TEST)
    return other, key.id


async def ids(browser: Browser, query: str = "") -> list[str]:
    answer = await browser.client.get(f"/api/usage?{query}")
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["data"]]


async def test_one_record_can_be_computed_again(platform: Platform, signed_in: Browser, key_id: str) -> None:
    at = platform.clock.unix()
    await posted(platform, "u1", at=at, key_id=key_id)
    answer = await signed_in.client.get("/api/usage/u1")
    assert answer.status_code == 200
    found = answer.json()
    arithmetic = found["arithmetic"]
    exact = sum(Decimal(line["rate"]) * line["quantity"] / line["per"] for line in arithmetic["lines"])
    assert [line["quantity"] for line in arithmetic["lines"]] == [600, 400, 50]
    assert exact == sum(Decimal(line["amount"]) for line in arithmetic["lines"])
    assert Decimal(arithmetic["total"]) == exact == Decimal(found["charge"]) == Decimal("0.0022")
    assert (arithmetic["overrun"], arithmetic["ceiling"], arithmetic["price"]["version"]) == ("0.00", "1000.00", 1)
    assert any("600 input_tokens x 2.50 CNY / 1,000,000" in line for line in arithmetic["text"])
    assert found["meters"]["cache_read_tokens"] == 400
    assert (found["posted_at"], found["started_at"]) == ("2026-11-01T00:00:00Z", "2026-10-31T23:59:58Z")
    assert "secret" not in answer.text


async def test_records_are_filtered(platform: Platform, signed_in: Browser, key_id: str) -> None:
    at = platform.clock.unix()
    live, _ = await platform.make_key(book=Book.LIVE)
    for n, changes in enumerate(
        (
            {"key_id": key_id},
            {"key_id": key_id, "model": "other"},
            {"key_id": key_id, "operation": "text_to_video"},
            {"key_id": live.id, "book": Book.LIVE},
            {"key_id": key_id, "at": at + 4 * DAY},
        )
    ):
        await posted(platform, f"u{n}", **({"at": at + n} | changes))
    assert await ids(signed_in) == ["u3"]
    assert await ids(signed_in, "book=test") == ["u4", "u2", "u1", "u0"]
    assert await ids(signed_in, f"key={key_id}") == ["u4", "u2", "u1", "u0"]
    assert await ids(signed_in, f"key={key_id}&book=live") == []
    assert await ids(signed_in, f"key={key_id}&model=other") == ["u1"]
    assert await ids(signed_in, "book=test&operation=text_to_video") == ["u2"]
    assert await ids(signed_in, "book=test&operation=chat&limit=1") == ["u4"]
    assert await ids(signed_in, "book=test&from=2026-11-05T00:00:00Z") == ["u4"]
    assert await ids(signed_in, "book=test&to=2026-11-01T00:00:01Z") == ["u0"]
    assert await ids(signed_in, "book=test&from=2026-11-01T08:00:01%2B08:00&to=2026-11-01") == ["u2", "u1"]
    assert await ids(signed_in, "book=test&model=a%00b") == []
    answer = await signed_in.client.get("/api/usage?book=test&format=csv&operation=chat&from=2026-11-02")
    assert answer.text.count("\r\n") == 2


async def test_pages_are_bounded_and_come_one_after_the_other(
    platform: Platform, signed_in: Browser, key_id: str
) -> None:
    for n in range(7):
        await posted(platform, f"u{n}", at=platform.clock.unix() + n // 2, key_id=key_id)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"key": key_id, "limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await signed_in.client.get("/api/usage", params=query)).json()
        assert len(page["data"]) <= 3
        seen += [one["id"] for one in page["data"]]
        cursor = page["next"]
    assert seen == [f"u{n}" for n in range(6, -1, -1)]


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/api/usage?limit=0", "limit"),
        ("/api/usage?limit=201", "limit"),
        ("/api/usage?limit=many", "limit"),
        ("/api/usage?cursor=x", "cursor"),
        ("/api/usage?cursor=1e9-u1", "cursor"),
        ("/api/usage?cursor=1-u%00", "cursor"),
        ("/api/usage?book=gold", "book"),
        ("/api/usage?operation=dance", "operation"),
        ("/api/usage?from=yesterday", "from"),
        ("/api/usage?from=2026-11-01T00:00:00", "from"),
        ("/api/usage?from=1793000000", "from"),
        ("/api/usage?to=2026-02-30", "to"),
        ("/api/usage?to=0001-01-01", "to"),
        ("/api/usage?to=9999-12-31T23:59:59Z", "to"),
        ("/api/usage?model=" + "m" * 201, "model"),
        ("/api/usage?key=" + "k" * 65, "key"),
        ("/api/usage?format=xls", "format"),
        ("/api/usage?customer_id=cus_2", "customer_id"),
        ("/api/usage?" + "x" * 100 + "=1", "x" * 60),
        ("/api/usage/days?from=2026-11-01&to=2026-11-01T00:00:00Z", "to"),
        ("/api/usage/days?from=20261101&to=x", "to"),
        ("/api/usage/days?from=2026-11-02&to=2026-11-01", "to"),
        ("/api/usage/days?from=2025-10-31&to=2026-11-01", "from"),
        ("/api/usage/days?from=0001-01-01&to=2026-11-01", "from"),
        ("/api/usage/days?from=2026-11-01&to=2026-11-01&group=week", "group"),
        ("/api/usage/days?from=2026-11-01&to=2026-11-01&group=", "group"),
        ("/api/usage/days?from=2026-11-01&to=2026-11-01&group=day,day", "group"),
        ("/api/usage/days?from=2026-11-01&to=2026-11-01&customer=cus_2", "customer"),
    ],
)
async def test_each_fault_is_named(signed_in: Browser, path: str, param: str) -> None:
    answer = await signed_in.client.get(path)
    assert code_of(answer) == (400, "invalid_parameter", param)


@pytest.mark.parametrize("path", ["/api/usage/days", "/api/usage/days?from=2026-11-01"])
async def test_days_want_a_span(signed_in: Browser, path: str) -> None:
    missing = "to" if "from" in path else "from"
    assert code_of(await signed_in.client.get(path)) == (400, "missing_required_parameter", missing)


async def test_days_are_added_up(platform: Platform, signed_in: Browser, key_id: str) -> None:
    midnight = start_of(day_of(platform.clock.unix()))  # 2026-11-01 in UTC+8
    other, _ = await platform.make_key()
    for n, changes in enumerate(
        (
            {"at": midnight - 1},
            {"at": midnight},
            {"at": midnight + DAY - 1, "key_id": other.id},
            {"at": midnight + DAY, "model": "other"},
        )
    ):
        await posted(platform, f"u{n}", **({"key_id": key_id, "charge_nanos": 10**9 * (n + 1)} | changes))

    async def days(query: str) -> Any:
        answer = await signed_in.client.get(f"/api/usage/days?{query}")
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return [(s["day"], s["key_id"], s["model"], s["requests"], s["charge"]) for s in found["data"]], found["total"]

    span = "from=2026-11-01&to=2026-11-02&book=test"
    sums, total = await days(span)
    assert sums == [("2026-11-01", None, None, 2, "5.00"), ("2026-11-02", None, None, 1, "4.00")]
    assert total == {
        "day": None, "key_id": None, "model": None, "requests": 3, "input_tokens": 3000, "output_tokens": 150,
        "charge": "9.00",
    }  # fmt: skip
    assert (await days(span + "&group=model"))[0] == [
        (None, None, "other", 1, "4.00"),
        (None, None, "qwen3-max", 2, "5.00"),
    ]
    by_key = {(None, key_id, None, 2, "6.00"), (None, other.id, None, 1, "3.00")}
    assert set((await days(span + "&group=key"))[0]) == by_key
    assert len((await days(span + "&group=day,key,model"))[0]) == 3
    assert (await days(f"{span}&key={key_id}&model=other"))[1]["charge"] == "4.00"
    assert (await days(f"from=2026-11-01&to=2026-11-02&key={key_id}"))[1]["requests"] == 2
    of_key = await signed_in.client.get(f"/api/usage/days?from=2026-11-01&to=2026-11-02&key={key_id}")
    assert of_key.json()["book"] == "test"
    sums, total = await days("from=2026-11-01&to=2026-11-02")
    assert (sums, total["requests"], total["charge"]) == ([], 0, "0.00")


async def test_nothing_of_another_customers_is_there(platform: Platform, signed_in: Browser) -> None:
    other, key_id = await other_customer(platform)
    await posted(platform, "u9", at=platform.clock.unix(), key_id=key_id, customer_id=other.id)
    for path in ("/api/usage/u9", "/api/usage/u9/receipt", "/api/usage/nothing", "/api/usage/a%00b"):
        assert code_of(await signed_in.client.get(path))[:2] == (404, "not_found"), path
    for path in (
        f"/api/usage?key={key_id}",
        f"/api/usage?key={key_id}&format=csv",
        f"/api/usage/days?from=2026-11-01&to=2026-11-01&key={key_id}",
        "/api/usage?key=key_nobody",
        "/api/usage?key=a%00b",
    ):
        assert code_of(await signed_in.client.get(path)) == (404, "not_found", "key"), path
    assert await ids(signed_in, "book=test") == []
    days = (await signed_in.client.get("/api/usage/days?from=2026-11-01&to=2026-11-01&book=test")).json()
    assert days["total"]["requests"] == 0


async def test_who_is_not_signed_in_sees_nothing(platform: Platform, key_id: str) -> None:
    await posted(platform, "u1", at=platform.clock.unix(), key_id=key_id)
    async with platform.client() as client:
        for path in ("/api/usage", "/api/usage/u1", "/api/usage/u1/receipt", "/api/usage/days", "/api/tasks"):
            assert code_of(await client.get(path)) == (401, "not_signed_in", None), path


async def test_a_file_has_all_records_and_no_formulas(
    platform: Platform, signed_in: Browser, key_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yuanjing.usecases.usage_pages._EXPORT_PAGE_ROWS", 3)
    at = platform.clock.unix()
    for n in range(7):
        await posted(platform, f"u{n}", at=at + n, key_id=key_id, model='=HYPERLINK("x")' if n == 6 else "qwen3-max")
    await posted(
        platform, "film", at=at - 1, key_id=key_id, operation="text_to_video", extra={"task_id": "123"},
        is_estimated=True, status=UsageStatus.INTERRUPTED, meters={"video_seconds": 5}, uncollected_nanos=5,
        is_stream=True, first_byte_ms=12, duration_ms=345,
    )  # fmt: skip
    reads = platform.store.counters.reads
    answer = await signed_in.client.get(f"/api/usage?key={key_id}&format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert platform.store.counters.reads >= reads + 4
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["usage"] for row in rows] == ["u6", "u5", "u4", "u3", "u2", "u1", "u0", "film"]
    assert rows[0]["model"] == '\'=HYPERLINK("x")'
    assert rows[1] | {"price": ""} == {
        "time (UTC+8)": "2026-11-01 08:00:05", "usage": "u5", "book": "test", "key": key_id, "model": "qwen3-max",
        "operation": "chat", "status": "completed", "input_tokens": "1000", "cache_read_tokens": "400",
        "cache_write_tokens": "0", "output_tokens": "50", "reasoning_tokens": "7", "video_seconds": "",
        "video_tokens": "", "provider_credits": "", "counted by": "provider", "charge (CNY)": "0.0022",
        "uncollected (CNY)": "0.00", "price": "", "task": "", "request": "req_1", "stream": "no",
        "started (UTC+8)": "2026-11-01 08:00:03", "first byte (ms)": "0", "duration (ms)": "0",
    }  # fmt: skip
    film = rows[-1]
    assert (film["uncollected (CNY)"], film["stream"]) == ("0.000000005", "yes")
    assert (film["first byte (ms)"], film["duration (ms)"]) == ("12", "345")
    assert (film["video_seconds"], film["task"], film["counted by"], film["status"]) == (
        "5", "123", "platform", "interrupted",
    )  # fmt: skip
    again = await signed_in.client.get(f"/api/usage?key={key_id}", headers={"accept": "text/csv"})
    assert again.content == answer.content


async def test_a_file_that_would_be_too_large_is_refused(platform: Platform, key_id: str) -> None:
    at = platform.clock.unix()
    for n in range(4):
        await posted(platform, f"u{n}", at=at + n * DAY, key_id=key_id)
    platform.clock.advance(4 * DAY)
    usage = replace(platform.parts.usage, policy=UsagePolicy(export_rows_max=3))
    browser = platform.browser(parts=platform.changed(usage=usage))
    async with browser.client:
        await browser.sign_in(MINE)
        path = f"/api/usage?key={key_id}&format=csv"
        refused = await browser.client.get(path + "&operation=text_to_video")
        assert code_of(refused) == (400, "invalid_parameter", "from")
        assert "more than 3 records, of all operations" in refused.json()["error"]["message"]
        answer = await browser.client.get(path + "&from=2026-11-02")
        assert answer.text.count("\r\n") == 4


async def test_a_receipt_is_checked_with_the_published_key(platform: Platform, signed_in: Browser, key_id: str) -> None:
    await platform.parts.receipts.keep_key()
    await posted(platform, "u1", at=platform.clock.unix(), key_id=key_id)
    answer = await signed_in.client.get("/api/usage/u1/receipt")
    assert answer.status_code == 200
    async with platform.client(key=None) as client:
        published = await client.get("/.well-known/yuanjing-receipts.json")
    assert "max-age" in published.headers["cache-control"]
    checked = check_receipt(answer.content, read_key_document(published.json()))
    assert checked.statement["usage_id"] == "u1"
    (key,) = published.json()["keys"]
    document = json.loads(answer.content)
    assert document["signature"]["key_id"] == key["kid"]
    public = Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(key["x"] + "="))
    signed = json.dumps(document["receipt"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    public.verify(urlsafe_b64decode(document["signature"]["value"] + "=="), signed)
    assert "secret" not in answer.text
    assert document["receipt"]["charging"]["charge"] == "0.0022"


async def test_damage_is_our_fault_and_neither_shown_nor_signed(
    platform: Platform, signed_in: Browser, key_id: str
) -> None:
    """A charge that does not add up is no fact."""
    await posted(platform, "u1", at=platform.clock.unix(), key_id=key_id, charge_nanos=1)
    with capture_logs() as logs:
        for path in ("/api/usage/u1", "/api/usage/u1/receipt"):
            answer = await signed_in.client.get(path)
            assert code_of(answer)[:2] == (500, "internal_error")
            assert "verify" not in answer.text
    assert [(one["event"], one["error"]) for one in logs] == [("edge.failed", "DamagedError")] * 2
    assert "WRONG" in (await show_usage(platform.store, "u1")).lines[-1]
