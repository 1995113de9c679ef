"""What is done for a key does not depend on what is wrong with it (goal S6).

In the usual run the work is compared, call by call; in `make soak` the time, with 20,000 looks for each fault.
"""

import random
import statistics
import sys
import time

import pytest

from yuanjing.domain.identity import AuthenticationError, format_key, public_id_of
from yuanjing.domain.money import Book
from yuanjing.usecases.customers import create_customer
from yuanjing.usecases.key_finder import KeyFinder
from yuanjing.usecases.keys import authenticate, create_key, revoke_key

SAMPLES = 20_000
T_MAX, DIFFERENCE_MAX = 4.5, 0.05
"""Welch's t, and the relative difference of the medians: one of both is enough."""


def changed(text: str, place: int) -> str:
    """The same key, well-formed, with another letter at this place of its secret, from 1."""
    _, _, public_id, secret = text.split("_")[:4]
    letter = "A" if secret[place - 1] != "A" else "B"
    return format_key(Book.TEST, public_id, secret[: place - 1] + letter + secret[place:])


@pytest.fixture
async def presented(store, clock, pepper):
    """Keys that are refused, by what is wrong with them."""
    customer = await create_customer(store, clock, mobile="13800138000", test_grant_nanos=0)
    _, good = await create_key(store, clock, pepper, customer_id=customer.id, book=Book.TEST)
    gone, revoked = await create_key(store, clock, pepper, customer_id=customer.id, book=Book.TEST)
    await revoke_key(store, clock, gone.id)
    assert public_id_of(changed(good, 1)) == public_id_of(good)
    return {
        "unknown id": format_key(Book.TEST, "NoSuchId", good[-32:]),
        "wrong at 1": changed(good, 1),
        "wrong at 16": changed(good, 16),
        "wrong at 32": changed(good, 32),
        "revoked": revoked,
    }


async def refused(finder, clock, pepper, text):
    with pytest.raises(AuthenticationError):
        await authenticate(finder, clock, pepper, text)


async def test_the_same_functions_are_called_whatever_is_wrong(store, clock, pepper, presented):
    """All of ours, and what they call in C, in the same order."""
    finder = KeyFinder(store)
    calls: list[str] = []

    def note(frame, event, argument):
        if event == "c_call" and "/yuanjing/" in frame.f_code.co_filename:
            calls.append(argument.__qualname__)
        elif (
            event == "call" and "/yuanjing/" in frame.f_code.co_filename and "/memory/" not in frame.f_code.co_filename
        ):
            calls.append(frame.f_code.co_qualname)

    seen = {}
    for what, text in presented.items():
        await refused(finder, clock, pepper, text)  # the first time, something may be made that is kept
        calls.clear()
        sys.setprofile(note)
        try:
            await refused(finder, clock, pepper, text)
        finally:
            sys.setprofile(None)
        seen[what] = [call for call in calls if not call.startswith(("dict", "list", "set", "str"))]
    assert "compare_digest" in " ".join(seen["revoked"])
    assert {what: found for what, found in seen.items() if found != seen["wrong at 1"]} == {}


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_the_same_time_is_taken_whatever_is_wrong(store, clock, pepper, presented):
    finder = KeyFinder(store)
    names = list(presented)
    taken: dict[str, list[int]] = {name: [] for name in names}
    rng = random.Random(20_261_130)  # noqa: S311  # an order that can be had again
    for _ in range(SAMPLES):
        rng.shuffle(names)  # so that what comes and goes on the machine meets all alike
        for name in names:
            began = time.perf_counter_ns()
            await refused(finder, clock, pepper, presented[name])
            taken[name].append(time.perf_counter_ns() - began)
    found = {
        (one, other): (difference(taken[one], taken[other]), abs(welch(taken[one], taken[other])))
        for one in presented
        for other in presented
        if one < other
    }
    assert {pair: two for pair, two in found.items() if two[0] > DIFFERENCE_MAX and two[1] >= T_MAX} == {}


def difference(one: list[int], other: list[int]) -> float:
    """Of the medians, as a part of the smaller."""
    medians = sorted((statistics.median(one), statistics.median(other)))
    return medians[1] / medians[0] - 1


def welch(one: list[int], other: list[int]) -> float:
    """Welch's t of the faster nine tenths: what a machine does beside it is in the rest."""
    kept = [sorted(values)[: len(values) * 9 // 10] for values in (one, other)]
    means = [statistics.fmean(values) for values in kept]
    spread = sum(statistics.variance(values, mean) / len(values) for values, mean in zip(kept, means, strict=True))
    return (means[0] - means[1]) / spread**0.5
