import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.usages import PRICE, posted_usage

from yuanjing.domain.errors import NotFoundError
from yuanjing.ports.store import UsageFilter
from yuanjing.usecases.usages import explain_usage, format_micro_nanos, list_usages, show_usage


def test_the_designs_example_is_explained_to_the_last_digit():
    found = explain_usage(posted_usage(), PRICE)
    assert found.is_consistent
    assert found.charge.total_nanos == 867_200
    text = "\n".join(found.lines)
    assert "31 input_tokens x 3.20 CNY / 1,000,000 = 0.0000992 CNY" in text
    assert "60 output_tokens x 12.80 CNY / 1,000,000 = 0.000768 CNY" in text
    assert "charged  0.0008672 CNY" in text
    assert "version 7 of qwen3-max" in text


def test_a_charge_above_its_ceiling_names_the_platforms_part():
    found = explain_usage(posted_usage(ceiling=800_000, charge=800_000, overrun=67_200), PRICE)
    assert found.is_consistent
    assert any("overrun  0.0000672 CNY" in line for line in found.lines)


def test_a_wrong_charge_is_called_wrong():
    found = explain_usage(posted_usage(charge=867_199), PRICE)
    assert not found.is_consistent
    assert any(line.startswith("WRONG") for line in found.lines)


def test_estimates_and_shortfalls_are_told():
    posted = posted_usage()
    posted = dataclasses.replace(
        posted, record=dataclasses.replace(posted.record, is_estimated=True), late_shortfall_nanos=5
    )
    text = "\n".join(explain_usage(posted, PRICE).lines)
    assert "our own" in text
    assert "0.000000005 CNY of it could not be collected" in text


@given(st.integers(0, 10**24))
def test_exact_amounts_lose_no_digit(micro_nanos):
    whole, _, fraction = format_micro_nanos(micro_nanos).partition(".")
    assert int(whole + fraction.ljust(15, "0")) == micro_nanos
    assert len(fraction) >= 2


async def test_a_record_is_found_with_its_price(catalog_store):
    first = posted_usage()
    second = dataclasses.replace(posted_usage(usage_id="v" * 21), posted_at=2.0)

    def work(tx):
        tx.catalog.add_price(dataclasses.replace(PRICE, version=2, tiers=PRICE.tiers))
        tx.usages.add_new([first, second])

    await catalog_store.write(work)
    found = await show_usage(catalog_store, first.record.id)
    assert found.posted == first
    assert found.is_consistent
    assert await list_usages(catalog_store, UsageFilter()) == [second, first]
    assert await list_usages(catalog_store, UsageFilter(before=(2.0, second.record.id))) == [first]


async def test_unknown_usage_is_not_found(store):
    with pytest.raises(NotFoundError):
        await show_usage(store, "nothing")


async def test_a_record_without_its_price_leads_to_verification(catalog_store):
    posted = posted_usage(price=dataclasses.replace(PRICE, id="price_gone"))
    await catalog_store.write(lambda tx: tx.usages.add_new([posted]))
    with pytest.raises(NotFoundError, match="yuanjing verify"):
        await show_usage(catalog_store, posted.record.id)
