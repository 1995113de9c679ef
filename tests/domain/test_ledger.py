import ast
from dataclasses import replace
from pathlib import Path

import pytest

from yuanjing.domain import ledger
from yuanjing.domain.ledger import Entry, Reason, Transfer, account_kind, customer_of, is_posting
from yuanjing.domain.money import AMOUNT_NANOS_MAX, Book

POSTINGS = [
    ledger.grant(Book.TEST, "cus_a", 5, cause="welcome:cus_a", note="hello"),
    ledger.place_hold(Book.LIVE, "cus_a", 5, hold_id="hold_1", part=1),
    ledger.settle_hold(Book.LIVE, "cus_a", 5, hold_id="hold_1", cause="m-g0:1:1-5"),
    ledger.settle_late(Book.LIVE, "cus_a", 5, cause="m-g0:1:1-5"),
    ledger.release_hold(Book.LIVE, "cus_a", 5, hold_id="hold_1", part=1),
    ledger.book_overrun(Book.LIVE, 5, cause="m-g0:1:1-5"),
    ledger.grant_promotion(Book.LIVE, "cus_a", 5, cause="spring", note="hello"),
    ledger.expire_promotion(Book.LIVE, "cus_a", 5, lot_id="promo_1", left_nanos=9),
    *(
        part
        for whole in (
            ledger.place_hold(Book.LIVE, "cus_a", 5, hold_id="hold_2", part=1),
            ledger.release_hold(Book.LIVE, "cus_a", 5, hold_id="hold_2", part=1),
            ledger.settle_late(Book.LIVE, "cus_a", 5, cause="m-g0:2:1-5"),
        )
        for part in ledger.split(whole, 2)
    ),
]


@pytest.mark.parametrize("transfer", POSTINGS, ids=lambda t: t.id)
def test_each_posting_has_its_shape(transfer):
    assert is_posting(transfer)
    swapped = replace(transfer, debit=transfer.credit, credit=transfer.debit)
    assert not is_posting(swapped)
    assert not is_posting(replace(transfer, id=f"x{transfer.id}"))
    other = None if transfer.hold_id else "hold_9"
    assert not is_posting(replace(transfer, hold_id=other))


def test_ids_name_their_cause():
    assert [t.id for t in POSTINGS] == [
        "grant:welcome:cus_a",
        "hold:hold_1:1",
        "settle:m-g0:1:1-5:hold_1",
        "settle:m-g0:1:1-5:late:live:cus_a",
        "release:hold_1:1",
        "overrun:m-g0:1:1-5:live",
        "grant:spring",
        "expire:promo_1:9",
        "hold:hold_2:1",
        "hold:hold_2:1:more",
        "release:hold_2:1",
        "release:hold_2:1:more",
        "settle:m-g0:2:1-5:late:live:cus_a",
        "settle:m-g0:2:1-5:late:live:cus_a:more",
    ]


@pytest.mark.parametrize(
    ("whole", "order"),
    [
        (ledger.place_hold(Book.LIVE, "cus_a", 5, hold_id="hold_1", part=1), ["promotion", "available"]),
        (ledger.settle_late(Book.LIVE, "cus_a", 5, cause="c"), ["promotion", "available"]),
        (ledger.release_hold(Book.LIVE, "cus_a", 5, hold_id="hold_1", part=1), ["available", "promotion"]),
    ],
    ids=lambda value: value.reason if isinstance(value, Transfer) else "",
)
def test_promotion_money_is_taken_first_and_given_back_last(whole, order):
    def customers_account(transfer: Transfer) -> str:
        sides = [account_kind(transfer.debit), account_kind(transfer.credit)]
        return next(kind for kind in sides if kind in {"available", "promotion"})

    assert ledger.split(whole, 0) == [whole]
    (all_of_it,) = ledger.split(whole, 5)
    assert (all_of_it.id, customers_account(all_of_it), all_of_it.amount_nanos) == (whole.id, "promotion", 5)
    parts = ledger.split(whole, 2)
    assert [customers_account(part) for part in parts] == order
    assert [part.amount_nanos for part in parts] == ([2, 3] if order[0] == "promotion" else [3, 2])
    assert [part.id for part in parts] == [whole.id, f"{whole.id}:more"]
    for impossible in (-1, 6):
        with pytest.raises(AssertionError):
            ledger.split(whole, impossible)


