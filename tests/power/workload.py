"""A platform under load whose disk is recorded, and clients that note what they have been told."""

import json
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from tests.power.disk import Disk
from tests.power.hook.disktrace import Event, Kind, Trace, read_trace
from tests.power.recovery import Books, read_books
from tests.support.load import PATH, chat_body, wait_until
from tests.support.matrix import Page
from tests.support.platform import Platform

from yuanjing.domain.money import parse_amount

MOBILE = "13912345678"
VIDEO_OFFER = "CrEMkFQfRCmbmopZsCqLj"
_HOOK = Path(__file__).parent / "hook"
_CLIENTS = 4
_NOT_RECORDED = ("locks/", "metrics/", "artifacts/", "uploads/", "outbox/")
"""Made anew at each start, or not money."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What was recorded, from an empty data folder to the platform's end.

    Attributes:
        last: what was in its books then.
        key: of the customer who has asked.
    """

    events: list[Event]
    last: Books
    key: str


class _Clients:
    """What they are told goes into the record at once: all that they rely on stands before it."""

    def __init__(self, platform: Platform, trace: Trace) -> None:
        self._platform = platform
        self._trace = trace
        self.told = 0

    def note(self, **what: object) -> None:
        self.told += 1
        self._trace.add(Kind.ACKNOWLEDGED, "", data=json.dumps(what).encode())

    def chat(self, client: httpx2.Client, text: str, *, is_stream: bool, name: str | None) -> None:
        """One chat; what it costs is noted when its last byte is there."""
        headers = {"Authorization": f"Bearer {self._platform.key}"}
        if name is not None:
            headers["Idempotency-Key"] = name
        body = chat_body(text, is_stream=is_stream)
        try:
            answer = client.post(self._platform.url + PATH, json=body, headers=headers)
        except httpx2.RemoteProtocolError:  # a gateway that is rolled closes idle connections; one was just chosen
            answer = client.post(self._platform.url + PATH, json=body, headers=headers)
        assert answer.status_code == httpx2.codes.OK, answer.text
        assert not is_stream or answer.text.endswith("data: [DONE]\n\n"), answer.text
        usage_id = answer.headers["x-yuanjing-usage-id"]
        cost = answer.text.rpartition('"cost": ')[2] or answer.text.rpartition('"cost":')[2]
        nanos = parse_amount(cost.split('"')[1])
        self.note(what="chat", usage=usage_id, nanos=nanos, name=name, sent=body, answer=answer.text)

    def chats(self, number: int, turns: int) -> None:
        with httpx2.Client(trust_env=False, timeout=30) as client:
            for turn in range(turns):
                name = f"{number}-{turn}" if turn % 3 == 0 else None
                self.chat(client, f"hi {number} {turn}", is_stream=(number + turn) % 2 == 0, name=name)

    def videos(self, count: int) -> None:
        """Each is noted when it is taken, and when it has succeeded."""
        headers = {"Authorization": f"Bearer {self._platform.key}"}
        with httpx2.Client(base_url=self._platform.url, trust_env=False, timeout=30, headers=headers) as client:
            for number in range(count):
                body = {
                    "llmid": VIDEO_OFFER,
                    "prompt": f"a cat {number}",
                    "duration": 5,
                    "ratio": "16:9",
                    "resolution": "480p",
                }
                answer = client.post("/llmage/video", json=body)
                assert answer.status_code == httpx2.codes.OK, answer.text
                task = answer.json()["taskid"]
                self.note(what="task", task=task, state="")
                query = {"taskid": task}
                wait_until(
                    lambda q=query: client.get("/llmage/tasks", params=q).json()["status"] == "SUCCEEDED", 40, pause=0.1
                )
                self.note(what="task", task=task, state="succeeded")

    def top_ups(self, count: int) -> None:
        """A person signs in and pays at the sandbox's cashier; each credit is noted when the page shows it."""
        client = httpx2.Client(base_url=self._platform.url, trust_env=False, timeout=30)
        page = Page(client, self._platform.url, self._platform.secrets)
        with page.client, httpx2.Client(trust_env=False, timeout=30) as outside:
            page.open()
            sent = page.call("POST", "/api/auth/codes", json={"mobile": MOBILE}).json()
            message: Any = self._platform.run("outbox", "last", "--mobile", MOBILE)["message"]
            code = {"mobile": MOBILE, "challenge_id": sent["challenge_id"], "code": message["code"]}
            session = page.call("POST", "/api/auth/sessions", json=code).json()
            page.token = session["csrf_token"]
            for number in range(count):
                order = {"method": "alipay", "way": "page", "amount": f"{number + 10}.00"}
                made = page.call("POST", "/api/topups", json=order).json()
                url = made["payment"]["url"]
                entered = outside.get(url)
                outside.post(url.partition("/alipay/")[0] + entered.headers["location"], data={"action": "pay"})
                where = f"/api/topups/{made['id']}"
                wait_until(lambda w=where: page.client.get(w).json()["state"] == "credited", 20, pause=0.1)
                self.note(what="topup", topup=made["id"], nanos=parse_amount(order["amount"]))

    def grants(self, count: int) -> None:
        """An operator gives play money, by the command line; its exit is what is noted."""
        for number in range(count):
            command = [*self._platform.command, "customer", "grant", "13800138000", "5", "--test"]
            subprocess.run(  # noqa: S603  # our own program
                [*command, "--cause", f"cause-{number}"],
                env=self._platform.environment,
                check=True,
                capture_output=True,
                timeout=60,
            )
            self.note(what="grant", cause=f"cause-{number}", nanos=parse_amount("5"))


