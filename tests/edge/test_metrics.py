"""Metrics: what processes publish, how a scrape merges it, and that everything is documented."""

import re
from pathlib import Path

import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.support.claims import FakeClaims
from tests.support.gateway import PEPPER, FakeBank, FakeDirectory, FakeNode, FakeSpool, ListLog, channel

from yuanjing.bootstrap.store_metrics import collect_store
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.money import Book
from yuanjing.domain.videos import TaskStep
from yuanjing.gateway import metrics as gateway_metrics
from yuanjing.gateway.health import FailedTry
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.runtime import Gateway, GatewayParts
from yuanjing.kit.clock import ManualClock, SystemClock
from yuanjing.kit.metrics import MetricsBoard, collect_process
from yuanjing.ports.store import HoldSum, StoreCounters
from yuanjing.worker import metrics as worker_metrics
from yuanjing.worker.counters import WorkerCounters
from yuanjing.worker.video.counters import VideoCounters

DOC = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def parse(text: bytes) -> dict[str, Metric]:
    families = list(text_string_to_metric_families(text.decode()))
    names = [family.name for family in families]
    assert len(set(names)) == len(names), "a family is shown twice"
    return {family.name: family for family in families}


async def make_gateway() -> Gateway:
    """A gateway with one channel, as it is between reading its directory and its first request."""
    gateway = Gateway(
        GatewayParts(
            options=GatewayOptions(breaker="all"),
            clock=SystemClock(),
            log=ListLog(),
            pepper=PEPPER,
            directory=FakeDirectory([channel("http://127.0.0.1:1/v1", name="secret name", credential="canary")]),
            leases=FakeBank(),
            claims=FakeClaims(),
            node=FakeNode(),
            spool=FakeSpool(),  # type: ignore[arg-type]
        )
    )
    await gateway._reload()
    return gateway


def published(tmp_path: Path, families: list[Metric], process: str = "g0") -> dict[str, Metric]:
    board = MetricsBoard(tmp_path, process, ManualClock())
    board.publish(families)
    return parse(board.render())


def value(family: Metric, **labels: str) -> float:
    found = [s.value for s in family.samples if labels.items() <= s.labels.items()]
    assert len(found) == 1, family.samples
    return found[0]


def test_a_scrape_merges_all_processes(tmp_path: Path) -> None:
    clock = ManualClock()
    for process, count in (("g0", 3), ("g1", 4)):
        total = CounterMetricFamily("yuanjing_x", 'A "text"\nof two lines \\.', labels=("kind",))
        total.add_metric(('a"b\\c\n',), count)
        histogram = HistogramMetricFamily("yuanjing_h", "H.", buckets=[("0.1", 1), ("+Inf", count)], sum_value=0.5)
        MetricsBoard(tmp_path, process, clock).publish([total, histogram])
    MetricsBoard(tmp_path, "worker", clock).publish([GaugeMetricFamily("yuanjing_y", "Y.", value=1)])
    text = MetricsBoard(tmp_path, "g0", clock).render()
    families = parse(text)
    assert list(families) == ["yuanjing_x", "yuanjing_h", "yuanjing_y"]
    assert [(s.labels, s.value) for s in families["yuanjing_x"].samples] == [
        ({"process": "g0", "kind": 'a"b\\c\n'}, 3.0),
        ({"process": "g1", "kind": 'a"b\\c\n'}, 4.0),
    ]
    assert families["yuanjing_x"].type == "counter"
    assert value(families["yuanjing_h"], process="g1", le="+Inf") == 4
    assert {s.labels["process"] for s in families["yuanjing_y"].samples} == {"worker"}
    assert text.count(b"# TYPE yuanjing_h histogram\n") == 1
    assert text.endswith(b"\n")


def test_what_a_dead_process_left_is_not_shown(tmp_path: Path) -> None:
    clock = ManualClock()
    old, new = (MetricsBoard(tmp_path, name, clock, fresh_seconds=10) for name in ("g0", "g1"))
    old.publish([GaugeMetricFamily("yuanjing_x", "X.", value=1)])
    clock.advance(10)
    new.publish([GaugeMetricFamily("yuanjing_x", "X.", value=2)])
    assert len(parse(new.render())["yuanjing_x"].samples) == 2
    clock.advance(1)
    assert [s.value for s in parse(new.render())["yuanjing_x"].samples] == [2.0]
    new.withdraw()
    new.withdraw()
    assert new.render() == b""


