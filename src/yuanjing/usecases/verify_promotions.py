"""Checks of promotion money: what holds have of it, what its lots say, and what the ledger says."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from yuanjing.domain.holds import Hold
from yuanjing.domain.ledger import Reason, Transfer, account_kind, customer_of
from yuanjing.domain.money import Book
from yuanjing.domain.promotions import Lot
from yuanjing.domain.redemptions import CAUSE_PREFIX
from yuanjing.ports.damage import Damaged, readable
from yuanjing.ports.store import Tx
from yuanjing.usecases.breaches import Findings, only_sound
from yuanjing.usecases.tally import Tally, sums_of


def check_promotions(tx: Tx, findings: Findings, open_holds: Mapping[str, Hold]) -> None:
    """Open holds have of it what their transfers left; lots are what was given and collected, and cover it.

    Each code that was redeemed is one lot, of its amount and its customer. Lots may say that more is left than there
    is, since what is spent is taken from them when somebody asks; never less.
    """
    _check_codes(tx, findings)
    in_holds: defaultdict[str, int] = defaultdict(int)
    tally = Tally(counts=False)
    left: defaultdict[tuple[Book, str], int] = defaultdict(int)
    for lot in findings.sound("promotions", tx.promotions.scan()):
        findings.count("promotions")
        left[lot.book, lot.customer_id] += lot.left_nanos
        for key, amount in _sums_of_lot(lot):
            tally.add(key, amount)
    for transfer in only_sound(tx.ledger.scan_transfers()):
        _follow(in_holds, transfer)
        for key, amount in _sums_of_transfer(transfer):
            tally.add(key, amount, sign=-1)
    if not tally.is_even:
        _explain(tx, findings, tally)
    _check_holds(findings, open_holds, in_holds)
    _check_left(tx, findings, open_holds, left)


def _check_codes(tx: Tx, findings: Findings) -> None:
    """One row of a code, and one lot of its cause: compared one by one, since a code is looked up by an index."""
    codes = 0
    for code in findings.sound("redeem codes", tx.redeem_codes.scan_redeemed()):
        findings.count("redeem codes")
        codes += 1
        lot = readable(code.cause, lambda cause=code.cause: tx.promotions.by_cause(cause))
        if lot is None or isinstance(lot, Damaged):
            findings.add("redeem codes", code.id, "it is redeemed, but its lot is not there or cannot be read")
        elif (lot.book, lot.customer_id, lot.amount_nanos) != (Book.LIVE, code.customer_id, code.amount_nanos):
            findings.add("redeem codes", code.id, f"its lot {lot.id} is of another amount or customer")
    lots = sum(lot.cause.startswith(CAUSE_PREFIX) for lot in only_sound(tx.promotions.scan()))
    if lots != codes:
        findings.add("redeem codes", "all", f"{codes} are redeemed, but there are {lots} lots of codes")


def _follow(in_holds: defaultdict[str, int], transfer: Transfer) -> None:
    """Keep what each hold has of promotion money; only holds that have any are remembered."""
    hold_id = transfer.hold_id
    if hold_id is None:
        return
    if transfer.reason is Reason.HOLD and account_kind(transfer.debit) == "promotion":
        in_holds[hold_id] += transfer.amount_nanos
    elif hold_id in in_holds and transfer.reason is Reason.SETTLE:
        in_holds[hold_id] = max(0, in_holds[hold_id] - transfer.amount_nanos)
    elif transfer.reason is Reason.RELEASE and account_kind(transfer.credit) == "promotion":
        in_holds[hold_id] -= transfer.amount_nanos
    if hold_id in in_holds and not in_holds[hold_id]:
        del in_holds[hold_id]


def _check_holds(findings: Findings, open_holds: Mapping[str, Hold], in_holds: Mapping[str, int]) -> None:
    their = {hold.id: hold.promotion_nanos for hold in open_holds.values() if hold.promotion_nanos}
    for hold_id in sorted(their.keys() | in_holds.keys()):
        is_, should = their.get(hold_id, 0), in_holds.get(hold_id, 0)
        if is_ != should:
            findings.add("holds", hold_id, f"promotion money in it is {is_}, its transfers make {should}")


def _check_left(
    tx: Tx, findings: Findings, open_holds: Mapping[str, Hold], left: Mapping[tuple[Book, str], int]
) -> None:
    there: defaultdict[tuple[Book, str], int] = defaultdict(int)
    for hold in open_holds.values():
        there[hold.book, hold.customer_id] += hold.promotion_nanos
    for book in Book:
        for account, balance in tx.ledger.account_balances(book).items():
            customer_id = customer_of(account)
            if customer_id is not None and account_kind(account) == "promotion":
                there[book, customer_id] += balance
    for (book, customer_id), nanos in sorted(there.items()):
        its = left.get((book, customer_id), 0)
        if nanos > its:
            message = f"there is promotion money of {nanos}, but its lots have only {its} left"
            findings.add("promotions", f"{book} {customer_id}", message)


def _sums_of_lot(lot: Lot) -> Iterator[tuple[str, int]]:
    yield f"{lot.cause}|{lot.book}|{lot.customer_id}|granted", lot.amount_nanos
    yield f"{lot.id}|{lot.book}|{lot.customer_id}|collected", lot.expired_nanos


def _sums_of_transfer(transfer: Transfer) -> Iterator[tuple[str, int]]:
    """What a transfer says of a lot; grants name its cause, collections its id."""
    if transfer.reason is Reason.GRANT and account_kind(transfer.credit) == "promotion":
        cause = transfer.id.partition(":")[2]
        yield f"{cause}|{transfer.book}|{customer_of(transfer.credit)}|granted", transfer.amount_nanos
    elif transfer.reason is Reason.EXPIRE:
        lot_id = transfer.id.partition(":")[2].partition(":")[0]
        yield f"{lot_id}|{transfer.book}|{customer_of(transfer.debit)}|collected", transfer.amount_nanos


def _explain(tx: Tx, findings: Findings, tally: Tally) -> None:
    """Find the lots that are not what their transfers make, among those that may not be."""
    rows = (item for lot in only_sound(tx.promotions.scan()) for item in _sums_of_lot(lot))
    lots = sums_of(item for item in rows if tally.is_suspect(item[0]))
    moves = (item for transfer in only_sound(tx.ledger.scan_transfers()) for item in _sums_of_transfer(transfer))
    ledger = sums_of(item for item in moves if tally.is_suspect(item[0]))
    for key in sorted(lots.keys() | ledger.keys()):
        is_, should = lots.get(key, (0, 0))[1], ledger.get(key, (0, 0))[1]
        if is_ != should:
            name, _, what = key.partition("|")
            findings.add("promotions", name, f"{what.rpartition('|')[2]} is {is_}, its transfers make {should}")
