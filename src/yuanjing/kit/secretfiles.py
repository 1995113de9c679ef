"""Secrets of a program in files that only its user can read, made on first use."""

import fcntl
import os
import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from yuanjing.kit.disk import make_folder, sync_folder

_FILE_MODE, _FOLDER_MODE, _OTHERS = 0o600, 0o700, 0o077


class SecretFileError(Exception):
    """The file cannot be made or read, is open to others or holds something else; the message says which."""


def parse_secret(text: str, length: int) -> bytes:
    """Read `length` bytes written as hexadecimal digits.

    Raises:
        ValueError: not hexadecimal, or of another length. The message does not hold the text.
    """
    try:
        value = bytes.fromhex(text.strip())
    except ValueError:
        value = b""
    if len(value) != length:
        raise ValueError(f"write {length * 2} hexadecimal digits, for example from: openssl rand -hex {length}")
    return value


def read_or_create_secret(path: Path, length: int) -> bytes:
    """The secret in this file, made of `length` random bytes if there is none.

    Safe when several processes start at once.

    Raises:
        SecretFileError: see the class.
    """
    try:
        return parse_secret(read_or_create_text(path, lambda: secrets.token_hex(length)), length)
    except ValueError as error:
        raise SecretFileError(f"{path}: {error}") from error


def read_secrets(path: Path, length: int) -> list[bytes]:
    """The secrets in a file that may hold several, one in a line.

    Raises:
        SecretFileError: see the class; it is not made if it is missing.
    """
    try:
        return [parse_secret(line, length) for line in read_secret_text(path).splitlines() or [""]]
    except ValueError as error:
        raise SecretFileError(f"{path}: {error}") from error


def replace_secrets(path: Path, values: Sequence[bytes]) -> None:
    """Write these secrets instead of those in the file, one in a line. Durable, and never seen half.

    Raises:
        SecretFileError: see the class.
    """
    try:
        draft = _draft(path, "\n".join(value.hex() for value in values))
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise SecretFileError(f"{path}: {error.strerror}") from error


@contextmanager
def sole_writer(path: Path) -> Generator[None]:
    """For as long as it is open nobody else changes the secrets in the file's folder in this way.

    Raises:
        SecretFileError: somebody does, or the folder cannot be opened.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SecretFileError(f"{path}: {error.strerror}") from error
    try:
        _lock(folder, path)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, path: Path) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SecretFileError(f"{path}: somebody else is changing it; try again when that is done") from error


def read_or_create_text(path: Path, make: Callable[[], str]) -> str:
    """The text in this file; if there is none, what `make` makes.

    Safe when several processes start at once.

    Raises:
        SecretFileError: see the class.
    """
    try:
        if not path.exists():
            _create(path, make())
    except OSError as error:
        raise SecretFileError(f"{path}: {error.strerror}") from error
    return read_secret_text(path)


def read_secret_text(path: Path) -> str:
    """The text in a file that only its owner can read.

    Raises:
        SecretFileError: see the class.
    """
    try:
        _check_mode(path)
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise SecretFileError(f"{path}: {error.strerror}") from error


def _create(path: Path, text: str) -> None:
    """Write a complete new file and link it into place, so that nobody ever reads half of one; it is durable then."""
    make_folder(path.parent, _FOLDER_MODE)
    draft = _draft(path, text)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return  # another process was first; its secret is the one
    finally:
        draft.unlink()
        sync_folder(path.parent)


def _draft(path: Path, text: str) -> Path:
    """A complete, durable file beside the one that it is to become."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        draft.unlink()
        raise
    return draft


def _check_mode(path: Path) -> None:
    if path.stat().st_mode & _OTHERS:
        raise SecretFileError(f"{path}: other users can read it; run: chmod 600 {path}")
