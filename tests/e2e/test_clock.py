"""The wall clock of the machine jumps by an hour while everything runs: nobody is taken over, nothing is lost."""

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.e2e.test_crashes import check_books, check_no_bug
from tests.e2e.test_sign_in import sign_in
from tests.support.load import Load, wait_until
from tests.support.platform import Platform
from tests.support.video_api import VideoApi

pytestmark = pytest.mark.timeout(300)
HOUR = 3600.0
TURNED_CLOCK = Path(__file__).parents[1] / "support" / "turned_clock"


class TurnedClock:
    """The clock of the platform's processes; a fresh one is right."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.environment = {"PYTHONPATH": str(TURNED_CLOCK), "TURNED_CLOCK": str(self._file)}
        self._file.write_bytes(struct.pack("d", 0.0))

    def turn(self, offset_seconds: float) -> None:
        """From now on it is so much ahead of the real one; written in one piece, since others read it meanwhile."""
        with self._file.open("r+b") as file:
            os.pwrite(file.fileno(), struct.pack("d", offset_seconds), 0)


@pytest.fixture
def clock(tmp_path: Path) -> TurnedClock:
    return TurnedClock(tmp_path)


@pytest.fixture
def platform(tmp_path: Path, clock: TurnedClock) -> Iterator[Platform]:
    settings = {"YUANJING_SANDBOX_TIME_SCALE": "0.3", "YUANJING_NODE_SILENT_SECONDS": "6"}
    with Platform(tmp_path / "var", workers=2, is_cold=True, **settings, **clock.environment) as platform:
        yield platform


def takings(platform: Platform) -> float:
    """How many lives of nodes were ended by the worker."""
    lines: list[str] = []

    def look() -> list[str]:
        text = httpx2.get(f"{platform.url}/metrics", trust_env=False).text
        lines[:] = [line for line in text.splitlines() if line.startswith("yuanjing_worker_take_overs_total{")]
        return lines

    wait_until(look, 20)  # samples that seem old by a clock that has just jumped are not shown
    (line,) = lines
    return float(line.rpartition(" ")[2])


@pytest.mark.parametrize(
    ("steps", "ends_right"), [(4, False), *(pytest.param(n, True, marks=pytest.mark.soak) for n in (4, 50))]
)
def test_the_clock_jumps_forth_and_back_under_load(
    platform: Platform, clock: TurnedClock, steps: int, *, ends_right: bool
):
    """At the end it is right, and within a minute or so every video is made or has expired; or it is an hour ahead."""
    pids = set(platform.children(""))
    with httpx2.Client(trust_env=False, timeout=30) as browser, VideoApi(platform) as api:
        session = sign_in(platform, browser)
        videos: list[str] = []
        with Load(platform, clients=4, pause_seconds=0.02) as load:
            for step in range(steps):
                body = {"model": "viduq3-pro", "prompt": f"cat {step}", "seconds": "1"}
                if step < 10:
                    videos.append(api.http.post("/v1/videos", json=body).json()["id"])
                clock.turn((HOUR, 0.0, -HOUR, 0.0)[step % 4])
                seen = len(load.whole)
                wait_until(lambda n=seen: len(load.whole) > n + 20, 30)
                time.sleep(1.2)  # so that beats, observers and posting have all seen it
                shown = browser.get(platform.url + "/api/auth/session", headers={"connection": "close"}).json()
                assert shown["customer"] == session["customer"]
        assert set(load.statuses) == {200}, load.refused
        assert load.broken == []
        if not ends_right:  # what was due in an hour that came twice is due when it comes again
            clock.turn(HOUR)
        ends = [api.ended(video, 120) for video in videos]
        assert sum(end["status"] == "SUCCEEDED" for end in ends) > ends_right * len(videos) // 2, ends
        late = [
            end for end in ends if end["status"] != "SUCCEEDED"
        ]  # older than an hour by its clock: it costs nothing
        assert not ends_right or all("expired" in str(end) for end in late), late
    assert set(platform.children("")) == pids
    assert takings(platform) == 0
    check_books(platform, load)
    hours = {str(usage["started_at"])[11:13] for usage in platform.usages().values()}
    assert len(hours) >= 3, "the processes have another clock"
    assert platform.stop() == 0
    assert platform.verify() == []
    check_no_bug(platform)
