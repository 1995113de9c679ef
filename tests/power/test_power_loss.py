"""No acknowledged usage, payment, grant, task or kept answer is lost with the power, and nothing is charged twice.

The spools are at `YUANJING_SPOOL_SYNC=full`; `normal`, the default, promises less, and is one of the mutants here.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.power.cuts import Cut, Filter, cuts, what_is_wrong
from tests.power.disk import Disk
from tests.power.hook.disktrace import Event, Kind
from tests.power.workload import Recording, record_platform
from tests.support.load import PATH, wait_until
from tests.support.platform import Platform
from tests.support.postgres import memory_folder

pytestmark = pytest.mark.timeout(300)
SAMPLE = 50
_SYNCS = (Kind.SYNC_BEGIN, Kind.SYNC_END)

MUTANTS: dict[str, tuple[Filter, str]] = {
    "spools are not synced": (lambda e: not (e.kind in _SYNCS and e.path.startswith("spool/")), "was told to cost"),
    "the database is not synced": (
        lambda e: not (e.kind in _SYNCS and e.path.startswith("yuanjing.db")),
        "its file is damaged",
    ),
    "the folder of spools is not synced": (
        lambda e: not (e.kind is Kind.SYNC_FOLDER and e.path == "spool"),
        "was told to cost",
    ),
    "the folder of secrets is not synced": (
        lambda e: not (e.kind is Kind.SYNC_FOLDER and e.path == "secrets"),
        "was made with it",
    ),
}
"""What a product would do to the disk that lacks a safeguard, and what is then found. `synchronous=OFF` is the second.

The spool's own sync of its folder alone is not among them: with `full`, SQLite syncs the folder as well, with the first
commit of each new write-ahead log.
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory if it can be: a start syncs a dozen times."""
    made = Path(tempfile.mkdtemp(prefix="yj-power-", dir=memory_folder()))
    yield made
    shutil.rmtree(made)


def findings(recording: Recording, chosen: Iterator[Cut], folder: Path) -> Iterator[str]:
    for cut in chosen:
        for line in what_is_wrong(recording, cut, folder):
            yield f"cut {cut.seed} before event {cut.at}: {line}"


def test_what_was_told_is_there_after_any_loss_of_power_and_a_missing_sync_is_found(folder: Path):
    recording = record_platform(folder, turns=12)
    assert list(findings(recording, cuts(recording, SAMPLE, seed=1), folder)) == []
    for name, (reaches, expected) in MUTANTS.items():
        found = findings(recording, cuts(recording, SAMPLE, seed=2, reaches=reaches), folder)
        assert next((line for line in found if expected in line), None), f"not found: {name}"


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_two_thousand_cuts(folder: Path, seed: int):
    recording = record_platform(folder, turns=30, videos=3, top_ups=3, grants=2)
    assert list(findings(recording, cuts(recording, 500, seed=seed), folder)) == []
    started = 0
    for cut in cuts(recording, 12, seed=100 + seed):
        named = [one for one in cut.told if one["what"] == "chat" and one["name"] is not None]
        if named:
            started += 1
            start_for_real(recording, cut, folder / f"real-{started}", named[-5:])
    assert started >= 4


def until_answered(platform: Platform, key: str, one: Mapping[str, Any]) -> httpx2.Response:
    """Send it again as SDKs do, as long as what the process before had spooled is not posted."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": one["name"]}
    until = time.monotonic() + 40
    while True:
        answer = httpx2.post(platform.url + PATH, json=one["sent"], headers=headers, timeout=30, trust_env=False)
        if answer.status_code != httpx2.codes.CONFLICT or time.monotonic() > until:
            return answer
        time.sleep(0.2)


def start_for_real(recording: Recording, cut: Cut, folder: Path, named: Sequence[Mapping[str, Any]]) -> None:
    """The whole platform starts on what is left, gives kept answers again, and its books are right."""
    cut.disk.lose_power(cut.seed, folder / "var")
    with Platform(folder / "var", YUANJING_SPOOL_SYNC="full", YUANJING_NODE_SILENT_SECONDS="6") as platform:
        for one in named:
            answer = until_answered(platform, recording.key, one)
            assert answer.status_code == 200, answer.text
            assert answer.text == one["answer"]
            assert answer.headers["idempotent-replayed"] == "true"
        wait_until(lambda: platform.verify() == [], 40)  # a node that had no spool yet must first have been silent
        assert platform.stop() == 0
        assert "Traceback" not in platform.errors()
    shutil.rmtree(folder)


def test_a_disk_keeps_what_was_synced_and_any_part_of_the_rest(tmp_path: Path):
    def disk() -> Disk:
        made = Disk()
        for kind, path, offset, data in [
            (Kind.FOLDER, "d", 0, b""),
            (Kind.SYNC_FOLDER, "", 0, b""),
            (Kind.WRITE, "d/a", 0, b"1" * 1024),
            (Kind.SYNC_BEGIN, "d/a", 0, b""),
            (Kind.WRITE, "d/a", 512, b"2" * 1024),
            (Kind.SYNC_END, "d/a", 0, b""),
            (Kind.SYNC_FOLDER, "d", 0, b""),
            (Kind.WRITE, "d/b", 0, b"3"),
            (Kind.TRUNCATE, "d/a", 100, b""),
        ]:
            made.feed(Event(kind=kind, who=(1, 1), path=path, offset=offset, data=data))
        return made

    found: set[tuple[bytes, bool]] = set()
    for seed in range(300):
        target = tmp_path / str(seed)
        disk().lose_power(str(seed), target)
        found.add(((target / "d" / "a").read_bytes(), (target / "d" / "b").exists()))
    contents = {content for content, _ in found}
    ones, twos = b"1" * 512, b"2" * 512
    assert {ones + b"1" * 512, ones + twos + twos, ones + twos + bytes(512), b"1" * 100} <= contents
    assert {there for _, there in found} == {True, False}
    assert all(content.startswith(b"1" * 100) for content in contents)
