"""Samples of several processes in one scrape.

Gateway processes share one port, so a scrape reaches any one of them and must show all: each process publishes its
samples as a file, and whoever is asked merges the files.
"""

import gc
import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from yuanjing.kit.clock import Clock

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FRESH_SECONDS = 15.0
"""Samples that are older than this belong to a process that has gone, and are left out."""

_PROCESS = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_STAMP = re.compile(r"# published at (\d+\.\d+)")
_SUFFIX = ".prom"


class MetricsBoard:
    """A folder with one file of samples per process, in Prometheus' text format."""

    def __init__(self, folder: Path, process: str, clock: Clock, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        """Take part as `process`, a name of lower-case letters, digits and hyphens that is this process's own."""
        if not _PROCESS.fullmatch(process):
            raise ValueError(f"{process!r} cannot name a process: use lower-case letters, digits and hyphens")
        self._folder = folder
        self._process = process
        self._clock = clock
        self._fresh_seconds = fresh_seconds

    def publish(self, families: Iterable[Metric]) -> None:
        """Replace this process's samples, all at once; each gets the label `process`.

        Raises:
            OSError: the file cannot be written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = f"# published at {self._clock.unix():.3f}\n".encode() + _text(families, self._process)
        draft = self._folder / f"{self._process}.tmp"
        draft.write_bytes(text)
        draft.replace(self._folder / f"{self._process}{_SUFFIX}")

    def withdraw(self) -> None:
        """Remove this process's samples, at its end.

        Raises:
            OSError: the file cannot be removed.
        """
        (self._folder / f"{self._process}{_SUFFIX}").unlink(missing_ok=True)

    def render(self) -> bytes:
        """What a scrape is answered: the samples of all processes that have published lately.

        Raises:
            OSError: a file cannot be read.
        """
        now = self._clock.unix()
        blocks: dict[str, _Block] = {}
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            with suppress(FileNotFoundError):  # its process has just ended
                text = path.read_text(encoding="utf-8")
                stamp = _STAMP.match(text)
                if stamp is not None and abs(now - float(stamp[1])) <= self._fresh_seconds:
                    _merge(blocks, text)
        return "".join(block.text() for block in blocks.values()).encode()


@dataclass(kw_only=True, slots=True)
class _Block:
    """One family: its two head lines, and the samples of every process."""

    help: str
    type: str = ""
    samples: list[str] = field(default_factory=list[str])

    def text(self) -> str:
        return "\n".join((self.help, self.type, *self.samples, ""))


def _merge(blocks: dict[str, _Block], text: str) -> None:
    """Put a file's samples to those of the same family.

    A family that changes its type from one version of the program to the next is shown in its first type only: mixed
    types would make the whole scrape invalid.
    """
    block: _Block | None = None
    for line in text.split("\n"):
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            block = blocks.setdefault(name, _Block(help=line))
        elif line.startswith("# TYPE ") and block is not None:
            block.type = block.type or line
            block = block if block.type == line else None
        elif line and not line.startswith("#") and block is not None:
            block.samples.append(line)


def _text(families: Iterable[Metric], process: str) -> bytes:
    """The families in Prometheus' text format, each sample with the label `process`.

    The library's own writer takes five times as long, and this runs on the hot path's event loop.
    """
    lines: list[str] = []
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        text = family.documentation.replace("\\", r"\\").replace("\n", r"\n")
        lines += (f"# HELP {name} {text}", f"# TYPE {name} {family.type}")
        for sample in family.samples:
            labels = "".join([f',{label}="{_escape(value)}"' for label, value in sample.labels.items()])
            lines.append(f'{sample.name}{{process="{process}"{labels}}} {sample.value}')
    return "\n".join([*lines, ""]).encode()


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def collect_process() -> list[Metric]:
    """Memory, open files, processor time and garbage collections of this process, as far as the system tells."""
    families: list[Metric] = [
        CounterMetricFamily(
            "yuanjing_process_cpu_seconds", "Processor time that this process has used.", value=time.process_time()
        )
    ]
    if (resident := _resident_bytes()) is not None:
        families.append(GaugeMetricFamily("yuanjing_process_resident_bytes", "Memory of this process.", value=resident))
    if (files := _open_files()) is not None:
        families.append(GaugeMetricFamily("yuanjing_process_open_files", "Open files and sockets.", value=files))
    collections = CounterMetricFamily(
        "yuanjing_process_gc_collections", "Runs of the garbage collector.", labels=("generation",)
    )
    for generation, stats in enumerate(gc.get_stats()):
        collections.add_metric((str(generation),), stats["collections"])
    return [*families, collections]


def _resident_bytes() -> int | None:
    """Resident memory; known on Linux."""
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _open_files() -> int | None:
    """The number of open descriptors; Linux 6.2 and newer count them for us, older ones have to be listed."""
    try:
        return os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd"))  # noqa: PTH116, PTH208  # cheaper than Path, and asked for often
    except OSError:
        return None
