import pytest

from yuanjing.domain.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from yuanjing.domain.money import Book
from yuanjing.ports.store import Topic
from yuanjing.usecases.customers import (
    AccountKind,
    create_customer,
    customer_balances,
    customer_entries,
    find_customer,
    grant_money,
    list_customers,
)

YUAN = 10**9


async def test_a_new_customer_has_play_money_and_no_real_money(store, clock):
    made = await create_customer(store, clock, mobile="138 0013 8000", name=" Ada ", test_grant_nanos=100 * YUAN)
    assert (made.mobile, made.name) == ("+8613800138000", "Ada")
    balances = await customer_balances(store, made.id)
    assert balances[Book.TEST].available_nanos == 100 * YUAN
    assert balances[Book.LIVE].available_nanos == 0


async def test_a_mobile_number_belongs_to_one_customer_in_any_spelling(store, clock):
    made = await create_customer(store, clock, mobile="13800138000", test_grant_nanos=0)
    with pytest.raises(AlreadyExistsError, match=made.id):
        await create_customer(store, clock, mobile="+86-138-0013-8000", test_grant_nanos=0)
    assert await find_customer(store, "0086 13800138000") == made
    assert await find_customer(store, made.id) == made


@pytest.mark.parametrize(("mobile", "name"), [("12", ""), ("13800138000", "x" * 101), ("13800138000", "a\nb")])
async def test_bad_input_makes_no_customer(store, clock, mobile, name):
    with pytest.raises(InvalidInputError):
        await create_customer(store, clock, mobile=mobile, name=name, test_grant_nanos=YUAN)
    assert await list_customers(store) == []


@pytest.mark.parametrize("name", ["cus_nobody", "13900000000", "not a number", ""])
async def test_who_is_not_there_is_not_found(store, name):
    with pytest.raises(NotFoundError):
        await find_customer(store, name)
    with pytest.raises(NotFoundError):
        await customer_balances(store, name)
    with pytest.raises(NotFoundError):
        await customer_entries(store, name, Book.LIVE)


async def test_lists_come_in_pages(store, clock):
    numbers = [f"1380013800{number}" for number in range(5)]
    made = [await create_customer(store, clock, mobile=number, test_grant_nanos=0) for number in numbers]
    made.sort(key=lambda customer: customer.id)
    assert await list_customers(store, limit=2) == made[:2]
    assert await list_customers(store, after=made[1].id, limit=100) == made[2:]
    with pytest.raises(InvalidInputError):
        await list_customers(store, limit=0)


async def test_a_grant_adds_money_and_tells_the_gateways(store, clock, signals):
    made = await create_customer(store, clock, mobile="13800138000", test_grant_nanos=0)
    receipt = await grant_money(store, clock, customer_id="13800138000", book=Book.LIVE, amount_nanos=5, note="thanks")
    assert receipt.is_new
    assert receipt.balances.available_nanos == 5
    assert await signals() == [(Topic.FUNDS, f"live:{made.id}")]
    (entry,) = await customer_entries(store, made.id, Book.LIVE)
    assert (entry.amount_nanos, entry.balance_after_nanos, entry.note) == (5, 5, "thanks")


async def test_the_same_cause_grants_once_and_other_causes_again(store, clock):
    made = await create_customer(store, clock, mobile="13800138000", test_grant_nanos=0)
    receipts = [
        await grant_money(store, clock, customer_id=made.id, book=Book.LIVE, amount_nanos=5, cause=cause)
        for cause in ("order-1", "order-1", "order-2", None, None)
    ]
    assert [receipt.is_new for receipt in receipts] == [True, False, True, True, True]
    assert receipts[-1].balances.available_nanos == 20


@pytest.mark.parametrize("cause", ["", " ", "\t"])
async def test_an_empty_cause_grants_nothing(store, clock, cause):
    made = await create_customer(store, clock, mobile="13800138000", test_grant_nanos=0)
    with pytest.raises(InvalidInputError, match="cause"):
        await grant_money(store, clock, customer_id=made.id, book=Book.LIVE, amount_nanos=5, cause=cause)
    assert (await customer_balances(store, made.id))[Book.LIVE].available_nanos == 0


async def test_the_same_cause_with_another_amount_is_refused(store, clock):
    made = await create_customer(store, clock, mobile="13800138000", test_grant_nanos=0)
    await grant_money(store, clock, customer_id=made.id, book=Book.LIVE, amount_nanos=5, cause="c")
    with pytest.raises(AlreadyExistsError):
        await grant_money(store, clock, customer_id=made.id, book=Book.LIVE, amount_nanos=6, cause="c")


@pytest.mark.parametrize("amount", [0, -1])
async def test_nothing_cannot_be_granted(store, clock, amount):
    with pytest.raises(InvalidInputError):
        await grant_money(store, clock, customer_id="x", book=Book.LIVE, amount_nanos=amount)


async def test_entries_come_newest_first_in_pages(store, clock):
    made = await create_customer(store, clock, mobile="13800138000", test_grant_nanos=0)
    for amount in (1, 2, 3):
        await grant_money(store, clock, customer_id=made.id, book=Book.LIVE, amount_nanos=amount)
    page = await customer_entries(store, made.id, Book.LIVE, limit=2)
    assert [entry.amount_nanos for entry in page] == [3, 2]
    rest = await customer_entries(store, made.id, Book.LIVE, before_version=page[-1].version)
    assert [entry.amount_nanos for entry in rest] == [1]
    assert await customer_entries(store, made.id, Book.LIVE, account_kind=AccountKind.HELD) == []