def test_publishing_replaces(tmp_path: Path) -> None:
    board = MetricsBoard(tmp_path / "made" / "on demand", "g0", ManualClock())
    assert board.render() == b""
    for number in (1, 2):
        board.publish([GaugeMetricFamily("yuanjing_x", "X.", value=number)])
        assert value(parse(board.render())["yuanjing_x"]) == number
    assert [path.name for path in (tmp_path / "made" / "on demand").iterdir()] == ["g0.prom"]


def test_a_family_of_two_types_is_shown_in_one(tmp_path: Path) -> None:
    clock = ManualClock()
    MetricsBoard(tmp_path, "g0", clock).publish([GaugeMetricFamily("yuanjing_x", "X.", value=1)])
    MetricsBoard(tmp_path, "g1", clock).publish([HistogramMetricFamily("yuanjing_x", "X.", [("+Inf", 1)], 1)])
    families = parse(MetricsBoard(tmp_path, "g0", clock).render())
    assert [(s.name, s.labels) for s in families["yuanjing_x"].samples] == [("yuanjing_x", {"process": "g0"})]


def test_files_of_others_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "other.prom").write_text("# HELP x X\n# TYPE x gauge\nx 1\n")
    assert MetricsBoard(tmp_path, "g0", ManualClock()).render() == b""


