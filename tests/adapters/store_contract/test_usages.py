from typing import Any

from tests.adapters.store_contract.builders import LIVE, TEST, usage

from yuanjing.domain.days import day_of
from yuanjing.domain.usage import UsageDay
from yuanjing.ports.store import Store
from yuanjing.ports.usages import DaysFilter, UsageFilter, UsageGroup


async def test_a_record_is_kept_as_it_was(store: Store):
    record = usage("u1", charge_nanos=10**18 - 1)
    assert await store.write(lambda tx: tx.usages.add_new([record])) == {"u1"}
    assert await store.read(lambda tx: tx.usages.get("u1")) == record
    assert await store.read(lambda tx: tx.usages.get("u2")) is None


async def test_a_record_is_written_once(store: Store):
    first = usage("u1")
    await store.write(lambda tx: tx.usages.add_new([first]))
    again = [usage("u1", charge_nanos=1), usage("u2"), usage("u2", charge_nanos=2), usage("u3")]
    assert await store.write(lambda tx: tx.usages.add_new(again)) == {"u2", "u3"}
    assert await store.read(lambda tx: tx.usages.get("u1")) == first
    assert await store.read(lambda tx: tx.usages.get("u2")) == usage("u2")
    assert await store.read(lambda tx: tx.usages.existing(["u1", "u9", "u3"])) == {"u1", "u3"}
    assert await store.read(lambda tx: tx.usages.existing([])) == set()
    assert await store.write(lambda tx: tx.usages.add_new([])) == set()


async def test_a_large_batch(store: Store):
    batch = [usage(f"u{n:04}", charge_nanos=10**15) for n in range(1500)]
    assert await store.write(lambda tx: tx.usages.add_new(batch)) == {u.record.id for u in batch}
    assert await store.read(lambda tx: [u.record.id for u in tx.usages.scan()]) == [u.record.id for u in batch]


async def test_lists_are_filtered_and_newest_first(store: Store):
    records = [
        usage("u1", posted_at=1.0),
        usage("u2", posted_at=2.0, book=LIVE),
        usage("u3", posted_at=2.0, key_id="key_2"),
        usage("u4", posted_at=3.0, model="other"),
        usage("u5", posted_at=4.0, customer_id="cus_b"),
    ]
    await store.write(lambda tx: tx.usages.add_new(records))

    async def ids(where: UsageFilter) -> list[str]:
        return [u.record.id for u in await store.read(lambda tx: tx.usages.list(where))]

    assert await ids(UsageFilter()) == ["u5", "u4", "u3", "u2", "u1"]
    assert await ids(UsageFilter(limit=2)) == ["u5", "u4"]
    assert await ids(UsageFilter(customer_id="cus_a")) == ["u4", "u3", "u2", "u1"]
    assert await ids(UsageFilter(customer_id="cus_a", book=TEST)) == ["u4", "u3", "u1"]
    assert await ids(UsageFilter(key_id="key_2")) == ["u3"]
    assert await ids(UsageFilter(model="other")) == ["u4"]
    assert await ids(UsageFilter(before=(2.0, "u3"), limit=1)) == ["u2"]
    assert await ids(UsageFilter(before=(2.0, "u2"))) == ["u1"]


async def test_lists_are_filtered_by_operation_and_time_and_a_customers_books_come_in_one_order(store: Store):
    records = [
        usage("u1", posted_at=1.0),
        usage("u2", posted_at=2.0, book=LIVE, operation="text_to_video"),
        usage("u3", posted_at=2.0, operation="text_to_video"),
        usage("u4", posted_at=3.0, book=LIVE),
        usage("u5", posted_at=4.0, customer_id="cus_b", operation="text_to_video"),
        usage("u6", posted_at=4.0),
    ]
    await store.write(lambda tx: tx.usages.add_new(records))

    async def ids(**where: Any) -> list[str]:
        return [u.record.id for u in await store.read(lambda tx: tx.usages.list(UsageFilter(**where)))]

    assert await ids(operation="text_to_video") == ["u5", "u3", "u2"]
    assert await ids(operation="chat", customer_id="cus_a") == ["u6", "u4", "u1"]
    assert await ids(operation="text_to_video", customer_id="cus_a", book=LIVE) == ["u2"]
    assert await ids(posted_from=2.0, posted_until=4.0) == ["u4", "u3", "u2"]
    assert await ids(posted_from=2.0, before=(3.0, "u4")) == ["u3", "u2"]
    assert await ids(posted_from=2.5, posted_until=2.5) == []
    assert await ids(customer_id="cus_a") == ["u6", "u4", "u3", "u2", "u1"]
    assert await ids(customer_id="cus_a", limit=3) == ["u6", "u4", "u3"]
    assert await ids(customer_id="cus_a", before=(2.0, "u3"), limit=3) == ["u2", "u1"]
    for name in ("customer_id", "key_id", "model", "operation"):
        assert await ids(**{name: "a\0b"}) == []


