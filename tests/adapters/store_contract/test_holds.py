from dataclasses import replace

import pytest
import sqlalchemy as sa
from tests.adapters.store_contract.builders import LIVE, TEST, lease, task_hold

from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.holds import Hold
from yuanjing.ports.store import HoldSum, Store, Tx


async def _add(store: Store, *holds: Hold) -> None:
    def work(tx: Tx) -> None:
        for hold in holds:
            tx.holds.add(hold)

    await store.write(work)


async def test_a_hold_is_kept_as_it_was(store: Store):
    holds = [lease("hold_1"), task_hold("hold_2"), lease("hold_3", is_closing=True, recall_requested_at=7.5)]
    await _add(store, *holds)
    found = await store.write(lambda tx: tx.holds.lock(["hold_3", "hold_1", "hold_9", "hold_2", "hold_1"]))
    assert found == {hold.id: hold for hold in holds}
    assert list(found) == ["hold_1", "hold_2", "hold_3"]
    assert await store.read(lambda tx: tx.holds.lock([])) == {}


async def test_an_id_is_taken_once_and_the_unit_of_work_can_go_on(store: Store):
    await _add(store, lease())

    def work(tx: Tx) -> None:
        with pytest.raises(AlreadyExistsError):
            tx.holds.add(lease())
        tx.holds.add(lease("hold_2"))

    await store.write(work)
    assert len(await store.read(lambda tx: tx.holds.lock(["hold_1", "hold_2"]))) == 2


async def test_many_are_added_together_or_the_one_that_exists_is_told(store: Store):
    holds = [lease("hold_1"), task_hold("hold_2"), lease("hold_3", is_closing=True, recall_requested_at=7.5)]
    await store.write(lambda tx: tx.holds.add(*holds))
    await store.write(lambda tx: tx.holds.add())
    with pytest.raises(AlreadyExistsError, match="hold_2"):
        await store.write(lambda tx: tx.holds.add(lease("hold_0"), task_hold("hold_2"), lease("hold_9")))
    assert await store.read(lambda tx: list(tx.holds.scan())) == holds


async def test_saved_fields_are_seen_at_once_and_kept(store: Store):
    await _add(store, lease(amount_nanos=100), lease("hold_2"))
    changed = lease(
        amount_nanos=300,
        settled_nanos=200,
        released_nanos=100,
        is_closing=True,
        recall_requested_at=8.25,
        parts=4,
        expires_at=9000.5,
        closed_at=8999.5,
    )

    def work(tx: Tx) -> dict[str, Hold]:
        tx.holds.save(replace(changed, parts=3))
        tx.holds.save(changed)
        return tx.holds.lock(["hold_1"])

    assert await store.write(work) == {"hold_1": changed}
    assert await store.read(lambda tx: tx.holds.lock(["hold_1", "hold_2"])) == {
        "hold_1": changed,
        "hold_2": lease("hold_2"),
    }


async def test_a_hundred_holds_saved_together(store: Store):
    holds = [lease(f"hold_{n:03}", amount_nanos=1000) for n in range(100)]
    await _add(store, *holds)

    def work(tx: Tx) -> None:
        for n, hold in enumerate(tx.holds.lock([h.id for h in holds]).values()):
            tx.holds.save(replace(hold, settled_nanos=n))

    await store.write(work)
    found = await store.read(lambda tx: list(tx.holds.scan()))
    assert [hold.settled_nanos for hold in found] == list(range(100))


async def test_open_leases_of_one_life_of_a_node(store: Store):
    mine = [lease("hold_2"), lease("hold_1")]
    await _add(
        store,
        *mine,
        lease("hold_3", owner_incarnation=2),
        lease("hold_4", owner_node="m-g1"),
        task_hold("hold_5"),
        lease("hold_6", amount_nanos=5, settled_nanos=5, closed_at=1.0),
    )
    found = await store.write(lambda tx: tx.holds.open_of_owner("m-g0", 1))
    assert found == sorted(mine, key=lambda hold: hold.id)


async def test_open_holds_of_a_customer(store: Store):
    await _add(
        store,
        task_hold("hold_2"),
        lease("hold_1"),
        lease("hold_3", customer_id="cus_b"),
        lease("hold_4", book=LIVE),
        lease("hold_5", amount_nanos=5, released_nanos=5, closed_at=1.0),
    )
    found = await store.read(lambda tx: tx.holds.open_of_customer(TEST, "cus_a"))
    assert [hold.id for hold in found] == ["hold_1", "hold_2"]


