"""Two customers of a running platform, with one object of each kind each, and all who may call for them."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Self

import httpx2
from tests.support.leaks import Secrets
from tests.support.load import wait_until
from tests.support.matrix_rules import CHAT, VIDEO, Rule
from tests.support.platform import Platform

Json = dict[str, Any]
SETTINGS = {
    "YUANJING_SANDBOX_TIME_SCALE": "0",
    "YUANJING_SMS_RESEND_SECONDS": "0.001",
    "YUANJING_SMS_PER_NUMBER_HOUR": "100000",
    "YUANJING_SMS_PER_NUMBER_DAY": "100000",
    "YUANJING_SMS_PER_ADDRESS_HOUR": "100000",
    "YUANJING_SMS_PER_DAY_MAX": "100000",
    "YUANJING_SMS_COST": "0",
    "YUANJING_CAPTCHA_AFTER": "10000",
    "YUANJING_FAILURES_PER_ADDRESS_HOUR": "1000000",
    "YUANJING_SESSIONS_PER_CUSTOMER_MAX": "1000",
    "YUANJING_TOPUP_OPEN_MAX": "1000",
    "YUANJING_TOPUP_PER_HOUR": "100000",
    "YUANJING_REQUEST_BODY_BYTES_MAX": "1000000",
    "YUANJING_UPLOAD_TEXT_BYTES_MAX": "1000000",
}
"""Limits of sign-in that are no obstacle, since they have tests of their own; and bodies that are soon too large."""
BODY_BYTES_MAX = 1_000_000
_LIVE_PROVIDERS = ("dashscope", "ark-video")


class Page:
    """A browser with our page in it, signed in or not."""

    def __init__(self, client: httpx2.Client, origin: str, secrets: Secrets | None = None) -> None:
        self.client = client
        self.secrets = secrets or Secrets()
        self.origin = origin
        self.token = ""

    def open(self) -> Any:
        """The first call of every page."""
        found = self.client.get("/api/auth/session").json()
        self.token = found["csrf_token"]
        return found

    def call(self, method: str, path: str, *, with_token: bool = True, **options: Any) -> httpx2.Response:
        """A call of our page; without the token it is one of another site's page."""
        headers = {"origin": self.origin, "x-csrf-token": self.token} if with_token else {}
        answer = self.client.request(method, path, **(options | {"headers": headers | options.get("headers", {})}))
        self.secrets.note_document(options.get("json"))
        if answer.headers.get("content-type") == "application/json":
            self.secrets.note_document(answer.json())
        self.secrets.note_cookies(self.client.cookies.jar)
        return answer


@dataclass
class Person:
    """A customer: the number, keys and objects by their kinds."""

    mobile: str
    id: str = ""
    test_key: str = ""
    live_key: str = ""
    objects: dict[str, str] = field(default_factory=dict[str, str])


