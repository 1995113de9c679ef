"""`Idempotency-Key` on routes beside the hot path: the key, and what makes two requests the same."""

import asyncio
import hashlib
import json
from collections.abc import Iterator

from fastapi import Request

from yuanjing.domain.artifacts import IncomingFile
from yuanjing.domain.idempotency import HEADER, Claim, content_digest, key_digest
from yuanjing.domain.identity import Caller
from yuanjing.domain.parameters import Fields

_FILE, _VALUE = b"file", b"value"


def name_of(request: Request) -> bytes | None:
    """The digest of the key that a request brings; None if it brings none.

    Raises:
        InvalidIdempotencyKeyError: it brings what is no key, or two.
    """
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    return key_digest(given[0].strip(" \t").encode("latin-1") if len(given) == 1 else b"")


async def claim_of(request: Request, caller: Caller, digest: bytes, fields: Fields) -> Claim:
    """What the request claims, by its fields and the bytes of its files: a form has another boundary each time."""
    target = (request.method.encode(), request.url.path.encode())
    content = await asyncio.to_thread(lambda: content_digest(*target, *_parts(fields)))
    return Claim(key_id=caller.key.id, digest=digest, content=content, usage_id="")


def _parts(fields: Fields) -> Iterator[bytes]:
    for name in sorted(fields):
        for value in fields[name]:
            yield name.encode()
            if isinstance(value, IncomingFile):
                yield from (_FILE, value.name.encode(errors="replace"), _file_digest(value))
            else:
                yield from (_VALUE, json.dumps(value, sort_keys=True, ensure_ascii=False).encode(errors="replace"))


def _file_digest(file: IncomingFile) -> bytes:
    with file.place.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()
