"""What a test says of a bill: its price by hand, the sandbox's own account of the answer, and the books."""

import time
from fractions import Fraction

from tests.support.gateway import LIMITS, GatewayServer
from tests.support.sandbox import Sandbox

from yuanjing.domain.money import NANOS_PER_YUAN
from yuanjing.domain.usage import Meter, UsageRecord


def wait_for_entry(box: Sandbox) -> dict:
    """The journal's newest entry, once it has ended."""
    for _ in range(400):
        entry = box.journal()[0]
        if entry["ended"]:
            return entry
        time.sleep(0.01)
    raise AssertionError(entry)


def price(meters: dict[str, int]) -> Fraction:
    """The charge in nano-yuan by the price's own words: 3.2 in, 0.64 cached, 12.8 out, CNY a million."""
    cached = meters[Meter.CACHE_READ_TOKENS]
    yuan = (
        Fraction("3.2") * (meters[Meter.INPUT_TOKENS] - cached)
        + Fraction("0.64") * cached
        + Fraction("12.8") * meters[Meter.OUTPUT_TOKENS]
    ) / 10**6
    return yuan * NANOS_PER_YUAN


def expect_books(server: GatewayServer) -> None:
    """What the purses hold is what was granted and neither charged nor returned."""
    held = server.bank.granted - server.bank.returned - sum(r.charge_nanos for r in server.spool.records)
    for _ in range(100):
        if server.gateway.purses.leased_nanos == held:
            break
        time.sleep(0.01)
    assert server.gateway.purses.leased_nanos == held
    assert not any(purse.reserved for purse in server.gateway.purses._purses.values())


def expect_own_count(record: UsageRecord, prompt: str, answer: str) -> None:
    """The record counts bytes, as we do where the provider has not counted."""
    assert record.is_estimated
    assert record.overrun_nanos == 0
    per_token = LIMITS.bytes_per_token
    assert record.meters[Meter.INPUT_TOKENS] == -(-len(prompt.encode()) // per_token)
    assert record.meters[Meter.OUTPUT_TOKENS] == -(-len(answer.encode()) // per_token)
