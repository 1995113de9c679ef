"""Hundreds of changes of prices and routes while requests run: nobody fails, and each bill has one version's price."""

import asyncio
import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.load.client import Ask, Callers, request, statuses
from tests.load.platforms import MODEL, Bill, Platform, Provider, say

KNOWN_SECONDS = 2.0
"""A process has heard of a new price by then."""


@pytest.mark.parametrize(
    "changes", [8, pytest.param(500, marks=[pytest.mark.soak, pytest.mark.timeout(600)])], ids=["few", "many"]
)
def test_changes_of_prices_and_routes_disturb_nobody(tmp_path: Path, changes: int):
    with Provider() as provider:
        platform = Platform(tmp_path / "p", YUANJING_OVERLOAD_LAG_SECONDS="5")
        platform.set_up()
        channels = [platform.add_channel(provider, name) for name in ("a", "b")]
        with platform:
            asks = uvloop.run(ask_while(platform, channels, changes))
            bills = platform.wait_bills({one.usage_id for one in asks})
            calls = {call.number: call for call in provider.calls()}
            prices: Any = platform.run("price", "list", MODEL)["prices"]
            assert platform.stop() == 0
            assert platform.verify() == []
    assert statuses(asks) == {200: len(asks)}
    assert all(one.is_good for one in asks)
    tokens = {one.usage_id: (calls[one.calls[0]].input, calls[one.calls[0]].output) for one in asks}
    used = check_prices(list(bills.values()), tokens, prices)
    by_channel = {call.channel for call in calls.values()}
    say("changes", changes=changes, answers=dict(statuses(asks)), versions=len(used), channels=len(by_channel))
    assert len(used) >= changes // 4, "the changes and the requests met"
    assert by_channel == {"a", "b"}


async def ask_while(platform: Platform, channels: Sequence[str], changes: int) -> list[Ask]:
    """Ask until so many changes are made, one directly after the other."""

    def change_all() -> None:
        for number in range(changes):
            if number % 2:
                words = ("--priority", str(number % 3), "--weight", str(1 + number % 7))
                platform.run("channel", "update", channels[number // 2 % 2], *words)
            else:
                platform.run("price", "set", MODEL, "--tier", f"{1 + number}/{2 + 3 * number}", "--source", "a test")

    async with (
        Callers([platform.url], lambda n: request(platform.key, n, "chunks-4", is_stream=n % 2 == 0)) as callers,
        asyncio.TaskGroup() as group,
    ):
        changing = group.create_task(asyncio.to_thread(change_all))
        while not changing.done():
            await callers.run(100, 0.5)
        await changing
        await callers.settle()
    return callers.asks


def check_prices(
    bills: Sequence[Bill], tokens: dict[str, tuple[int, int]], prices: Sequence[dict[str, Any]]
) -> set[str]:
    """Each charge is that of its version, which was the newest that a process could know; which were used."""
    until = [_unix(price["effective_from"]) + KNOWN_SECONDS for price in prices[1:]] + [math.inf]
    by_id = {price["id"]: (price, end) for price, end in zip(prices, until, strict=True)}
    for bill in bills:
        price, end = by_id[bill.price_id]
        assert _unix(price["effective_from"]) <= bill.started_at <= end, (bill, price)
        rates = [Decimal(price["tiers"][0][meter]) * 1000 for meter in ("input", "output")]  # nano-yuan for a token
        assert (bill.input, bill.output) == tokens[bill.id]
        assert bill.charge_nanos == rates[0] * bill.input + rates[1] * bill.output, (bill, price)
    return {bill.price_id for bill in bills}


def _unix(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()
