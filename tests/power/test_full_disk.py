"""A full disk under load: nothing that was acknowledged is lost, and it goes on by itself once there is room."""

import json
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
from tests.support.load import Load, ask, balance, wait_until
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(300)
_HOOK = Path(__file__).parent / "hook"


def provider_calls(platform: Platform) -> int:
    """How many chats the simulated provider remembers, of 200 at most."""
    sandbox = json.loads((platform.data / "address.json").read_text())["sandbox"]
    found = httpx2.get(f"{sandbox}/sandbox/journal?limit=200", trust_env=False).json()
    return sum(entry["path"].endswith("/chat/completions") for entry in found["entries"])


def forget_calls(platform: Platform) -> None:
    sandbox = json.loads((platform.data / "address.json").read_text())["sandbox"]
    httpx2.delete(f"{sandbox}/sandbox/journal", trust_env=False)


def check_full(platform: Platform) -> None:
    """Nobody is admitted, it says why, and providers are not asked for what could not be charged."""
    ready = httpx2.get(platform.url + "/readyz", trust_env=False)
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["the spool cannot be written"])
    forget_calls(platform)
    refused = [ask(platform, platform.key) for _ in range(5)]
    assert {answer.status_code for answer in refused} == {503}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert provider_calls(platform) == 0


def test_on_a_full_disk_nothing_is_lost_and_it_goes_on_once_there_is_room(tmp_path: Path):
    data, full = tmp_path / "var", tmp_path / "full"
    hook = {"POWER_FULL": str(full), "POWER_ROOT": str(data), "PYTHONPATH": str(_HOOK)}
    with Platform(data, workers=1, is_cold=True, YUANJING_SANDBOX_TIME_SCALE="0", **hook) as platform:
        with Load(platform, clients=4, pause_seconds=0.02) as load:
            for _ in range(2):
                seen = len(load.whole)
                wait_until(lambda n=seen: len(load.whole) > n + 20, 60)
                full.touch()
                wait_until(lambda: "nothing is admitted any more" in platform.errors(), 60)
                wait_until(lambda: httpx2.get(platform.url + "/readyz", trust_env=False).status_code == 503, 20)
                check_full(platform)
                full.unlink()
            seen = len(load.whole)
            wait_until(lambda: len(load.whole) > seen + 20, 60)
        assert set(load.statuses) == {200, 503}, load.refused
        assert all("[DONE]" not in broken for broken in load.broken), "an answer ended as if it had been charged"
        wait_until(lambda: platform.usages().keys() >= load.whole.keys(), 30, pause=0.3)
        wait_until(lambda: balance(platform, platform.key)["held"] == 0, 20, pause=0.3)
        posted = platform.usages()
        assert {i: Decimal(str(posted[i]["charge"])) for i in load.whole} == load.whole
        paid = sum(Decimal(str(usage["charge"])) for usage in posted.values())
        assert balance(platform, platform.key)["available"] == Decimal(100) - paid
        assert platform.stop() == 0
        assert platform.verify() == []
        assert list((data / "spool").iterdir()) == []
        assert "Traceback" not in platform.errors()
