"""A full disk under load: nothing that was acknowledged is lost, and it goes on by itself once there is room."""

import json
from pathlib import Path

import httpx2
import pytest
from tests.support.load import Load, ask, wait_until
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(300)
_HOOK = Path(__file__).parent / "hook"


def test_a_full_disk(tmp_path: Path):
    data, full = tmp_path / "var", tmp_path / "full"
    hook = {"POWER_FULL": str(full), "POWER_ROOT": str(data), "PYTHONPATH": str(_HOOK)}
    with Platform(data, workers=1, YUANJING_SANDBOX_TIME_SCALE="0", **hook) as platform:
        with Load(platform, clients=4) as load:
            wait_until(lambda: len(load.whole) > 30, 30)
            full.touch()
            wait_until(lambda: load.statuses[503] > 10, 60)
            print(load.statuses, load.refused, load.broken[:5])
            print(httpx2.get(platform.url + "/readyz", trust_env=False).text)
            full.unlink()
            seen = len(load.whole)
            wait_until(lambda: len(load.whole) > seen + 30, 60)
        print(load.statuses, load.refused, load.broken[:5])
        print(platform.errors())
        wait_until(lambda: platform.usages().keys() >= load.whole.keys(), 30, pause=0.3)
        print(platform.verify())
        assert platform.stop() == 0
    assert 0
