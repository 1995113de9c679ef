"""Money over two gateway processes: balances, budgets, keys and prices while they are used."""

import concurrent.futures
import contextlib
import datetime as dt
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
from tests.support.load import MODEL, Load, ask, balance, chat_body, spend_until_refused, wait_until
from tests.support.platform import Platform
from tests.support.video_api import VideoApi

pytestmark = pytest.mark.timeout(300)
GRANT = "0.2"


@contextlib.contextmanager
def started(folder: Path, **more: str) -> Iterator[Platform]:
    """Two gateway processes; each new customer has little money; the sandbox answers at once; clean at its end."""
    settings = {
        "YUANJING_WELCOME_TEST_GRANT": GRANT,
        "YUANJING_SANDBOX_TIME_SCALE": "0",
    }
    with Platform(folder / "var", workers=2, **(settings | more)) as platform:
        yield platform
        assert platform.stop() == 0
        assert platform.verify() == []
        assert "Traceback" not in platform.errors()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One for the tests that change nothing for others."""
    with started(tmp_path_factory.mktemp("money")) as platform:
        yield platform


def charges(platform: Platform, *options: str) -> dict[str, Decimal]:
    return {usage_id: Decimal(usage["charge"]) for usage_id, usage in platform.usages(*options).items()}


def smallest_ceiling(platform: Platform, *options: str) -> Decimal:
    return min(Decimal(usage["ceiling"]) for usage in platform.usages(*options).values())


async def test_200_clients_spend_a_balance_to_its_last_ceiling(platform):
    customer = platform.new_customer("+8613900000001")
    key = platform.new_key(customer)
    body = chat_body(max_tokens=16)
    prices = await spend_until_refused(platform, key, clients=200, body=body)
    wait_until(lambda: balance(platform, key)["held"] == 0, 20)
    left = balance(platform, key)["available"]
    assert left == Decimal(GRANT) - sum(prices)
    assert 0 <= left < smallest_ceiling(platform, "--customer", customer)
    assert len(prices) > 200


async def test_a_customer_who_is_refused_goes_on_right_after_a_grant(platform):
    customer = platform.new_customer("+8613900000002")
    key = platform.new_key(customer)
    body = chat_body(max_tokens=500)
    await spend_until_refused(platform, key, clients=20, body=body)
    assert ask(platform, key, max_tokens=500).status_code == 429
    platform.run("customer", "grant", customer, "1", "--test")
    seconds = wait_until(lambda: ask(platform, key, max_tokens=500).status_code == 200, 5)
    assert seconds < 5, f"{seconds:.2f} s; the goal is 0.5 s on a quiet machine"


def test_promotion_money_is_spent_first_and_collected_when_its_time_is_over(platform):
    customer = platform.new_customer("+8613900000008")
    key = platform.new_key(customer)
    platform.run("customer", "grant", customer, "0.1", "--test", "--promotion")
    for _ in range(3):
        assert ask(platform, key, max_tokens=16).status_code == 200
    wait_until(lambda: balance(platform, key)["held"] == 0, 20)
    spent = sum(charges(platform, "--customer", customer).values())
    assert 0 < spent < Decimal("0.1")
    now = balance(platform, key)
    assert (now["available"], now["promotion"]) == (Decimal(GRANT), Decimal("0.1") - spent)
    soon = dt.datetime.fromtimestamp(time.time() + 3, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S%z")  # noqa: TID251  # that of processes
    platform.run("customer", "grant", customer, "0.05", "--test", "--promotion", "--expires-at", soon)
    assert balance(platform, key)["promotion"] == now["promotion"] + Decimal("0.05")
    wait_until(lambda: balance(platform, key)["promotion"] == now["promotion"], 30)


async def test_a_budget_is_exact_over_all_processes(platform):
    customer = platform.new_customer("+8613900000003")
    secret = platform.new_key(customer, "--budget", "0.02")
    prices = await spend_until_refused(platform, secret, clients=50, body=chat_body(max_tokens=16))
    assert sum(prices) <= Decimal("0.02")
    wait_until(lambda: balance(platform, secret)["held"] == 0, 20)
    left = Decimal("0.02") - sum(prices)
    wait_until(lambda: len(charges(platform, "--customer", customer)) == len(prices), 10, pause=0.2)
    assert sum(charges(platform, "--customer", customer).values()) == sum(prices)
    assert 0 <= left < smallest_ceiling(platform, "--customer", customer)
    other = platform.new_key(customer)
    assert ask(platform, other).status_code == 200


def test_a_budget_that_a_running_request_holds_is_worth_a_retry(platform):
    """One ceiling takes most of the budget, and not even an input fits beside it; a long input never fits."""
    secret = platform.new_key(platform.new_customer("+8613900000006"), "--budget", "0.0059")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, platform, secret, "sandbox:slow-first-byte=8", max_tokens=500)
        wait_until(lambda: balance(platform, secret)["held"] > 0, 4, pause=0.02)
        beside, never = (ask(platform, secret, "x" * size, max_tokens=500) for size in (2, 5000))
        assert slow.result(20).status_code == 200
    assert (beside.status_code, beside.json()) == (429, {"error": "API key budget is held by what is running"})
    assert "x-should-retry" not in beside.headers
    assert int(beside.headers["retry-after"]) == 1
    assert (never.status_code, never.json()) == (429, {"error": "API key budget exceeded"})
    assert never.headers["x-should-retry"] == "false"
    wait_until(lambda: ask(platform, secret, max_tokens=500).status_code == 200, 10, pause=0.2)


def test_a_revoked_key_is_refused_everywhere_at_once(platform):
    customer = platform.new_customer("+8613900000004")
    secret = platform.new_key(customer)
    assert {ask(platform, secret).status_code for _ in range(8)} == {200}
    platform.run("key", "revoke", secret.split("_")[2])
    revoked = time.monotonic()
    wait_until(lambda: {ask(platform, secret).status_code for _ in range(8)} == {401}, 5)
    seconds = time.monotonic() - revoked
    assert seconds < 5, f"{seconds:.2f} s; the goal is 0.3 s on a quiet machine"


def test_prices_and_channels_change_under_load_without_an_error(tmp_path):
    with started(tmp_path) as platform:
        change_prices_and_channels(platform)


def change_prices_and_channels(platform: Platform) -> None:
    (sandbox,) = [c for c in platform.run("channel", "list")["channels"] if c["id"] == "ch_sandbox_dashscope"]
    customer = platform.new_customer("+8613900000005")
    platform.run("customer", "grant", customer, "10000", "--test")
    key = platform.new_key(customer)
    old_price = Decimal(ask(platform, key).json()["usage"]["cost"])
    with Load(platform, clients=6, key=key, pause_seconds=0.05) as load:
        wait_until(lambda: load.total > 20)
        platform.run("price", "set", MODEL, "--tier", "1000/2000", "--source", "a test")
        seen = set(load.whole)
        wait_until(lambda: any(price > 100 * old_price for i, price in dict(load.whole).items() if i not in seen), 5)
        added = platform.run(
            *("channel", "add", "--provider", "dashscope", "--base-url", sandbox["base_url"], "--test"),
            *("--name", "second", "--priority", "9", "--credential-stdin"),
            stdin="sandbox-key\n",
        )["channel"]
        platform.run("channel", "disable", sandbox["id"])
        before = load.total
        wait_until(lambda: load.total > before + 40)
        load.end()
    assert set(load.statuses) == {200}, load.refused
    assert load.broken == []
    wait_until(lambda: charges(platform, "--customer", customer).keys() >= load.whole.keys(), pause=0.2)
    posted = platform.usages("--customer", customer)
    assert {usage_id: Decimal(posted[usage_id]["charge"]) for usage_id in load.whole} == load.whole
    assert {usage["channel_id"] for usage in posted.values()} == {sandbox["id"], added["id"]}
    assert next(iter(posted.values()))["channel_id"] == added["id"]


@pytest.mark.soak
@pytest.mark.parametrize("idle_seconds", [3, 30])
def test_every_bill_is_made_again_and_what_is_held_is_free_once_leases_are_idle(tmp_path, idle_seconds: int):
    """Goal L15, under prices that change, chats and videos: nothing is held 2 s after the time that leases are kept."""
    with started(tmp_path, YUANJING_LEASE_IDLE_SECONDS=str(idle_seconds)) as platform:
        customer = platform.new_customer("+8613900000007")
        platform.run("customer", "grant", customer, "10000", "--test")
        key = platform.new_key(customer)
        with VideoApi(platform, key) as api, Load(platform, clients=8, key=key) as load:
            tasks = []
            for number in range(1, 6):
                seen = load.total
                platform.run("price", "set", MODEL, "--tier", f"{number}/{number}.5", "--source", "a test")
                body = {"model": "viduq3-pro", "prompt": f"cat {number}", "seconds": "1"}
                tasks.append(api.http.post("/v1/videos", json=body).json()["id"])
                wait_until(lambda seen=seen: load.total > seen + 300, 60)
            assert {str(api.ended(task, 60)["status"]) for task in tasks} == {"SUCCEEDED"}
            load.end()
        assert wait_until(lambda: balance(platform, key)["held"] == 0, 60) <= idle_seconds + 2
        usages, report = platform.usages(), platform.run("verify")
        assert len({usage["price_id"] for usage in usages.values()}) > 5
        assert len(usages) > 1500
        assert usages.keys() >= load.whole.keys()
        assert report["checked"]["usage"] == len(usages)
        assert report["breaches"] == []


def test_metrics_show_all_processes(platform):
    def processes() -> set[str]:
        answer = httpx2.get(f"{platform.url}/metrics", trust_env=False)
        return set(re.findall(r'process="([a-z0-9-]+)"', answer.text))

    wait_until(lambda: processes() >= {"g0", "g1", "worker"}, 5)
    for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
        answer = httpx2.get(platform.url + path, trust_env=False)
        assert (answer.status_code, answer.json()["status"]) == (200, status)
