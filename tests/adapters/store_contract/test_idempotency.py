"""Idempotency keys, on every store; and many processes that claim one at once."""

import asyncio
from dataclasses import replace

import pytest

from yuanjing.domain.idempotency import Claim, FinishedRequest, Found, IdempotentRequest, Standing
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.idempotency import claim_chats, look_up, prune_keys, release_claims

OWNER = ("g0", 1)


def request(number: int = 1, **changes: object) -> IdempotentRequest:
    values: dict[str, object] = {
        "key_id": "key_a",
        "digest": b"\x00\xff%d" % number,
        "content": b"\x01\x00",
        "usage_id": f"usage_{number}",
        "changed_at": float(number),
        "node_id": "g0",
        "incarnation": 1,
    }
    return IdempotentRequest(**(values | changes))  # type: ignore[arg-type]


def claim(usage_id: str, number: int = 1, **changes: object) -> Claim:
    values: dict[str, object] = {"key_id": "key_a", "digest": b"%d" % number, "content": b"asked", "usage_id": usage_id}
    return Claim(**(values | changes))  # type: ignore[arg-type]


async def put(store: Store, *rows: IdempotentRequest) -> list[bool]:
    """Which of them were inserted."""
    added = await store.write(lambda tx: tx.idempotency.add_new(rows))
    return [row.usage_id in added for row in rows]


async def get(store: Store, row: IdempotentRequest) -> IdempotentRequest | None:
    return await store.read(lambda tx: tx.idempotency.get(row.key_id, row.digest))


async def test_rows_are_kept_as_they_are(store: Store):
    video = request(2, node_id=None, incarnation=None, task_id="123", is_done=True, answer=b"[]")
    chat = request(3, is_done=True, answer=b"\x00" + b"x" * 2**20, clamped_to=2**40)
    assert await put(store, request(), video, chat) == [True, True, True]
    assert [await get(store, row) for row in (request(), video, chat)] == [request(), video, chat]
    assert await get(store, request(key_id="key_b")) is None
    assert await store.write(lambda tx: tx.idempotency.lock("key_a", request().digest)) == request()
    assert await store.write(lambda tx: tx.idempotency.lock("key_a", b"")) is None


async def test_the_first_row_stays(store: Store):
    other = request(usage_id="of another", key_id="key_b")
    assert await put(store, request(), request(usage_id="other"), other) == [True, False, True]
    assert await put(store) == []
    assert await put(store, request(usage_id="third")) == [False]
    assert await get(store, request()) == request()


async def test_a_result_comes_once_and_from_its_own_request(store: Store):
    row = request()
    await put(store, row)

    def result(usage_id: str, answer: bytes | None, digest: bytes = row.digest) -> FinishedRequest:
        return FinishedRequest(key_id="key_a", digest=digest, usage_id=usage_id, answer=answer, clamped_to=5)

    async def finish(*results: FinishedRequest) -> None:
        await store.write(lambda tx: tx.idempotency.finish(results, 9.5))

    await finish(result("other", b"no"))
    assert await get(store, row) == row
    await put(store, request(2))
    await finish(result("usage_1", b"yes"), result("usage_2", None, request(2).digest), result("nobody", b"", b"\0"))
    await finish(result("usage_1", b"again"))
    await finish()
    done = replace(row, is_done=True, answer=b"yes", clamped_to=5, changed_at=9.5)
    assert await get(store, row) == done
    assert await get(store, request(2)) == replace(request(2), is_done=True, clamped_to=5, changed_at=9.5)
    assert not await store.write(lambda tx: tx.idempotency.release("key_a", row.digest, "usage_1"))


async def test_only_its_own_request_frees_a_key(store: Store):
    row = request()
    await put(store, row)
    assert not await store.write(lambda tx: tx.idempotency.release("key_a", row.digest, "other"))
    assert await store.write(lambda tx: tx.idempotency.release("key_a", row.digest, "usage_1"))
    assert not await store.write(lambda tx: tx.idempotency.release("key_a", row.digest, "usage_1"))
    assert await put(store, request(usage_id="next")) == [True]


async def test_a_key_changes_hands(store: Store):
    await put(store, request())
    later = request(usage_id="later", node_id="g1", incarnation=7, changed_at=8.0, content=b"not this")
    await store.write(lambda tx: tx.idempotency.hand_over(later))
    assert await get(store, request()) == replace(later, content=request().content)


async def test_what_is_undone_was_never_there(store: Store):
    def work(tx: Tx) -> None:
        tx.idempotency.add_new([request()])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.write(work)
    assert await get(store, request()) is None


