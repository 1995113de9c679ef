"""The names of files in the store."""

import re

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){0,7}")


def checked(key: str) -> str:
    """The key itself; nothing that a key may be leads out of the place where files are.

    Raises:
        ValueError: it is no key, which is a bug: nobody else makes them.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key[:40]!r} is no key of a file")
    return key