@pytest.mark.parametrize("name", ["", "../g0", "G0", "a/b", "-g", "g0.prom"])
def test_a_process_name_is_a_plain_word(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a process"):
        MetricsBoard(tmp_path, name, ManualClock())


async def test_a_gateway_tells_what_it_counted(tmp_path: Path) -> None:
    gateway = await make_gateway()
    counters = gateway.counters
    counters.answered_openai = 7
    counters.requests[(Dialect.LLMAGE, 429)] = 2
    counters.refusals["insufficient_balance"] = 2
    counters.charged_nanos[Book.TEST] += 123_456_789
    counters.input_tokens, counters.output_tokens = 31, 60
    counters.own_time.observe(0.0003)
    counters.own_time.observe(9.0)
    counters.attempts_failed.update(
        {("ch_1", "connect: OSError"): 1, ("ch_1", "connect timeout"): 2, ("ch_1", "??"): 4}
    )
    state = gateway.directory.channels["ch_1"]
    state.attempts, state.in_flight, state.pool.connects = 5, 1, 3
    assert not published(tmp_path, gateway_metrics.collect(gateway))["yuanjing_channel_success_age_seconds"].samples
    state.health.succeeded_at = gateway.now() - 60
    state.health.failed(FailedTry(kind="silence", tried_at=0.0, ended=1), gateway.now() - 1)
    state.health.failed(FailedTry(kind="provider_auth", is_sure=True, tried_at=0.0, ended=2), gateway.now())
    families = published(tmp_path, gateway_metrics.collect(gateway))
    requests = families["yuanjing_requests"]
    assert value(requests, dialect="openai", status="200") == 7
    assert value(requests, dialect="llmage", status="200") == 0
    assert value(requests, dialect="llmage", status="429") == 2
    assert value(families["yuanjing_refusals"], code="insufficient_balance") == 2
    assert value(families["yuanjing_charged_nanos"], book="test") == 123_456_789
    assert value(families["yuanjing_tokens"], meter="output_tokens") == 60
    own = families["yuanjing_own_seconds"]
    assert value(own, le="0.0002") == 0
    assert value(own, le="0.0005") == 1
    assert value(own, le="+Inf") == 2
    assert [s.value for s in own.samples if s.name.endswith(("_count", "_sum"))] == [2, 9.0003]
    assert value(families["yuanjing_ready"]) == 0
    assert value(families["yuanjing_process_resident_bytes"]) > 1_000_000
    assert value(families["yuanjing_process_open_files"]) > 2
    check_channel(families)


def check_channel(families: dict[str, Metric]) -> None:
    assert value(families["yuanjing_channel_attempts"], channel="ch_1", provider="p", book="test") == 5
    assert value(families["yuanjing_channel_connects"], channel="ch_1") == 3
    assert value(families["yuanjing_channel_connections"], state="idle") == 0
    assert value(families["yuanjing_channel_failures"], kind="connect") == 3
    assert value(families["yuanjing_channel_failures"], kind="bad_answer") == 4
    assert value(families["yuanjing_channel_failures_in_row"], channel="ch_1", book="test") == 2
    assert value(families["yuanjing_channel_shut"], channel="ch_1", kind="provider_auth") == 1
    assert value(families["yuanjing_channel_success_age_seconds"], channel="ch_1") >= 60
    assert 0 <= value(families["yuanjing_channel_failure_age_seconds"], channel="ch_1") < 60
    assert value(families["yuanjing_channel_shut"], channel="ch_1", kind="provider_auth") == 1


def test_a_worker_tells_what_it_counted(tmp_path: Path) -> None:
    counters = WorkerCounters(rows_posted=9, spool_age_seconds=1.5)
    counters.holds = {Book.TEST: HoldSum(count=2, remaining_nanos=10**15 + 1)}
    counters.passes["post"] = 3
    counters.failures["observe"] = 1
    counters.pass_seconds["post"] = 0.25
    families = published(tmp_path, worker_metrics.collect(counters, VideoCounters()), "worker")
    assert value(families["yuanjing_worker_rows_posted"], process="worker") == 9
    assert value(families["yuanjing_worker_spool_age_seconds"]) == 1.5
    assert (value(families["yuanjing_holds"], book="test"), value(families["yuanjing_holds"], book="live")) == (2, 0)
    assert value(families["yuanjing_held_nanos"], book="test") == 10**15 + 1
    assert value(families["yuanjing_worker_passes"], loop="post") == 3
    assert value(families["yuanjing_worker_loop_failures"], loop="observe") == 1
    assert value(families["yuanjing_worker_pass_seconds"], loop="post") == 0.25


def test_each_process_tells_what_its_store_did(tmp_path: Path) -> None:
    families = published(tmp_path, collect_store(StoreCounters(writes=4, reads=3, write_seconds=0.5)), "g1")
    assert value(families["yuanjing_store_writes"], process="g1") == 4
    assert value(families["yuanjing_store_reads"]) == 3
    assert value(families["yuanjing_store_write_seconds"]) == 0.5


def test_a_worker_tells_what_its_engine_counted(tmp_path: Path) -> None:
    video = VideoCounters(adopted=2, late_seconds=1.25)
    video.submissions["ch_1"] = 5
    video.refusals["ch_1", "rate_limited"] = 3
    video.calls["ch_1", "query_many"] = 7
    video.ended["succeeded"] = 4
    video.in_hand["copy"] = 1
    video.steps = {TaskStep.POLLING: 20}
    told = worker_metrics.collect(WorkerCounters(), video)
    families = published(tmp_path, told, "worker")
    assert value(families["yuanjing_video_submissions"], channel="ch_1") == 5
    assert value(families["yuanjing_video_refusals"], channel="ch_1", kind="rate_limited") == 3
    assert value(families["yuanjing_video_calls"], channel="ch_1", method="query_many") == 7
    assert value(families["yuanjing_video_ended"], state="succeeded") == 4
    assert value(families["yuanjing_video_adopted"]) == 2
    assert value(families["yuanjing_video_late_seconds"]) == 1.25
    assert value(families["yuanjing_video_in_hand"], lane="copy") == 1
    assert value(families["yuanjing_video_tasks"], step="polling") == 20
    assert value(families["yuanjing_video_tasks"], step="lost") == 0


async def test_every_metric_is_documented_with_its_labels() -> None:
    gateway = await make_gateway()
    gateway.counters.refusals["overloaded"] = 1
    gateway.counters.attempts_failed[("ch_1", "silence")] = 1
    channel_state = gateway.directory.channels["ch_1"]
    channel_state.health.succeeded_at = channel_state.health.failed_at = gateway.now()
    worker = WorkerCounters()
    for counts in (worker.passes, worker.failures, worker.pass_seconds):
        counts["post"] = 1
    video = VideoCounters()
    video.submissions["ch_1"] = video.ended["failed"] = video.in_hand["poll"] = 1
    for pairs in (video.refusals, video.calls, video.call_failures):
        pairs["ch_1", "x"] = 1
    of_worker = worker_metrics.collect(worker, video)
    told = [*gateway_metrics.collect(gateway), *of_worker, *collect_store(StoreCounters()), *collect_process()]
    shown = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            {name for sample in family.samples for name in sample.labels} - {"le"},
        )
        for family in told
    }
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", DOC.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert documented == shown
    assert len(rows) == len(documented)
    assert all(name.startswith("yuanjing_") for name in shown)


def test_every_kind_of_failure_is_documented() -> None:
    text = DOC.read_text(encoding="utf-8")
    for kind in {*gateway_metrics._KINDS.values(), gateway_metrics._OTHER_KIND}:
        assert f"`{kind}`" in text


async def test_no_label_names_a_customer_a_key_or_a_secret() -> None:
    gateway = await make_gateway()
    gateway.purses.get((Book.TEST, "cus_canary", "key_canary"))
    told = str(gateway_metrics.collect(gateway))
    assert "canary" not in told
    assert "secret name" not in told
