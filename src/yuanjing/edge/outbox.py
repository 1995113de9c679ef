"""The page at `/outbox`, in development only: messages that were written to a file instead of being sent.

Whoever sees a code can sign in. So the page is for browsers on this machine, and only under a name that is this
machine's: a page from elsewhere whose name was made to lead here (DNS rebinding) sends its own name along.
"""

import asyncio
import base64
import hashlib
import html
import re
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from yuanjing.edge.address import is_from_this_machine
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.ports.messages import OutboxMessage

PATH = "/outbox"
MESSAGES_MAX = 50
_LOCAL = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
_STYLE = (
    "body{font:16px/1.6 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1rem}"
    "td,th{text-align:left;padding:.2rem 1rem .2rem 0}code{font-size:1.2em}:root{color-scheme:light dark}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Outbox</title>
<style>{style}</style>
</head>
<body>
<h1>Outbox</h1>
<p>Messages that development writes to a file instead of sending them, newest first. Reload for newer ones.
<a href="/">Home</a></p>
{messages}
</body>
</html>
"""

router = APIRouter()


def is_shown(request: Request, parts: EdgeParts) -> bool:
    """Whether there is the page, for who asks from there and by that name."""
    is_local = is_from_this_machine(request) and _LOCAL.fullmatch(request.headers.get("host", "")) is not None
    return parts.outbox is not None and is_local


@router.get(PATH, response_class=HTMLResponse, include_in_schema=False)
async def get_outbox(request: Request, parts: Parts) -> HTMLResponse:
    """The last messages, for people who try the platform out."""
    if not is_shown(request, parts):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    assert parts.outbox is not None  # there is no such route else
    messages = await asyncio.to_thread(parts.outbox, MESSAGES_MAX)
    return HTMLResponse(_PAGE.format(style=_STYLE, messages=_table(messages)), headers=_HEADERS)


def _table(messages: Sequence[OutboxMessage]) -> str:
    if not messages:
        return "<p>There is none yet.</p>"
    rows = "\n".join(
        f"<tr><td>{_shown(one.at)}<td>{_shown(one.mobile)}<td>{_shown(one.kind)}<td>{_words(one)}</tr>"
        for one in messages
    )
    return f"<table>\n<tr><th>At<th>To<th>Kind<th>Says</tr>\n{rows}\n</table>"


def _words(message: OutboxMessage) -> str:
    fields = _shown(", ".join(f"{name}: {value}" for name, value in message.fields.items()))
    return f"<code>{_shown(message.code)}</code> {fields}" if message.code else fields


def _shown(text: str) -> str:
    return html.escape(text)
