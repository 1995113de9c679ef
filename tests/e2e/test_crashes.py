"""Exact money while the database goes away and comes back; that processes do so is in `tests/kills`."""

import asyncio
import time
from decimal import Decimal

import httpx2
import pytest
from tests.support.leases import Stream, lines_to_each, quantiles, request_bytes, say
from tests.support.load import Load, ask, balance, wait_until
from tests.support.platform import Platform
from tests.support.postgres import PostgresServer, full_disk
from tests.support.video_api import VideoApi

START = Decimal(100)


def check_books(platform: Platform, load: Load | Stream) -> None:
    """Every whole answer is charged once and exactly; nothing else is charged but what was interrupted."""
    wait_until(lambda: platform.usages().keys() >= load.whole.keys(), 30, pause=0.3)
    wait_until(lambda: balance(platform, platform.key)["held"] == 0, 20)
    posted = platform.usages()
    assert {i: Decimal(str(posted[i]["charge"])) for i in load.whole} == load.whole
    paid = sum(Decimal(str(usage["charge"])) for usage in posted.values())
    assert balance(platform, platform.key)["available"] == START - paid
    assert platform.verify() == []


def check_no_bug(platform: Platform) -> None:
    assert [line for line in platform.errors().splitlines() if "Traceback" in line] == []


def restart(platform: Platform, postgres: PostgresServer, *, away_seconds: float = 0.0) -> float:
    """Kill the database, start it again; the seconds from then until the platform says and shows that it works."""
    postgres.kill()
    time.sleep(away_seconds)
    postgres.start()

    def works() -> bool:
        with httpx2.Client(trust_env=False, timeout=20) as client:
            headers = {"Authorization": f"Bearer {platform.key}"}
            return all(
                client.get(platform.url + path, headers=headers).status_code == httpx2.codes.OK
                for path in ("/readyz", "/llmage/v1/balance")
            )

    return wait_until(works, 40)


@pytest.mark.timeout(300)
def test_the_database_goes_away_and_comes_back_under_load(tmp_path, postgres: PostgresServer, postgres_empty_url):
    """Once for so long that nobody is served any more, and once as a restart."""
    settings = {"YUANJING_DATABASE_URL": postgres_empty_url, "YUANJING_SANDBOX_TIME_SCALE": "0.3"}
    with Platform(tmp_path / "var", workers=2, **settings) as platform:
        pids = set(platform.children(""))
        with Load(platform, clients=8) as load:
            wait_until(lambda: load.total > 40, 30)
            postgres.kill()
            seen = load.statuses[503]
            wait_until(lambda: load.statuses[503] > seen + 5, 40)
            postgres.start()
            seen = len(load.whole)
            wait_until(lambda: len(load.whole) > seen + 40, 40)
            restart(platform, postgres)
            seen = len(load.whole)
            wait_until(lambda: len(load.whole) > seen + 40, 40)
        assert set(load.statuses) == {200, 503}, load.refused
        assert load.broken == []
        assert set(platform.children("")) == pids, "a process ended because the database was away"
        check_books(platform, load)
        assert platform.stop() == 0
        assert platform.verify() == []
        check_no_bug(platform)


@pytest.mark.soak
def test_a_full_disk_of_the_database_refuses_and_charges_nothing(
    tmp_path, postgres: PostgresServer, postgres_empty_url
):
    """What is leased is still spent, and nothing else; with room again all goes on by itself."""
    database = postgres_empty_url.rpartition("?")[0].rpartition("/")[2]
    with Platform(tmp_path / "var", workers=2, YUANJING_DATABASE_URL=postgres_empty_url) as platform:
        pids = set(platform.children(""))
        with Load(platform, clients=4, pause_seconds=0.02) as load, VideoApi(platform) as api:
            wait_until(lambda: load.total > 40, 30)
            poor = platform.new_key(platform.new_customer("+8613900000011"))
            with full_disk(postgres, database):
                refused = [
                    ask(platform, poor),
                    api.http.post("/v1/videos", json={"model": "viduq3-pro", "prompt": "cat", "seconds": "1"}),
                ]
                for answer in refused:
                    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), answer.text
                assert refused[1].json()["error"]["code"] == "store_unavailable"
                wait_until(lambda: "its disk is full" in platform.errors(), 20)
            wait_until(lambda: ask(platform, poor).status_code == httpx2.codes.OK, 20, pause=0.2)
            seen = len(load.whole)
            wait_until(lambda: len(load.whole) > seen + 40, 40)
        assert set(load.statuses) <= {200, 503}, load.refused
        assert load.broken == []
        assert set(platform.children("")) == pids
        wait_until(lambda: balance(platform, poor)["held"] == 0, 20)
        assert START - balance(platform, poor)["available"] < 1, "only the answer that was given"
        posted = platform.usages()
        assert len({usage["customer_id"] for usage in posted.values()}) == 2
        assert platform.stop() == 0
        assert platform.verify() == []
        check_no_bug(platform)


@pytest.mark.soak
async def test_twenty_restarts_of_the_database_at_500_requests_a_second(tmp_path, postgres, postgres_empty_url):
    settings = {"YUANJING_DATABASE_URL": postgres_empty_url, "YUANJING_SANDBOX_TIME_SCALE": "0"}
    with Platform(tmp_path / "var", workers=2, **settings) as platform:
        load, seconds, tasks = await restart_again_and_again(platform, postgres, restarts=20, rate=500)
        say(f"{dict(load.statuses)}; ready again after, ms: {quantiles(seconds)}; {len(tasks)} videos")
        assert set(load.statuses) <= {200, 503}, load.statuses
        assert max(seconds) <= 5, seconds
        with VideoApi(platform) as api:
            assert {str(api.ended(task, 120)["status"]).upper() for task in tasks} == {"SUCCEEDED"}
        check_books(platform, load)
        assert platform.stop() == 0
        assert platform.verify() == []
        check_no_bug(platform)


async def restart_again_and_again(
    platform: Platform, postgres: PostgresServer, *, restarts: int, rate: float
) -> tuple[Stream, list[float], list[str]]:
    """The chats, how long the platform was away each time, and the videos that were accepted."""
    seconds: list[float] = []
    tasks: list[str] = []
    async with lines_to_each(platform, each=12) as each:
        lines = [line for its in each for line in its]
        requests = [request_bytes(platform.key, max_tokens=40)]
        load = Stream(rate=rate, requests=requests, lines=lines, keeps=True)
        running = asyncio.ensure_future(load.run(900))
        for number in range(restarts):
            await asyncio.sleep(1)
            tasks += await asyncio.to_thread(submit, platform, number)
            seconds.append(await asyncio.to_thread(restart, platform, postgres, away_seconds=(number % 4) / 2))
            await asyncio.sleep(1)
        load.is_stopped = True
        await running
    return load, seconds, tasks


def submit(platform: Platform, number: int) -> list[str]:
    """The id of a video, if it is accepted."""
    body = {"model": "viduq3-pro", "prompt": f"cat {number}", "seconds": "1"}
    with VideoApi(platform) as api:
        answer = api.http.post("/v1/videos", json=body)
    return [answer.json()["id"]] if answer.status_code == httpx2.codes.OK else []