async def test_days_are_added_up_by_what_is_asked_for(store: Store):
    day = 86_400.0
    records = [
        usage(f"u{n}", posted_at=at, key_id=key, model=model, book=book, customer_id=customer, charge_nanos=10**n)
        for n, (at, key, model, book, customer) in enumerate(
            [
                (MIDNIGHT, "key_1", "a", TEST, "cus_a"),
                (MIDNIGHT, "key_1", "a", TEST, "cus_a"),
                (MIDNIGHT, "key_2", "b", TEST, "cus_a"),
                (MIDNIGHT + day, "key_1", "b", TEST, "cus_a"),
                (MIDNIGHT + 2 * day, "key_2", "a", TEST, "cus_a"),
                (MIDNIGHT, "key_1", "a", LIVE, "cus_a"),
                (MIDNIGHT, "key_1", "a", TEST, "cus_b"),
            ]
        )
    ]
    await store.write(lambda tx: tx.usages.add_new(records))
    input_tokens = records[0].record.meters["input_tokens"]

    async def sums(*by: UsageGroup, **where: Any) -> list[tuple[object, ...]]:
        terms: dict[str, Any] = {"customer_id": "cus_a", "book": TEST, "first": 1, "last": 2} | where
        wanted = DaysFilter(by=frozenset(by), **terms)
        found = await store.read(lambda tx: tx.usages.sum_days(wanted))
        assert all(type(one.charge_nanos) is int for one in found)
        assert all(one.input_tokens == input_tokens * one.requests for one in found)
        return [(one.day, one.key_id, one.model, one.requests, one.charge_nanos) for one in found]

    day_, key, model = UsageGroup.DAY, UsageGroup.KEY, UsageGroup.MODEL
    assert await sums() == [(None, None, None, 4, 1111)]
    assert await sums(last=9) == [(None, None, None, 5, 11111)]
    assert await sums(first=7, last=9) == []
    assert await sums(book=LIVE) == [(None, None, None, 1, 10**5)]
    assert await sums(customer_id="cus_c") == []
    assert await sums(key_id="key_1") == [(None, None, None, 3, 1011)]
    assert await sums(key_id="key_1", model="a") == [(None, None, None, 2, 11)]
    assert await sums(day_) == [(1, None, None, 3, 111), (2, None, None, 1, 1000)]
    assert await sums(key) == [(None, "key_1", None, 3, 1011), (None, "key_2", None, 1, 100)]
    assert await sums(model, day_) == [(1, None, "a", 2, 11), (1, None, "b", 1, 100), (2, None, "b", 1, 1000)]
    assert await sums(day_, key, model, limit=2) == [(1, "key_1", "a", 2, 11), (1, "key_2", "b", 1, 100)]
    assert await sums(model="a\0") == []


DAY = 86_400.0
MIDNIGHT = 16 * 3600.0
"""Of UTC+8, in Unix seconds of the first day."""


async def test_usages_are_added_up_by_day_as_they_are_posted(store: Store):
    def posted(id_: str, at: float, **changes: object):
        return usage(id_, posted_at=at, charge_nanos=5, **changes)

    first = [
        posted("u1", MIDNIGHT - 1),
        posted("u2", MIDNIGHT),
        posted("u3", MIDNIGHT + DAY - 1),
        posted("u4", MIDNIGHT + 1, key_id="key_2"),
        posted("u5", MIDNIGHT + 1, model="other"),
        posted("u6", MIDNIGHT + 1, customer_id="cus_b"),
        posted("u7", MIDNIGHT + 1, book=LIVE),
    ]
    await store.write(lambda tx: tx.usages.add_new(first))
    await store.write(lambda tx: tx.usages.add_new([first[1], posted("u8", MIDNIGHT + 2), posted("u8", MIDNIGHT + 3)]))
    meters = first[0].record.meters

    def day(number: int, requests: int, key_id: str = "key_1", model: str = first[0].record.model) -> UsageDay:
        return UsageDay(
            customer_id="cus_a",
            book=TEST,
            day=number,
            key_id=key_id,
            model=model,
            requests=requests,
            input_tokens=requests * meters["input_tokens"],
            output_tokens=requests * meters["output_tokens"],
            charge_nanos=requests * 5,
        )

    expected = [day(0, 1), day(1, 1, model="other"), day(1, 3), day(1, 1, "key_2")]
    found = list(await store.read(lambda tx: tx.usages.days("cus_a", TEST, 0, 1)))
    assert found == expected
    assert list(await store.read(lambda tx: tx.usages.days("cus_a", TEST, 1, 9))) == expected[1:]
    everything = await store.read(lambda tx: list(tx.usages.scan_days()))
    assert [(one.customer_id, one.book) for one in everything] == [
        ("cus_a", LIVE),
        *[("cus_a", TEST)] * 4,
        ("cus_b", TEST),
    ]
    assert everything[1:5] == expected
    assert (day_of(MIDNIGHT - 0.001), day_of(MIDNIGHT)) == (0, 1)
