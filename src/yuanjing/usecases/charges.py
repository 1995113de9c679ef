"""Charging a batch of usage: out of the leases that it was admitted with, or late."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yuanjing.domain.holds import Hold
from yuanjing.domain.ledger import book_overrun, settle_late, split
from yuanjing.domain.money import Book
from yuanjing.domain.usage import PostedUsage, UsageRecord
from yuanjing.ports.store import Tx
from yuanjing.usecases.idempotency import keep_answers
from yuanjing.usecases.movements import Late, Movements


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Usage records that one process spooled; `cause` names the batch in every transfer's id."""

    records: Sequence[UsageRecord]
    owner: tuple[str, int]
    cause: str


def post_records(tx: Tx, moves: Movements, batch: Batch, *, and_lock: Sequence[str] = ()) -> dict[str, Hold]:
    """Gather the charges of the records that are not posted yet, and keep the records; `moves.apply` does the rest.

    Each record is charged whole, either out of its hold or, if the hold is closed or does not cover it, late: out of
    the customer's promotion money and what is available. What is not there is the platform's loss; so is each record's
    overrun.

    The holds of the records and those of `and_lock` are locked together; returned are all of them as they are after.
    Answers that are kept for retries become readable with their charges, and never without.
    """
    records, cause = batch.records, batch.cause
    known = tx.usages.existing([record.id for record in records])
    fresh = list({record.id: record for record in reversed(records) if record.id not in known}.values())[::-1]
    holds = tx.holds.lock(sorted({record.hold_id for record in fresh} | set(and_lock)))
    on_hold, late = _divide(fresh, holds, batch.owner)
    paid_by = _settle(moves, on_hold, holds, cause)
    shortfalls = _settle_late(tx, moves, late, cause, paid_by)
    moves.late += Late(
        rows=len(late),
        charge_nanos=sum(record.charge_nanos for record in late),
        shortfall_nanos=sum(shortfalls.values()),
    )
    _book_overruns(moves, fresh, shortfalls, cause)
    posted = [
        PostedUsage(
            record=record,
            settle_transfer_id=paid_by.get(record.id),
            late_shortfall_nanos=shortfalls.get(record.id, 0),
            posted_at=moves.at,
        )
        for record in fresh
    ]
    added = tx.usages.add_new(posted)
    assert len(added) == len(posted), f"{cause}: usage was posted by someone else at the same time"
    keep_answers(tx, fresh, moves.at)
    return {hold_id: moves.latest(hold) for hold_id, hold in holds.items()}


def _divide(
    records: Sequence[UsageRecord], holds: Mapping[str, Hold], owner: tuple[str, int]
) -> tuple[list[UsageRecord], list[UsageRecord]]:
    """Which records their holds cover, in order, and which come late; those that cost nothing are in neither."""
    left = {hold.id: hold.remaining_nanos if hold.is_lease_of(*owner) else 0 for hold in holds.values()}
    on_hold: list[UsageRecord] = []
    late: list[UsageRecord] = []
    for record in records:
        hold = holds.get(record.hold_id)
        is_its = hold is not None and (hold.book, hold.customer_id) == (record.book, record.customer_id)
        if not record.charge_nanos:
            continue
        if is_its and left[record.hold_id] >= record.charge_nanos:
            left[record.hold_id] -= record.charge_nanos
            on_hold.append(record)
        else:
            late.append(record)
    return on_hold, late


def _settle(moves: Movements, records: Sequence[UsageRecord], holds: Mapping[str, Hold], cause: str) -> dict[str, str]:
    """One settle transfer for each hold; which transfer pays which record."""
    sums: defaultdict[str, int] = defaultdict(int)
    for record in records:
        sums[record.hold_id] += record.charge_nanos
    transfers = {hold_id: moves.settle(holds[hold_id], total, cause=cause) for hold_id, total in sorted(sums.items())}
    return {record.id: transfers[record.hold_id] for record in records}


def _settle_late(
    tx: Tx, moves: Movements, records: Sequence[UsageRecord], cause: str, paid_by: dict[str, str]
) -> dict[str, int]:
    """Charge each customer as far as its money goes, promotion money first; what each record falls short of.

    `paid_by` is completed with the transfers; of two for one customer, with the first.
    """
    by_customer: defaultdict[tuple[Book, str], list[UsageRecord]] = defaultdict(list)
    for record in records:
        by_customer[record.book, record.customer_id].append(record)
    shortfalls: dict[str, int] = {}
    for (book, customer_id), its in sorted(by_customer.items()):
        total = sum(record.charge_nanos for record in its)
        balances = tx.ledger.balances(book, customer_id)
        paid = min(total, max(0, balances.spendable_nanos))
        transfer = settle_late(book, customer_id, paid, cause=cause) if paid else None
        if transfer is not None:
            moves.transfer(*split(transfer, min(paid, balances.promotion_nanos)))
        for record in its:
            part = min(paid, record.charge_nanos)
            paid -= part
            if part and transfer is not None:
                paid_by[record.id] = transfer.id
                moves.spend_budget(record.key_id, part)
            if part < record.charge_nanos:
                shortfalls[record.id] = record.charge_nanos - part
    return shortfalls


def _book_overruns(moves: Movements, records: Sequence[UsageRecord], shortfalls: Mapping[str, int], cause: str) -> None:
    sums: defaultdict[Book, int] = defaultdict(int)
    for record in records:
        sums[record.book] += record.overrun_nanos + shortfalls.get(record.id, 0)
    for book, total in sorted(sums.items()):
        if total:
            moves.transfer(book_overrun(book, total, cause=cause))
