"""The spool of a machine that was given up comes back when its leases are long closed and their money is spent."""

import os
import signal
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.load import ask, balance, chat_body, log_lines, spend_until_refused, wait_until
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(300)
GRANT = Decimal("0.02")


def prices(platform: Platform, key: str, count: int) -> dict[str, Decimal]:
    """So many chats: usage id → price."""
    answers = [ask(platform, key) for _ in range(count)]
    return {a.headers["x-yuanjing-usage-id"]: Decimal(a.json()["usage"]["cost"]) for a in answers}


def lose_machine(platform: Platform, away: Path) -> None:
    """Kill everything with usage in the spool that is not posted, and take the spool away."""
    for pid in [platform.process.pid, *platform.children(""), *platform.forkers()]:
        os.kill(pid, signal.SIGKILL)
    platform.process.wait(10)
    (platform.data / "spool").rename(away)


def bring_back(platform: Platform, away: Path) -> None:
    """As the manual says: what belongs to a database first, the database last."""
    for path in sorted(away.iterdir(), key=lambda path: path.name.endswith(".db")):
        path.rename(platform.data / "spool" / path.name)


async def test_a_spool_that_comes_back_late_is_charged_once_from_what_is_there(tmp_path: Path):
    settings = {"YUANJING_SANDBOX_TIME_SCALE": "0", "YUANJING_WELCOME_TEST_GRANT": str(GRANT)}
    with Platform(tmp_path / "var", **settings) as platform:
        rich, poor = platform.key, platform.new_key(platform.new_customer("13900000001"))
        (worker,) = platform.children("worker")
        prices(platform, poor, 1)
        before = prices(platform, rich, 2)
        wait_until(lambda: platform.usages().keys() >= before.keys(), 20, pause=0.2)
        os.kill(worker, signal.SIGSTOP)  # nothing is posted from here on
        late = {key: prices(platform, key, 4) for key in (rich, poor)}
        lose_machine(platform, tmp_path / "away")
        platform.start()
        for key in (rich, poor):  # the leases are closed, and what the lost answers cost is there to be spent
            wait_until(lambda k=key: balance(platform, k)["held"] == 0, 20, pause=0.2)
        assert not platform.usages().keys() & (late[rich].keys() | late[poor].keys())
        spent = await spend_until_refused(platform, poor, clients=4, body=chat_body("hi", max_tokens=40))
        assert spent
        wait_until(lambda: balance(platform, poor)["held"] == 0, 20, pause=0.2)
        assert platform.verify() == []
        rest = {key: balance(platform, key)["available"] for key in (rich, poor)}
        bring_back(platform, tmp_path / "away")
        both = late[rich] | late[poor]
        wait_until(lambda: platform.usages().keys() >= both.keys(), 30, pause=0.2)
        posted = platform.usages()
        assert {id_: Decimal(str(posted[id_]["charge"])) for id_ in both} == both
        missing = {id_: Decimal(str(posted[id_]["late_shortfall"])) for id_ in both}
        assert not any(missing[id_] for id_ in late[rich])
        owed = {key: sum(late[key].values()) - sum(missing[id_] for id_ in late[key]) for key in (rich, poor)}
        assert owed[rich] == sum(late[rich].values())
        assert owed[poor] == min(rest[poor], sum(late[poor].values()))
        assert owed[poor] < sum(late[poor].values()), "the poor one could pay after all"
        assert {key: balance(platform, key)["available"] for key in (rich, poor)} == {
            key: rest[key] - owed[key] for key in (rich, poor)
        }
        told = [line for line in log_lines(platform.errors()) if line["event"] == "worker.settled_late"]
        assert sum(line["rows"] for line in told) == len(both)  # type: ignore[misc]
        assert sum(line["shortfall_nanos"] for line in told) == int(sum(missing.values()) * 10**9)  # type: ignore[misc]
        wait_until(lambda: not [path for path in (platform.data / "spool").iterdir() if ".1.spool" in path.name], 20)
        assert platform.verify() == []
        assert platform.stop() == 0
        assert platform.verify() == []
        assert "Traceback" not in platform.errors()
