"""Checks of the months of customers' accounts: each is an unbroken run, and all are what the entries make."""

from collections.abc import Iterator

from yuanjing.domain.ledger import Entry, Reason, customer_of
from yuanjing.domain.money import Book
from yuanjing.domain.statements import AccountMonth, month_text
from yuanjing.ports.store import Tx
from yuanjing.usecases.breaches import Findings, only_sound
from yuanjing.usecases.tally import Tally, sums_of

_CHECK = "months"


def check_months(tx: Tx, findings: Findings) -> None:
    """The months of an account follow each other without a gap, and their sums are those of the entries."""
    amounts, numbers = Tally(counts=False), Tally(counts=False)
    runs = _Runs(findings)
    for month in findings.sound(_CHECK, tx.ledger.scan_months()):
        runs.add(month)
        key = _key(month.book, month.account, month.reason)
        amounts.add(key, month.amount_nanos)
        numbers.add(key, month.entries)
    runs.end()
    for key, amount in _entries(tx):
        amounts.add(key, amount, sign=-1)
        numbers.add(key, 1, sign=-1)
    if not (amounts.is_even and numbers.is_even):
        _explain(tx, findings, amounts, numbers)


class _Runs:
    """The months of one account after the other; each has several rows."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._rows: list[AccountMonth] = []
        self._version = 0

    def add(self, row: AccountMonth) -> None:
        """The next row, in the order of the scan."""
        last = self._rows[-1] if self._rows else None
        if last is not None and (last.book, last.account, last.month) != (row.book, row.account, row.month):
            self.end()
            if (last.book, last.account) != (row.book, row.account):
                self._version = 0
        self._rows.append(row)

    def end(self) -> None:
        """The month is whole."""
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        self._findings.count(_CHECK)
        first, last = min(row.first_version for row in rows), max(row.last_version for row in rows)
        entries = sum(row.entries for row in rows)
        if first != self._version + 1 or last - first + 1 != entries:
            one = rows[0]
            message = f"it has {entries} entries from {first} to {last}, the one before ended at {self._version}"
            self._findings.add(_CHECK, f"{one.book} {one.account} {month_text(one.month)}", message)
        self._version = last


def _key(book: Book, account: str, reason: Reason) -> str:
    return f"{book}|{account}|{reason}"


def _entries(tx: Tx) -> Iterator[tuple[str, int]]:
    for entry in only_sound(tx.ledger.scan_entries()):
        if customer_of(entry.account) is not None:
            yield _key_of(entry), entry.amount_nanos


def _key_of(entry: Entry) -> str:
    return _key(entry.book, entry.account, entry.reason)


def _explain(tx: Tx, findings: Findings, amounts: Tally, numbers: Tally) -> None:
    """Find the accounts and reasons that differ, among those that may."""

    def is_suspect(key: str) -> bool:
        return amounts.is_suspect(key) or numbers.is_suspect(key)

    expected = sums_of(item for item in _entries(tx) if is_suspect(item[0]))
    actual: dict[str, tuple[int, int]] = {}
    for month in only_sound(tx.ledger.scan_months()):
        key = _key(month.book, month.account, month.reason)
        if is_suspect(key):
            entries, amount = actual.get(key, (0, 0))
            actual[key] = (entries + month.entries, amount + month.amount_nanos)
    wrong = [key for key in expected.keys() | actual.keys() if actual.get(key) != expected.get(key)]
    for key in sorted(wrong):
        is_, should = actual.get(key, (0, 0)), expected.get(key, (0, 0))
        message = f"the months have {is_[0]} entries of {is_[1]}, the ledger {should[0]} of {should[1]}"
        findings.add(_CHECK, key.replace("|", " "), message)
