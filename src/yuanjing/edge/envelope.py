"""What every answer has: a request id, security headers, no body to HEAD, and an answer even to a bug."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yuanjing.edge.errors import internal_error, log_bug, no_such_path
from yuanjing.kit.ids import usage_id

REQUEST_ID_HEADER = "x-request-id"
REQUEST_ID = "yuanjing.request_id"
"""The key of the id in a request's scope."""
IS_HEAD = "yuanjing.is_head"
"""Set in its scope where no body is wanted, so that a large one need not be made."""
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
"""A route that sets one of these itself keeps its own."""


class Envelope:
    """ASGI middleware around all routes. It answers HEAD wherever GET is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything but HTTP passes by."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{usage_id()}"
        method = str(scope["method"])
        inner = {**scope, REQUEST_ID: request_id}
        if method == "HEAD":
            inner |= {"method": "GET", IS_HEAD: True}
        has_started = False

        async def send_wrapped(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            elif method == "HEAD" and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        path = str(scope["path"])
        try:
            # a route's pattern passes over a line feed at the end, so it would serve a path that is not its own
            served = no_such_path(path) if path.endswith("\n") else self._app
            await served(inner, receive, send_wrapped)
        except Exception as error:
            log_bug(error, request_id=request_id, method=method, route=_route(inner))
            if has_started:
                raise
            await internal_error(path)(inner, receive, send_wrapped)


def _route(scope: Scope) -> str:
    """The template of the route, which carries nothing that a client has sent; empty if none was found."""
    return str(getattr(scope.get("route"), "path", ""))
