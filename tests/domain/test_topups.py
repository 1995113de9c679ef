"""What a top-up can become."""

from dataclasses import replace

import pytest

from yuanjing.domain.ledger import is_posting, refund, return_refund, top_up
from yuanjing.domain.money import Book
from yuanjing.domain.topups import PaymentMismatchError, PayWay, TopUp, TopUpState, closed, credited

YUAN = 10**9
ORDER = TopUp(
    id="top_1",
    number="YJ1",
    book=Book.LIVE,
    customer_id="cus_a",
    method="alipay",
    way=PayWay.PAGE,
    amount_nanos=10 * YUAN,
    state=TopUpState.CREATED,
    created_at=1.0,
    expires_at=2.0,
    next_at=1.5,
)


def test_a_paid_order_is_credited_once():
    done = credited(ORDER, amount_nanos=10 * YUAN, upstream_id="u", at=3.0)
    assert (done.state, done.paid_at, done.credited_at, done.next_at) == (TopUpState.CREDITED, 3.0, 3.0, None)
    assert credited(done, amount_nanos=10 * YUAN, upstream_id="u", at=4.0) is done
    for amount, name in ((10 * YUAN, "v"), (9 * YUAN, "u")):
        with pytest.raises(PaymentMismatchError):
            credited(done, amount_nanos=amount, upstream_id=name, at=4.0)
    with pytest.raises(PaymentMismatchError):
        credited(ORDER, amount_nanos=11 * YUAN, upstream_id="u", at=3.0)


def test_the_payment_methods_own_time_of_payment_is_kept():
    done = credited(ORDER, amount_nanos=10 * YUAN, upstream_id="u", at=3.0, paid_at=2.5)
    assert (done.paid_at, done.credited_at) == (2.5, 3.0)


def test_a_closed_order_that_is_paid_is_credited_and_flagged():
    over = closed(ORDER, 5.0)
    assert (over.state, over.closed_at, over.next_at) == (TopUpState.CLOSED, 5.0, None)
    assert closed(over, 6.0) is over
    late = credited(over, amount_nanos=10 * YUAN, upstream_id="u", at=7.0)
    assert (late.state, late.flag) == (TopUpState.CREDITED, "paid after it was closed")
    assert credited(replace(over, flag="look"), amount_nanos=10 * YUAN, upstream_id="u", at=7.0).flag == "look"
    assert closed(late, 8.0) is late


def test_only_what_was_credited_can_go_back():
    assert ORDER.refundable_nanos == 0
    done = credited(ORDER, amount_nanos=10 * YUAN, upstream_id="u", at=3.0)
    assert replace(done, refunded_nanos=4 * YUAN).refundable_nanos == 6 * YUAN


def test_its_postings_are_postings():
    there = top_up(Book.LIVE, "cus_a", 5, method="alipay", number="YJ1")
    back = refund(Book.LIVE, "cus_a", 5, method="alipay", id_="ref_1")
    again = return_refund(Book.LIVE, "cus_a", 5, method="alipay", id_="ref_1")
    assert [(one.debit, one.credit) for one in (there, back, again)] == [
        ("clearing:alipay", "customer:cus_a:available"),
        ("customer:cus_a:available", "clearing:alipay"),
        ("clearing:alipay", "customer:cus_a:available"),
    ]
    assert all(map(is_posting, (there, back, again)))
    assert again.corrects == back.id
