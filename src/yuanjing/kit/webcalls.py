"""Calls to other services over HTTP, with a limit on everything and an answer to one question: was anything sent?

An error of this module names neither the address nor a header: both may hold what is secret.
"""

import asyncio
import ssl
from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, Self

import httpx2

from yuanjing.kit.webgets import GetError, GetPool, Progress, question_of
from yuanjing.kit.weblimits import CallLimits

_PORT_MAX = 65_535
_NOTHING_SENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
    httpx2.InvalidURL,
    UnicodeError,
)
"""Errors that come before the first byte leaves. All others may come after the last one has left."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WebCall:
    """One request.

    Attributes:
        params: the query, in order; a name may come more than once.
        headers: `accept-encoding` is always `identity`: what is not packed cannot unpack to gigabytes.
        content: a stream needs a `content-length` header.
    """

    method: str
    url: str
    params: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content: bytes | AsyncIterable[bytes] = b""

    def __repr__(self) -> str:
        return f"WebCall({self.method})"


@dataclass(frozen=True, kw_only=True, slots=True)
class WebAnswer:
    """What came back.

    Attributes:
        headers: names in lower case.
        is_whole: the body came to its end and within the limit; otherwise `body` is empty.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class NoAnswer:
    """Not even the head of an answer came, or not in time.

    Attributes:
        was_sent: something of the request may have reached the other side.
        reason: the kind of error, a word for operators.
    """

    was_sent: bool
    reason: str


def retry_after_seconds(answer: WebAnswer, most: float = 3600.0) -> float | None:
    """What the answer's `retry-after` asks for in seconds; None if it does not, or in another form."""
    text = answer.headers.get("retry-after", "").strip()
    return min(float(text), most) if text.isascii() and text.isdigit() else None


def quoted(text: str, secret: str, chars_max: int = 500) -> str:
    """Somebody's words for a log: without the secret, which services like to repeat, shortened, on one line."""
    clean = text.replace(secret, "***") if secret else text
    return " ".join(clean.split())[:chars_max]


class WebClient:
    """What `WebCaller` calls with: nothing from the environment, no redirects, no cookies. A context manager.

    Attributes:
        general: makes every call.
        gets: makes plain questions, for less.
    """

    def __init__(self, limits: CallLimits, *, verify: ssl.SSLContext | bool = True) -> None:
        self.gets = GetPool(limits, verify if isinstance(verify, ssl.SSLContext) else None)
        self.general = httpx2.AsyncClient(
            timeout=httpx2.Timeout(
                connect=limits.connect_seconds,
                pool=limits.pool_seconds,
                write=limits.write_seconds,
                read=limits.read_seconds,
            ),
            limits=httpx2.Limits(
                max_connections=limits.connections_max,
                max_keepalive_connections=limits.connections_max,
                keepalive_expiry=limits.keep_alive_seconds,
            ),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
            verify=verify,
            event_hooks={"response": [_stay_here]},
        )

    async def __aenter__(self) -> Self:
        await self.general.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gets.close()
        await self.general.aclose()


async def _stay_here(response: httpx2.Response) -> None:
    """Take the address of a redirect out: httpx2 reads it though nobody follows it, and fails if it is none.

    That failure would look like one of our own address, before anything was sent.
    """
    response.headers.pop("location", None)


def open_client(limits: CallLimits, *, verify: ssl.SSLContext | bool = True) -> WebClient:
    """A client for `WebCaller`."""
    return WebClient(limits, verify=verify)


class WebCaller:
    """Makes calls with a client that somebody else opens and closes."""

    def __init__(self, client: WebClient, limits: CallLimits) -> None:
        self._client = client
        self._limits = limits

    async def call(self, call: WebCall) -> WebAnswer | NoAnswer:
        """Send the request and read the answer, up to the limits. Once it has a status, there is an answer."""
        progress = Progress()
        was_sent, reason = True, ""
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                await self._make(call, progress)
        except GetError as error:
            was_sent, reason = error.was_sent, error.reason
        except _NOTHING_SENT as error:
            was_sent, reason = False, type(error).__name__
        except (httpx2.HTTPError, httpx2.StreamError, TimeoutError, OSError) as error:
            reason = type(error).__name__
        if progress.status is None:
            return NoAnswer(was_sent=was_sent, reason=reason)
        body = b"".join(progress.parts) if progress.is_whole else b""
        return WebAnswer(status=progress.status, headers=progress.headers, body=body, is_whole=progress.is_whole)

    async def _make(self, call: WebCall, progress: Progress) -> None:
        headers = {"accept": "application/json", **call.headers, "accept-encoding": "identity"}
        if call.method == "GET" and not call.content:
            question = question_of(call.url, call.params, headers)
            if question is not None and self._client.gets.can_ask(question):
                await self._client.gets.ask(question, progress)
                return
        await self._exchange(call, headers, progress)

    async def _exchange(self, call: WebCall, headers: Mapping[str, str], progress: Progress) -> None:
        request = self._client.general.build_request(
            call.method, call.url, params=list(call.params) or None, headers=headers, content=call.content
        )
        if (request.url.port or 0) > _PORT_MAX:
            raise httpx2.InvalidURL("no such port")
        response = await self._client.general.send(request, stream=True)
        try:
            progress.status = response.status_code
            progress.headers = {name.lower(): value for name, value in response.headers.items()}
            if progress.headers.get("content-encoding", "identity") != "identity":
                return
            size = 0
            async for part in response.aiter_raw():
                size += len(part)
                if size > self._limits.answer_bytes_max:
                    return
                progress.parts.append(part)
            progress.is_whole = True
        finally:
            await response.aclose()


class SilentCaller(WebCaller):
    """Makes no calls: for processes that only read what others send."""

    def __init__(self) -> None:
        """Nothing is opened."""

    async def call(self, call: WebCall) -> WebAnswer | NoAnswer:
        """Never send anything."""
        del call
        return NoAnswer(was_sent=False, reason="silent")
