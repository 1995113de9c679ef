"""Topping up at real processes: from signing in to a chat that is paid with it, and through `kill -9`."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pysqlite3
import pytest
from tests.support.load import wait_until
from tests.support.matrix import Page
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(300)
MOBILE = "13912345678"
CHAT = {"model": "qwen3-max", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}


class Payer:
    """A customer with a browser, in which it signs in and pays at the sandbox's cashier."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        client = httpx2.Client(base_url=platform.url, trust_env=False, timeout=30)
        self.page = Page(client, platform.url, platform.secrets)
        self.page.open()
        self.outside = httpx2.Client(trust_env=False, timeout=60)

    def sign_in(self) -> Any:
        sent = self.page.call("POST", "/api/auth/codes", json={"mobile": MOBILE}).json()
        message: Any = self.platform.run("outbox", "last", "--mobile", MOBILE)["message"]
        body = {"mobile": MOBILE, "challenge_id": sent["challenge_id"], "code": message["code"]}
        answer = self.page.call("POST", "/api/auth/sessions", json=body)
        assert answer.status_code == 200, answer.text
        self.page.token = answer.json()["csrf_token"]
        return answer.json()["customer"]

    def order(self, amount: str = "10.00", way: str = "page", method: str = "alipay") -> Any:
        answer = self.page.call("POST", "/api/topups", json={"method": method, "way": way, "amount": amount})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def pay(self, made: Any, fault: str = "") -> httpx2.Response:
        """Open the address, and press the button; where the browser is sent then."""
        entered = self.outside.get(made["payment"]["url"])
        assert entered.status_code == 302, entered.text
        cashier = self.sandbox(made) + entered.headers["location"]
        assert "no real money" in self.outside.get(cashier).text
        return self.outside.post(cashier, data={"action": "pay", "fault": fault})

    def sandbox(self, made: Any) -> str:
        return made["payment"]["url"].partition("/alipay/")[0]

    def attempts(self, made: Any) -> Any:
        log = self.outside.get(self.sandbox(made) + "/alipay/attempts").json()["attempts"]
        return [one for one in log if one["out_trade_no"] == made["number"]]

    def show(self, made: Any) -> Any:
        answer = self.page.client.get(f"/api/topups/{made['id']}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def live(self) -> Decimal:
        shown: Any = self.platform.run("customer", "balance", MOBILE)
        return Decimal(shown["balances"]["live"]["available"]) + Decimal(shown["balances"]["live"]["held"])

    def close(self) -> None:
        self.page.client.close()
        self.outside.close()


@pytest.fixture
def payers() -> Iterator[Callable[[Platform], Payer]]:
    made: list[Payer] = []

    def make(platform: Platform) -> Payer:
        made.append(Payer(platform))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_person_signs_in_tops_up_in_the_sandbox_and_chats_with_a_live_key(tmp_path, payers):
    with Platform(tmp_path / "var", workers=2) as platform:
        keys = sorted((platform.data / "secrets").glob("simulated-*.pem"))
        assert [path.stat().st_mode & 0o777 for path in keys] == [0o600, 0o600]
        payer = payers(platform)
        customer = payer.sign_in()
        made = payer.order("12.50")
        assert payer.live() == 0
        back = payer.pay(made)
        assert back.headers["location"].startswith(f"{platform.url}/finance/orders/{made['id']}")
        wait_until(lambda: payer.show(made)["state"] == "credited", 20)
        assert payer.live() == Decimal("12.50")
        channels: Any = platform.run("channel", "list")["channels"]
        base = next(one["base_url"] for one in channels if one["provider"] == "dashscope")
        words = ("--provider", "dashscope", "--base-url", base, "--credential-stdin")
        platform.run("channel", "add", *words, stdin="sandbox-key\n")
        key = str(platform.run("key", "create", MOBILE)["secret"])
        assert key.startswith("yj_live_")
        headers = {"authorization": f"Bearer {key}"}
        wait_until(lambda: chat(payer, headers).status_code == 200, 20)
        answer = chat(payer, headers).json()
        assert Decimal(answer["usage"]["cost"]) > 0
        wait_until(lambda: payer.live() < Decimal("12.50"), 20)
        listed: Any = platform.run("topup", "list", "--customer", MOBILE)
        assert [one["id"] for one in listed["topups"]] == [made["id"]]
        shown: Any = platform.run("topup", "show", made["number"])
        (told,) = shown["notifications"]
        assert told["verdict"] in ("credited", "repeated")  # the page that waited may have asked first
        assert shown["topup"]["customer_id"] == customer["id"]
        refund: Any = platform.run("topup", "refund", made["id"], "2.50", "--note", "asked by mail")
        assert refund["refund"]["state"] == "done"
        assert payer.show(made)["refunded"] == "2.50"
        assert platform.verify() == []
        for path in keys:
            assert path.read_text().split("\n")[1] not in platform.errors()
        assert "Traceback" not in platform.errors()


def chat(payer: Payer, headers: dict[str, str]) -> httpx2.Response:
    return payer.outside.post(f"{payer.platform.url}/v1/chat/completions", json=CHAT, headers=headers)


def test_the_keys_of_the_sandbox_outlive_a_restart_and_a_lost_payment_is_found_after_it(tmp_path, payers):
    with Platform(tmp_path / "var") as platform:
        payer = payers(platform)
        payer.sign_in()
        made = payer.order()
        keys = {path: path.read_bytes() for path in (platform.data / "secrets").glob("simulated-*.pem")}
        assert payer.pay(made, "lost").status_code == 302
        wait_until(lambda: payer.live() == 10, 40)  # the worker has asked
        assert payer.attempts(made) == []
        assert platform.stop() == 0
        platform.start()
        assert {path: path.read_bytes() for path in keys} == keys
        assert payer.live() == 10
        assert platform.verify() == []


def test_a_bank_transfer_is_credited_when_an_operator_confirms_it(tmp_path, payers):
    settings = {
        "YUANJING_TRANSFER_INSTRUCTIONS": "Send {amount} CNY to account 1; reference {number}",
        "YUANJING_ALIPAY_SIMULATOR": "off",
    }
    with Platform(tmp_path / "var", **settings) as platform:
        payer = payers(platform)
        payer.sign_in()
        methods = payer.page.client.get("/api/topups/methods").json()["data"]
        assert [(one["name"], one["ways"], one["is_confirmed_by_hand"]) for one in methods] == [
            ("manual", ["transfer"], True)
        ]
        made = payer.order("100.00", "transfer", "manual")
        assert made["payment"]["instructions"] == f"Send 100.00 CNY to account 1; reference {made['number']}"
        assert payer.show(made)["state"] == "created"
        for _ in range(2):
            done: Any = platform.run("topup", "confirm", made["number"], "--evidence", "statement 7, line 3")
            assert (done["topup"]["state"], done["topup"]["note"]) == ("credited", "statement 7, line 3")
        assert payer.show(made)["state"] == "credited"
        assert payer.live() == 100
        assert platform.verify() == []
        answer = payer.outside.post(f"{platform.url}/callbacks/payments/manual", content=b"x")
        assert answer.status_code == 404


def test_without_a_payment_method_there_is_no_route(tmp_path, payers):
    with Platform(tmp_path / "var", YUANJING_ALIPAY_SIMULATOR="off") as platform:
        payer = payers(platform)
        payer.sign_in()
        for path in ("/api/topups", "/api/topups/methods", "/api/topups/top_1"):
            assert payer.page.client.get(path).status_code == 404
        assert payer.outside.post(f"{platform.url}/callbacks/payments/alipay", content=b"x").status_code == 404
        document = payer.outside.get(f"{platform.url}/openapi.json").text
        assert "/api/topups" not in document
        assert '"top-ups"' not in document
        assert platform.verify() == []


class Lock:
    """Keeps everybody else from writing the order, as a long transaction of another process would."""

    def __init__(self, url: str, topup_id: str) -> None:
        self._runner = asyncio.Runner()
        if url.startswith("sqlite"):
            self._sqlite = pysqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=30)
            self._sqlite.execute("BEGIN IMMEDIATE")
            self._postgres = None
        else:
            self._postgres = self._runner.run(asyncpg.connect(url))
            self._runner.run(self._postgres.execute("BEGIN"))
            self._runner.run(self._postgres.execute("SELECT 1 FROM topups WHERE id = $1 FOR UPDATE", topup_id))

    def release(self) -> None:
        if self._postgres is not None:
            self._runner.run(self._postgres.execute("ROLLBACK"))
            self._runner.run(self._postgres.close())
        else:
            self._sqlite.execute("ROLLBACK")
            self._sqlite.close()
        self._runner.close()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/books.db"
        return
    yield request.getfixturevalue("postgres_empty_url")


