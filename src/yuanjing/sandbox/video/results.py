"""The files of finished tasks, under URLs that look signed and expire.

The URLs answer only if they come exactly as told: their queries hold characters that a client which decodes and encodes
them again would change, as the real ones do (a file name in Chinese, `%2B`, `;`), and a changed query is refused.
"""

import asyncio
import base64
import datetime as dt
import secrets
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote

from yuanjing.kit.clock import Clock
from yuanjing.sandbox.asgi import Reply, Request
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video.magic import Asked, Word

PREFIX = "/results/"
TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".png": "image/png"}
NAME = "视频 1+1;终"
FILES_PER_TASK = 3
PIECE_BYTES = 256 * 1024
MEGABYTES_MAX = 4000
FREE_HEAD_BYTES = 8
INSIDE_URL = "http://169.254.169.254/latest/meta-data/"


@dataclass(frozen=True, kw_only=True)
class _Shared:
    path: Path
    query: str
    until: float
    asked: Asked


class Results:
    """Gives files addresses and serves them; `sleep` is what a slow file waits by."""

    def __init__(
        self, options: SandboxOptions, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._options = options
        self._sleep = sleep
        self._clock = clock
        self._shared: OrderedDict[str, _Shared] = OrderedDict()

    def url_of(self, path: Path, *, style: str, base_url: str, until: float, asked: Asked) -> str:
        """A new URL of the file.

        Args:
            path: the file; its suffix says the content type. It may be gone later: then the URL answers 404.
            style: the protocol, whose storage the URL looks like (`dashscope`: OSS, `ark`: TOS, `vidu`: S3).
            base_url: scheme and host.
            until: when the URL expires, Unix seconds.
            asked: the task's magic words; those about files apply when it is served.
        """
        now = dt.datetime.fromtimestamp(self._clock.unix(), dt.UTC)
        where = f"{PREFIX}{style}/{now:%Y%m%d}/{secrets.token_hex(12)}{path.suffix}"
        query = _QUERIES.get(style, _oss_query)(int(until), now)
        self._shared[where] = _Shared(path=path, query=query, until=until, asked=asked)
        while len(self._shared) > self._options.video_tasks_max * FILES_PER_TASK:
            self._shared.popitem(last=False)
        return f"{base_url}{where}?{query}"

    async def handle(self, request: Request, reply: Reply) -> bool:
        """Answer if the path is a result's; whether it is."""
        if not request.path.startswith(PREFIX):
            return False
        shared = self._shared.get(request.path)
        if request.method not in {"GET", "HEAD"}:
            await _refuse(reply, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        elif shared is None or Word.RESULT_404 in shared.asked or not shared.path.exists():
            await _refuse(reply, 404, "NoSuchKey", "The specified key does not exist.")
        elif shared.query != request.query_string:
            text = "The request signature we calculated does not match the signature you provided."
            await _refuse(reply, 403, "SignatureDoesNotMatch", text)
        elif self._clock.unix() >= shared.until:
            times = f"<Expires>{_iso(shared.until)}</Expires><ServerTime>{_iso(self._clock.unix())}</ServerTime>"
            await _refuse(reply, 403, "AccessDenied", "Request has expired.", times)
        elif request.path.endswith(".mp4") and Word.REDIRECTED_FILE in shared.asked:
            await reply.whole(302, "text/plain", b"", [("location", INSIDE_URL)])
        else:
            await self._serve(request, reply, shared)
        return True

    async def _serve(self, request: Request, reply: Reply, shared: _Shared) -> None:
        stat = await asyncio.to_thread(shared.path.stat)
        real = size = stat.st_size
        if shared.path.suffix == ".mp4" and Word.TRUNCATED_FILE in shared.asked:
            size //= 2
        elif shared.path.suffix == ".mp4" and Word.LARGE_FILE in shared.asked:
            size = max(size, int(min(shared.asked.number(Word.LARGE_FILE), MEGABYTES_MAX) * 1_000_000))
        headers = [
            ("accept-ranges", "bytes"),
            ("etag", f'"{shared.path.stem[:32].upper()}"'),
            ("last-modified", format_datetime(dt.datetime.fromtimestamp(int(stat.st_mtime), dt.UTC), usegmt=True)),
        ]
        content_type = TYPES[shared.path.suffix]
        window = _range(request.headers.get("range", ""), size)
        if window is None:
            headers.append(("content-range", f"bytes */{size}"))
            await _refuse(reply, 416, "InvalidRange", "The requested range cannot be satisfied.", "", headers)
            return
        first, last = window
        status = 200 if last - first + 1 == size and "range" not in request.headers else 206
        if status == 206:  # noqa: PLR2004  # the number is the name
            headers.append(("content-range", f"bytes {first}-{last}/{size}"))
        headers.append(("content-length", str(last - first + 1)))
        await reply.start(status, content_type, headers)
        if request.method == "GET":
            pause = shared.asked.number(Word.SLOW_FILE) if shared.path.suffix == ".mp4" else 0.0
            for at, length in _pieces(first, last, is_halved=pause > 0):
                if pause and at > first and at == first + (last + 1 - first) // 2:
                    await self._sleep(min(pause, self._options.fault_wait_max_seconds))
                piece = await asyncio.to_thread(_piece, shared.path, at, length) if at < real else b""
                await reply.write(piece + _filling(at + len(piece) - real, length - len(piece), size - real))
        await reply.end()


def _pieces(first: int, last: int, *, is_halved: bool) -> Iterator[tuple[int, int]]:
    """Where each piece begins, and its length; if halved, one begins in the middle."""
    middle = first + (last + 1 - first) // 2 if is_halved else first
    for begin, end in ((first, middle), (middle, last + 1)):
        for at in range(begin, end, PIECE_BYTES):
            yield at, min(PIECE_BYTES, end - at)


def _piece(path: Path, at: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(length)


def _filling(at: int, length: int, whole: int) -> bytes:
    """`length` bytes from `at` of what fills an MP4 up: a box of type `free`, zeros after its head."""
    head = struct.pack(">I4s", max(whole, FREE_HEAD_BYTES), b"free")[at : at + length] if at < FREE_HEAD_BYTES else b""
    return head.ljust(length, b"\0")


def _range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a single range; the whole file for what is no such range, None if it lies outside."""
    unit, _, text = header.partition("=")
    first, dash, last = text.strip().partition("-")
    if unit.strip() != "bytes" or not dash or not (first or last) or not (first + last).isdecimal():
        return 0, size - 1
    if not first:
        return (max(0, size - int(last)), size - 1) if int(last) else None
    if int(first) >= size:
        return None
    end = min(int(last), size - 1) if last else size - 1
    return (int(first), end) if end >= int(first) else (0, size - 1)


async def _refuse(  # an answer of storage has that many parts
    reply: Reply, status: int, code: str, text: str, more: str = "", headers: list[tuple[str, str]] | None = None
) -> None:
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{text}</Message>'
        f"<RequestId>{secrets.token_hex(12).upper()}</RequestId><HostId>sandbox</HostId>{more}</Error>"
    )
    await reply.whole(status, "application/xml", body.encode(), headers or ())


def _iso(unix: float) -> str:
    return f"{dt.datetime.fromtimestamp(unix, dt.UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def _signature(length: int) -> str:
    """Random base64 that always holds the characters which need care."""
    return quote("a+b/" + base64.b64encode(secrets.token_bytes(length)).decode(), safe="")


def _oss_query(until: int, _: dt.datetime) -> str:
    """As DashScope's OSS URLs: `Expires`, `OSSAccessKeyId`, `Signature`."""
    return f"Expires={until}&OSSAccessKeyId=LTAI{secrets.token_hex(8)}&Signature={_signature(20)}"


def _tos_query(until: int, now: dt.datetime) -> str:
    """As Ark's TOS URLs, which name the file in UTF-8 in the query."""
    name = quote(NAME, safe=";")
    return (
        f"X-Tos-Algorithm=TOS4-HMAC-SHA256&X-Tos-Date={now:%Y%m%dT%H%M%SZ}"
        f"&X-Tos-Expires={max(0, until - int(now.timestamp()))}&X-Tos-Signature={secrets.token_hex(32)}"
        f"&X-Tos-SignedHeaders=host&response-content-disposition=attachment;filename*=UTF-8''{name}"
    )


def _s3_query(until: int, now: dt.datetime) -> str:
    return (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={now:%Y%m%dT%H%M%SZ}"
        f"&X-Amz-Expires={max(0, until - int(now.timestamp()))}&X-Amz-Signature={_signature(32)}"
        f"&response-content-disposition=attachment%3B%20filename%3D{quote(NAME, safe='')}.mp4"
    )


_QUERIES = {"dashscope": _oss_query, "ark": _tos_query, "vidu": _s3_query}
