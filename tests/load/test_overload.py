"""Twice as many requests as can be served: those that are served are as many as ever, the others are told at once."""

from dataclasses import dataclass

import pytest
import uvloop
from tests.load.client import Ask, Callers, quantile, request, statuses
from tests.load.platforms import Core, Platform, Provider, apart, say

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

WORDS = "chunks-256"
"""So much for the gateway to do that a client in Python can ask for twice as much as one core can give."""
FIRST_RATE = 1000.0
SECONDS, CALM_SECONDS = 12.0, 3.0
ROUNDS = 3
GOODPUT_MIN = 0.85
"""Of the peak; the goal is nine tenths (docs/concepts/load.md says what is missing)."""
SHED_SECONDS = 0.05
"""In which half of the refused are told, on a core that is the gateway's own."""
BEGINNING_SECONDS = 1.0
"""What it takes to see that it is an overload, and to work off what was let in until then."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """One load.

    Attributes:
        calm: what was asked directly after it, at a tenth of its rate.
        own_seconds: the time that the gateway's core was its own.
    """

    asks: list[Ask]
    calm: list[Ask]
    own_seconds: float

    @property
    def served(self) -> int:
        """Whole answers within its time."""
        return sum(one.is_good and one.ended - self.asks[0].due < SECONDS for one in self.asks)

    @property
    def goodput(self) -> float:
        """The same for a second of the gateway's core."""
        return self.served / self.own_seconds

    @property
    def shed_seconds(self) -> list[float]:
        """How long those waited who were refused."""
        later = (one for one in self.asks if one.due - self.asks[0].due > BEGINNING_SECONDS)
        return [one.seconds for one in later if one.status == 503]

    @property
    def recovery_seconds(self) -> float:
        """After the end of the load, until nobody is refused any more."""
        return max((one.due - self.calm[0].due for one in self.calm if one.status == 503), default=0.0)


def test_twice_the_capacity_is_served_as_one_and_the_rest_is_told(tmp_path):
    """The capacity is measured again before each overload, since other work on the machine moves it."""
    with Provider() as provider:
        platform = Platform(tmp_path / "p", YUANJING_OVERLOAD_LAG_SECONDS="0.025")
        platform.set_up()
        platform.add_channel(provider, "a")
        with platform, apart(platform, provider):
            rate = capacity(platform)
            pairs = [(load(platform, rate), load(platform, 2.0 * rate)) for _ in range(ROUNDS)]
            assert platform.stop() == 0
            assert platform.verify() == []
    shares = [twice.goodput / once.goodput for once, twice in pairs]
    rounds = [twice for _, twice in pairs]
    good = [one.seconds for twice in rounds for one in twice.asks if one.is_good]
    shed = [seconds for twice in rounds for seconds in twice.shed_seconds]
    asks = [one for twice in rounds for one in twice.asks]
    own_share = sum(twice.own_seconds for twice in rounds) / (SECONDS * ROUNDS)
    say(
        "twice the capacity",
        asked=f"{2.0 * rate:.0f}/s",
        answers=dict(statuses(asks)),
        goodput=" ".join(f"{share:.2f}" for share in shares),
        own_share=own_share,
        served_p50=quantile(good, 0.5),
        served_p99=quantile(good, 0.99),
        shed_p50=quantile(shed, 0.5),
        shed_p90=quantile(shed, 0.9),
        shed_p99=quantile(shed, 0.99),
        recovery=max(twice.recovery_seconds for twice in rounds),
    )
    assert statuses(asks).keys() == {200, 503}
    assert all(one.has_retry_after for one in asks if one.status == 503)
    assert quantile(shares, 0.5) >= GOODPUT_MIN, shares
    assert quantile(shed, 0.5) * own_share <= SHED_SECONDS
    assert max(twice.recovery_seconds for twice in rounds) <= 2.0


def capacity(platform: Platform) -> float:
    """The rate at which not all is served any more."""
    rate = FIRST_RATE
    while load(platform, rate).served >= 0.97 * rate * SECONDS:
        rate *= 1.25
    return rate


def load(platform: Platform, rate: float) -> Round:
    """So many requests a second, whatever is answered, and then a tenth of that."""

    async def run() -> Round:
        async with Callers([platform.url], lambda n: request(platform.key, n, WORDS)) as callers:
            core = Core(platform)
            asks = await callers.run(rate, SECONDS)
            own_seconds = core.seconds
            calm = await callers.run(rate / 10.0, CALM_SECONDS)
            await callers.settle()
        return Round(asks=asks, calm=calm, own_seconds=own_seconds)

    return uvloop.run(run())
