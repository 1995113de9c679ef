"""A file as an answer: whole or in parts, at the client's own speed."""

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request, Response
from starlette.responses import RedirectResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from yuanjing.domain.artifacts import Artifact
from yuanjing.edge.envelope import IS_HEAD
from yuanjing.edge.errors import error_answer
from yuanjing.edge.ranges import Span, find_spans, has_it, http_date, is_same_file
from yuanjing.ports.artifacts import BlobStore, OpenBlob
from yuanjing.usecases.artifacts.links import ArtifactLinks

_SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"})
_SHOWN_FAMILIES = ("video/", "audio/")
"""What a browser may show in place, beside `_SHOWN`: nothing that can hold a program."""
_REDIRECT_SECONDS = 300
_OUR_PAGE = "same-origin"
"""What `Sec-Fetch-Site` says of a console's page, whose policy lets it load nothing from elsewhere."""
_TAG_CHARS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class FileServing:
    """What is needed to give files out.

    Attributes:
        redirects: let S3 itself give files out, where it can.
    """

    blobs: BlobStore
    links: ArtifactLinks
    redirects: bool = False


async def file_answer(serving: FileServing, request: Request, artifact: Artifact, *, as_attachment: bool) -> Response:
    """The answer with the file's bytes, or with those that the request asks for.

    `Range` has a meaning for GET only (RFC 9110, section 14.2): HEAD tells of the whole file.

    Raises:
        NotFoundError: its bytes are not there.
        StorageUnavailableError: they cannot be reached.
    """
    media_type, size = artifact.facts.media_type, artifact.facts.size_bytes
    is_shown = not as_attachment and (media_type in _SHOWN or media_type.startswith(_SHOWN_FAMILIES))
    if serving.redirects and is_shown and request.headers.get("sec-fetch-site") != _OUR_PAGE:
        link = await serving.blobs.link(artifact.blob, _REDIRECT_SECONDS)
        if link is not None:
            return RedirectResponse(link, HTTPStatus.TEMPORARY_REDIRECT)
    tag = f'"{artifact.sha256[:_TAG_CHARS]}"'
    headers = _headers(artifact, tag, is_shown=is_shown)
    asked, is_head = request.headers, bool(request.scope.get(IS_HEAD))
    if has_it(asked.get("if-none-match"), asked.get("if-modified-since"), tag, artifact.created_at):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    takes_parts = not is_head and is_same_file(asked.get("if-range"), tag, artifact.created_at)
    spans = find_spans(asked.get("range"), size) if takes_parts else None
    if spans is not None and not spans:
        message = f"The file has {size} bytes, and none of those that were asked for"
        return error_answer(
            request.url.path, "range_not_satisfiable", message, headers={"content-range": f"bytes */{size}"}
        )
    pieces, status, more = _pieces(media_type, size, spans)
    headers |= more | {"content-length": str(sum(piece.length for piece in pieces))}
    if is_head:
        return Response(status_code=status, headers=headers)
    stack = AsyncExitStack()
    blob = await stack.enter_async_context(serving.blobs.open(artifact.blob))
    return _FileResponse(_sent(blob, pieces), status, headers, stack)


def _headers(artifact: Artifact, tag: str, *, is_shown: bool) -> dict[str, str]:
    """What holds for whole files, parts and those that the client has already."""
    name = artifact.path.rpartition("/")[2]
    return {
        "content-type": artifact.facts.media_type,
        "content-disposition": f'{"inline" if is_shown else "attachment"}; filename="{name}"',
        "content-security-policy": "sandbox; default-src 'none'",
        "cache-control": "private, max-age=3600",
        "accept-ranges": "bytes",
        "etag": tag,
        "last-modified": http_date(artifact.created_at),
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Piece:
    """Words of our own, then a part of the file."""

    words: bytes = b""
    start: int = 0
    end: int = 0

    @property
    def length(self) -> int:
        return len(self.words) + self.end - self.start


def _pieces(
    media_type: str, size: int, spans: Sequence[Span] | None
) -> tuple[Sequence[_Piece], HTTPStatus, dict[str, str]]:
    """What is sent, with which status, and the headers that are particular to it."""
    if spans is None:
        return [_Piece(start=0, end=size)], HTTPStatus.OK, {}
    if len(spans) == 1:
        ((start, end),) = spans
        return (
            [_Piece(start=start, end=end)],
            HTTPStatus.PARTIAL_CONTENT,
            {"content-range": f"bytes {start}-{end - 1}/{size}"},
        )
    boundary = secrets.token_hex(16)
    pieces = [
        _Piece(
            words=f"\r\n--{boundary}\r\ncontent-type: {media_type}\r\n"
            f"content-range: bytes {start}-{end - 1}/{size}\r\n\r\n".encode(),
            start=start,
            end=end,
        )
        for start, end in spans
    ]
    pieces.append(_Piece(words=f"\r\n--{boundary}--\r\n".encode()))
    return pieces, HTTPStatus.PARTIAL_CONTENT, {"content-type": f"multipart/byteranges; boundary={boundary}"}


async def _sent(blob: OpenBlob, pieces: Sequence[_Piece]) -> AsyncGenerator[bytes]:
    """The next chunk is read when the one before has gone out: a slow client holds no more than that."""
    for piece in pieces:
        if piece.words:
            yield piece.words
        async with aclosing(blob.read(piece.start, piece.end)) as chunks:
            async for chunk in chunks:
                yield chunk


class _FileResponse(StreamingResponse):
    """Closes the file in the end, also if nobody has read from it."""

    def __init__(
        self, content: AsyncGenerator[bytes], status: HTTPStatus, headers: dict[str, str], stack: AsyncExitStack
    ) -> None:
        super().__init__(content, status_code=status, headers=headers)
        self._content = content
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack, aclosing(self._content):
            await super().__call__(scope, receive, send)
