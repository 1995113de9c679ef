"""Checks of holds: their sums, their owners, and the budgets that they count against."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from yuanjing.domain.holds import Hold, HoldPurpose
from yuanjing.domain.identity import BudgetPeriod
from yuanjing.domain.ledger import Reason, Transfer, account_kind, customer_of
from yuanjing.domain.money import Book
from yuanjing.ports.store import Tx
from yuanjing.usecases.breaches import Findings


@dataclass(kw_only=True, slots=True)
class Spending:
    """What usage has cost one key: all of it, and with the time of each posting for budgets with a period."""

    total_nanos: int = 0
    by_hour: defaultdict[int, int] = field(default_factory=lambda: defaultdict[int, int](int))

    def since(self, at: float) -> int:
        """What was posted from the hour of `at` on; periods begin on the hour."""
        return sum(nanos for hour, nanos in self.by_hour.items() if hour * 3600 >= at)


@dataclass(kw_only=True, slots=True)
class _Sums:
    placed: int = 0
    settled: int = 0
    released: int = 0
    parts: int = 0

    def add(self, transfer: Transfer) -> None:
        self.parts += 1
        if transfer.reason is Reason.HOLD:
            self.placed += transfer.amount_nanos
        elif transfer.reason is Reason.SETTLE:
            self.settled += transfer.amount_nanos
        elif transfer.reason is Reason.RELEASE:
            self.released += transfer.amount_nanos


def check_holds(tx: Tx, findings: Findings) -> None:
    """Open holds are what their transfers made them, closed ones hold nothing, and both make up the held accounts."""
    open_holds = {hold.id: hold for hold in tx.holds.scan_open()}
    sums: defaultdict[str, _Sums] = defaultdict(_Sums)
    for transfer in tx.ledger.scan_transfers():
        if transfer.hold_id is None:
            continue
        its = sums[transfer.hold_id]
        its.add(transfer)
        if its.placed < its.settled + its.released:
            findings.add("holds", transfer.hold_id, f"transfer {transfer.id} takes more than it held")
        if its.placed == its.settled + its.released and transfer.hold_id not in open_holds:
            del sums[transfer.hold_id]
    for hold_id, its in sums.items():
        findings.count("holds")
        hold = open_holds.get(hold_id)
        if hold is None:
            rest = its.placed - its.settled - its.released
            findings.add("holds", hold_id, f"it is closed, but its transfers leave {rest} in it")
        elif (hold.amount_nanos, hold.settled_nanos, hold.released_nanos, hold.parts) != (
            its.placed,
            its.settled,
            its.released,
            its.parts,
        ):
            findings.add("holds", hold_id, f"its sums are not those of its transfers: {its}")
    for hold_id in open_holds.keys() - sums.keys():
        findings.add("holds", hold_id, "it has no transfers")
    _check_held(tx, findings, open_holds)


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


def check_owners(tx: Tx, findings: Findings) -> None:
    """Each open lease has a living owner, or is closing and waits for a spool that is not finished."""
    alive = {(node.id, node.incarnation) for node in tx.nodes.all() if node.is_alive}
    unfinished = {(position.node_id, position.incarnation) for position in tx.nodes.unfinished()}
    for hold in tx.holds.scan_open():
        if hold.purpose is not HoldPurpose.LEASE:
            continue
        findings.count("leases")
        if hold.owner_node is None or hold.owner_incarnation is None:
            findings.add("leases", hold.id, "the lease has no owner")
            continue
        owner = (hold.owner_node, hold.owner_incarnation)
        if owner not in alive and not (hold.is_closing and owner in unfinished):
            findings.add("leases", hold.id, f"its owner {owner[0]} {owner[1]} does not live any more")


def check_budgets(tx: Tx, findings: Findings, spent: Mapping[str, Spending]) -> None:
    """Budgets hold what the open leases of their keys hold, and have spent what their usage cost.

    The spending of a day or a month is checked within bounds: a clock that was set back makes both ends soft.
    """
    held: defaultdict[str, int] = defaultdict(int)
    for hold in tx.holds.scan_open():
        if hold.key_id is not None:
            held[hold.key_id] += hold.remaining_nanos
    for key_id in sorted(held.keys() | spent.keys()):
        key = tx.keys.get(key_id)
        budget = tx.keys.budget(key_id) if key is not None and key.limits.budget_nanos is not None else None
        if key is None or budget is None:
            continue
        findings.count("budgets")
        if budget.held_nanos != held.get(key_id, 0):
            message = f"the budget holds {budget.held_nanos}, its leases {held.get(key_id, 0)}"
            findings.add("budgets", key_id, message)
        its = spent.get(key_id, Spending())
        least = its.total_nanos
        if key.limits.budget_period is not BudgetPeriod.TOTAL:
            least = its.since(budget.period_start)
        if not least <= budget.spent_nanos <= its.total_nanos:
            message = f"the budget has spent {budget.spent_nanos}, its usage cost {least} to {its.total_nanos}"
            findings.add("budgets", key_id, message)
