"""The published errors: one table per dialect turns a stable code into a status and a text.

Codes are those of `domain.errors` and of the gateway's own refusals. What is not in the table is a bug and becomes
`internal_error`, with no detail to the client.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus


class Dialect(StrEnum):
    """One published shape of the HTTP API."""

    OPENAI = "openai"
    LLMAGE = "llmage"
    CONSOLE = "console"


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicError:
    """How one code looks to clients.

    Attributes:
        status: HTTP status, the same in all dialects.
        type: the OpenAI dialect's `error.type`.
        llmage: the seed dialect's text; None means the message itself.
        is_final: a retry cannot help, said by `x-should-retry: false` (SDKs retry 409, 429 and 5xx by themselves).
        retry_after_seconds: said by `Retry-After` where a retry can help.
        openai_code: the OpenAI dialect's `error.code` where it has a word of its own.
    """

    status: int
    type: str = "invalid_request_error"
    llmage: str | None = None
    is_final: bool = False
    retry_after_seconds: int | None = None
    openai_code: str | None = None


ERRORS: dict[str, PublicError] = {
    "invalid_api_key": PublicError(status=401, type="authentication_error", llmage="Invalid API Key"),
    "insufficient_balance": PublicError(
        status=429,
        type="insufficient_quota",
        llmage="Insufficient balance",
        is_final=True,
        openai_code="insufficient_quota",
    ),
    "budget_exceeded": PublicError(
        status=429,
        type="insufficient_quota",
        llmage="API key budget exceeded",
        is_final=True,
        openai_code="budget_exceeded",
    ),
    "budget_held": PublicError(
        status=429,
        type="rate_limit_error",
        llmage="API key budget is held by what is running",
        retry_after_seconds=1,
    ),
    "rate_limit_exceeded": PublicError(
        status=429, type="rate_limit_error", llmage="Too many requests", retry_after_seconds=1
    ),
    "missing_required_parameter": PublicError(status=400),
    "invalid_parameter": PublicError(status=400),
    "invalid_json": PublicError(status=400),
    "invalid_request": PublicError(status=400),
    "content_policy_violation": PublicError(status=400),
    "context_length_exceeded": PublicError(status=400),
    "unknown_llmid": PublicError(status=400),
    "unsupported_parameter": PublicError(status=400),
    "undeliverable_files": PublicError(status=400, is_final=True),
    "model_not_found": PublicError(status=404),
    "not_found": PublicError(status=404),
    "unsupported_operation": PublicError(status=404),
    "method_not_allowed": PublicError(status=405),
    "model_not_allowed": PublicError(status=403, type="permission_error"),
    "ip_not_allowed": PublicError(status=403, type="permission_error"),
    "link_invalid": PublicError(status=403, type="permission_error"),
    "request_timeout": PublicError(status=408, is_final=True),
    "video_not_ready": PublicError(status=409, retry_after_seconds=2),
    "file_expired": PublicError(status=410),
    "idempotency_in_progress": PublicError(status=409, retry_after_seconds=1),
    "answer_not_kept": PublicError(status=410, is_final=True),
    "idempotency_mismatch": PublicError(status=422),
    "request_too_large": PublicError(status=413),
    "unsupported_media_type": PublicError(status=415),
    "range_not_satisfiable": PublicError(status=416),
    "headers_too_large": PublicError(status=431),
    "task_ended": PublicError(status=409, is_final=True),
    "already_exists": PublicError(status=409, is_final=True),
    "too_many_keys": PublicError(status=409, is_final=True),
    "key_revoked": PublicError(status=409, is_final=True),
    "not_signed_in": PublicError(status=401, type="authentication_error"),
    "wrong_code": PublicError(status=403, type="permission_error"),
    "wrong_password": PublicError(status=403, type="permission_error"),
    "one_time_password_required": PublicError(status=403, type="permission_error"),
    "wrong_one_time_password": PublicError(status=403, type="permission_error"),
    "customer_disabled": PublicError(status=403, type="permission_error"),
    "confirmation_required": PublicError(status=403, type="permission_error"),
    "captcha_required": PublicError(status=403, type="permission_error"),
    "forgery_suspected": PublicError(status=403, type="permission_error"),
    "weak_password": PublicError(status=400),
    "number_not_served": PublicError(status=400),
    "mistyped_redeem_code": PublicError(status=400),
    "wrong_redeem_code": PublicError(status=403, type="permission_error"),
    "redeem_code_limit": PublicError(status=403, type="permission_error"),
    "too_many_codes": PublicError(status=429, type="rate_limit_error", retry_after_seconds=60),
    "too_many_attempts": PublicError(status=429, type="rate_limit_error", retry_after_seconds=60),
    "sms_unavailable": PublicError(status=503, type="api_error", retry_after_seconds=60),
    "payment_unavailable": PublicError(status=503, type="api_error", retry_after_seconds=60),
    "internal_error": PublicError(status=500, type="api_error", llmage="Internal error"),
    "provider_unavailable": PublicError(
        status=503, type="api_error", llmage="Provider temporarily unavailable", retry_after_seconds=1
    ),
    "provider_timeout": PublicError(status=504, type="api_error", llmage="Provider did not answer in time"),
    "provider_bad_answer": PublicError(status=502, type="api_error", llmage="Provider sent an invalid answer"),
    "store_unavailable": PublicError(
        status=503, type="api_error", llmage="Temporarily unavailable", retry_after_seconds=1
    ),
    "storage_full": PublicError(status=503, type="api_error", llmage="Storage is full", retry_after_seconds=60),
    "overloaded": PublicError(status=503, type="api_error", llmage="Temporarily overloaded", retry_after_seconds=1),
    "shutting_down": PublicError(status=503, type="api_error", llmage="Restarting", retry_after_seconds=1),
}


def public_error(code: str) -> PublicError:
    """The table's row; an unknown code is a bug and looks like one."""
    return ERRORS.get(code, ERRORS["internal_error"])


def error_body(dialect: Dialect, code: str, message: str, param: str | None = None) -> bytes:
    """The JSON body of an error in the dialect's shape; the seed's with its printed spacing."""
    row = public_error(code)
    if dialect is Dialect.CONSOLE:
        return json.dumps({"error": {"code": code, "message": message, "param": param}}, ensure_ascii=False).encode()
    if dialect is Dialect.LLMAGE:
        return json.dumps({"error": row.llmage or message}, ensure_ascii=False).encode()
    return json.dumps({"error": error_object(code, message, param)}, ensure_ascii=False).encode()


def error_object(code: str, message: str, param: str | None = None) -> dict[str, str | None]:
    """The OpenAI form of an error; also what both dialects put into a stream."""
    row = public_error(code)
    return {"message": message, "type": row.type, "param": param, "code": row.openai_code or code}


def error_headers(code: str, retry_after_seconds: int | None = None) -> list[tuple[str, str]]:
    """The headers that tell a client whether trying again can help, and how to show who it is (RFC 9110, 11.6.1)."""
    row = public_error(code)
    headers: list[tuple[str, str]] = []
    if row.status == HTTPStatus.UNAUTHORIZED:
        headers.append(("www-authenticate", "Cookie" if code == "not_signed_in" else "Bearer"))
    if row.is_final:
        headers.append(("x-should-retry", "false"))
    wait = retry_after_seconds if retry_after_seconds is not None else row.retry_after_seconds
    if wait is not None and not row.is_final:
        headers.append(("retry-after", str(wait)))
    return headers
