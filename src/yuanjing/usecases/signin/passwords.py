"""Passwords: argon2id, in threads of which only so many run at once, since each takes memory on purpose."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from yuanjing.domain.errors import YuanjingError
from yuanjing.usecases.signin.errors import WeakPasswordError

P = ParamSpec("P")
T = TypeVar("T")
PASSWORD_LENGTH_MAX = 128
_STRENGTH_LENGTH_MAX = 72
"""zxcvbn's time grows with the square of the length; what is longer is judged by its beginning."""
_SCORE_MIN = 3
_WAITING_MAX = 32


class PasswordsBusyError(YuanjingError):
    """Too many passwords wait to be checked."""

    code = "overloaded"

    def __init__(self) -> None:
        super().__init__("Too many passwords are being checked; try again in a moment")


class Passwords:
    """Hashes and checks passwords; `hasher` has argon2's costs, by default those of RFC 9106 for little memory."""

    def __init__(self, *, length_min: int = 10, at_once: int = 2, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher()
        self._length_min = length_min
        self._turn = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """The hash in argon2's text form.

        Raises:
            PasswordsBusyError: too many wait.
        """
        return await self._run(self._hasher.hash, password)

    async def is_right(self, password_hash: str, password: str) -> bool:
        """Whether the password fits; an empty hash fits none, after the same time.

        Raises:
            PasswordsBusyError: too many wait.
        """
        if not password_hash:
            if self._nobodys is None:
                self._nobodys = await self.hash("nobody's password")
            await self._run(self._fits, self._nobodys, password)
            return False
        return await self._run(self._fits, password_hash, password)

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made with other costs than ours."""
        return self._hasher.check_needs_rehash(password_hash)

    async def check_strength(self, password: str, hints: tuple[str, ...] = ()) -> None:
        """Refuse what is easily guessed; `hints` are words that an attacker would try first.

        Raises:
            WeakPasswordError: the text says why.
            PasswordsBusyError: too many wait.
        """
        if not self._length_min <= len(password) <= PASSWORD_LENGTH_MAX:
            raise WeakPasswordError(f"From {self._length_min} to {PASSWORD_LENGTH_MAX} characters")
        score, warning = await self._run(_strength, password, hints)
        if score < _SCORE_MIN:
            raise WeakPasswordError(f"Too easily guessed. {warning}".strip())

    def _fits(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._waiting >= _WAITING_MAX:
            raise PasswordsBusyError
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work, *args, **kwargs)
        finally:
            self._waiting -= 1


def _strength(password: str, hints: tuple[str, ...]) -> tuple[int, str]:
    """The score of zxcvbn, from 0 to 4, and its warning."""
    from zxcvbn import zxcvbn  # noqa: PLC0415  # its word lists take a while and some memory, and few set a password

    found = zxcvbn(password[:_STRENGTH_LENGTH_MAX], user_inputs=list(hints))
    return int(found["score"]), str(found["feedback"]["warning"] or "")
