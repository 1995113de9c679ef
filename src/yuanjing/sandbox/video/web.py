"""HTTP out of the sandbox: media fetched, callbacks posted. It is imported when somebody first asks for it."""

import asyncio
import ssl
from collections.abc import Mapping
from functools import lru_cache

import httpx2

from yuanjing.sandbox.video.wish import FailedError, FailureKind, short

REDIRECTS_MAX = 3


async def fetch(url: str, *, bytes_max: int, seconds: float) -> bytes:
    """The media at a URL.

    Raises:
        FailedError: MEDIA_UNREACHABLE or MEDIA_TOO_LARGE.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(
                verify=_tls(), timeout=seconds, trust_env=False, follow_redirects=True, max_redirects=REDIRECTS_MAX
            ) as client,
            client.stream("GET", url) as answer,
        ):
            if not answer.is_success:
                text = f"Failed to download the file: HTTP {answer.status_code} from {short(url)}"
                raise FailedError.of(FailureKind.MEDIA_UNREACHABLE, text)
            async for part in answer.aiter_bytes():
                size += len(part)
                parts.append(part)
                if size > bytes_max:
                    raise FailedError.of(FailureKind.MEDIA_TOO_LARGE, f"The file has more than {bytes_max} bytes.")
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as error:
        text = f"Failed to download the file: {type(error).__name__} at {short(url)}"
        raise FailedError.of(FailureKind.MEDIA_UNREACHABLE, text) from error
    return b"".join(parts)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class Poster:
    """Posts JSON, each time within `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._client = httpx2.AsyncClient(timeout=seconds, trust_env=False)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> bool | None:
        """Whether it was taken; None if there is no answer."""
        try:
            answer = await self._client.post(url, content=body, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
            return None
        return answer.is_success

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()
