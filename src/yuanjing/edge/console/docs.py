"""What the description of `/api/…` needs beside what FastAPI sees."""

from collections.abc import Mapping
from typing import cast

from yuanjing.edge.error_docs import Json

_UNSAFE_METHODS = ("post", "put", "patch", "delete")
_TOKEN: Json = {
    "name": "X-CSRF-Token",
    "in": "header",
    "required": True,
    "description": "The `csrf_token` of `GET /api/auth/session` in the same browser.",
    "schema": {"type": "string"},
}
_ORIGIN: Json = {
    "name": "Origin",
    "in": "header",
    "required": True,
    "description": "This platform's own address, as browsers send it.",
    "schema": {"type": "string"},
}


def describe(paths: Mapping[str, Json]) -> None:
    """Name the headers without which nothing is changed."""
    for path, item in paths.items():
        if not path.startswith("/api/"):
            continue
        for method, operation in item.items():
            if method in _UNSAFE_METHODS:
                parameters = cast("list[Json]", cast("Json", operation).setdefault("parameters", []))
                parameters += [_ORIGIN, _TOKEN]
