"""The one way in which a payment becomes money: whoever hears of it first, and however often it is told."""

from dataclasses import replace

from yuanjing.domain import ledger
from yuanjing.domain.topups import PaymentMismatchError, TopUp, TopUpState, Verdict, credited
from yuanjing.ports.payments import Payment
from yuanjing.ports.store import Topic, Tx


def credit(tx: Tx, payment: Payment, method: str, at: float) -> tuple[Verdict, str]:
    """Credit a paid order, once; what became of it, and why.

    The order's row is locked, so that of any number of callers one moves the money; the transfer's id, made of the
    order's number, would refuse a second one as well.
    """
    topup = tx.topups.lock(payment.number)
    if topup is None or topup.method != method:
        return Verdict.UNKNOWN, f"there is no order {payment.number[:80]} of {method}"
    try:
        done = credited(
            topup,
            amount_nanos=payment.amount_nanos,
            upstream_id=payment.upstream_id,
            at=at,
            paid_at=payment.paid_at,
        )
    except PaymentMismatchError as error:
        tx.topups.save(replace(topup, flag=error.message))
        return Verdict.MISMATCH, error.message
    if done is topup:
        return Verdict.REPEATED, ""
    tx.topups.save(done)
    _post(tx, done, at)
    return Verdict.CREDITED, done.flag


def _post(tx: Tx, topup: TopUp, at: float) -> None:
    assert topup.state is TopUpState.CREDITED, topup
    transfer = ledger.top_up(
        topup.book, topup.customer_id, topup.amount_nanos, method=topup.method, number=topup.number
    )
    (is_new,) = tx.ledger.post([transfer])
    assert is_new, topup.number
    tx.signals.emit(Topic.FUNDS, f"{topup.book}:{topup.customer_id}", at)
