"""What a process is told by its supervisor: one line of JSON on a socket of its own.

The line is also the word to go: a process imports what it needs, waits for it, and only then opens the store. A socket
that closes before means that there is nothing to do any more. What it answers there, it answers once.
"""

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yuanjing.settings import Settings

_PIECE_BYTES = 65_536


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Handover:
    """Everything that one process is to know.

    Attributes:
        name: what it is called in log lines and metrics, such as `gateway-0`.
        log_level: the least important log lines to write.
        slot: which gateway of this machine it is; 0 for others.
        address: where the platform listens on this machine; empty if whoever started it does not know.
        listen_fd: the listening socket that it inherits, if it listens.
        ready_fd: where it says that it is ready; None if nobody waits for that.
        sandbox_time_scale: for the sandbox, which knows no settings.
        settings_json: see `Settings.to_json`; secrets are in it, so it goes through a socket only.
        sandbox_address: the same of the sandbox, if there is one that this process has to do with.
        payments_folder: for the sandbox: where the keys of its simulated payments are; None: it simulates none.
        with_demo: prepare the demonstration customer too.
    """

    name: str
    log_level: str
    slot: int = 0
    address: str = ""
    listen_fd: int | None = None
    ready_fd: int | None = None
    sandbox_time_scale: float = 1.0
    settings_json: str = "{}"
    sandbox_address: str | None = None
    payments_folder: str | None = None
    with_demo: bool = False

    def settings(self) -> "Settings":
        """The settings of the supervisor."""
        from yuanjing.settings import Settings  # noqa: PLC0415  # the sandbox does without them

        return Settings.from_json(self.settings_json)

    def to_line(self) -> bytes:
        """The line for the socket."""
        return json.dumps(asdict(self)).encode() + b"\n"


def receive(line: int) -> Handover | None:
    """Wait for the line; None if the socket was closed without one."""
    pieces: list[bytes] = []
    while piece := _read(line):
        pieces.append(piece)
        if piece.endswith(b"\n"):
            break
    text = b"".join(pieces)
    return Handover(**json.loads(text)) if text.endswith(b"\n") else None


def _read(line: int) -> bytes:
    """What has come; nothing when the supervisor has ended, even before it read all that we had to say."""
    try:
        return os.read(line, _PIECE_BYTES)
    except ConnectionResetError:
        return b""
