"""Posted usage for tests."""

import datetime as dt

from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ChatPrice, ChatTier, charge_nanos
from yuanjing.domain.usage import ChatUsage, PostedUsage, UsageRecord

PRICE = ChatPrice(
    id="price_1",
    offer_id="VaKNrpZ37Ybrg5DWGio6b",
    version=7,
    effective_from=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    tiers=(ChatTier(input_up_to=None, input_nanos=3_200_000_000, output_nanos=12_800_000_000, cache_read_nanos=0),),
)
COUNTS = ChatUsage(input_tokens=31, output_tokens=60)


def posted_usage(counts=COUNTS, *, price=PRICE, ceiling=10**9, charge=None, overrun=0, usage_id="u" * 21):
    record = UsageRecord(
        id=usage_id,
        book=Book.LIVE,
        customer_id="cus_1",
        key_id="key_1",
        offer_id=price.offer_id,
        model="qwen3-max",
        operation="chat",
        channel_id="ch_1",
        hold_id="hold_1",
        price_id=price.id,
        meters=counts.meters(),
        ceiling_nanos=ceiling,
        charge_nanos=charge_nanos(price, counts) if charge is None else charge,
        overrun_nanos=overrun,
    )
    return PostedUsage(record=record, settle_transfer_id="settle:1", late_shortfall_nanos=0, posted_at=1.0)
