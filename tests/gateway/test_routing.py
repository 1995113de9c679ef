"""In which order channels are tried, and what a provider's failure means."""

import json
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from yuanjing.domain.money import Book
from yuanjing.gateway import routing
from yuanjing.gateway.directory import Route
from yuanjing.gateway.health import ChannelHealth, FailedTry
from yuanjing.gateway.options import GatewayOptions

NOW = 1000.0


@dataclass
class Weighed:
    """The part of a channel that the order looks at."""

    name: str
    priority: int
    weight: int
    ended: int = 100
    health: ChannelHealth = field(default_factory=lambda: ChannelHealth(GatewayOptions(), Book.LIVE))


def routes(*channels):
    return tuple(
        Route(
            channel=Weighed(*c),  # type: ignore[arg-type]
            upstream_model="m",
            upstream_model_json=b'"m"',
            renames_model=False,
            renames_reasoning=False,
            limit_field=None,
        )
        for c in channels
    )


def seeded(seed):
    return random.Random(seed)  # noqa: S311  # spreads load


def order(given, choose):
    return "".join(r.channel.name for r in routing.order_routes(given, choose, lambda: NOW))


def test_priority_comes_first():
    given = routes(("c", 5, 1000), ("a", 0, 1), ("b", 1, 1))
    assert {order(given, seeded(seed)) for seed in range(50)} == {"abc"}


def test_weight_shares_within_one_priority():
    given, choose = routes(("a", 0, 300), ("b", 0, 100)), seeded(1)
    first = Counter(order(given, choose)[0] for _ in range(4000))
    assert 2800 < first["a"] < 3200


def test_a_channel_that_fails_gets_less_until_it_has_not_failed_for_a_while():
    given, choose = routes(("a", 0, 100), ("b", 0, 100)), seeded(3)
    ailing = given[0].channel
    for n in range(5):
        failure = FailedTry(kind="unavailable", tried_at=NOW, ended=n + 1, has_other=True)
        ailing.health.failed(failure, NOW)
        ailing.health.answered(NOW)
    ailing.ended = 6
    assert 100 < Counter(order(given, choose)[0] for _ in range(2000))["a"] < 500
    later = Counter(routing.order_routes(given, choose, lambda: NOW + 60)[0].channel.name for _ in range(2000))
    assert 900 < later["a"] < 1100


def test_every_route_once_and_zero_weight_too():
    given, choose = routes(("a", 0, 0), ("b", 0, 100), ("c", 0, 1), ("d", 9, 5)), seeded(2)
    orders = {order(given, choose) for _ in range(3000)}
    assert all(sorted(o) == list("abcd") and o.endswith("d") for o in orders)
    assert {o[0] for o in orders} >= {"a", "b"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "provider_auth"), (402, "provider_balance"), (403, "provider_auth"), (404, "model_missing"),
     (408, "unavailable"), (429, "rate_limited"), (500, "unavailable"), (503, "unavailable"), (302, "unavailable")],
)  # fmt: skip
def test_hidden_statuses(status, kind):
    failure = routing.failure_of_answer(status, b"{}", b"7")
    assert (failure.code, failure.kind, failure.is_retryable) == ("provider_unavailable", kind, True)
    assert failure.retry_after_seconds == (7 if kind in {"rate_limited", "unavailable"} else None)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_shown_statuses(status):
    body = json.dumps({"error": {"message": "n is wrong" * 100}}).encode()
    failure = routing.failure_of_answer(status, body, None)
    assert (failure.code, failure.kind, failure.is_retryable) == ("invalid_request", "invalid_input", False)
    assert failure.message.startswith("n is wrong")
    assert len(failure.message) == 500


@pytest.mark.parametrize("value", [b"", b"soon", b"-1", b"1.5", b"Wed, 21 Oct 2026 07:28:00 GMT", None])
def test_a_retry_after_that_is_no_number(value):
    assert routing.failure_of_answer(429, b"{}", value).retry_after_seconds is None


def test_a_retry_after_of_many_digits():
    failure = routing.failure_of_answer(503, b"{}", b"9" * 5000)
    assert failure.retry_after_seconds is None or failure.retry_after_seconds <= 86_400


def test_moderation_is_shown_whatever_the_status():
    detail = b'{"code":"data_inspection_failed","message":"no","type":"data_inspection_failed"}'
    assert routing.failure_of_event(detail).code == "content_policy_violation"
    for status in (400, 500):
        failure = routing.failure_of_answer(status, b'{"error":' + detail + b"}", None)
        assert (failure.code, failure.is_retryable) == ("content_policy_violation", False)
    for status in (401, 402, 403, 429):
        assert routing.failure_of_answer(status, b'{"error":' + detail + b"}", None).code == "provider_unavailable"
