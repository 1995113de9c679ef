"""What the video protocols share: one value that each of them is made with."""

from collections import deque
from dataclasses import dataclass, field

from yuanjing.kit.clock import Clock
from yuanjing.sandbox.asgi import Reply, Request
from yuanjing.sandbox.journal import Entry
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video import magic
from yuanjing.sandbox.video.callbacks import Callbacks
from yuanjing.sandbox.video.magic import Asked
from yuanjing.sandbox.video.media import MediaLoader
from yuanjing.sandbox.video.tasks import Tasks

CREDENTIALS_MAX = 10_000


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to a protocol, with the place for its answer and its line in the journal."""

    request: Request
    reply: Reply
    entry: Entry


class Rate:
    """At most `most` calls of one credential in any `seconds`; no limit if `most` is None."""

    def __init__(self, clock: Clock, most: int | None, seconds: float) -> None:
        self._clock = clock
        self._most = most
        self._seconds = seconds
        self._times: dict[str, deque[float]] = {}

    def takes(self, owner: str) -> bool:
        """Count a call; whether it is within the limit."""
        if self._most is None:
            return True
        now = self._clock.monotonic()
        if len(self._times) > CREDENTIALS_MAX:
            self._times.clear()
        times = self._times.setdefault(owner, deque())
        while times and times[0] <= now - self._seconds:
            times.popleft()
        if len(times) >= self._most:
            return False
        times.append(now)
        return True


@dataclass(frozen=True, kw_only=True)
class Studio:
    """The parts; see their classes.

    Attributes:
        options: the sandbox's.
        clock: time for ids, answers and lifetimes.
        tasks: the store.
        media: for media and uploads.
        callbacks: for tasks with an address to call.
        submits: the limit on submissions.
        queries: the limit on queries, lists and cancellations.
        lists: a further one on lists, where a provider has it.
        event_targets: where events about the tasks of a credential go, by the credential; set in the console.
    """

    options: SandboxOptions
    clock: Clock
    tasks: Tasks
    media: MediaLoader
    callbacks: Callbacks
    submits: Rate
    queries: Rate
    lists: Rate
    event_targets: dict[str, str] = field(default_factory=dict[str, str])

    def admit(self, credential: str | None) -> Asked | None:
        """What the credential itself asks for; None if it is missing or not accepted."""
        return magic.of_credential(credential or "", self.options.credentials)

    def base_url(self, request: Request) -> str:
        """The sandbox's address, as this client reached it."""
        return self.options.public_base_url or f"http://{request.headers.get('host', '127.0.0.1')}"

    def keep_body(self, call: Call) -> None:
        """Note the request's text in the journal if it is short enough."""
        if len(call.request.body) <= self.options.journal_body_bytes_max:
            call.entry.body = call.request.body
