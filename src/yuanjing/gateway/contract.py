"""What the protocol subclass takes out of ASGI, and what it relies on in its base class."""

from yuanjing.domain.dialects import Dialect

HOT_ROUTES = {
    b"/v1/chat/completions": Dialect.OPENAI,
    b"/llmage/v1/chat/completions": Dialect.LLMAGE,
}
BASE_MEMBERS = (
    "connections", "transport", "flow", "cycle", "pipeline", "parser", "url", "headers", "scope",
    "expect_100_continue", "server_state", "timeout_keep_alive", "timeout_keep_alive_task", "app", "app_state", "loop",
    "config", "client",
    "_start_asgi_task", "_unset_keepalive_if_required", "_should_upgrade", "handle_websocket_upgrade",
    "send_400_response", "on_response_complete",
)  # fmt: skip
HOP_HEADERS = frozenset({b"upgrade", b"http2-settings"})
NEVER = float("inf")
HEAD_END = b"\r\n\r\n"
MIN_HEAD_BYTES = len(b"GET / HTTP/1.1" + HEAD_END)
SMALL_READ_BYTES = 2048
"""A read of this size is parsed without looking how many requests it holds: there is no room for very many."""
TURN_BYTES = 64 * 1024
"""So much of one connection is parsed at a time; one full read of the loop (256 KiB) may hold thousands of requests."""

FRAMING_FACTOR = 8
"""A chunk of one byte takes six; a body with more framing than this factor carries nothing that is worth reading."""

LAST_REQUEST_SECONDS = 0.25
"""How long an idle connection of a stopping server is kept for a request that may be on its way."""


class StopReading(Exception):  # noqa: N818  # no error: it ends the parser's work on bytes that nobody wants
    """Raised in a parser's callback when nothing more is to be served on this connection."""


async def no_app(_scope: object, _receive: object, _send: object) -> None:
    """Stands where the base class keeps the ASGI application of a queued request; an exchange needs none."""
