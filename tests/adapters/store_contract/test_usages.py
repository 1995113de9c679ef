from tests.adapters.store_contract.builders import LIVE, TEST, usage

from yuanjing.ports.store import Store, UsageFilter


async def test_a_record_is_kept_as_it_was(store: Store):
    record = usage("u1")
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
    batch = [usage(f"u{n:04}") for n in range(1500)]
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
