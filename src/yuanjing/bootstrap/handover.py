"""What a child process is told by its supervisor: one line of JSON on its standard input.

The line is also the word to go: a child imports what it needs, waits for it, and only then opens the store. A pipe that
closes before means that there is nothing to do any more.
"""

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yuanjing.settings import Settings

_STDIN = 0
_PIECE_BYTES = 65_536


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Handover:
    """Everything that one process is to know.

    Attributes:
        name: what it is called in log lines and metrics, such as `gateway-0`.
        log_level: the least important log lines to write.
        slot: which gateway of this machine it is; 0 for others.
        listen_fd: the listening socket that it inherits, if it listens.
        ready_fd: the pipe on which it says that it is ready; None if nobody waits for that.
        parent: the process that it must not outlive; None if it runs by itself.
        sandbox_time_scale: for the sandbox, which knows no settings.
        settings_json: see `Settings.to_json`; secrets are in it, so it goes through a pipe only.
    """

    name: str
    log_level: str
    slot: int = 0
    listen_fd: int | None = None
    ready_fd: int | None = None
    parent: int | None = None
    sandbox_time_scale: float = 1.0
    settings_json: str = "{}"

    def settings(self) -> "Settings":
        """The settings of the supervisor."""
        from yuanjing.settings import Settings  # noqa: PLC0415  # the sandbox does without them

        return Settings.from_json(self.settings_json)

    def to_line(self) -> bytes:
        """The line for the pipe."""
        return json.dumps(asdict(self)).encode() + b"\n"


def receive() -> Handover | None:
    """Wait on standard input for the line; None if it was closed without one. Standard input is empty afterwards."""
    pieces: list[bytes] = []
    while piece := os.read(_STDIN, _PIECE_BYTES):
        pieces.append(piece)
        if piece.endswith(b"\n"):
            break
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, _STDIN)
    os.close(nothing)
    line = b"".join(pieces)
    return Handover(**json.loads(line)) if line.endswith(b"\n") else None
