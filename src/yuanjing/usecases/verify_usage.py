"""Checks of usage records: paid once, and priced by the version that they name."""

from collections import defaultdict
from collections.abc import Iterator

from yuanjing.domain.ledger import Reason
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ChatPrice, charge_nanos
from yuanjing.domain.usage import PostedUsage, UsageRecord, chat_usage, split_charge
from yuanjing.ports.store import Tx
from yuanjing.usecases.breaches import Findings
from yuanjing.usecases.tally import Tally, sums_of
from yuanjing.usecases.verify_holds import Spending


def check_usages(tx: Tx, findings: Findings) -> dict[str, Spending]:
    """Each usage is paid by exactly one settle transfer, each such transfer is the sum of its usage.

    What the customer did not pay is in `overrun`, and each charge is what its price makes of its meters. Returns what
    each key has paid.
    """
    prices = {price.id: price for price in tx.catalog.prices()}
    spent: defaultdict[str, Spending] = defaultdict(Spending)
    overruns: defaultdict[Book, int] = defaultdict(int)
    tally = Tally(counts=False)
    for usage in tx.usages.scan():
        findings.count("usage")
        record = usage.record
        problem = _payment_problem(usage) or _price_problem(record, prices.get(record.price_id))
        if problem:
            findings.add("usage", record.id, problem)
        paid = record.charge_nanos - usage.late_shortfall_nanos
        overruns[record.book] += record.overrun_nanos + usage.late_shortfall_nanos
        spent[record.key_id].total_nanos += paid
        spent[record.key_id].by_hour[int(usage.posted_at // 3600)] += paid
        if usage.settle_transfer_id is not None:
            tally.add(_usage_key(usage), paid)
    for transfer_id, amount in _settles(tx):
        findings.count("settle transfers")
        tally.add(transfer_id, amount, sign=-1)
    if not tally.is_even:
        _explain(tx, findings, tally)
    _check_overruns(tx, findings, overruns)
    return spent


def _payment_problem(usage: PostedUsage) -> str:
    charge, shortfall = usage.record.charge_nanos, usage.late_shortfall_nanos
    if not 0 <= shortfall <= charge:
        return f"it falls short of {shortfall}, which is no part of its charge {charge}"
    if charge > shortfall and usage.settle_transfer_id is None:
        return f"nothing has paid its charge {charge}"
    if charge == shortfall and usage.settle_transfer_id is not None:
        return f"{usage.settle_transfer_id} is said to pay it, but there is nothing to pay"
    return ""


def _price_problem(record: UsageRecord, price: ChatPrice | None) -> str:
    if price is None:
        return f"its price version {record.price_id} does not exist"
    priced = charge_nanos(price, chat_usage(record.meters))
    expected = split_charge(priced, record.ceiling_nanos)
    actual = (record.charge_nanos, record.overrun_nanos)
    if actual != expected:
        return f"charge and overrun are {actual}, its price makes {expected}"
    return ""


def _settles(tx: Tx) -> Iterator[tuple[str, int]]:
    """Amounts of the transfers that charge usage; tasks settle theirs under the name of the task."""
    for transfer in tx.ledger.scan_transfers():
        if transfer.reason is Reason.SETTLE:
            customer = transfer.debit.split(":", 2)[1]
            yield f"{transfer.id}|{transfer.book}|{customer}", transfer.amount_nanos


def _usage_key(usage: PostedUsage) -> str:
    return f"{usage.settle_transfer_id}|{usage.record.book}|{usage.record.customer_id}"


def _explain(tx: Tx, findings: Findings, tally: Tally) -> None:
    """Find the transfers that differ from their usage, among those that may."""
    rows = (
        (_usage_key(usage), usage.record.charge_nanos - usage.late_shortfall_nanos)
        for usage in tx.usages.scan()
        if usage.settle_transfer_id is not None
    )
    expected = sums_of(row for row in rows if tally.is_suspect(row[0]))
    actual = sums_of(item for item in _settles(tx) if tally.is_suspect(item[0]))
    for key in sorted(expected.keys() | actual.keys()):
        usage, transfer = expected.get(key, (0, 0))[1], actual.get(key, (0, 0))[1]
        if usage != transfer:
            message = f"it moved {transfer}, the usage that it pays comes to {usage}"
            findings.add("settle transfers", key.partition("|")[0], message)


def _check_overruns(tx: Tx, findings: Findings, expected: dict[Book, int]) -> None:
    booked: defaultdict[Book, int] = defaultdict(int)
    for transfer in tx.ledger.scan_transfers():
        if transfer.reason is Reason.OVERRUN:
            booked[transfer.book] += transfer.amount_nanos
    for book in Book:
        findings.count("overruns")
        if booked[book] != expected.get(book, 0):
            message = f"{booked[book]} is booked, overruns and shortfalls come to {expected.get(book, 0)}"
            findings.add("overruns", book, message)
