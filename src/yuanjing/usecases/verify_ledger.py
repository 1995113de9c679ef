"""Checks of the ledger itself: accounts, entries and transfers."""

from collections import Counter
from collections.abc import Iterator, Mapping

from yuanjing.domain.ledger import Entry, Transfer, is_posting, may_go_negative
from yuanjing.domain.money import Book
from yuanjing.ports.store import Tx
from yuanjing.usecases.breaches import Findings, only_sound
from yuanjing.usecases.tally import Tally, sums_of

Balances = Mapping[tuple[Book, str], int]


def check_entries(tx: Tx, findings: Findings) -> Balances:
    """Each account's entries follow each other without a gap, and none leaves a customer below zero.

    Returns the balance that the entries of each account lead to.
    """
    balances: dict[tuple[Book, str], int] = {}
    last: Entry | None = None
    for entry in findings.sound("entries", tx.ledger.scan_entries()):
        findings.count("entries")
        is_next = last is not None and (last.book, last.account) == (entry.book, entry.account)
        previous = last if is_next else None
        problem = _entry_problem(entry, previous)
        if problem:
            findings.add("entries", f"{entry.book} {entry.account} {entry.version}", problem)
        balances[entry.book, entry.account] = entry.balance_after_nanos
        last = entry
    return balances


def _entry_problem(entry: Entry, previous: Entry | None) -> str:
    version = previous.version + 1 if previous else 1
    before = previous.balance_after_nanos if previous else 0
    if entry.version != version:
        return f"version {version} should follow, but there is {entry.version}"
    if entry.balance_before_nanos != before:
        return f"it starts from {entry.balance_before_nanos}, but the account stood at {before}"
    if entry.balance_after_nanos != before + entry.amount_nanos:
        return f"{before} and {entry.amount_nanos} do not make {entry.balance_after_nanos}"
    if entry.balance_after_nanos < 0 and not may_go_negative(entry.account):
        return f"the account stood below zero at {entry.balance_after_nanos}"
    return ""


def check_accounts(tx: Tx, findings: Findings, from_entries: Balances) -> None:
    """Each balance is what its entries lead to, no customer's is below zero, and each book sums to zero."""
    for book in Book:
        for account in sorted(tx.ledger.unlimited(book)):
            if not may_go_negative(account):
                findings.add("accounts", f"{book} {account}", "the store would let it go below zero")
        balances = tx.ledger.account_balances(book)
        expected = {account: nanos for (its, account), nanos in from_entries.items() if its == book}
        for account in sorted(balances.keys() | expected.keys()):
            findings.count("accounts")
            balance, total = balances.get(account, 0), expected.get(account, 0)
            if balance != total:
                findings.add("accounts", f"{book} {account}", f"the balance is {balance}, its entries make {total}")
            if balance < 0 and not may_go_negative(account):
                findings.add("accounts", f"{book} {account}", f"the balance is below zero: {balance}")
        findings.count("books")
        for name, total in (("balances", sum(balances.values())), ("entries", sum(expected.values()))):
            if total:
                findings.add("books", book, f"the {name} sum to {total} and not to zero")


def check_transfers(tx: Tx, findings: Findings) -> None:
    """Each transfer has exactly its two entries and the shape of one of the postings; no entry is without one."""
    tally = Tally(counts=True)
    for transfer in findings.sound("transfers", tx.ledger.scan_transfers()):
        findings.count("transfers")
        if not is_posting(transfer):
            message = f"{transfer.debit} to {transfer.credit} is no posting of reason {transfer.reason}"
            findings.add("transfers", transfer.id, message)
        for key, amount in _sides(transfer):
            tally.add(key, amount)
    for entry in only_sound(tx.ledger.scan_entries()):
        tally.add(_entry_key(entry), entry.amount_nanos, sign=-1)
    if not tally.is_even:
        _explain(tx, findings, tally)


def _sides(transfer: Transfer) -> Iterator[tuple[str, int]]:
    hold_id = transfer.hold_id or ""
    for account, amount in (
        (transfer.debit, -transfer.amount_nanos),
        (transfer.credit, transfer.amount_nanos),
    ):
        yield f"{transfer.id}|{transfer.book}|{account}|{transfer.reason}|{hold_id}", amount


def _entry_key(entry: Entry) -> str:
    return f"{entry.transfer_id}|{entry.book}|{entry.account}|{entry.reason}|{entry.hold_id or ''}"


def _explain(tx: Tx, findings: Findings, tally: Tally) -> None:
    """Find the transfers that differ from their entries, among those that may."""
    sides = (side for transfer in only_sound(tx.ledger.scan_transfers()) for side in _sides(transfer))
    expected = sums_of(side for side in sides if tally.is_suspect(side[0]))
    entries = ((_entry_key(entry), entry.amount_nanos) for entry in only_sound(tx.ledger.scan_entries()))
    actual = sums_of(item for item in entries if tally.is_suspect(item[0]))
    wrong = Counter(
        key.partition("|")[0] for key in expected.keys() | actual.keys() if expected.get(key) != actual.get(key)
    )
    for transfer_id in sorted(wrong):
        findings.add("transfers", transfer_id, "the transfer and its two entries do not agree")