async def test_old_keys_go_in_bounded_pieces_the_oldest_first(store: Store, clock: ManualClock):
    await put(store, *(request(number) for number in range(1, 8)), request(9, key_id="key_b"))
    assert await store.write(lambda tx: tx.idempotency.prune(6.0, 3)) == 3
    assert await get(store, request(3)) is None
    assert await get(store, request(4)) is not None
    assert await store.write(lambda tx: tx.idempotency.prune(6.0, 3)) == 2
    assert await store.write(lambda tx: tx.idempotency.prune(6.0, 3)) == 0
    assert await get(store, request(6)) is not None
    new = request(20, changed_at=clock.unix() - 24 * 3600)
    await put(store, new)
    assert not await prune_keys(store, clock, hours=25)
    assert await get(store, new) == new
    assert await get(store, request(9, key_id="key_b")) is None
    clock.advance(3601)
    assert not await prune_keys(store, clock, hours=25)
    assert await get(store, new) is None


# who is the first


async def claims(store: Store, *wanted: Claim, owner: tuple[str, int] = OWNER) -> list[Standing]:
    found = await store.write(lambda tx: claim_chats(tx, wanted, owner, 5.0))
    return [one.standing for one in found]


async def test_one_claim_is_the_first_in_one_batch_and_over_batches(store: Store):
    await store.write(lambda tx: tx.nodes.register("g0", "m", "gateway", 0.0))
    wanted = [
        claim("u1", 2),
        claim("u2", 1),
        claim("u3", 2),
        claim("u4", 1, content=b"other"),
        claim("u5", 1, key_id="b"),
    ]
    assert await claims(store, *wanted) == ["new", "new", "running", "other", "new"]
    assert await claims(store, claim("u6", 1), claim("u2", 1)) == ["running", "new"]
    await store.write(lambda tx: release_claims(tx, [claim("u2", 1), claim("u3", 2)]))
    assert await store.read(lambda tx: look_up(tx, claim("u7", 1))) is None
    assert (await store.read(lambda tx: look_up(tx, claim("u7", 2)))).standing is Standing.RUNNING  # type: ignore[union-attr]
    assert await claims(store, claim("u7", 1), claim("u8", 2)) == ["new", "running"]


async def test_the_key_of_a_dead_process_is_free_when_its_spool_is_posted_and_not_before(store: Store):
    def begin(tx: Tx) -> None:
        tx.nodes.register("g0", "m", "gateway", 0.0)
        tx.nodes.register("g1", "m", "gateway", 0.0)

    await store.write(begin)
    assert await claims(store, claim("u1")) == ["new"]
    assert await claims(store, claim("u2"), owner=("g1", 1)) == ["running"]
    await store.write(lambda tx: tx.nodes.close("g0", 1))
    assert await claims(store, claim("u2"), owner=("g1", 1)) == ["running"], "it may have been answered and charged"
    await store.write(lambda tx: tx.nodes.finish("g0", 1))
    assert await claims(store, claim("u2", content=b"other"), owner=("g1", 1)) == ["other"]
    assert await claims(store, claim("u2"), claim("u3"), owner=("g1", 1)) == ["new", "running"]
    await store.write(lambda tx: release_claims(tx, [claim("u1")]))  # the dead one's last word comes late
    row = await store.read(lambda tx: tx.idempotency.get(*claim("u2").place))
    assert row is not None
    assert (row.usage_id, row.node_id, row.incarnation, row.is_done) == ("u2", "g1", 1, False)


async def test_many_claim_a_few_keys_from_two_processes_at_once(sql_store: Store, other_store: Store):
    await sql_store.write(lambda tx: tx.nodes.register("g0", "m", "gateway", 0.0))

    async def batch(store: Store, name: int) -> list[tuple[Claim, Found]]:
        wanted = [claim(f"u{name}-{number}", number) for number in range(5)]
        wanted = wanted[name % 5 :] + wanted[: name % 5]
        found = await store.write(lambda tx: claim_chats(tx, wanted, OWNER, 5.0))
        return list(zip(wanted, found, strict=True))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(batch((sql_store, other_store)[n % 2], n)) for n in range(40)]
    batches = [task.result() for task in tasks]
    first = [one.digest for batch in batches for one, found in batch if found.standing is Standing.NEW]
    assert sorted(first) == [b"%d" % number for number in range(5)]
    assert {found.standing for batch in batches for _, found in batch} == {Standing.NEW, Standing.RUNNING}


async def test_claims_and_releases_at_once_leave_each_key_with_one_owner(sql_store: Store, other_store: Store):
    await sql_store.write(lambda tx: tx.nodes.register("g0", "m", "gateway", 0.0))
    running = 0

    async def run(store: Store, name: str) -> bool:
        nonlocal running
        mine = claim(name)
        (found,) = await store.write(lambda tx: claim_chats(tx, [mine], OWNER, 5.0))
        if found.standing is not Standing.NEW:
            return False
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        await store.write(lambda tx: release_claims(tx, [mine]))
        return True

    stores = (sql_store, other_store)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(stores[n % 2], f"u{n}")) for n in range(60)]
    assert any(task.result() for task in tasks)
    assert await sql_store.read(lambda tx: tx.idempotency.get(*claim("").place)) is None