async def test_recall_marks_the_leases_of_others_once(store: Store):
    await _add(
        store,
        lease("hold_4", owner_node="m-g2"),
        lease("hold_1", owner_node="m-g1"),
        lease("hold_0", owner_node="m-g0"),
        lease("hold_2", owner_node="m-g1", is_closing=True),
        lease("hold_3", owner_node="m-g1", customer_id="cus_b"),
        lease("hold_5", owner_node="m-g1", recall_requested_at=1.0),
        task_hold("hold_6"),
        lease("hold_7", owner_node="m-g1", book=LIVE),
    )

    def recall(tx: Tx) -> list[Hold]:
        return tx.holds.request_recall(TEST, "cus_a", 50.5, except_hold="hold_0")

    marked = await store.write(recall)
    assert [(hold.id, hold.recall_requested_at) for hold in marked] == [("hold_1", 50.5), ("hold_4", 50.5)]
    assert await store.write(recall) == []
    recalled = await store.read(lambda tx: tx.holds.recalled_of_owner("m-g1", 1))
    assert [hold.id for hold in recalled] == ["hold_1", "hold_5"]

    everyone = await store.write(lambda tx: tx.holds.request_recall(TEST, "cus_a", 60.0, except_hold=None))
    assert [hold.id for hold in everyone] == ["hold_0"]


async def test_a_saved_hold_is_not_recalled_as_it_was(store: Store):
    await _add(store, lease("hold_1", owner_node="m-g1"))

    def work(tx: Tx) -> list[Hold]:
        tx.holds.save(lease("hold_1", owner_node="m-g1", is_closing=True))
        return tx.holds.request_recall(TEST, "cus_a", 50.5, except_hold="hold_0")

    assert await store.write(work) == []


async def test_expired_holds_oldest_first(store: Store):
    await _add(
        store,
        lease("hold_1", expires_at=30.0),
        task_hold("hold_2", expires_at=10.0),
        lease("hold_3", expires_at=20.0),
        lease("hold_4", expires_at=30.5),
        lease("hold_5", expires_at=1.0, amount_nanos=1, settled_nanos=1, closed_at=2.0),
    )
    assert [h.id for h in await store.read(lambda tx: tx.holds.expired(30.0, 10))] == ["hold_2", "hold_3", "hold_1"]
    assert [h.id for h in await store.read(lambda tx: tx.holds.expired(30.0, 1))] == ["hold_2"]


async def test_scan_of_all_holds(store: Store):
    await _add(
        store, lease("hold_2"), task_hold("hold_1"), lease("hold_3", amount_nanos=1, settled_nanos=1, closed_at=2.0)
    )
    assert [h.id for h in await store.read(lambda tx: list(tx.holds.scan()))] == ["hold_1", "hold_2", "hold_3"]


async def test_sums_of_open_holds(store: Store):
    assert await store.read(lambda tx: tx.holds.open_sums()) == {}
    large = 4 * 10**18  # more than a double holds exactly
    await _add(
        store,
        lease("hold_1", amount_nanos=large + 1, settled_nanos=3, released_nanos=4),
        task_hold("hold_2", amount_nanos=large),
        lease("hold_3", amount_nanos=1, settled_nanos=1, closed_at=2.0),
        lease("hold_4", book=LIVE, amount_nanos=5),
    )
    assert await store.read(lambda tx: tx.holds.open_sums()) == {
        TEST: HoldSum(count=2, remaining_nanos=2 * large - 6),
        LIVE: HoldSum(count=1, remaining_nanos=5),
    }


@pytest.mark.parametrize("impossible", [{"amount_nanos": 0}, {"closed_at": 5.5}], ids=["empty", "closed_not_empty"])
async def test_impossible_holds_are_refused_by_the_store_itself(store: Store, impossible: dict[str, object]):
    await _add(store, lease("hold_1"))
    refused = (AssertionError, sa.exc.IntegrityError)
    with pytest.raises(refused):
        await _add(store, lease("hold_2", **impossible))
    with pytest.raises(refused):
        await store.write(lambda tx: tx.holds.save(lease("hold_1", **impossible)))
    assert await store.read(lambda tx: list(tx.holds.scan())) == [lease("hold_1")]
