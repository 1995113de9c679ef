"""Rows of figures: kept, compared, printed and written down."""

import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.paced import Paced

RESULTS = Path(__file__).resolve().parent / "results"
BUSY = 0.9
NOISY = 0.05
BARS = (
    ("envoy", 0.4),
    ("smg", 1.3),
)  # what yuanjing's plain requests/s must reach, as a multiple of the rival's
CROWD_BAR = 0.9
"""What yuanjing with a million keys must reach, as a multiple of itself with one."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One target in one scenario.

    Attributes:
        target: Name, with the dialect for a target that has several.
        cpu_us: CPU time of the gateway per request, in a paced scenario per chunk; microseconds.
        core_share: How busy the gateway kept its core, 0 to 1. Far below 1 means that the load was the limit.
        others_share: How much of that core anything else used: noise.
        pss_mb: Memory at the end of the run; paced: while all streams are open.
        errors: What failed; any error makes the row worthless as a figure of speed.
        paced: What the paced clients saw, in a paced scenario; `requests_per_second` is then of no use.
        kib_per_stream: Memory that one open paced stream costs.
        unposted: Usage records that the worker had not posted when the load ended; the next run waits for them.
    """

    scenario: str
    target: str
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_us: float
    core_share: float
    others_share: float
    pss_mb: float
    errors: int
    paced: Paced | None = None
    kib_per_stream: float = 0.0
    unposted: int = 0


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": str(len(models)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load before": Path("/proc/loadavg").read_text().split()[0],
        "date": time.strftime("%Y-%m-%d %H:%M:%S%z"),
    }


def _find(rows: Sequence[Row], scenario: str, target: str) -> Row | None:
    return next((row for row in rows if row.scenario == scenario and row.target == target), None)


def _times(row: Row, other: Row | None) -> str:
    if other is None or not other.requests_per_second or other is row:
        return "-"
    return f"{row.requests_per_second / other.requests_per_second:.2f}"


def _others(row: Row) -> str:
    return f"{row.others_share:.0%}" + (" !" if row.others_share > NOISY else "")


def _load_cells(rows: Sequence[Row], row: Row) -> list[str]:
    direct = _find(rows, row.scenario, "direct")
    added = f"{row.p50_ms - direct.p50_ms:+.3f}" if direct and row is not direct else "-"
    return [
        row.target,
        f"{row.requests_per_second:,.0f}",
        f"{row.p50_ms:.3f}",
        added,
        f"{row.p99_ms:.3f}",
        f"{row.max_ms:.1f}",
        f"{row.cpu_us:.1f}",
        f"{row.core_share:.0%}" + ("" if row.core_share >= BUSY or row.target == "direct" else " *"),
        _others(row),
        f"{row.pss_mb:.0f}",
        _times(row, _find(rows, row.scenario, "envoy")),
        _times(row, _find(rows, row.scenario, "smg")),
        f"{row.unposted:,}",
        str(row.errors),
    ]


_LOAD_HEAD = (
    *("target", "req/s", "p50 ms", "added", "p99 ms", "max ms", "CPU µs", "core", "others"),
    *("PSS MB", "x envoy", "x smg", "unposted", "errors"),
)
_PACED_HEAD = (
    *("target", "streams", "chunks", "late p50 ms", "late p99 ms", "late max ms", "upstream p99 ms"),
    *("first ms", "seconds", "CPU µs/chunk", "core", "others"),
    *("x nginx CPU", "KiB/stream", "PSS MB", "errors"),
)


def _paced_cells(rows: Sequence[Row], row: Row) -> list[str]:
    nginx, seen = _find(rows, row.scenario, "nginx"), row.paced
    assert seen is not None
    late = (seen.late_p50_ms, seen.late_p99_ms, seen.late_max_ms, seen.upstream_late_p99_ms)
    return [
        *(row.target, str(seen.streams), str(seen.chunks), *(f"{each:.1f}" for each in late)),
        *(f"{seen.first_ms:.0f}", f"{seen.seconds:.1f}", f"{row.cpu_us:.1f}", f"{row.core_share:.0%}"),
        _others(row),
        f"{row.cpu_us / nginx.cpu_us:.2f}" if nginx and nginx.cpu_us and row is not nginx else "-",
        *(f"{row.kib_per_stream:.1f}", f"{row.pss_mb:.0f}", json.dumps(seen.errors) if row.errors else "0"),
    ]


def table(rows: Sequence[Row], scenario: str, title: str) -> str:
    """Return one scenario as text."""
    chosen = [row for row in rows if row.scenario == scenario]
    is_paced = any(row.paced for row in chosen)
    head = _PACED_HEAD if is_paced else _LOAD_HEAD
    lines = [head, *((_paced_cells if is_paced else _load_cells)(rows, row) for row in chosen)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [
        "  ".join(cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in lines)
    ]
    return "\n".join([f"\n{title}", *text])


def bars(rows: Sequence[Row]) -> list[tuple[str, bool]]:
    """Return each bar that could be judged, as a sentence and whether it is met."""
    judged: list[tuple[str, bool]] = []
    for row in rows:
        if row.scenario != "plain" or not row.target.startswith("yuanjing"):
            continue
        for rival, factor in BARS:
            other = _find(rows, "plain", rival)
            if other is not None and other.requests_per_second:
                reached = row.requests_per_second / other.requests_per_second
                is_met = reached >= factor and not row.errors
                judged.append((f"{row.target} plain is {reached:.2f} times {rival}, needed {factor}", is_met))
    for row in rows:
        alone = _find(rows, row.scenario, row.target.replace("crowd", "yuanjing"))
        if row.scenario in ("plain", "streams") and row.target.startswith("crowd") and alone is not None:
            reached = row.requests_per_second / max(alone.requests_per_second, 1)
            is_met = reached >= CROWD_BAR and not row.errors
            judged.append((f"{row.target} {row.scenario} is {reached:.2f} times one key's, needed {CROWD_BAR}", is_met))
    return judged


def write(rows: Sequence[Row], facts: dict[str, str], settings: Mapping[str, object]) -> Path:
    """Write everything as JSON and return where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y-%m-%d-%H%M%S')}.json"
    content = {"machine": facts, "settings": settings, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return path
