"""Checks of holds: their sums, their owners, and the budgets that they count against."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from yuanjing.domain.holds import Hold, HoldPurpose
from yuanjing.domain.identity import ApiKey, BudgetPeriod
from yuanjing.domain.ledger import Reason, account_kind, customer_of
from yuanjing.domain.money import Book
from yuanjing.ports.damage import Damaged, readable
from yuanjing.ports.identity import KeyBudget
from yuanjing.ports.store import Tx
from yuanjing.usecases.breaches import Findings, only_sound
from yuanjing.usecases.tally import Tally, sums_of


@dataclass(kw_only=True, slots=True)
class Spending:
    """What usage has cost one key: all of it, and with the time of each posting for budgets with a period."""

    total_nanos: int = 0
    by_hour: defaultdict[int, int] = field(default_factory=lambda: defaultdict[int, int](int))

    def since(self, at: float) -> int:
        """What was posted from the hour of `at` on; periods begin on the hour."""
        return sum(nanos for hour, nanos in self.by_hour.items() if hour * 3600 >= at)


_LATE_SECONDS = 86_400
"""So long after a budget was set, leases from before may still be charged."""
_SUMS = {Reason.HOLD: "placed", Reason.SETTLE: "settled", Reason.RELEASE: "released"}


def check_holds(tx: Tx, findings: Findings) -> dict[str, Hold]:
    """Each hold is what its transfers made it, closed ones hold nothing, and all make up the held accounts.

    Returns the open ones.
    """
    open_holds: dict[str, Hold] = {}
    tally = Tally(counts=False)
    for hold in findings.sound("holds", tx.holds.scan()):
        findings.count("holds")
        if hold.closed_at is None:
            open_holds[hold.id] = hold
        elif hold.remaining_nanos:
            findings.add("holds", hold.id, f"it is closed, but {hold.remaining_nanos} remain in it")
        for key, amount in _sums_of_hold(hold):
            tally.add(key, amount)
    for key, amount in _sums_of_transfers(tx):
        tally.add(key, amount, sign=-1)
    if not tally.is_even:
        _explain(tx, findings, tally)
    _check_held(tx, findings, open_holds)
    return open_holds


def _sums_of_hold(hold: Hold) -> Iterator[tuple[str, int]]:
    whose = f"{hold.id}|{hold.book}|{hold.customer_id}"
    yield f"{whose}|placed", hold.amount_nanos
    yield f"{whose}|settled", hold.settled_nanos
    yield f"{whose}|released", hold.released_nanos
    yield f"{whose}|parts", hold.parts


def _sums_of_transfers(tx: Tx) -> Iterator[tuple[str, int]]:
    for transfer in only_sound(tx.ledger.scan_transfers()):
        if transfer.hold_id is not None:
            whose = f"{transfer.hold_id}|{transfer.book}|{customer_of(transfer.debit)}"
            yield f"{whose}|{_SUMS.get(transfer.reason, transfer.reason)}", transfer.amount_nanos
            yield f"{whose}|parts", 1


def _explain(tx: Tx, findings: Findings, tally: Tally) -> None:
    """Find the holds that are not what their transfers make, among those that may not be."""
    rows = (item for hold in only_sound(tx.holds.scan()) for item in _sums_of_hold(hold))
    actual = sums_of(item for item in rows if tally.is_suspect(item[0]))
    expected = sums_of(item for item in _sums_of_transfers(tx) if tally.is_suspect(item[0]))
    wrong: defaultdict[str, list[str]] = defaultdict(list)
    for key in sorted(actual.keys() | expected.keys()):
        is_, should = actual.get(key, (0, 0))[1], expected.get(key, (0, 0))[1]
        if is_ != should:
            hold_id, _, what = key.partition("|")
            wrong[hold_id].append(f"{what.rpartition('|')[2]} is {is_}, its transfers make {should}")
    for hold_id, problems in wrong.items():
        findings.add("holds", hold_id, "; ".join(problems))


def _check_held(tx: Tx, findings: Findings, open_holds: Mapping[str, Hold]) -> None:
    expected: defaultdict[tuple[Book, str], int] = defaultdict(int)
    for hold in open_holds.values():
        expected[hold.book, hold.customer_id] += hold.remaining_nanos
    for book in Book:
        for account, balance in tx.ledger.account_balances(book).items():
            customer_id = customer_of(account)
            if customer_id is None or account_kind(account) != "held":
                continue
            findings.count("held accounts")
            remaining = expected.pop((book, customer_id), 0)
            if balance != remaining:
                message = f"the balance is {balance}, open holds have {remaining}"
                findings.add("held accounts", f"{book} {account}", message)
    for (book, customer_id), remaining in expected.items():
        if remaining:
            findings.add("held accounts", f"{book} {customer_id}", f"open holds have {remaining}, the account nothing")


def check_owners(tx: Tx, findings: Findings, open_holds: Mapping[str, Hold]) -> None:
    """Each open lease has a living owner, or is closing and waits for a spool that is not finished."""
    alive = {(node.id, node.incarnation) for node in tx.nodes.all() if node.is_alive}
    unfinished = {(position.node_id, position.incarnation) for position in tx.nodes.unfinished()}
    for hold in open_holds.values():
        if hold.purpose is not HoldPurpose.LEASE:
            continue
        findings.count("leases")
        if hold.owner_node is None or hold.owner_incarnation is None:
            findings.add("leases", hold.id, "the lease has no owner")
            continue
        owner = (hold.owner_node, hold.owner_incarnation)
        if owner not in alive and not (hold.is_closing and owner in unfinished):
            findings.add("leases", hold.id, f"its owner {owner[0]} {owner[1]} does not live any more")


def check_budgets(tx: Tx, findings: Findings, open_holds: Mapping[str, Hold], spent: Mapping[str, Spending]) -> None:
    """Budgets hold what the open leases of their keys hold, and have spent what their usage cost.

    The spending of a day or a month is checked within bounds: a clock that was set back makes both ends soft. So is
    that of a budget that was set later than the key was made. A lease may outlive the budget that it was placed under.
    """
    held: defaultdict[str, int] = defaultdict(int)
    for hold in open_holds.values():
        if hold.key_id is not None:
            held[hold.key_id] += hold.remaining_nanos
    used = held.keys() | spent.keys()
    budgets = [row for row in tx.keys.scan_budgets() if row[0] in used or row[1].held_nanos or row[1].spent_nanos]
    for key_id, budget in budgets:
        findings.count("budgets")
        key = readable(key_id, lambda key_id=key_id: tx.keys.get(key_id))
        if key is None or isinstance(key, Damaged):
            findings.add("budgets", key_id, "its key does not exist or cannot be read")
            continue
        problem = _budget_problem(key, budget, held.get(key_id, 0), spent.get(key_id, Spending()))
        if problem:
            findings.add("budgets", key_id, problem)
    for key_id in sorted(used - {key_id for key_id, _ in budgets}):
        if held.get(key_id):
            findings.add("budgets", key_id, f"its leases hold {held[key_id]}, but it has no budget")


def _budget_problem(key: ApiKey, budget: KeyBudget, held_nanos: int, spent: Spending) -> str:
    if key.limits.budget_nanos is None:
        is_used = budget.held_nanos or budget.spent_nanos
        return f"its key has no budget, but {budget.held_nanos} held and {budget.spent_nanos} spent" if is_used else ""
    if budget.held_nanos != held_nanos:
        return f"the budget holds {budget.held_nanos}, its leases {held_nanos}"
    most = least = spent.total_nanos
    if budget.counted_from > 0 and budget.period_start < budget.counted_from + _LATE_SECONDS:
        least = 0  # what was spent before it was set, and by leases from before, is not in it
    elif key.limits.budget_period is not BudgetPeriod.TOTAL:
        least = spent.since(budget.period_start)
    if not least <= budget.spent_nanos <= most:
        return f"the budget has spent {budget.spent_nanos}, its usage cost {least} to {most}"
    return ""
