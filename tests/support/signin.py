"""Signing in over a store in memory: its parts, a sender that keeps what it is given, and a browser."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import argon2
import httpx2
from tests.support.leaks import Secrets

from yuanjing.domain.money import NANOS_PER_YUAN
from yuanjing.kit.clock import Clock
from yuanjing.kit.secretbox import SecretBox
from yuanjing.ports.messages import Notice, SentMessage
from yuanjing.ports.store import Store
from yuanjing.usecases.signin import SignInParts, SignInPolicy
from yuanjing.usecases.signin.failures import AddressFailures
from yuanjing.usecases.signin.passwords import Passwords

PEPPER = b"a pepper for tests"
MOBILE, OTHER_MOBILE = "+8613912345678", "+8613912345679"
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class FakeSender:
    """Keeps messages; with `makes_codes` it makes the codes and checks them, as some vendors do."""

    name: str = "fake"
    makes_codes: bool = False
    cost_nanos: int = 50_000_000
    sent: list[tuple[str, str]] = field(default_factory=list)
    failure: Exception | None = None
    check_failure: Exception | None = None
    checked: list[str] = field(default_factory=list)
    notices: frozenset[Notice] = frozenset(Notice)

    async def send_code(self, mobile: str, code: str, *, minutes: int) -> SentMessage:
        assert minutes >= 1
        if self.failure is not None:
            raise self.failure
        made = f"{len(self.sent):06}" if self.makes_codes else code
        self.sent.append((mobile, made))
        return SentMessage(receipt=f"r-{len(self.sent)}")

    async def check_code(self, mobile: str, code: str, receipt: str) -> bool:
        if self.check_failure is not None:
            raise self.check_failure
        self.checked.append(receipt)
        return self.sent[int(receipt.removeprefix("r-")) - 1] == (mobile, code)

    async def send_notice(self, mobile: str, notice: Notice, fields: Mapping[str, str]) -> SentMessage:
        self.sent.append((mobile, f"{notice}:{dict(fields)}"))
        return SentMessage()

    def code(self, mobile: str = MOBILE) -> str:
        """The last code to the number."""
        return next(code for number, code in reversed(self.sent) if number == mobile)


def sign_in_parts(store: Store, clock: Clock, sender: FakeSender | None = None, **policy: Any) -> SignInParts:
    """Cheap passwords and little work."""
    values = {"test_grant_nanos": 100 * NANOS_PER_YUAN, "captcha_rounds": 5}
    return SignInParts(
        store=store,
        clock=clock,
        pepper=PEPPER,
        box=SecretBox([bytes(32)]),
        sms=sender or FakeSender(),
        policy=SignInPolicy(**(values | policy)),
        passwords=Passwords(hasher=CHEAP),
        failures=AddressFailures(clock, failures_max=20, window_seconds=3600),
    )


class Browser:
    """A page of ours in a browser: it keeps cookies, and sends what ours sends."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        sender: FakeSender,
        *,
        origin: str = "https://ai.example.com",
        secrets: Secrets | None = None,
    ) -> None:
        self.client = client
        self.secrets = secrets or Secrets()
        self.origin = origin
        self.token = ""
        self._sender = sender

    async def open(self) -> Any:
        """The first call of every page."""
        answer = await self.client.get("/api/auth/session")
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["csrf_token"]
        return answer.json()

    async def send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """A request of our page."""
        headers = {"origin": self.origin, "sec-fetch-site": "same-origin", "x-csrf-token": self.token}
        answer = await self.client.request(
            method, path, **(options | {"headers": headers | options.get("headers", {})})
        )
        if answer.content and "csrf_token" in answer.json():
            self.token = answer.json()["csrf_token"]
        self.secrets.note_document(options.get("json"))
        self.secrets.note_document(answer.json() if answer.content else None)
        self.secrets.note_cookies(self.client.cookies.jar)
        return answer

    async def post(self, path: str, body: object = None) -> httpx2.Response:
        return await self.send("POST", path, **({} if body is None else {"json": body}))

    async def ask_code(self, mobile: str = MOBILE, purpose: str = "sign-in") -> str:
        """The challenge of a code that was sent."""
        answer = await self.post("/api/auth/codes", {"mobile": mobile, "purpose": purpose})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["challenge_id"])

    async def sign_in(self, mobile: str = MOBILE, **more: object) -> Any:
        """Sign in by a code."""
        await self.open()
        challenge = await self.ask_code(mobile)
        body = {"mobile": mobile, "challenge_id": challenge, "code": self._sender.code(mobile), **more}
        answer = await self.post("/api/auth/sessions", body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def cookie(self, name: str) -> str | None:
        """The value of a cookie, by the end of its name."""
        return next((one.value for one in self.client.cookies.jar if re.search(f"{name}$", one.name)), None)
