"""What a failure looks like in each dialect, and what its headers say to a client."""

import json

import pytest

from yuanjing.domain.dialects import ERRORS, Dialect, error_body, error_headers, error_object, public_error

SAID = {
    Dialect.CONSOLE: {"error": {"code": "wrong_code", "message": "不对", "param": "code"}},
    Dialect.LLMAGE: {"error": "不对"},
    Dialect.OPENAI: {
        "error": {"message": "不对", "type": "permission_error", "param": "code", "code": "wrong_code"},
    },
}


@pytest.mark.parametrize("dialect", Dialect)
def test_each_dialect_has_its_shape_and_no_escapes(dialect):
    body = error_body(dialect, "wrong_code", "不对", "code")
    assert json.loads(body) == SAID[dialect]
    assert "不对".encode() in body


@pytest.mark.parametrize("code", ERRORS)
def test_a_text_of_the_seeds_own_is_only_for_its_dialect(code):
    row = public_error(code)
    assert row is ERRORS[code]
    assert json.loads(error_body(Dialect.LLMAGE, code, "m"))["error"] == (row.llmage or "m")
    wanted = {"message": "m", "type": row.type, "param": None, "code": row.openai_code or code}
    assert error_object(code, "m") == wanted
    assert json.loads(error_body(Dialect.OPENAI, code, "m"))["error"] == wanted


def test_an_unknown_code_is_a_bug():
    assert public_error("no such code") is ERRORS["internal_error"]


@pytest.mark.parametrize(
    ("code", "retry_after_seconds", "headers"),
    [
        ("internal_error", None, []),
        ("internal_error", 0, [("retry-after", "0")]),
        ("overloaded", None, [("retry-after", "1")]),
        ("overloaded", 7, [("retry-after", "7")]),
        ("key_revoked", None, [("x-should-retry", "false")]),
        ("key_revoked", 7, [("x-should-retry", "false")]),
        ("not_signed_in", None, [("www-authenticate", "Cookie")]),
        ("invalid_api_key", None, [("www-authenticate", "Bearer")]),
    ],
)
def test_headers_say_whether_to_try_again_and_how_to_show_who_one_is(code, retry_after_seconds, headers):
    assert error_headers(code, retry_after_seconds) == headers
