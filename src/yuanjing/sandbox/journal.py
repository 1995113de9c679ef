"""What the sandbox answered lately, for tests that compare bills and for people."""

import datetime as dt
from collections import deque
from dataclasses import asdict, dataclass
from typing import Protocol


class Reported(Protocol):
    """Counts of tokens as an answer tells them."""

    @property
    def prompt(self) -> int: ...  # noqa: D102  # see `Entry`
    @property
    def completion(self) -> int: ...  # noqa: D102  # see `Entry`
    @property
    def cached(self) -> int: ...  # noqa: D102  # see `Entry`
    @property
    def created(self) -> int: ...  # noqa: D102  # see `Entry`
    @property
    def reasoning(self) -> int: ...  # noqa: D102  # see `Entry`


@dataclass(kw_only=True)
class Entry:
    """One request, filled in while it is answered.

    Attributes:
        time: when it arrived.
        request_id: the sandbox's id of it, as told in the answer.
        path: the request's path.
        flavour: whose wire format answered.
        credential: the last four characters of the credential.
        model: the model that was asked for.
        task_id: the video task that was made or named; None if none was.
        stream: whether a stream was asked for.
        include_usage: whether the stream's usage was asked for.
        messages: how many messages it had.
        status: the HTTP status; 0 if none was sent.
        fault: the fault that was applied; of a video task all magic words, between commas.
        prompt_tokens: as last reported to the client; None if no usage was reported.
        completion_tokens: likewise.
        cached_tokens: likewise.
        cache_creation_tokens: likewise.
        reasoning_tokens: likewise.
        sent_tokens: output tokens in the events that were handed to the client, or that passed unseen.
        client_left: the client went before the answer's end.
        ended: nothing more happens to this entry.
        duration_seconds: from arrival to end.
        body: the request's text, if it is short enough to be kept.
    """

    time: dt.datetime
    request_id: str = ""
    path: str = ""
    flavour: str = ""
    credential: str = ""
    model: str | None = None
    task_id: str | None = None
    stream: bool = False
    include_usage: bool = False
    messages: int = 0
    status: int = 0
    fault: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cache_creation_tokens: int | None = None
    reasoning_tokens: int | None = None
    sent_tokens: int = 0
    client_left: bool = False
    ended: bool = False
    duration_seconds: float | None = None
    body: bytes | None = None

    def report(self, usage: Reported) -> None:
        """Note the counts that the client is told now."""
        self.prompt_tokens = usage.prompt
        self.completion_tokens = usage.completion
        self.cached_tokens = usage.cached
        self.cache_creation_tokens = usage.created
        self.reasoning_tokens = usage.reasoning


class Journal:
    """The last requests, newest last, bounded."""

    def __init__(self, length: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=length)

    def add(self, entry: Entry) -> None:
        """Keep `entry`; it may be changed until it has ended."""
        self._entries.append(entry)

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()

    def last(self, limit: int, *, with_bodies: bool = False) -> list[dict[str, object]]:
        """At most `limit` entries as JSON objects, newest first, with the request's text if wanted."""
        entries = list(self._entries)[::-1][:limit]
        return [_to_json(entry, with_bodies=with_bodies) for entry in entries]


def _to_json(entry: Entry, *, with_bodies: bool) -> dict[str, object]:
    fields: dict[str, object] = asdict(entry)
    fields["time"] = entry.time.isoformat()
    del fields["body"]
    if with_bodies:
        fields["body"] = None if entry.body is None else entry.body.decode("utf-8", "replace")
    return fields
