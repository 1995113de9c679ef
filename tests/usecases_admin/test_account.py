"""What customers change of themselves: what the routes cannot ask for is refused all the same."""

from dataclasses import replace

import pytest

from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.identity import Language
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store
from yuanjing.usecases.account import change_profile, read_profile
from yuanjing.usecases.customers import create_customer


async def test_nobody_has_a_profile(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await read_profile(store, "cus_none")
    with pytest.raises(NotFoundError):
        await change_profile(store, "cus_none", lambda terms: terms)


@pytest.mark.parametrize("line", [0, -1])
async def test_a_line_is_above_zero(store: Store, clock: ManualClock, line: int) -> None:
    customer = await create_customer(store, clock, mobile="13800138000", test_grant_nanos=0)
    with pytest.raises(InvalidInputError, match="low_balance"):
        await change_profile(store, customer.id, lambda terms: replace(terms, low_balance_nanos=line))


async def test_a_change_is_kept(store: Store, clock: ManualClock) -> None:
    customer = await create_customer(store, clock, mobile="13800138000", test_grant_nanos=0)
    changed = await change_profile(
        store, customer.id, lambda terms: replace(terms, name=" n ", language=Language.ZH, low_balance_nanos=5)
    )
    assert changed == await read_profile(store, customer.id)
    assert changed.customer == replace(customer, name="n", language=Language.ZH)
    assert (changed.alert.below_nanos, changed.alert.is_armed) == (5, True)