class World:
    """A context manager over a platform with a sandbox."""

    def __init__(self, platform: Platform, *, with_objects: bool = True) -> None:
        """Without objects it is there in a third of the time."""
        self.platform = platform
        self._with_objects = with_objects
        self.me, self.other = Person("13912340001"), Person("13912340002")
        self._numbers = count(1)
        self._transport = httpx2.HTTPTransport(limits=httpx2.Limits(max_connections=20))
        self.bearer: dict[str, httpx2.Client] = {}
        self.makers: dict[str, Callable[[Person, Page], str]] = {
            "session": lambda _, page: page.open()["session"]["id"],
            "video": self._make_video,
            "usage": self._make_usage,
            "topup": _make_topup,
            "key": _make_key,
        }

    def __enter__(self) -> Self:
        self._open_live_channels()
        for person in (self.me, self.other):
            page = self.sign_in(person)
            person.id = page.open()["customer"]["id"]
            self.platform.run("customer", "grant", person.id, "100")
            person.test_key = self.platform.new_key(person.id)
            person.live_key = str(self.platform.run("key", "create", person.id)["secret"])
            for key in (person.test_key, person.live_key):
                self.bearer[key] = self.client(authorization=f"Bearer {key}")
            if self._with_objects:
                person.objects = {kind: make(person, page) for kind, make in self.makers.items()}
                person.objects["link"] = self._link(person)
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    def client(self, **headers: str) -> httpx2.Client:
        """A client without a session. All share their connections: a pool of its own for each takes its time."""
        return httpx2.Client(
            base_url=self.platform.url, trust_env=False, timeout=30, headers=headers, transport=self._transport
        )

    def page(self, **headers: str) -> Page:
        """A browser in which nobody is signed in."""
        page = Page(self.client(**headers), self.platform.url, self.platform.secrets)
        page.open()
        return page

    def sign_in(self, person: Person) -> Page:
        """A browser in which the person has just signed in."""
        page = self.page()
        sent = page.call("POST", "/api/auth/codes", json={"mobile": person.mobile})
        assert sent.status_code == 200, sent.text
        body = {"mobile": person.mobile, "challenge_id": sent.json()["challenge_id"], "code": self._code(person.mobile)}
        answer = page.call("POST", "/api/auth/sessions", json=body)
        assert answer.status_code == 200, answer.text
        page.token = answer.json()["csrf_token"]
        return page

    def new_mobile(self) -> str:
        """A number that nobody has."""
        return f"1391235{next(self._numbers):04}"

    def target(self, path: str, rule: Rule, ids: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """Path and query of a call for objects with these ids, by their kinds."""
        named = {name: ids.get(kind, kind) for name, kind in rule.ids.items()}
        missing = set(re.findall(r"{(\w+)}", path)) - set(named)
        assert not missing, f"say in its rule what kind of object {missing} is"
        query = {name: value for name, value in named.items() if f"{{{name}}}" not in path}
        return path.format(**named), {**rule.query, **query}

    def body(self, rule: Rule) -> Json:
        """The options of a call with the rule's body."""
        if rule.body is None:
            return {}
        changes = {"mobile": self.new_mobile()} if rule.body.get("mobile") == "NEW" else {}
        return {"json": {**rule.body, **changes}}

    def unknown(self, kind: str) -> str:
        """An id that looks like one of this kind and is nobody's."""
        known = self.me.objects[kind]
        return known[:-4] + ("0000" if not known.endswith("0000") else "1111")

    def _code(self, mobile: str) -> str:
        lines = (self.platform.data / "outbox.jsonl").read_text(encoding="utf-8").splitlines()
        messages = [json.loads(line) for line in lines]
        return str(next(one["code"] for one in reversed(messages) if one["mobile"].endswith(mobile)))

    def _open_live_channels(self) -> None:
        """What the sandbox's channels of the test book are, for the live book too."""
        channels: Any = self.platform.run("channel", "list")["channels"]
        for channel in channels:
            if channel["provider"] in _LIVE_PROVIDERS:
                words = ("--provider", channel["provider"], "--base-url", channel["base_url"], "--credential-stdin")
                self.platform.run("channel", "add", *words, stdin="sandbox-key\n")

    def _make_video(self, person: Person, _: Page) -> str:
        client = self.bearer[person.test_key]
        made = client.post("/llmage/video", json=VIDEO)
        assert made.status_code == 200, made.text
        task_id = str(made.json()["taskid"])
        wait_until(lambda: client.get("/llmage/tasks", params={"taskid": task_id}).json()["status"] == "SUCCEEDED", 60)
        return task_id

    def _make_usage(self, person: Person, _: Page) -> str:
        answer = self.bearer[person.test_key].post("/v1/chat/completions", json=CHAT)
        assert answer.status_code == 200, answer.text
        usage_id = answer.headers["x-yuanjing-usage-id"]
        wait_until(lambda: usage_id in self.platform.usages("--customer", person.id), pause=0.1)
        return usage_id

    def _link(self, person: Person) -> str:
        """The path of the person's video in a public link; whoever has the link may read it."""
        task = self.bearer[person.test_key].get("/llmage/tasks", params={"taskid": person.objects["video"]}).json()
        return str(httpx2.URL(task["video"]).params["path"])


def _make_topup(_: Person, page: Page) -> str:
    answer = page.call("POST", "/api/topups", json={"method": "alipay", "way": "qr", "amount": "1.00"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def _make_key(_: Person, page: Page) -> str:
    answer = page.call("POST", "/api/keys", json={"book": "test"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])
