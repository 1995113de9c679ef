"""The addresses at which files are given out.

A path looks like the seed's (`/tmp/19/43/137/39/…/cover.jpeg`), but its fifth part alone is 130 random bits; it is
looked up in the table of artifacts, and is nowhere a path on a disk.
"""

import re
import secrets
from urllib.parse import urlencode

from yuanjing.domain.artifacts import Artifact
from yuanjing.domain.errors import YuanjingError
from yuanjing.kit.clock import Clock
from yuanjing.kit.digest import is_same_digest, keyed_digest
from yuanjing.kit.ids import random_base62

_ROUTE = "/idfile"
_PURPOSE = b"signatures of /idfile links, version 1"
_FOLDERS = (191, 193, 197, 97)
"""The seed's own moduli."""
_RANDOM_CHARS = 22
_DIGITS_MAX = 12
_EXPIRES = re.compile(rf"[0-9]{{1,{_DIGITS_MAX}}}", re.ASCII)


class LinkRefusedError(YuanjingError):
    """The link is not signed by us."""

    code = "link_invalid"

    def __init__(self) -> None:
        super().__init__("The link's signature is missing or wrong; take the link from the task again")


class FileExpiredError(YuanjingError):
    """The file is not kept any more, or the link has come to its end."""

    code = "file_expired"


def new_path(name: str) -> str:
    """A new path for a file that is called so, e.g. `cover.jpeg`."""
    folders = "/".join(str(secrets.randbelow(most)) for most in _FOLDERS)
    return f"/tmp/{folders}/{random_base62(_RANDOM_CHARS)}/{name}"  # noqa: S108  # no path of a disk


class ArtifactLinks:
    """Makes links to files and checks them; signed ones end after a time."""

    def __init__(self, pepper: bytes, clock: Clock, *, is_signed: bool, seconds: int) -> None:
        self._secret = keyed_digest(pepper, _PURPOSE)
        self._clock = clock
        self._is_signed = is_signed
        self._seconds = seconds

    def target(self, artifact: Artifact) -> str:
        """The part of the address that follows the host."""
        query = {"path": artifact.path}
        if self._is_signed:
            expires = str(int(min(self._clock.unix() + self._seconds, artifact.expires_at)))
            query |= {"expires": expires, "signature": self._signature(artifact.path, expires)}
        return f"{_ROUTE}?{urlencode(query, safe='/')}"

    def check(self, path: str, expires: str, signature: str) -> None:
        """Whether a link may be used; one without signature may be if links are not signed.

        Raises:
            LinkRefusedError: its signature is missing or wrong.
            FileExpiredError: its time is over.
        """
        if not self._is_signed:
            return
        if not _EXPIRES.fullmatch(expires):
            raise LinkRefusedError
        given = signature.encode(errors="replace")
        if not is_same_digest(given, self._signature(path, expires).encode()):
            raise LinkRefusedError
        if int(expires) <= self._clock.unix():
            raise FileExpiredError("The link has come to its end; take it from the task again")

    def _signature(self, path: str, expires: str) -> str:
        return keyed_digest(self._secret, f"{path}\n{expires}").hex()
