"""The keys of tasks' files in the store: they tell whose they are, so that what no row knows can be found."""

import re

_FOLDER_CHARS = 3
_KEY = re.compile(r"[^/]+/([^/]+)/[^/]+")


def blob_key(task_id: str, name: str) -> str:
    """The key of a task's file; the first folder keeps the others few."""
    return f"{task_id[:_FOLDER_CHARS]}/{task_id}/{name}"


def task_of(key: str) -> str | None:
    """The task whose file it is; None if it is no key of ours."""
    found = _KEY.fullmatch(key)
    return found[1] if found else None
