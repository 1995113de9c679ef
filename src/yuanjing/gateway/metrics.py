"""What one gateway process tells about itself: its plain counters and its state, as metric families.

Labels have few possible values, and never name a customer, a key or a request. docs/reference/metrics.md describes
every family.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from yuanjing.domain.dialects import Dialect
from yuanjing.gateway.counters import Counters, Histogram
from yuanjing.gateway.directory import ChannelState
from yuanjing.gateway.runtime import Gateway
from yuanjing.kit.metrics import collect_process

_KINDS = {
    "provider_balance": "provider_balance",
    "provider_auth": "provider_auth",
    "rate_limited": "rate_limited",
    "unavailable": "unavailable",
    "model_missing": "model_missing",
    "invalid_input": "invalid_input",
    "moderated": "moderated",
    "too_long": "too_long",
    "connect timeout": "connect",
    "connection lost": "connection_lost",
    "connection reset": "connection_lost",
    "the stream ended early": "connection_lost",
    "silence": "timeout",
    "total time": "timeout",
    "stopping": "stopping",
    "saturated": "saturated",
}
_OTHER_KIND = "bad_answer"


def collect(gateway: Gateway) -> list[Metric]:
    """Everything that this process has to tell; called between two turns of its event loop."""
    counters = gateway.counters
    return [
        *_requests(counters),
        *_answers(gateway, counters),
        *_money(gateway, counters),
        *_spool(gateway, counters),
        *_channels(list(gateway.directory.channels.values())),
        *_health(list(gateway.directory.channels.values()), gateway.now()),
        _channel_failures(counters.attempts_failed),
        *_state(gateway, counters),
        *collect_process(),
    ]


def _requests(counters: Counters) -> Iterable[Metric]:
    requests = CounterMetricFamily(
        "yuanjing_requests", "Chat requests answered, by dialect and status.", labels=("dialect", "status")
    )
    counts = Counter[tuple[str, int]](
        {(Dialect.OPENAI, 200): counters.answered_openai, (Dialect.LLMAGE, 200): counters.answered_llmage}
    )
    counts.update(counters.requests)
    for (dialect, status), count in counts.items():
        requests.add_metric((str(dialect), str(status)), count)
    refusals = CounterMetricFamily(
        "yuanjing_refusals", "Chat requests refused before anything was sent to a provider.", labels=("code",)
    )
    for code, count in counters.refusals.items():
        refusals.add_metric((code,), count)
    yield requests
    yield refusals
    yield _histogram("yuanjing_own_seconds", "Time that the platform itself adds to a request.", counters.own_time)
    yield _histogram(
        "yuanjing_first_byte_seconds",
        "Time from a request's head to the first byte of its answer.",
        counters.first_byte,
    )


def _answers(gateway: Gateway, counters: Counters) -> Iterable[Metric]:
    yield _gauge("yuanjing_exchanges", "Chat requests in work.", len(gateway.exchanges))
    yield _counter("yuanjing_connections_refused", "Connections beyond those allowed.", counters.connections_refused)
    yield _counter("yuanjing_client_gone", "Chat requests whose client left early.", counters.client_gone)
    yield _counter("yuanjing_replayed", "Answers given again to retries.", counters.replayed)
    yield _counter("yuanjing_drained", "Answers read to their end without their client.", counters.drained)
    yield _gauge("yuanjing_draining", "Answers being read without their client.", gateway.draining)
    yield _counter("yuanjing_retries", "Requests tried again on another channel.", counters.retries)
    yield _counter("yuanjing_retries_refused", "Retries not made, for there were too many.", counters.retries_refused)
    yield _counter("yuanjing_streams_broken", "Answers that broke after their first byte.", counters.upstream_broke)


def _money(gateway: Gateway, counters: Counters) -> Iterable[Metric]:
    tokens = CounterMetricFamily("yuanjing_tokens", "Tokens charged.", labels=("meter",))
    tokens.add_metric(("input_tokens",), counters.input_tokens)
    tokens.add_metric(("output_tokens",), counters.output_tokens)
    charged = CounterMetricFamily("yuanjing_charged_nanos", "Charges in nano-yuan.", labels=("book",))
    for book, nanos in counters.charged_nanos.items():
        charged.add_metric((str(book),), nanos)
    yield tokens
    yield charged
    yield _counter("yuanjing_overrun_nanos", "Usage above what was held, in nano-yuan.", counters.overrun_nanos)
    yield _counter("yuanjing_estimated", "Charges made from our own count.", counters.estimated)
    yield _gauge("yuanjing_purses", "Customers with a purse in this process.", gateway.purses.count)
    yield _gauge("yuanjing_leased_nanos", "Money leased and not charged, in nano-yuan.", gateway.purses.leased_nanos)
    yield _counter("yuanjing_lease_calls", "Times that the ledger was asked for money.", counters.lease_calls)
    yield _counter("yuanjing_lease_refusals", "Times that it gave none.", counters.lease_refusals)


def _spool(gateway: Gateway, counters: Counters) -> Iterable[Metric]:
    yield _gauge("yuanjing_spool_rows", "Usage rows written and not yet posted.", gateway.spooler.depth)
    yield _counter("yuanjing_spool_flushes", "Transactions of the spool.", counters.spool_flushes)
    yield _counter("yuanjing_spool_failures", "Transactions of the spool that failed.", counters.spool_failures)


def _channels(channels: list[ChannelState]) -> Iterable[Metric]:
    labels = ("channel", "provider", "book")
    attempts = CounterMetricFamily("yuanjing_channel_attempts", "Tries of requests on a channel.", labels=labels)
    in_flight = GaugeMetricFamily("yuanjing_channel_in_flight", "Requests under way on a channel.", labels=labels)
    most = GaugeMetricFamily(
        "yuanjing_channel_in_flight_max", "Requests that may be under way on a channel at once.", labels=labels
    )
    connections = GaugeMetricFamily(
        "yuanjing_channel_connections", "Connections of a channel, by state.", labels=(*labels, "state")
    )
    connects = CounterMetricFamily("yuanjing_channel_connects", "Connections begun.", labels=labels)
    failures = CounterMetricFamily("yuanjing_channel_connect_failures", "Connections not had.", labels=labels)
    for channel in channels:
        values = (channel.id, channel.provider.id, channel.book.value)
        pool = channel.pool
        attempts.add_metric(values, channel.attempts)
        in_flight.add_metric(values, channel.in_flight)
        most.add_metric(values, min(channel.capacity.most, pool.connections_max))
        connections.add_metric((*values, "idle"), pool.idle_count)
        connections.add_metric((*values, "busy"), pool.open_count - pool.idle_count)
        connects.add_metric(values, pool.connects)
        failures.add_metric(values, pool.connect_failures)
    return attempts, in_flight, most, connections, connects, failures


def _health(channels: list[ChannelState], now: float) -> Iterable[Metric]:
    """A channel that has not been tried since its start, or never with this outcome, has no age."""
    labels = ("channel", "provider", "book")
    in_row = GaugeMetricFamily(
        "yuanjing_channel_failures_in_row",
        "Failures by the channel's own fault since its last whole answer.",
        labels=labels,
    )
    success = GaugeMetricFamily("yuanjing_channel_success_age_seconds", "Age of its last whole answer.", labels=labels)
    failure = GaugeMetricFamily("yuanjing_channel_failure_age_seconds", "Age of its last failure.", labels=labels)
    shut = GaugeMetricFamily(
        "yuanjing_channel_shut", "1 if only probes are sent to it, and after which failure.", labels=(*labels, "kind")
    )
    for channel in channels:
        values = (channel.id, channel.provider.id, channel.book.value)
        health = channel.health
        in_row.add_metric(values, health.in_row)
        for family, at in ((success, health.succeeded_at), (failure, health.failed_at)):
            if at is not None:
                family.add_metric(values, now - at)
        shut.add_metric(
            (*values, failure_label(health.reason) if health.shut_until else ""), int(health.shut_until > 0)
        )
    return in_row, success, failure, shut


def _channel_failures(attempts_failed: Mapping[tuple[str, str], int]) -> Metric:
    counts: dict[tuple[str, str], int] = {}
    for (channel, kind), count in attempts_failed.items():
        label = (channel, failure_label(kind))
        counts[label] = counts.get(label, 0) + count
    family = CounterMetricFamily(
        "yuanjing_channel_failures", "Tries of requests that failed, by kind.", labels=("channel", "kind")
    )
    for label, count in counts.items():
        family.add_metric(label, count)
    return family


def failure_label(kind: str) -> str:
    """The kind of a failed attempt as one word of a closed list; what is not known was an answer we cannot read."""
    return "connect" if kind.startswith("connect:") else _KINDS.get(kind, _OTHER_KIND)


def _state(gateway: Gateway, counters: Counters) -> Iterable[Metric]:
    yield _gauge("yuanjing_ready", "1 if chat requests are admitted.", int(gateway.is_ready))
    yield _gauge("yuanjing_heartbeat_fresh", "1 if the last heartbeat is young enough.", int(gateway.is_fresh()))
    yield _gauge("yuanjing_gateways", "Gateway processes that share a key's limits.", gateway.processes)
    yield _gauge("yuanjing_key_cache_keys", "API keys in memory.", len(gateway.directory.keys))
    yield _gauge(
        "yuanjing_loop_lag_seconds", "The longest recent delay of the event loop.", counters.loop_lag_seconds_max
    )
    yield _gauge(
        "yuanjing_exchanges_max", "Requests that may be in work at once; fewer while overloaded.", gateway.shedder.most
    )


def _counter(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(name, text)
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
        total += count
        buckets.append((bound, total))
    family.add_metric((), buckets=buckets, sum_value=histogram.total)
    return family
