"""Who may call what: a line for each route of the API. A route that has none fails `tests/e2e/test_matrix.py`.

A line says by whom a route may be called, what the right caller gets, and what is needed for that: a body that is
good, and for each parameter that names an object of a customer which kind of object that is (`World.makers`). From
this follows what everybody else gets, and that others' objects are to nobody what he can tell from unknown ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

Outcome = int | tuple[int, str]
"""A status, or one with the error's code."""


class Access(Enum):
    """By whom a route may be called."""

    OPEN = auto()
    """Anybody; what a caller brings along is not looked at."""
    BROWSER = auto()
    """Anybody, with our own page; under `/api`."""
    SESSION = auto()
    """Who is signed in, with our own page; under `/api`."""
    KEY = auto()
    """Who has a key."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A line.

    Attributes:
        ok: what the right caller gets.
        live: what a live key gets, if it is something else.
        body: a good body; `NEW` as a mobile number stands for one that nobody has.
        ids: parameters in path and query that name an object, with the object's kind; what is no kind is the value.
        query: other parameters of the query that are needed.
        lists: whether it answers with a list of any length, which then comes in pages.
    """

    access: Access
    ok: Outcome = 200
    live: Outcome | None = None
    body: Mapping[str, Any] | None = None
    ids: Mapping[str, str] = field(default_factory=dict[str, str])
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    lists: bool = False


def _open(**more: Any) -> Rule:
    return Rule(access=Access.OPEN, **more)


def _browser(**more: Any) -> Rule:
    return Rule(access=Access.BROWSER, **more)


def _session(**more: Any) -> Rule:
    return Rule(access=Access.SESSION, **more)


def _key(**more: Any) -> Rule:
    return Rule(access=Access.KEY, **more)


