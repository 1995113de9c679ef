"""What a process's store object has done, as metric families; docs/reference/metrics.md describes them."""

from prometheus_client.core import CounterMetricFamily, Metric

from yuanjing.ports.store import StoreCounters


def collect_store(store: StoreCounters) -> list[Metric]:
    """Every counter of it."""
    return [
        _counter("yuanjing_store_writes", "Units of work that may write.", store.writes),
        _counter("yuanjing_store_reads", "Units of work that only read.", store.reads),
        _counter("yuanjing_store_failures", "Units of work that the database did not do.", store.failures),
        _counter("yuanjing_store_retries", "Units of work begun again.", store.retries),
        _counter("yuanjing_store_write_seconds", "Time spent in units of work that may write.", store.write_seconds),
    ]


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)
