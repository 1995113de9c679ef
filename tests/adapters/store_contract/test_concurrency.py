"""What happens when several stores, as several processes, work on one database at the same time."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from tests.adapters.store_contract.builders import TEST, customer, grant, lease, pay, place, task, usage

from yuanjing.domain import ledger
from yuanjing.domain.errors import AlreadyExistsError, InsufficientFundsError
from yuanjing.domain.identity import Customer
from yuanjing.domain.videos import TaskStep, VideoTask
from yuanjing.ports.store import Store, Tx

T = TypeVar("T")


async def _all(*calls: tuple[Store, Callable[[Tx], T]]) -> list[T | Exception]:
    async def one(store: Store, work: Callable[[Tx], T]) -> T | Exception:
        try:
            return await store.write(work)
        except (InsufficientFundsError, AlreadyExistsError) as error:
            return error

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one(*call)) for call in calls]
    return [task.result() for task in running]


async def _is_sound(store: Store) -> None:
    """Balances equal the entries, versions have no gap, nothing is below zero, the book sums to zero."""

    def check(tx: Tx) -> None:
        last: dict[str, tuple[int, int]] = {}
        for entry in tx.ledger.scan_entries():
            assert last.get(entry.account, (0, 0)) == (entry.balance_before_nanos, entry.version - 1)
            last[entry.account] = (entry.balance_after_nanos, entry.version)
        balances = tx.ledger.account_balances(TEST)
        assert balances == {name: balance for name, (balance, _) in last.items()}
        assert all(balance >= 0 for name, balance in balances.items() if not ledger.may_go_negative(name))
        assert sum(balances.values()) == 0

    await store.read(check)


async def test_fifty_opposite_transfers_at_once_do_not_deadlock(sql_store: Store, other_store: Store):
    await sql_store.write(lambda tx: tx.ledger.post([grant("cus_a", 1000), grant("cus_b", 1000)]))

    begun: list[int] = []

    def swap(n: int) -> Callable[[Tx], list[bool]]:
        transfer = pay("cus_a", "cus_b", 10, f"there:{n}") if n % 2 else pay("cus_b", "cus_a", 10, f"back:{n}")

        def work(tx: Tx) -> list[bool]:
            begun.append(n)
            return tx.ledger.post([transfer])

        return work

    calls = [(store, swap(n)) for n in range(50) for store in ((sql_store, other_store)[n // 2 % 2],)]
    assert await _all(*calls) == [[True]] * 50
    assert sorted(begun) == [*range(50)], "a unit of work that had to be repeated has met a deadlock"
    await _is_sound(sql_store)
    balances = await sql_store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))
    assert balances.available_nanos == 1000


async def test_new_accounts_opened_at_once_do_not_deadlock(sql_store: Store, other_store: Store):
    def fan_out(n: int) -> Callable[[Tx], list[bool]]:
        names = [f"cus_{(n * 7 + m * 5) % 12}" for m in range(12)]
        return lambda tx: tx.ledger.post([grant(name, 1, cause=f"{n}:{m}") for m, name in enumerate(names)])

    calls = [((sql_store, other_store)[n % 2], fan_out(n)) for n in range(16)]
    assert await _all(*calls) == [[True] * 12] * 16
    await _is_sound(sql_store)


async def test_a_balance_is_spent_once_by_many(sql_store: Store, other_store: Store):
    await sql_store.write(lambda tx: tx.ledger.post([grant(amount=100)]))

    def spend(n: int) -> Callable[[Tx], list[bool]]:
        return lambda tx: tx.ledger.post([place(amount=7, hold=f"hold_{n}")])

    results = await _all(*[((sql_store, other_store)[n % 2], spend(n)) for n in range(40)])
    assert sum(result == [True] for result in results) == 14
    assert sum(isinstance(result, InsufficientFundsError) for result in results) == 26
    balances = await sql_store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))
    assert (balances.available_nanos, balances.held_nanos) == (2, 98)
    await _is_sound(sql_store)


async def test_who_locks_what_is_available_decides_by_it_alone(sql_store: Store, other_store: Store):
    await sql_store.write(lambda tx: tx.ledger.post([grant("cus_a", 100), grant("cus_b", 50)]))

    def spend(n: int) -> Callable[[Tx], bool]:
        def work(tx: Tx) -> bool:
            found = tx.ledger.lock_balances(TEST, ["cus_b", "cus_a"])
            left = {customer_id: its.spendable_nanos for customer_id, its in found.items()}
            giver = max(left, key=lambda customer_id: left[customer_id])
            if left[giver] < 7:
                return False
            return all(tx.ledger.post([place(giver, 7, hold=f"hold_{n}")]))

        return work

    results = await _all(*[((sql_store, other_store)[n % 2], spend(n)) for n in range(30)])
    assert results.count(True) == 14 + 7, "never more than there was, and never a refusal after the decision"
    assert results.count(False) == 9
    await _is_sound(sql_store)


async def test_the_same_transfer_from_many_counts_once(sql_store: Store, other_store: Store):
    transfer = grant(amount=5, cause="same")
    calls = [((sql_store, other_store)[n % 2], lambda tx: tx.ledger.post([transfer])) for n in range(20)]
    assert sorted(await _all(*calls)) == [[False]] * 19 + [[True]]
    await _is_sound(sql_store)


async def test_one_id_with_other_accounts_from_many_counts_once(sql_store: Store, other_store: Store):
    """Their accounts have no lock in common, so only the unique id stands between them."""

    def work(n: int) -> Callable[[Tx], list[bool]]:
        transfer = pay(f"cus_{n}", f"cus_x{n}", 1, "pay:same")
        return lambda tx: tx.ledger.post([transfer])

    await sql_store.write(lambda tx: tx.ledger.post([grant(f"cus_{n}", 5) for n in range(10)]))
    results = await _all(*[((sql_store, other_store)[n % 2], work(n)) for n in range(10)])
    assert sum(result == [True] for result in results) == 1
    assert sum(isinstance(result, AlreadyExistsError) for result in results) == 9
    await _is_sound(sql_store)


async def test_the_same_usage_from_many_is_new_once(sql_store: Store, other_store: Store):
    batch = [usage(f"u{n}") for n in range(20)]
    calls = [((sql_store, other_store)[n % 2], lambda tx: tx.usages.add_new(batch)) for n in range(8)]
    results = await _all(*calls)
    assert sorted(len(result) for result in results if isinstance(result, set)) == [0] * 7 + [20]


async def test_a_node_locked_here_cannot_be_closed_there(sql_store: Store, other_store: Store):
    """Each post checks the fence and then acts; a take-over must come wholly before or after it."""
    await sql_store.write(lambda tx: tx.nodes.register("m-g0", "m", "gateway", 1.5))

    def post(n: int) -> Callable[[Tx], bool]:
        def work(tx: Tx) -> bool:
            node = tx.nodes.lock("m-g0")
            assert node is not None
            if not node.is_alive or node.incarnation != 1:
                return False
            position = tx.nodes.position("m-g0", 1)
            assert position is not None
            tx.ledger.post([grant(amount=1, cause=f"post:{n}")])
            return tx.nodes.advance("m-g0", 1, expected_seq=position.posted_seq, posted_seq=position.posted_seq + 1)

        return work

    def take_over(tx: Tx) -> bool:
        tx.nodes.lock("m-g0")
        return tx.nodes.close("m-g0", 1)

    calls = [((sql_store, other_store)[n % 2], post(n)) for n in range(20)]
    calls.insert(10, (other_store, take_over))
    results = await _all(*calls)
    posted = sum(results) - 1
    state = await sql_store.read(lambda tx: (tx.nodes.position("m-g0", 1), tx.ledger.balances(TEST, "cus_a")))
    assert state[0] is not None
    assert state[0].posted_seq == state[1].available_nanos == posted
    assert await sql_store.write(post(99)) is False


async def test_lives_registered_at_once_differ(sql_store: Store, other_store: Store):
    calls = [
        ((sql_store, other_store)[n % 2], lambda tx: tx.nodes.register("m-g0", "m", "gateway", 1.5).incarnation)
        for n in range(10)
    ]
    assert sorted(await _all(*calls)) == list(range(1, 11))


async def test_recall_and_settlement_of_the_same_holds_do_not_lose_either(sql_store: Store, other_store: Store):
    ids = [f"hold_{n}" for n in range(10)]
    await sql_store.write(lambda tx: [tx.holds.add(lease(id_, amount_nanos=1000)) for id_ in ids])

    def settle(tx: Tx) -> int:
        for hold in tx.holds.lock(ids[::-1]).values():
            tx.holds.save(hold.settled(1, at=5.5))
        return 0

    def recall(tx: Tx) -> int:
        return len(tx.holds.request_recall(TEST, "cus_a", 9.5, except_hold=None))

    calls = [((sql_store, other_store)[n % 2], recall if n % 4 == 3 else settle) for n in range(20)]
    assert sum(result for result in await _all(*calls) if isinstance(result, int)) == 10
    holds = await sql_store.read(lambda tx: list(tx.holds.scan()))
    assert [(hold.settled_nanos, hold.recall_requested_at) for hold in holds] == [(15, 9.5)] * 10


async def test_a_task_is_claimed_by_one_of_many(sql_store: Store, other_store: Store):
    def add(tx: Tx) -> None:
        for n in range(60):
            tx.tasks.add(task(str(n), customer_id=f"cus_{n % 7}"), "submitted")

    await sql_store.write(add)

    def claim(n: int) -> Callable[[Tx], list[VideoTask]]:
        return lambda tx: tx.tasks.claim(f"w{n}", [TaskStep.WAITING], at=5000.0, until=5060.0, limit=5)

    results = await _all(*[((sql_store, other_store)[n % 2], claim(n)) for n in range(16)])
    claimed = [one.id for result in results for one in (result if isinstance(result, list) else [])]
    rest = await sql_store.write(
        lambda tx: tx.tasks.claim("last", [TaskStep.WAITING], at=5000.0, until=6000.0, limit=60)
    )
    assert sorted(claimed + [one.id for one in rest], key=int) == [str(n) for n in range(60)]
    assert len(claimed) >= 40, "those who came at the same time passed over what others had taken"


async def test_one_of_two_takes_a_providers_task(sql_store: Store, other_store: Store):
    def work(n: int) -> Callable[[Tx], bool]:
        def adopt(tx: Tx) -> bool:
            tx.tasks.add(task(str(n)), "submitted")
            (mine,) = tx.tasks.claim("w", [TaskStep.WAITING], at=5000.0, until=5060.0, limit=1)
            return tx.tasks.save(replace(mine, channel_id="chan_1", upstream_task_id="cgt-1", step=TaskStep.POLLING))

        return adopt

    results = await _all((sql_store, work(1)), (other_store, work(2)))
    assert sorted(isinstance(result, AlreadyExistsError) for result in results) == [False, True]


async def test_customers_who_want_one_number_at_once_do_not_share_it(sql_store: Store, other_store: Store):
    people = [customer(f"cus_{n}", mobile=f"+86138000000{n:02}") for n in range(10)]
    for one in people:
        await sql_store.write(lambda tx, one=one: tx.customers.add(one))

    def take(one: Customer) -> Callable[[Tx], None]:
        return lambda tx: tx.customers.save(replace(one, mobile="+8613900000000"))

    calls = [((sql_store, other_store)[n % 2], take(one)) for n, one in enumerate(people)]
    results = await _all(*calls)
    assert results.count(None) == 1
    assert sum(isinstance(one, AlreadyExistsError) for one in results) == 9
    found = await other_store.read(lambda tx: tx.customers.list(after=None, limit=20))
    assert sum(one.mobile == "+8613900000000" for one in found) == 1
