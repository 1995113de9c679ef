"""Checks of usage records: paid once, and priced by the version that they name."""

from collections import defaultdict
from collections.abc import Iterator

from yuanjing.domain.identity import ApiKey
from yuanjing.domain.ledger import SECOND, Reason, customer_of
from yuanjing.domain.money import Book
from yuanjing.domain.recomputing import nanos_again
from yuanjing.domain.usage import PostedUsage, UsageRecord, split_charge
from yuanjing.domain.video_pricing import OfferPrice
from yuanjing.ports.damage import Damaged, readable
from yuanjing.ports.store import Tx
from yuanjing.usecases.breaches import Findings, only_sound
from yuanjing.usecases.tally import Tally, sums_of
from yuanjing.usecases.verify_days import DayCheck
from yuanjing.usecases.verify_holds import Spending


class _Known:
    """Prices and keys that usage names, each looked up once."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._prices: dict[str, OfferPrice | Damaged | None] = {}
        self._keys: dict[str, ApiKey | Damaged | None] = {}

    def price(self, price_id: str) -> OfferPrice | Damaged | None:
        if price_id not in self._prices:
            self._prices[price_id] = readable(price_id, lambda: self._tx.catalog.price(price_id))
        return self._prices[price_id]

    def key(self, key_id: str) -> ApiKey | Damaged | None:
        if key_id not in self._keys:
            self._keys[key_id] = readable(key_id, lambda: self._tx.keys.get(key_id))
        return self._keys[key_id]


def check_usages(tx: Tx, findings: Findings) -> dict[str, Spending]:
    """Each usage is paid by exactly one settle transfer, each such transfer is the sum of its usage.

    What the customer did not pay is in `overrun`, each charge is what its price makes of its meters, and the key is the
    customer's. The sums by day are those of the records. Returns what each key has paid.
    """
    known = _Known(tx)
    spent: defaultdict[str, Spending] = defaultdict(Spending)
    overruns: defaultdict[Book, int] = defaultdict(int)
    tally, days = Tally(counts=False), DayCheck()
    for usage in findings.sound("usage", tx.usages.scan()):
        findings.count("usage")
        days.add(usage)
        record = usage.record
        problem = _problem(usage, known)
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
    days.finish(tx, findings)
    return spent


def _problem(usage: PostedUsage, known: _Known) -> str:
    record = usage.record
    return (
        _payment_problem(usage)
        or _price_problem(record, known.price(record.price_id))
        or _key_problem(record, known.key(record.key_id))
    )


def _key_problem(record: UsageRecord, key: ApiKey | Damaged | None) -> str:
    if key is None:
        return f"its key {record.key_id} does not exist"
    if isinstance(key, Damaged):
        return f"its key {record.key_id} cannot be read: {key.message}"
    if (key.customer_id, key.book) != (record.customer_id, record.book):
        return f"its key {record.key_id} belongs to {key.customer_id} in the {key.book} book"
    return ""


def _payment_problem(usage: PostedUsage) -> str:
    charge, shortfall = usage.record.charge_nanos, usage.late_shortfall_nanos
    if not 0 <= shortfall <= charge:
        return f"it falls short of {shortfall}, which is no part of its charge {charge}"
    if charge > shortfall and usage.settle_transfer_id is None:
        return f"nothing has paid its charge {charge}"
    if charge == shortfall and usage.settle_transfer_id is not None:
        return f"{usage.settle_transfer_id} is said to pay it, but there is nothing to pay"
    if usage.settle_transfer_id is not None and not (_is_of_hold(usage) or ":late:" in usage.settle_transfer_id):
        return f"{usage.settle_transfer_id} is said to pay it, which is not of its hold {usage.record.hold_id}"
    return ""


def _is_of_hold(usage: PostedUsage) -> bool:
    """Whether the transfer's name says that it charges the hold of the usage; a late one names none."""
    return (usage.settle_transfer_id or "").endswith(f":{usage.record.hold_id}")


def _price_problem(record: UsageRecord, price: OfferPrice | Damaged | None) -> str:
    if price is None:
        return f"its price version {record.price_id} does not exist"
    if isinstance(price, Damaged):
        return f"its price version {record.price_id} cannot be read: {price.message}"
    priced = readable(record.id, lambda: nanos_again(record, price))
    if isinstance(priced, Damaged):
        return f"its meters are impossible: {dict(record.meters)}"
    expected = split_charge(priced, record.ceiling_nanos)
    actual = (record.charge_nanos, record.overrun_nanos)
    if actual != expected:
        return f"charge and overrun are {actual}, its price makes {expected}"
    return ""


def _settles(tx: Tx) -> Iterator[tuple[str, int]]:
    """Amounts of the transfers that charge usage; tasks settle theirs under the name of the task.

    What is charged late may come out of two accounts, under the name of the first transfer.
    """
    for transfer in only_sound(tx.ledger.scan_transfers()):
        if transfer.reason is Reason.SETTLE:
            customer = customer_of(transfer.debit) or ""
            cause = transfer.id if transfer.hold_id is not None else transfer.id.removesuffix(SECOND)
            yield f"{cause}|{transfer.book}|{customer}|{transfer.hold_id or ''}", transfer.amount_nanos


def _usage_key(usage: PostedUsage) -> str:
    hold_id = usage.record.hold_id if _is_of_hold(usage) else ""
    return f"{usage.settle_transfer_id}|{usage.record.book}|{usage.record.customer_id}|{hold_id}"


def _explain(tx: Tx, findings: Findings, tally: Tally) -> None:
    """Find the transfers that differ from their usage, among those that may."""
    rows = (
        (_usage_key(usage), usage.record.charge_nanos - usage.late_shortfall_nanos)
        for usage in only_sound(tx.usages.scan())
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
    for transfer in only_sound(tx.ledger.scan_transfers()):
        if transfer.reason is Reason.OVERRUN:
            booked[transfer.book] += transfer.amount_nanos
    for book in Book:
        findings.count("overruns")
        if booked[book] != expected.get(book, 0):
            message = f"{booked[book]} is booked, overruns and shortfalls come to {expected.get(book, 0)}"
            findings.add("overruns", book, message)