def test_money_never_moves_between_customers():
    stolen = replace(POSTINGS[1], credit=ledger.held("cus_b"))
    assert not is_posting(stolen)


def test_a_correction_points_at_what_it_corrects():
    correction = Transfer(
        id="correction:1",
        book=Book.LIVE,
        reason=Reason.CORRECTION,
        amount_nanos=1,
        debit=ledger.REVENUE,
        credit=ledger.available("cus_a"),
    )
    assert not is_posting(correction)
    assert is_posting(replace(correction, corrects="settle:x"))


def test_a_refund_leaves_returns_and_leaves_again_each_time_naming_the_last():
    """What the payment method refused is the customer's again, and what moved after all is not."""
    refunds = [
        move(Book.LIVE, "cus_a", 5, method="alipay", id_="ref_1")
        for move in (ledger.refund, ledger.return_refund, ledger.retake_refund)
    ]
    there = (ledger.available("cus_a"), ledger.clearing("alipay"))
    assert [(one.id, one.corrects, (one.debit, one.credit)) for one in refunds] == [
        ("refund:ref_1", None, there),
        ("correction:refund:ref_1", "refund:ref_1", there[::-1]),
        ("correction:correction:refund:ref_1", "correction:refund:ref_1", there),
    ]
    assert all(is_posting(one) and (one.amount_nanos, one.book) == (5, Book.LIVE) for one in refunds)


def test_a_top_up_comes_from_what_the_payment_method_owes():
    paid = ledger.top_up(Book.LIVE, "cus_a", AMOUNT_NANOS_MAX, method="alipay", number="20261130001")
    assert is_posting(paid)
    assert (paid.id, paid.debit, paid.credit, paid.amount_nanos) == (
        "topup:20261130001", ledger.clearing("alipay"), ledger.available("cus_a"), AMOUNT_NANOS_MAX,
    )  # fmt: skip


@pytest.mark.parametrize("amount", [0, -1, AMOUNT_NANOS_MAX + 1])
def test_amounts_have_bounds(amount):
    with pytest.raises(AssertionError):
        ledger.grant(Book.TEST, "cus_a", amount, cause="x")


def test_accounts_know_their_kind_and_owner():
    accounts = [ledger.available("c"), ledger.held("c"), ledger.promotion("c"), ledger.clearing("alipay"), "revenue"]
    assert [account_kind(a) for a in accounts] == ["available", "held", "promotion", "clearing", "revenue"]
    assert [customer_of(a) for a in accounts] == ["c", "c", "c", None, None]
    assert [ledger.may_go_negative(a) for a in accounts] == [False, False, False, True, True]


def test_a_transfer_needs_two_accounts():
    with pytest.raises(AssertionError):
        replace(POSTINGS[0], credit=ledger.GRANTS)


@pytest.mark.parametrize("module", ["money", "ledger", "pricing", "usage", "promotions"])
def test_no_binary_fraction_touches_money(module):
    source = (Path(ledger.__file__).parent / f"{module}.py").read_text()
    tree = ast.parse(source)
    literals = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, float)]
    assert literals in ([], [0.0])
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Div)]
    names = {
        n.target.id
        for n in ast.walk(tree)
        if isinstance(n, ast.AnnAssign)
        and isinstance(n.target, ast.Name)
        and isinstance(n.annotation, ast.Name)
        and n.annotation.id == "float"
    }
    assert all(name.endswith("_at") for name in names)


def test_customers_are_told_the_cause_of_an_entry_by_their_own_names():
    entry = Entry(
        transfer_id="", book=Book.LIVE, account=ledger.available("cus_a"), reason=Reason.TOPUP, amount_nanos=5,
        balance_before_nanos=0, balance_after_nanos=5, version=1, created_at=0.0,
    )  # fmt: skip
    for transfer_id, hold_id, cause in (
        ("topup:20261130001", None, "20261130001"),
        ("correction:refund:ref_1", None, "ref_1"),
        ("hold:hold_1:1", "hold_1", "hold_1"),
        ("settle:m-g0:1:1-5:late:live:cus_a", None, ""),
        ("grant:a name of operators", None, ""),
    ):
        assert ledger.cause_of(replace(entry, transfer_id=transfer_id, hold_id=hold_id)) == cause
