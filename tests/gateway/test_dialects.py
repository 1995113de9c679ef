"""The table of errors and its two shapes."""

import ast
import json
from pathlib import Path

import pytest

import yuanjing
from yuanjing.domain.dialects import ERRORS, Dialect, error_body, error_headers, error_object, public_error
from yuanjing.gateway.client import STATUS_LINES

NOT_HOT = {
    "already_exists", "file_expired", "key_revoked", "range_not_satisfiable", "task_ended",
    "too_many_keys", "video_not_ready",
}  # fmt: skip
"""Errors of videos, their files and the console, which the hot path never answers with."""


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_the_shapes(code):
    row = ERRORS[code]
    body = json.loads(error_body(Dialect.OPENAI, code, "what to change 你", "n"))
    assert body == {"error": error_object(code, "what to change 你", "n")}
    assert body["error"]["message"] == "what to change 你"
    assert body["error"]["code"] == (row.openai_code or code)
    text = error_body(Dialect.LLMAGE, code, "what to change 你")
    assert text == ('{"error": "' + (row.llmage or "what to change 你") + '"}').encode()
    assert row.status in STATUS_LINES or code in NOT_HOT


def test_the_printed_texts():
    assert error_body(Dialect.LLMAGE, "invalid_api_key", "x") == b'{"error": "Invalid API Key"}'
    assert error_body(Dialect.LLMAGE, "insufficient_balance", "x") == b'{"error": "Insufficient balance"}'
    assert error_body(Dialect.LLMAGE, "rate_limit_exceeded", "x") == b'{"error": "Too many requests"}'
    text = b'{"error": "Provider temporarily unavailable"}'
    assert error_body(Dialect.LLMAGE, "provider_unavailable", "x") == text


def test_no_money_in_the_openai_dialect():
    error = error_object("insufficient_balance", "m")
    assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
    assert error_headers("insufficient_balance") == [("x-should-retry", "false")]
    assert error_headers("insufficient_balance", 5) == [("x-should-retry", "false")]
    assert error_headers("budget_exceeded") == [("x-should-retry", "false")]


def test_where_a_retry_helps():
    assert error_headers("rate_limit_exceeded") == [("retry-after", "1")]
    assert error_headers("provider_unavailable", 7) == [("retry-after", "7")]
    assert error_headers("invalid_parameter") == []


def test_what_is_not_in_the_table_is_a_bug():
    assert public_error("no_such_code").status == 500
    assert json.loads(error_body(Dialect.LLMAGE, "no_such_code", "secret detail")) == {"error": "Internal error"}


def test_every_code_that_the_gateway_says_is_in_the_table():
    """Calls of `refuse`, `RequestError`, `Failure(code=…)` and their kin with a literal code."""
    said = set()
    for path in (Path(yuanjing.__file__).parent / "gateway").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in {"refuse", "RequestError", "_shown", "_fail", "error_event", "_refuse_early"}:
                said |= {a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)}
            said |= {k.value.value for k in node.keywords if k.arg == "code" and isinstance(k.value, ast.Constant)}
    assert len(said) > 10
    assert said <= set(ERRORS)
