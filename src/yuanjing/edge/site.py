"""The console's files, as its build has left them in `static/`, and the page for every place of the console."""

import gzip
import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request, Response

from yuanjing.domain.errors import NotFoundError

STATIC = Path(__file__).parent / "static"
PLACES = ("finance", "guide", "keys", "models", "playground", "reference", "settings", "sign-in", "tasks", "usage")
"""Where the console's pages begin; see `console/src/paths.ts`."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_METHODS = ["GET", "HEAD"]
_OF_PAGES = {
    "cache-control": "no-cache",
    "content-security-policy": _POLICY,
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_OF_PROGRAMS = ("api", "v1", "llmage", "idfile", "callbacks", "assets", ".well-known")
"""Where no page is: who reads there reads the error."""
_FOR_EVER = "public, max-age=31536000, immutable"
_TEXT = ("text/", "application/javascript", "image/svg+xml")


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """One file, whole.

    Attributes:
        etag: of its content.
        packed: the content by gzip, where that is shorter; else empty.
    """

    content: bytes
    packed: bytes
    media_type: str
    etag: str


def is_built(folder: Path = STATIC) -> bool:
    """Whether the console is there; in a source tree it is after `make run`."""
    return (folder / "index.html").is_file()


def missing_page(folder: Path = STATIC) -> Callable[[Request], Response | None]:
    """The page, which says that there is nothing, for a browser at an address that is no part of the API."""
    page = _read(folder / "index.html")

    def answer(request: Request) -> Response | None:
        is_read = request.method in _METHODS and "text/html" in request.headers.get("accept", "")
        first = request.url.path.split("/")[1]
        if not is_read or first in _OF_PROGRAMS:
            return None
        return _answer(request, page, _OF_PAGES, HTTPStatus.NOT_FOUND)

    return answer


def site_router(folder: Path = STATIC) -> APIRouter:
    """The console's routes; they are no part of the described API."""
    page = _read(folder / "index.html")
    assets: Mapping[str, _File] = {one.name: _read(one) for one in sorted((folder / "assets").iterdir())}
    router = APIRouter(include_in_schema=False)

    async def get_page(request: Request) -> Response:
        return _answer(request, page, _OF_PAGES)

    async def get_asset(name: str, request: Request) -> Response:
        found = assets.get(name)
        if found is None:
            raise NotFoundError("There is no such file", param="name")
        return _answer(request, found, {"cache-control": _FOR_EVER})

    router.add_api_route("/", get_page, methods=_METHODS)
    for place in PLACES:
        router.add_api_route(f"/{place}", get_page, methods=_METHODS)
        router.add_api_route(f"/{place}/{{rest:path}}", get_page, methods=_METHODS)
    router.add_api_route("/assets/{name}", get_asset, methods=_METHODS)
    return router


def _read(file: Path) -> _File:
    content = file.read_bytes()
    guessed = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    media_type = "text/javascript" if file.suffix == ".js" else guessed
    charset = "; charset=utf-8" if media_type.startswith(_TEXT) else ""
    packed = gzip.compress(content, mtime=0)
    return _File(
        content=content,
        packed=packed if len(packed) < len(content) else b"",
        media_type=media_type + charset,
        etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
    )


def _answer(request: Request, file: _File, headers: Mapping[str, str], status: int = HTTPStatus.OK) -> Response:
    own = {**headers, "etag": f"W/{file.etag}", "vary": "accept-encoding"}
    known = request.headers.get("if-none-match", "")
    if status == HTTPStatus.OK and (file.etag in known or known.strip() == "*"):
        return Response(status_code=304, headers=own)
    content = file.content
    if file.packed and _takes_gzip(request.headers.get("accept-encoding", "")):
        own["content-encoding"] = "gzip"
        content = file.packed
    if request.method == "HEAD":
        own["content-length"] = str(len(content))
        return Response(status_code=status, media_type=file.media_type, headers=own)
    return Response(content, status, media_type=file.media_type, headers=own)


def _takes_gzip(accepted: str) -> bool:
    """Whether gzip is named in `Accept-Encoding`, and not with a weight of nothing (RFC 9110, 12.5.3)."""
    for one in accepted.lower().split(","):
        name, _, weight = one.replace(" ", "").partition(";q=")
        if name == "gzip":
            return weight.strip("0.") != "" or not weight
    return False
