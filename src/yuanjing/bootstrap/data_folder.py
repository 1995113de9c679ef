"""The data folder: making it, its name among others, and who runs on it.

Nothing here imports the database, as `serve` looks at the folder before it starts anything.
"""

import fcntl
import json
import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from yuanjing.kit.disk import make_folder
from yuanjing.kit.secretfiles import SecretFileError, read_or_create_secret
from yuanjing.settings import Role, ServeOptions, Settings, SettingsError, variable

INSTANCE_FILE, LOCKS_FOLDER = "instance", "locks"
_INSTANCE_BYTES = 4
_LOCK_MODE = 0o600
_LOCK_BYTES_MAX = 4096


class Part(StrEnum):
    """What runs at most once on a data folder; the value is the name of its lock's file."""

    GATEWAYS = "gateways"
    WORKER = "worker"
    SANDBOX = "sandbox"


_SUBJECTS = {Part.GATEWAYS: "the platform", Part.WORKER: "the worker", Part.SANDBOX: "the sandbox"}
_PARTS = {
    Role.ALL: (Part.GATEWAYS, Part.WORKER),
    Role.GATEWAY: (Part.GATEWAYS,),
    Role.WORKER: (Part.WORKER,),
    Role.SANDBOX: (Part.SANDBOX,),
}


def parts_of(options: ServeOptions) -> list[Part]:
    """What a `serve` with these options runs."""
    parts = list(_PARTS[options.role])
    return parts if Part.SANDBOX in parts or not options.sandbox else [*parts, Part.SANDBOX]


def prepare_data(settings: Settings) -> None:
    """Make the data folder, readable by its owner only.

    Raises:
        SettingsError: it cannot be made.
    """
    try:
        make_folder(settings.data, 0o700)
    except OSError as error:
        raise _unusable(settings.data, error) from error


def node_name(settings: Settings, slot: int) -> str:
    """The id of a gateway's slot: stable over restarts, and another one for each data folder of a shared database.

    Raises:
        SettingsError: the folder's own name cannot be read or made.
    """
    return f"{node_prefix(settings)}{slot}"


def node_prefix(settings: Settings) -> str:
    """What the ids of all gateways of this data folder begin with.

    Raises:
        SettingsError: the folder's own name cannot be read or made.
    """
    try:
        instance = read_or_create_secret(settings.data / INSTANCE_FILE, _INSTANCE_BYTES).hex()
    except SecretFileError as error:
        raise SettingsError([f"{variable('data')}: {error}"]) from error
    return f"{settings.machine}-{instance}-g"


class FolderLocks:
    """The parts of the platform that this process runs on a data folder, which nobody else may run there meanwhile.

    Two supervisors of the same nodes would shut out each other's gateways for ever. The kernel drops the locks when
    this process ends, however it ends; they are not inherited, so that a new supervisor may start at once and take over
    what the old one's processes have left.
    """

    def __init__(self, settings: Settings, parts: Iterable[Part]) -> None:
        self._folder = settings.data
        self._parts = tuple(parts)
        self._held: dict[Part, int] = {}

    def __enter__(self) -> Self:
        """Take the locks.

        Raises:
            SettingsError: somebody else has one of them, or the folder cannot be used.
        """
        try:
            (self._folder / LOCKS_FOLDER).mkdir(mode=0o700, exist_ok=True)
            for part in self._parts:
                self._take(part)
        except OSError as error:
            self._release()
            raise _unusable(self._folder, error) from error
        except SettingsError:
            self._release()
            raise
        self.tell(None)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._release()

    def tell(self, address: str | None, part: Part | None = None) -> None:
        """Write into the locks (or the one) who holds them and where it listens, for the message of whoever is late."""
        text = json.dumps({"pid": os.getpid(), "address": address}).encode()
        for descriptor in [d for p, d in self._held.items() if part in (None, p)]:
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, text, 0)

    def _take(self, part: Part) -> None:
        path = self._folder / LOCKS_FOLDER / part.value
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _LOCK_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read_holder(descriptor)
            os.close(descriptor)
            raise SettingsError([_already_runs(part, self._folder, holder)]) from None
        except OSError:
            os.close(descriptor)
            raise
        self._held[part] = descriptor

    def _release(self) -> None:
        """The files stay: if they went, somebody could lock one that has no name any more."""
        for descriptor in self._held.values():
            os.truncate(descriptor, 0)
            os.close(descriptor)
        self._held.clear()


def _read_holder(descriptor: int) -> dict[str, object]:
    """What the holder of a lock has written about itself; empty while it has not."""
    try:
        found: object = json.loads(os.pread(descriptor, _LOCK_BYTES_MAX, 0))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # its keys are text in JSON


def _already_runs(part: Part, folder: Path, holder: dict[str, object]) -> str:
    where = f" at {holder['address']}" if holder.get("address") else ""
    who = f" (pid {holder['pid']})" if holder.get("pid") else ""
    return (
        f"{_SUBJECTS[part]} already runs on this data folder, {folder},{where}{who}; "
        f"stop it, or give another --data / {variable('data')}"
    )


def _unusable(folder: Path, error: OSError) -> SettingsError:
    return SettingsError([f"{variable('data')}: {folder}: {error.strerror}"])
