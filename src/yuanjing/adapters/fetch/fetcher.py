"""Fetching over HTTP, guarded, streamed to disk, with a limit on everything."""

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Self
from urllib.parse import urljoin

import httpx2
from ssrfguard import Resolver

from yuanjing.adapters.fetch.guard import Destination, Guard
from yuanjing.domain.artifacts import StorageFullError
from yuanjing.kit import disk
from yuanjing.kit.threads import to_its_end
from yuanjing.ports.artifacts import FetchFailedError, FetchLimits, FetchRefusedError

_WRITE_BYTES = 1024 * 1024
"""So much is gathered before it is written: a fetch under way holds it in memory."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_FILE_MODE = 0o600
_LOCATION = "yuanjing.location"
_AGENT = "yuanjing"


@dataclass(frozen=True, kw_only=True, slots=True)
class FetcherOptions:
    """See the settings `fetch_…`.

    Attributes:
        ca_file: certificate authorities to believe beside the system's; customers' files are anywhere.
    """

    allowed_networks: tuple[str, ...] = ()
    redirects_max: int = 3
    ca_file: str | None = None


class GuardedFetcher:
    """See `yuanjing.ports.artifacts.Fetcher`. A context manager.

    Each hop is a connection of its own, to an address that was checked for it: a kept one would belong to another name.
    """

    def __init__(
        self,
        options: FetcherOptions,
        *,
        check_room: Callable[[int], Awaitable[None]],
        resolver: Resolver | None = None,
    ) -> None:
        """`check_room` is that of the folder that is fetched into; it is asked before each write."""
        self._options = options
        self._check_room = check_room
        self._guard = Guard(options.allowed_networks, resolver)
        self._tls: ssl.SSLContext | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._guard.close()

    async def fetch(self, url: str, target: Path, limits: FetchLimits) -> int:
        """See the port."""
        try:
            async with asyncio.timeout(limits.total_seconds):
                return await self._follow(url.strip(), target, limits)
        except TimeoutError as error:
            raise FetchFailedError(f"fetching the address takes more than {limits.total_seconds:g} s") from error
        except httpx2.TransportError as error:
            raise FetchFailedError(f"fetching the address fails: {type(error).__name__}") from error

    async def _follow(self, url: str, target: Path, limits: FetchLimits) -> int:
        for _ in range(self._options.redirects_max + 1):
            destination = await self._guard.check(url, limits.allowed_origin, limits.idle_seconds)
            async with self._asked(destination, limits) as response:
                location = response.extensions.get(_LOCATION)
                if response.status_code not in _REDIRECTS or location is None:
                    return await self._save(response, target, limits.size_bytes_max)
            url = _joined(url, location)
        raise FetchRefusedError("the address redirects too often")

    @asynccontextmanager
    async def _asked(self, destination: Destination, limits: FetchLimits) -> AsyncGenerator[httpx2.Response]:
        async with self._client(limits) as client:
            response = await self._connected(client, destination)
            try:
                yield response
            finally:
                await response.aclose()

    async def _connected(self, client: httpx2.AsyncClient, destination: Destination) -> httpx2.Response:
        """The answer's head, from the first address that lets us connect."""
        for left, address in zip(reversed(range(len(destination.addresses))), destination.addresses, strict=True):
            host = f"[{address}]" if ":" in address else address
            request = client.build_request(
                "GET",
                f"{destination.scheme}://{host}:{destination.port}/",
                headers={
                    "host": destination.host_header,
                    "accept": "*/*",
                    "accept-encoding": "identity",
                    "user-agent": _AGENT,
                },
                extensions={"target": destination.target, "sni_hostname": destination.host},
            )
            try:
                return await client.send(request, stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if not left:
                    raise
        raise AssertionError("a destination has addresses")

    def _client(self, limits: FetchLimits) -> httpx2.AsyncClient:
        self._tls = self._tls or _trust(self._options.ca_file)
        return httpx2.AsyncClient(
            timeout=httpx2.Timeout(limits.idle_seconds),
            limits=httpx2.Limits(max_connections=1, max_keepalive_connections=0),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
            verify=self._tls,
            event_hooks={"response": [_put_location_aside]},
        )

    async def _save(self, response: httpx2.Response, target: Path, size_bytes_max: int) -> int:
        """Stream the body into the file; its size."""
        too_large = FetchRefusedError(f"the file has more than {size_bytes_max} bytes")
        said = _checked(response).headers.get("content-length", "")
        if said.isascii() and said.isdigit() and int(said) > size_bytes_max:
            raise too_large
        size, gathered = 0, bytearray()
        await self._write(target, b"", os.O_TRUNC)
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > size_bytes_max:
                raise too_large
            gathered += chunk
            if len(gathered) >= _WRITE_BYTES:
                await self._write(target, bytes(gathered), os.O_APPEND)
                gathered.clear()
        await self._write(target, bytes(gathered), os.O_APPEND)
        return size

    async def _write(self, target: Path, data: bytes, flag: int) -> None:
        await self._check_room(len(data))
        try:
            await to_its_end(_write, target, data, flag)
        except OSError as error:
            if disk.is_full(error):
                raise StorageFullError("There is no room for files at the moment; try again later") from error
            raise


async def _put_location_aside(response: httpx2.Response) -> None:
    """Where a redirect leads is read by the guard alone; httpx2 would read it too, in another way, and may fail."""
    location = response.headers.pop("location", None)
    if location is not None:
        response.extensions[_LOCATION] = location


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FetchRefusedError("the address redirects to what is no address") from error


def _trust(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def _checked(response: httpx2.Response) -> httpx2.Response:
    """An answer that has the file."""
    status = response.status_code
    if status in _GONE:
        raise FetchRefusedError(f"the address cannot be fetched: HTTP {status} is the answer")
    if status != HTTPStatus.OK:
        raise FetchFailedError(f"the address cannot be fetched: HTTP {status} is the answer", status=status)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise FetchFailedError("the address answers in an encoding that was not asked for", status=status)
    return response


def _write(target: Path, data: bytes, flag: int) -> None:
    """Open, write and close, all in one thread: a descriptor that is closed elsewhere may be another file's by now."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flag, _FILE_MODE)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)
