from yuanjing.ports.store import Signal, Store, Topic, Tx


def _emit(tx: Tx) -> None:
    tx.signals.emit(Topic.CATALOG, "", 1.5)
    tx.signals.emit(Topic.FUNDS, "test:cus_a", 2.5)
    tx.signals.emit(Topic.KEY, "key_1", 3.5)


async def test_signals_come_in_order_above_a_number(store: Store):
    assert await store.read(lambda tx: tx.signals.last_seq()) == 0
    assert await store.read(lambda tx: tx.signals.since(0, 10)) == []
    await store.write(_emit)
    found = await store.read(lambda tx: tx.signals.since(0, 10))
    assert [(s.topic, s.subject, s.at) for s in found] == [
        (Topic.CATALOG, "", 1.5),
        (Topic.FUNDS, "test:cus_a", 2.5),
        (Topic.KEY, "key_1", 3.5),
    ]
    assert [s.seq for s in found] == sorted({s.seq for s in found})
    assert await store.read(lambda tx: tx.signals.since(found[0].seq, 1)) == [found[1]]
    assert await store.read(lambda tx: tx.signals.last_seq()) == found[-1].seq


async def test_pruning_never_lets_numbers_start_again(store: Store):
    await store.write(_emit)
    last = await store.read(lambda tx: tx.signals.last_seq())
    assert await store.write(lambda tx: tx.signals.prune(2.0)) == 1
    assert await store.write(lambda tx: tx.signals.prune(100.0)) == 1
    assert await store.write(lambda tx: tx.signals.prune(100.0)) == 0
    assert await store.read(lambda tx: tx.signals.last_seq()) == last
    await store.write(lambda tx: tx.signals.emit(Topic.RECALL, "m-g0", 4.5))
    found = await store.read(lambda tx: tx.signals.since(last, 10))
    assert found == [Signal(seq=found[0].seq, topic=Topic.RECALL, subject="m-g0", at=4.5)]
    assert found[0].seq > last
