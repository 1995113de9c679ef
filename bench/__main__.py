"""`python -m bench`: all targets, all scenarios, side by side in one run."""

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from bench import paced, report
from bench.chart import chart
from bench.load import chat_body, probe, request_headers, run_wrk, write_script
from bench.processes import (
    BenchError,
    Running,
    core_busy_seconds,
    cpu_seconds,
    pss_bytes,
    start_module,
    stop,
    tail,
)
from bench.report import Row
from bench.rivals import RIVALS, require, start_upstream
from bench.yuanjing import start_crowd, start_yuanjing

OURS = {"yuanjing": start_yuanjing, "crowd": start_crowd}
TARGETS = ("direct", *RIVALS, *OURS)
SCENARIOS = {
    "plain": "plain: 32 connections, 600-byte answers",
    "streams": "streams: 32 connections, 64 chunks sent at once",
    "single": "single: one connection, 600-byte answers",
    "paced": "paced: {streams} streams open together, 20 chunks a second each",
}
CONNECTIONS = 32
PACED_RATE = 20
_OPEN_FILES = 16_384


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to run.

    Attributes:
        seconds: Length of a measured run of wrk; `single` takes half of it.
        warm_up_seconds: Load before each measured run, not counted.
        ramp_seconds: Over how long the paced streams are asked for.
        chart: Where to draw the chart; nowhere if None.
    """

    only: tuple[str, ...]
    scenarios: tuple[str, ...]
    seconds: int
    warm_up_seconds: int
    paced_streams: int
    ramp_seconds: float
    chart: Path | None = None


class _Watch:
    """CPU time of a target's gateway, and of everything else on its core, from now to `read`."""

    def __init__(self, target: Running, core: int) -> None:
        self._pids = target.gateway_pids
        self._core = None if target.name == "direct" else core  # the upstream shares its core with the load
        self._start = self._now()

    def _now(self) -> tuple[float, float, float]:
        busy = 0.0 if self._core is None else core_busy_seconds(self._core)
        return cpu_seconds(self._pids), busy, time.monotonic()

    def read(self) -> tuple[float, float, float]:
        """Return the gateway's CPU seconds, and the shares of the core that it and all others used."""
        cpu, busy, seconds = (now - then for now, then in zip(self._now(), self._start, strict=True))
        return cpu, cpu / seconds, max(0.0, busy - cpu) / seconds


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One run: where things are pinned and what was measured so far."""

    settings: Settings
    gateway_core: int
    load_core: int
    folder: Path
    rows: list[Row] = field(default_factory=list)

    def measure(self, target: Running) -> None:
        """Run every scenario in every dialect of `target`."""
        for scenario in self.settings.scenarios:
            for dialect, path in target.paths:
                name = target.name if len(target.paths) == 1 else f"{target.name} {dialect}"
                print(f"  {scenario}: {name} ...", file=sys.stderr, flush=True)
                run = self._paced if scenario == "paced" else self._wrk
                self.rows.append(run(scenario, name, target, dialect, path))

    def _wrk(self, scenario: str, name: str, target: Running, dialect: str, path: str) -> Row:
        is_stream = scenario == "streams"
        body = chat_body(dialect, is_stream=is_stream)
        script = write_script(self.folder, body, request_headers(target.api_key), target.crowd)
        connections = 1 if scenario == "single" else CONNECTIONS
        seconds = max(1, self.settings.seconds // 2) if scenario == "single" else self.settings.seconds
        url = target.url + path
        probe(target, dialect, path, is_stream=is_stream)
        if self.settings.warm_up_seconds:
            run_wrk(
                url,
                script,
                core=self.load_core,
                connections=connections,
                seconds=self.settings.warm_up_seconds,
            )
        watch = _Watch(target, self.gateway_core)
        seen = run_wrk(url, script, core=self.load_core, connections=connections, seconds=seconds)
        cpu, core_share, others_share = watch.read()
        unposted = target.settle()
        probe(target, dialect, path, is_stream=is_stream)
        return Row(
            scenario=scenario,
            target=name,
            requests_per_second=seen.requests_per_second,
            p50_ms=seen.p50_ms,
            p99_ms=seen.p99_ms,
            max_ms=seen.max_ms,
            cpu_us=cpu / max(1, seen.requests) * 1e6,
            core_share=core_share,
            others_share=others_share,
            pss_mb=pss_bytes(target.gateway_pids) / 1e6,
            errors=seen.errors,
            unposted=unposted,
        )

    def _paced(self, scenario: str, name: str, target: Running, dialect: str, path: str) -> Row:
        host = target.url.removeprefix("http://")
        body = chat_body(dialect, is_stream=True, word=f"paced-{PACED_RATE}")
        request = self.folder / "paced.request"
        request.write_bytes(paced.request_bytes(host, path, request_headers(target.api_key), body))
        probe(target, dialect, path, is_stream=True)
        memory, watch = pss_bytes(target.gateway_pids), _Watch(target, self.gateway_core)
        peak, seen = self._run_paced(target, host.rpartition(":")[2], request)
        cpu, core_share, others_share = watch.read()
        target.settle()
        streams = self.settings.paced_streams
        return Row(
            scenario=scenario,
            target=name,
            requests_per_second=streams / seen.seconds,
            p50_ms=seen.late_p50_ms,
            p99_ms=seen.late_p99_ms,
            max_ms=seen.late_max_ms,
            cpu_us=cpu / max(1, seen.chunks) * 1e6,
            core_share=core_share,
            others_share=others_share,
            pss_mb=peak / 1e6,
            errors=sum(seen.errors.values()),
            paced=seen,
            kib_per_stream=(peak - memory) / streams / 1024,
        )

    def _run_paced(self, target: Running, port: str, request: Path) -> tuple[int, paced.Paced]:
        """Return the memory while all streams are open, and what the clients saw."""
        log = self.folder / "paced.log"
        options = ["--streams", str(self.settings.paced_streams), "--rate", str(PACED_RATE)]
        options += ["--ramp", str(self.settings.ramp_seconds), "--port", port, "--request", str(request)]
        process = start_module("bench.paced", *options, core=self.load_core, log=log)
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            peak = pss_bytes(target.gateway_pids)
            last = process.stdout.readline() if "peak" in first else first
            if not last:
                raise BenchError(f"the paced clients failed: {tail(log)}")
            return peak, paced.Paced(**json.loads(last))
        finally:
            stop(process)


def _arguments() -> Settings:
    def names(allowed: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
        def read(text: str) -> tuple[str, ...]:
            chosen = tuple(text.split(","))
            if unknown := set(chosen) - set(allowed):
                raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(allowed)}")
            return tuple(name for name in allowed if name in chosen)

        return read

    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", type=names(TARGETS), default=TARGETS, help=",".join(TARGETS))
    parser.add_argument("--scenario", type=names(tuple(SCENARIOS)), default=tuple(SCENARIOS), help=",".join(SCENARIOS))
    parser.add_argument("--seconds", type=int, default=8, help="measured seconds of a run")
    parser.add_argument("--warm-up", type=int, default=2, help="seconds of load before each run")
    parser.add_argument("--streams", type=int, default=2000, help="paced streams")
    parser.add_argument("--ramp", type=float, default=0.0, help="seconds over which paced streams are asked for")
    parser.add_argument("--chart", type=Path, help="draw plain requests and streams into this SVG file")
    given = parser.parse_args()
    return Settings(
        only=given.only,
        scenarios=given.scenario,
        seconds=given.seconds,
        warm_up_seconds=given.warm_up,
        paced_streams=given.streams,
        ramp_seconds=given.ramp,
        chart=given.chart,
    )


def _prepare(settings: Settings) -> tuple[int, int]:
    """Check what is needed before anything starts; return the gateway's core and the load's."""
    for program in ("taskset", "setpriv", "wrk", *(t for t in settings.only if t in RIVALS)):
        require(program)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:  # noqa: PLR2004 - one for the gateway, one for the load
        raise BenchError("two cores are needed: one for the gateway, one for load and upstream")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    if wanted < 2 * settings.paced_streams + 100:
        raise BenchError(f"{hard} open files are too few for {settings.paced_streams} streams: raise `ulimit -Hn`")
    return cores[0], cores[1]


def _run(bench: Bench) -> list[str]:
    """Measure one target after the other; return what failed."""
    failures: list[str] = []
    upstream = start_upstream(bench.load_core, bench.folder)
    with contextlib.closing(upstream):
        for name in bench.settings.only:
            folder = bench.folder / name
            folder.mkdir()
            print(f"{name}", file=sys.stderr, flush=True)
            try:
                if name == "direct":
                    bench.measure(upstream)
                    continue
                starter = (OURS | RIVALS)[name]
                with contextlib.closing(starter(bench.gateway_core, upstream.url, folder)) as target:
                    bench.measure(target)
            except (BenchError, OSError, subprocess.SubprocessError) as error:
                failures.append(f"{name}: {error}")
    return failures


def _print(bench: Bench, failures: list[str]) -> bool:
    """Print tables, bars and failures; True when all is well."""
    facts = report.machine()
    print(" · ".join(f"{name} {value}" for name, value in facts.items()))
    for scenario, title in SCENARIOS.items():
        if any(row.scenario == scenario for row in bench.rows):
            print(report.table(bench.rows, scenario, title.format(streams=bench.settings.paced_streams)))
    print("\n* the gateway's core was not busy: load and upstream were the limit (in `single` always so)")
    print("! something else ran on the gateway's core: measure again when the machine is quiet\n")
    judged = report.bars(bench.rows)
    for sentence, is_met in judged:
        print(f"{'met   ' if is_met else 'MISSED'}  {sentence}")
    for failure in failures:
        print(f"FAILED  {failure}")
    with_errors = [f"{row.target} {row.scenario}" for row in bench.rows if row.errors]
    if with_errors:
        print(f"ERRORS  in {', '.join(with_errors)}")
    settings = bench.settings
    kept = {
        "seconds": settings.seconds,
        "paced_streams": settings.paced_streams,
        "ramp_seconds": settings.ramp_seconds,
    }
    print(f"written to {report.write(bench.rows, facts, kept)}")
    if settings.chart is not None:
        _draw(bench, facts, settings.chart)
    return not failures and not with_errors and all(is_met for _, is_met in judged)


def _draw(bench: Bench, facts: dict[str, str], path: Path) -> None:
    """What was measured with errors, or not at all, leaves the chart as it was."""
    try:
        path.write_text(chart(bench.rows, facts), encoding="utf-8")
    except ValueError as error:
        print(f"no new chart: {error}")
    else:
        print(f"drawn to {path}")


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)


def main() -> int:
    """Return 0 when all was measured and the bars are met, 1 when not, 2 when something is missing."""
    settings = _arguments()
    signal.signal(signal.SIGTERM, _end)
    try:
        gateway_core, load_core = _prepare(settings)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="yuanjing-bench-") as folder:
        bench = Bench(settings=settings, gateway_core=gateway_core, load_core=load_core, folder=Path(folder))
        try:
            failures = _run(bench)
        except BenchError as error:
            failures = [str(error)]
        except KeyboardInterrupt:
            failures = ["stopped"]
        return 0 if _print(bench, failures) else 1


if __name__ == "__main__":
    sys.exit(main())
