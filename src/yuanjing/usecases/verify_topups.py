"""Checks of top-ups and refunds against the ledger, in both directions."""

from collections import Counter
from collections.abc import Iterator

from yuanjing.domain import ledger
from yuanjing.domain.ledger import Reason, Transfer, account_kind
from yuanjing.domain.topups import Refund, RefundState, TopUp, TopUpState
from yuanjing.ports.store import Tx
from yuanjing.usecases.breaches import Findings, only_sound
from yuanjing.usecases.tally import Tally, sums_of


def check_topups(tx: Tx, findings: Findings) -> None:
    """Each credited order has exactly its transfer, each refund its own, and no money has come or gone without one.

    What has gone back of an order is what its refunds say.
    """
    transfers, refunded = Tally(counts=True), Tally(counts=False)
    for topup in findings.sound("top-ups", tx.topups.scan()):
        findings.count("top-ups")
        for key, amount in _of_topup(topup):
            transfers.add(key, amount)
        refunded.add(topup.id, topup.refunded_nanos)
    for topup, refund in findings.sound("refunds", tx.topups.scan_refunds()):
        findings.count("refunds")
        for key, amount in _of_refund(topup, refund):
            transfers.add(key, amount)
        refunded.add(topup.id, _going(refund), sign=-1)
    for key, amount, sign in _posted(tx):
        transfers.add(key, amount, sign=sign)
    if not transfers.is_even:
        _explain_transfers(tx, findings, transfers)
    if not refunded.is_even:
        _explain_refunded(tx, findings, refunded)


def _of_topup(topup: TopUp) -> Iterator[tuple[str, int]]:
    if topup.state is TopUpState.CREDITED:
        yield _key(
            ledger.top_up(topup.book, topup.customer_id, topup.amount_nanos, method=topup.method, number=topup.number)
        )


def _of_refund(topup: TopUp, refund: Refund) -> Iterator[tuple[str, int]]:
    whose, amount, method = topup.customer_id, refund.amount_nanos, topup.method
    yield _key(ledger.refund(topup.book, whose, amount, method=method, id_=refund.id))
    if refund.state is RefundState.FAILED:
        yield _key(ledger.return_refund(topup.book, whose, amount, method=method, id_=refund.id))


def _posted(tx: Tx) -> Iterator[tuple[str, int, int]]:
    """What has moved, with the sign -1; and with 1 what was taken back, which must have moved besides."""
    for transfer in only_sound(tx.ledger.scan_transfers()):
        kinds = (account_kind(transfer.debit), account_kind(transfer.credit))
        if _is_retaken(transfer):
            key = f"{transfer.corrects}|{transfer.book}|{transfer.reason}|{transfer.credit}|{transfer.debit}"
            yield key, transfer.amount_nanos, 1
        elif transfer.reason is Reason.TOPUP or "clearing" in kinds:
            yield *_key(transfer), -1


def _is_retaken(transfer: Transfer) -> bool:
    """Whether it takes money again that a refund had brought back; see `ledger.retake_refund`."""
    corrects = transfer.corrects or ""
    is_correction = transfer.reason is Reason.CORRECTION and transfer.id == f"correction:{corrects}"
    return is_correction and corrects.startswith("correction:refund:")


def _key(transfer: Transfer) -> tuple[str, int]:
    key = f"{transfer.id}|{transfer.book}|{transfer.reason}|{transfer.debit}|{transfer.credit}"
    return key, transfer.amount_nanos


def _going(refund: Refund) -> int:
    return 0 if refund.state is RefundState.FAILED else refund.amount_nanos


def _explain_transfers(tx: Tx, findings: Findings, tally: Tally) -> None:
    orders = (item for topup in only_sound(tx.topups.scan()) for item in _of_topup(topup))
    refunds = (item for pair in only_sound(tx.topups.scan_refunds()) for item in _of_refund(*pair))
    wanted = [*(item for item in orders if tally.is_suspect(item[0])), *(i for i in refunds if tally.is_suspect(i[0]))]
    posted = [item for item in _posted(tx) if tally.is_suspect(item[0])]
    wanted += [(key, amount) for key, amount, sign in posted if sign > 0]
    expected, actual = sums_of(wanted), sums_of((key, amount) for key, amount, sign in posted if sign < 0)
    wrong: Counter[str] = Counter()
    for key in expected.keys() | actual.keys():
        if expected.get(key) != actual.get(key):
            wrong[key.partition("|")[0]] += 1
    for transfer_id in sorted(wrong):
        is_there = any(key.partition("|")[0] == transfer_id for key in actual)
        is_wanted = any(key.partition("|")[0] == transfer_id for key in expected)
        message = "the transfer is not what its top-up or refund says"
        if not is_there:
            message = "its top-up or refund says that money has moved, but there is no such transfer"
        elif not is_wanted:
            message = "money has moved without a top-up or refund that says so"
        findings.add("top-ups", transfer_id, message)


def _explain_refunded(tx: Tx, findings: Findings, tally: Tally) -> None:
    orders = ((topup.id, topup.refunded_nanos) for topup in only_sound(tx.topups.scan()))
    refunds = ((topup.id, _going(refund)) for topup, refund in only_sound(tx.topups.scan_refunds()))
    said = sums_of(item for item in orders if tally.is_suspect(item[0]))
    made = sums_of(item for item in refunds if tally.is_suspect(item[0]))
    for topup_id in sorted(said.keys() | made.keys()):
        is_, should = said.get(topup_id, (0, 0))[1], made.get(topup_id, (0, 0))[1]
        if is_ != should:
            findings.add("top-ups", topup_id, f"{is_} is said to have gone back, its refunds make {should}")
