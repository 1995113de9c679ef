"""Requests that name themselves: an `Idempotency-Key` of one API key is one request, and its result is given again."""

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum

from yuanjing.domain.errors import YuanjingError

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "idempotent-replayed"
"""Said, with `true`, by an answer that was given before."""
KEY_LENGTH_MAX = 255
KEY_MESSAGE = f"Invalid header {HEADER}: send it once, with 1 to {KEY_LENGTH_MAX} printable ASCII characters"
RUNNING_MESSAGE = f"The first request with this {HEADER} is still running; try again in a moment"
OTHER_MESSAGE = f"This {HEADER} was used for another request; choose a new one for each request"
_KEY = re.compile(rb"[\x20-\x7e]{1,255}")


class InvalidIdempotencyKeyError(YuanjingError):
    """The header is there, and no key."""

    code = "invalid_parameter"

    def __init__(self) -> None:
        super().__init__(KEY_MESSAGE, param=HEADER)


class IdempotencyMismatchError(YuanjingError):
    """The key stands for a request with other content."""

    code = "idempotency_mismatch"

    def __init__(self) -> None:
        super().__init__(OTHER_MESSAGE)


class IdempotencyRunningError(YuanjingError):
    """The first request has not ended."""

    code = "idempotency_in_progress"

    def __init__(self) -> None:
        super().__init__(RUNNING_MESSAGE)


class Standing(StrEnum):
    """What a key means for a request that brings it."""

    NEW = "new"
    RUNNING = "running"
    DONE = "done"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What a request brings: it wants to be the one for which its key stands.

    Attributes:
        key_id: of the API key. A key means something only together with it.
        digest: of the client's own key, 32 bytes.
        content: digest of what is asked for, 32 bytes; see `content_digest`.
        usage_id: of the request, if it is the first.
    """

    key_id: str
    digest: bytes
    content: bytes
    usage_id: str

    @property
    def place(self) -> tuple[str, bytes]:
        """Which key of which API key."""
        return self.key_id, self.digest


@dataclass(frozen=True, kw_only=True, slots=True)
class IdempotentRequest:
    """The request for which a key stands.

    Attributes:
        key_id, digest, content, usage_id: as it claimed them.
        changed_at: when it was claimed, or when its result was known.
        node_id, incarnation: the life of a gateway that runs the chat; None of a video, which is a task from the start.
        task_id: of a video.
        is_done: its result is known.
        answer: a chat's body as it was sent; None if it was too large to be kept. Of a video its warnings, in JSON.
        clamped_to: to how many tokens the chat was shortened, if it was.
    """

    key_id: str
    digest: bytes
    content: bytes
    usage_id: str
    changed_at: float
    node_id: str | None = None
    incarnation: int | None = None
    task_id: str | None = None
    is_done: bool = False
    answer: bytes | None = field(default=None, repr=False)
    clamped_to: int | None = None


@dataclass(kw_only=True, slots=True)
class KeptAnswer:
    """What a chat that has ended leaves to its key; it travels with the usage record that charges it.

    Attributes:
        is_whole: the answer came to its end; if not, the key is free again.
        body: what was sent; None if it was too large to be kept.
    """

    digest: bytes
    is_whole: bool = False
    body: bytes | None = field(default=None, repr=False)
    clamped_to: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedRequest:
    """A chat whose whole answer is known, with what is kept of it; see `IdempotentRequest`."""

    key_id: str
    digest: bytes
    usage_id: str
    answer: bytes | None = field(default=None, repr=False)
    clamped_to: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """How a claim ended; with the first request if that is done."""

    standing: Standing
    first: IdempotentRequest | None = None


def key_digest(key: bytes) -> bytes:
    """The digest under which a client's key is known.

    Raises:
        InvalidIdempotencyKeyError: it is empty, too long, or not printable ASCII.
    """
    if _KEY.fullmatch(key) is None:
        raise InvalidIdempotencyKeyError
    return hashlib.sha256(key).digest()


def content_digest(*parts: bytes) -> bytes:
    """One digest of all that makes two requests the same; parts cannot run into each other."""
    made = hashlib.sha256()
    for part in parts:
        made.update(b"%d:" % len(part))
        made.update(part)
    return made.digest()


def standing_of(row: IdempotentRequest, claim: Claim) -> Standing:
    """What a key that is taken means for a claim; NEW if it is the claim's own, after a commit that nobody told of."""
    if row.usage_id == claim.usage_id:
        return Standing.NEW
    if row.content != claim.content:
        return Standing.OTHER
    return Standing.DONE if row.is_done else Standing.RUNNING