CHAT = {"model": "qwen3-max", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
VIDEO = {"llmid": "CrEMkFQfRCmbmopZsCqLj", "prompt": "a cat", "duration": 5, "resolution": "480p"}
_SORA = {"model": "doubao-seedance-1-5-pro-251215", "prompt": "a cat", "seconds": "5", "resolution": "480p"}
_CODE = {"challenge_id": "chl_1", "code": "123456"}

RULES: Mapping[tuple[str, str], Rule] = {
    ("GET", "/healthz"): _open(),
    ("GET", "/readyz"): _open(),
    ("GET", "/metrics"): _open(),
    ("GET", "/openapi.json"): _open(),
    ("GET", "/idfile"): _open(ids={"path": "link"}),
    ("GET", "/.well-known/yuanjing-receipts.json"): _open(),
    ("POST", "/v1/chat/completions"): _key(body=CHAT),
    ("POST", "/llmage/v1/chat/completions"): _key(body=CHAT),
    ("GET", "/v1/models"): _key(),
    ("GET", "/v1/models/{model}"): _key(ids={"model": "qwen3-max"}),
    ("GET", "/llmage/v1/models"): _key(),
    ("GET", "/llmage/v1/pricing"): _key(query={"model": "qwen3-max"}),
    ("GET", "/llmage/v1/balance"): _key(),
    ("POST", "/llmage/video"): _key(body=VIDEO),
    ("POST", "/llmage/v1/video/generations"): _key(body=VIDEO),
    ("POST", "/llmage/v1/video/quotes"): _key(body=VIDEO),
    ("POST", "/v1/videos"): _key(body=_SORA),
    ("GET", "/llmage/tasks"): _key(ids={"taskid": "video"}, live=404),
    ("POST", "/llmage/tasks"): _key(ids={"taskid": "video"}, live=404),
    ("GET", "/llmage/v1/tasks"): _key(lists=True),
    ("GET", "/v1/videos"): _key(lists=True),
    ("GET", "/v1/videos/{video_id}"): _key(ids={"video_id": "video"}, live=404),
    ("GET", "/v1/videos/{video_id}/content"): _key(ids={"video_id": "video"}, live=404),
    ("DELETE", "/v1/videos/{video_id}"): _key(ids={"video_id": "video"}, live=404),
    ("POST", "/v1/videos/{video_id}/remix"): _key(ids={"video_id": "video"}, ok=404),
    ("POST", "/v1/videos/edits"): _key(ok=404),
    ("POST", "/v1/videos/extensions"): _key(ok=404),
    ("POST", "/v1/videos/characters"): _key(ok=404),
    ("GET", "/v1/videos/characters/{character_id}"): _key(ids={"character_id": "char_1"}, ok=404),
    ("GET", "/api/models"): _browser(),
    ("GET", "/api/models/{llmid}"): _browser(ids={"llmid": "VaKNrpZ37Ybrg5DWGio6b"}),
    ("GET", "/api/auth/captcha"): _browser(),
    ("GET", "/api/auth/session"): _browser(),
    ("POST", "/api/auth/codes"): _browser(body={"mobile": "NEW"}),
    ("POST", "/api/auth/sessions"): _browser(body={"mobile": "NEW", **_CODE}, ok=(403, "wrong_code")),
    ("DELETE", "/api/auth/session"): _session(ok=204),
    ("GET", "/api/auth/sessions"): _session(),
    ("DELETE", "/api/auth/sessions"): _session(),
    ("DELETE", "/api/auth/sessions/{session_id}"): _session(ids={"session_id": "session"}, ok=204),
    ("POST", "/api/auth/confirmations"): _session(body=_CODE, ok=(403, "wrong_code")),
    ("PUT", "/api/auth/password"): _session(body={"password": "a long sentence, and a strange 1"}, ok=204),
    ("DELETE", "/api/auth/password"): _session(ok=204),
    ("PUT", "/api/auth/mobile"): _session(body={"mobile": "NEW", **_CODE}, ok=(403, "wrong_code")),
    ("POST", "/api/auth/totp"): _session(),
    ("PUT", "/api/auth/totp"): _session(body={"totp": "123456"}, ok=(403, "wrong_one_time_password")),
    ("DELETE", "/api/auth/totp"): _session(ok=204),
    ("POST", "/api/auth/recovery-codes"): _session(ok=(403, "wrong_one_time_password")),
    ("GET", "/api/profile"): _session(),
    ("PATCH", "/api/profile"): _session(body={"name": "A name", "language": "en", "low_balance": "5"}),
    ("GET", "/api/security-events"): _session(lists=True),
    ("GET", "/api/keys"): _session(lists=True),
    ("POST", "/api/keys"): _session(body={"book": "test"}),
    ("GET", "/api/keys/{key_id}"): _session(ids={"key_id": "key"}),
    ("PATCH", "/api/keys/{key_id}"): _session(ids={"key_id": "key"}, body={"name": "A name"}),
    ("DELETE", "/api/keys/{key_id}"): _session(ids={"key_id": "key"}, ok=204),
    ("GET", "/api/balance"): _session(),
    ("POST", "/api/balance/test-grant"): _session(),
    ("GET", "/api/entries"): _session(lists=True),
    ("GET", "/api/statements"): _session(lists=True),
    ("GET", "/api/statements/{month}"): _session(ids={"month": "2026-01"}),
    ("GET", "/api/topups/methods"): _session(),
    ("POST", "/api/topups"): _session(body={"method": "alipay", "way": "page", "amount": "10.00"}),
    ("GET", "/api/topups"): _session(lists=True),
    ("GET", "/api/topups/{topup_id}"): _session(ids={"topup_id": "topup"}),
    ("POST", "/api/topups/{topup_id}/close"): _session(ids={"topup_id": "topup"}),
    ("GET", "/api/usage"): _session(lists=True),
    ("GET", "/api/usage/days"): _session(query={"from": "2026-01-01", "to": "2026-01-31"}),
    ("GET", "/api/usage/{usage_id}"): _session(ids={"usage_id": "usage"}),
    ("GET", "/api/usage/{usage_id}/receipt"): _session(ids={"usage_id": "usage"}),
    ("GET", "/api/tasks"): _session(lists=True),
    ("GET", "/api/tasks/{task_id}"): _session(ids={"task_id": "video"}),
    ("GET", "/api/tasks/{task_id}/receipt"): _session(ids={"task_id": "video"}),
    ("DELETE", "/api/tasks/{task_id}"): _session(ids={"task_id": "video"}),
    ("POST", "/api/tasks/{task_id}/cancel"): _session(ids={"task_id": "video"}, ok=(409, "task_ended")),
    ("GET", "/api/promotions"): _session(lists=True),
    ("GET", "/api/redemptions"): _session(lists=True),
    ("POST", "/api/redemptions"): _session(body={"code": "ABCD-EFGH-JKMN"}, ok=(400, "mistyped_redeem_code")),
}
