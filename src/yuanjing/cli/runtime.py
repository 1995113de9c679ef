"""What all commands share: opening the platform, exit codes, and results as tables or as JSON."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.money import Book

if TYPE_CHECKING:
    from yuanjing.bootstrap.services import Services
    from yuanjing.settings import Settings

T = TypeVar("T")
Json = Mapping[str, object]

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
TestFlag = Annotated[bool, typer.Option("--test", help="The test book (play money) instead of the live one.")]


class ExitCode(IntEnum):
    """What the exit codes of all commands mean."""

    OK = 0
    FAILED_CHECK = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    STORE_UNAVAILABLE = 5
    MIGRATION_NEEDED = 6
    BUG = 70
    OUTPUT_FAILED = 74
    INTERRUPTED = 130


class OutputError(YuanjingError):
    """What was done is done, but its result cannot be written."""

    code = "output_failed"

    def __init__(self, error: OSError) -> None:
        super().__init__(f"the output cannot be written: {error.strerror}")


_CODES = {
    "not_found": ExitCode.NOT_FOUND,
    "store_unavailable": ExitCode.STORE_UNAVAILABLE,
    "spool_unavailable": ExitCode.STORE_UNAVAILABLE,
    "schema_mismatch": ExitCode.MIGRATION_NEEDED,
    "invalid_input": ExitCode.USAGE,
    "invalid_amount": ExitCode.USAGE,
    "invalid_catalog": ExitCode.USAGE,
    "invalid_settings": ExitCode.USAGE,
    "invalid_usage": ExitCode.USAGE,
    "receipt_invalid": ExitCode.FAILED_CHECK,
    "keys_unavailable": ExitCode.STORE_UNAVAILABLE,
    "output_failed": ExitCode.OUTPUT_FAILED,
}


@dataclass(frozen=True, kw_only=True)
class Globals:
    """The options before the command."""

    data: str | None = None
    database_url: str | None = None


def exit_code_of(code: str) -> ExitCode:
    """The exit code of an expected failure; what is not in the table was refused."""
    return _CODES.get(code, ExitCode.REFUSED)


def book_of(*, test: bool) -> Book:
    """The book that `--test` chooses."""
    return Book.TEST if test else Book.LIVE


def load_settings(context: typer.Context, **overrides: object) -> "Settings":
    """The settings of this invocation.

    Raises:
        SettingsError: see `Settings.load`.
    """
    from yuanjing.settings import Settings  # noqa: PLC0415  # help and usage errors need not wait for it

    given = context.find_object(Globals) or Globals()
    return Settings.load(**{"data": given.data, "database_url": given.database_url, **overrides})


def run(context: typer.Context, work: "Callable[[Services], Awaitable[T]]") -> T:
    """Open the platform, do the work, close it."""
    from yuanjing.bootstrap.services import open_services  # noqa: PLC0415  # the same
    from yuanjing.kit.logging import configure_logging  # noqa: PLC0415  # the same

    settings = load_settings(context)
    configure_logging("warning")

    async def with_services() -> T:
        async with open_services(settings) as services:
            return await work(services)

    return asyncio.run(with_services())


def show(document: Json, text: Callable[[], None], *, as_json: bool) -> None:
    """Print a result, as one JSON document or as text for people.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        if as_json:
            # Where not every character can be written, JSON has its own way to name the others.
            is_ascii = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
            sys.stdout.write(json.dumps(document, ensure_ascii=is_ascii, indent=2) + "\n")
        else:
            text()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(error) from error
    flush_output()


def flush_output() -> None:
    """Hand over what was written.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(error) from error


def report(error: YuanjingError, *, as_json: bool) -> ExitCode:
    """Print an expected failure on stderr; returns the exit code."""
    if as_json:
        document = {"error": {"code": error.code, "message": error.message, "param": error.param}}
        sys.stderr.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"yuanjing: {error.message}\n")
    return exit_code_of(error.code)