def record_platform(folder: Path, *, turns: int, videos: int = 1, top_ups: int = 1, grants: int = 1) -> Recording:
    """Run a platform from its first start to its end, with everything that moves money; gateways are rolled meanwhile.

    `turns` is how many chats each client has before the gateways are rolled, and after it.
    """
    data, file = folder / "var", folder / "disk.trace"
    trace = Trace(file, data)
    platform = Platform(
        data,
        workers=1,
        is_cold=True,  # a process of its own, which imports the hook
        YUANJING_SANDBOX_TIME_SCALE="0",
        YUANJING_SPOOL_SYNC="full",
        YUANJING_LOG_LEVEL="debug",
        POWER_TRACE=str(file),
        POWER_ROOT=str(data),
        PYTHONPATH=str(_HOOK),
    )
    with platform, ThreadPoolExecutor(_CLIENTS + 3) as pool:
        clients = _Clients(platform, trace)
        others = [pool.submit(clients.videos, videos), pool.submit(clients.top_ups, top_ups)]
        if grants:
            others.append(pool.submit(clients.grants, grants))
        for part in range(2):
            running = [pool.submit(clients.chats, part * _CLIENTS + n, turns) for n in range(_CLIENTS)]
            if part == 0:
                time.sleep(0.2)
                platform.signal(signal.SIGHUP)
                wait_until(lambda: "gateways rolled" in platform.errors(), 30)
            for one in running:
                one.result()
        for one in others:
            one.result()
        assert platform.stop() == 0
        assert "Traceback" not in platform.errors(), platform.errors()
    events = [event for event in read_trace(file) if not event.path.startswith(_NOT_RECORDED)]
    _check(events, data)
    return Recording(events=events, last=read_books(data), key=platform.key)


def _check(events: list[Event], data: Path) -> None:
    """The record is complete: it leads to what is there."""
    disk = Disk()
    for event in events:
        disk.feed(event)
    names = [name for name in disk.paths() if not name.endswith("-shm")]
    assert "yuanjing.db" in names
    assert "secrets/key-pepper" in names
    for name in names:
        assert disk.read(name) == (data / name).read_bytes(), name
    spools = {event.path for event in events if event.path.endswith(".spool.db")}
    assert len(spools) > 1, "no gateway was rolled"