@pytest.mark.parametrize(
    ("database_url", "way_back"), [("sqlite", "sweep"), ("postgres", "notification")], indirect=["database_url"]
)
def test_a_gateway_that_is_killed_between_notification_and_credit(tmp_path, payers, database_url, way_back):
    settings = {"YUANJING_DATABASE_URL": database_url, "YUANJING_TOPUP_CHECK_SECONDS": "2"}
    if way_back == "notification":  # the worker would come before
        settings |= {"YUANJING_TOPUP_CHECK_SECONDS": "86400", "YUANJING_TOPUP_CHECK_SECONDS_MAX": "86400"}
    with Platform(tmp_path / "var", **settings) as platform:
        payer = payers(platform)
        payer.sign_in()
        made = payer.order()
        (gateway,) = platform.children("gateway")
        before = connections(gateway)
        lock = Lock(database_url, made["id"])
        paying = threading.Thread(target=payer.pay, args=(made,))
        paying.start()
        paying.join(30)
        wait_until(lambda: connections(gateway) > before, 20)  # the notification is in its hands, and waits for the row
        os.kill(gateway, signal.SIGKILL)
        lock.release()
        wait_until(lambda: payer.attempts(made), 30)
        first = payer.attempts(made)[0]
        assert (first["status"], first["is_taken"]) == (0, False)
        wait_until(lambda: len(platform.children("gateway")) == 1, 40)
        if way_back == "notification":
            assert payer.live() == 0
            wait_until(lambda: is_up(payer), 40)
            payer.outside.post(payer.sandbox(made) + "/alipay/clock", data={"advance": "240"})
            wait_until(lambda: payer.attempts(made)[-1]["is_taken"], 40)
        wait_until(lambda: payer.live() == 10, 40)
        assert platform.verify() == []
        assert platform.stop() == 0
        assert platform.verify() == []
        assert "Traceback" not in platform.errors()


def is_up(payer: Payer) -> bool:
    try:
        return payer.outside.get(f"{payer.platform.url}/readyz").status_code == 200
    except httpx2.HTTPError:
        return False


def connections(pid: int) -> int:
    """Clients' connections that the process has accepted and read from, on its listening port."""
    inodes = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(path.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    mine = [row for row in rows if row[9] in inodes]
    ports = {row[1].partition(":")[2] for row in mine if row[3] == "0A"}
    return sum(row[3] == "01" and row[1].partition(":")[2] in ports and row[4].endswith(":00000000") for row in mine)
