"""Having the store prepared, by a process that does it and ends (see `prepare`)."""

import asyncio
import json
import socket
from dataclasses import dataclass

from yuanjing.bootstrap.forks import Forks
from yuanjing.bootstrap.handover import Handover
from yuanjing.domain.errors import YuanjingError
from yuanjing.settings import SettingsError

_READ_BYTES = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcement:
    """What to tell about the demonstration customer, for people and as data."""

    text: str
    document: dict[str, object]


class PreparationError(YuanjingError):
    """The store could not be prepared, for a reason that has its own code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


async def have_prepared(forks: Forks, handover: Handover) -> Announcement | None:
    """Wait until it is; what to announce, if a demonstration customer was asked for. Cancelling it ends the process.

    Raises:
        SettingsError: the data folder or a secret cannot be used.
        PreparationError: see `prepare`.
    """
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(0)
        with theirs:
            process = await forks.fork("prepare", theirs.fileno())
        try:
            await loop.sock_sendall(ours, handover.to_line())
            pieces: list[bytes] = []
            while piece := await loop.sock_recv(ours, _READ_BYTES):
                pieces.append(piece)
        finally:
            process.terminate()
            await process.wait()
    return _parse(b"".join(pieces))


def _parse(answer: bytes) -> Announcement | None:
    if not answer:
        raise RuntimeError("the store was not prepared; the reason is above")
    outcome = json.loads(answer)
    if "wrong_settings" in outcome:
        raise SettingsError(outcome["wrong_settings"])
    if "code" in outcome:
        raise PreparationError(outcome["code"], outcome["message"])
    demo = outcome["demo"]
    return None if demo is None else Announcement(text=demo["text"], document=demo["document"])
