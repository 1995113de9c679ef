"""Persons at the console of a running platform."""

import json
import re
from typing import Any

from tests.support.browser import Visitor
from tests.support.platform import Platform


def last_code(platform: Platform) -> str:
    """The last code by SMS; notices may come between."""
    lines = (platform.data / "outbox.jsonl").read_text(encoding="utf-8").splitlines()
    codes = [str(message["code"]) for message in map(json.loads, lines) if message["kind"] == "code"]
    assert codes, lines[-3:]
    assert re.fullmatch(r"\d{6}", codes[-1]), codes[-1]
    return codes[-1]


class Caller:
    """Calls the console's API as the page of a visitor does, in its session."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._token = str(visitor.page.request.get("/api/auth/session").json()["csrf_token"])

    def send(self, method: str, path: str, body: object = None) -> Any:
        """Change something; the answer, or None where it is empty."""
        headers = {"origin": self._visitor.url, "x-csrf-token": self._token}
        answer = self._visitor.page.request.fetch(path, method=method, headers=headers, data=body)
        assert answer.ok, answer.text()
        return answer.json() if answer.body() else None

    def get(self, path: str) -> Any:
        """Read something."""
        answer = self._visitor.page.request.get(path)
        assert answer.ok, answer.text()
        return answer.json()


def note_session(visitor: Visitor, platform: Platform) -> None:
    """What opens the visitor's session must not be logged."""
    platform.secrets.note(*(str(one.get("value", "")) for one in visitor.context.cookies()))


def enter(visitor: Visitor, platform: Platform, mobile: str) -> None:
    """Sign in by the API, where it is not the page of signing in that is tested."""
    caller = Caller(visitor)
    challenge = caller.send("POST", "/api/auth/codes", {"mobile": mobile})["challenge_id"]
    caller.send(
        "POST", "/api/auth/sessions", {"challenge_id": challenge, "mobile": mobile, "code": last_code(platform)}
    )
    note_session(visitor, platform)


def sign_in(visitor: Visitor, platform: Platform, mobile: str) -> None:
    """Through the page, as a person does."""
    page = visitor.page
    page.goto("/sign-in")
    page.locator("input[type=tel]").fill(mobile)
    page.locator("button[type=submit]").click()
    code = page.locator("input[autocomplete=one-time-code]")
    code.wait_for()
    code.fill(last_code(platform))
    page.wait_for_url("**/models")
    note_session(visitor, platform)
