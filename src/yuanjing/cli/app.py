"""The program: its global options, its nouns, and what becomes of failures."""

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from yuanjing.cli import system
from yuanjing.cli.runtime import ExitCode, Globals, OutputError, flush_output, report
from yuanjing.domain.errors import YuanjingError


def build_app(*, with_nouns: bool = True) -> typer.Typer:
    """The program. Without its nouns it starts sooner, which is what `serve` is for."""
    app = typer.Typer(
        name="yuanjing",
        help="Yuanjing: a self-hosted AI model platform. Settings: docs/reference/settings.md.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_globals)
    system.register(app)
    if with_nouns:
        from yuanjing.cli import (  # noqa: PLC0415  # see above
            audit,
            channel,
            code,
            customer,
            key,
            offer,
            outbox,
            price,
            receipt,
            secret,
            task,
            topup,
            usage,
        )

        for noun in (customer, key, code, offer, price, channel, task, usage, receipt, topup, secret, audit, outbox):
            app.add_typer(noun.app)
    return app


_GLOBAL_OPTIONS = ("--data", "--database-url")


class _WrongUsageError(YuanjingError):
    code = "invalid_usage"


class _WrongSettingsError(YuanjingError):
    code = "invalid_settings"


def _print_version(*, is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version  # noqa: PLC0415  # few ask for it

        typer.echo(f"yuanjing {version('yuanjing')}")
        raise typer.Exit


def _globals(
    context: typer.Context,
    *,
    data: Annotated[str | None, typer.Option(help="Data folder (YUANJING_DATA).")] = None,
    database_url: Annotated[
        str | None, typer.Option(help="Database address (YUANJING_DATABASE_URL).", show_default=False)
    ] = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda value: _print_version(is_wanted=value),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]  # typer passes the flag
            is_eager=True,
            help="Print the version and stop.",
        ),
    ] = False,
) -> None:
    context.obj = Globals(data=data, database_url=database_url)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Failures are one message on stderr, with `--json` one document."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    _write_everything()
    try:
        _check_words(words)
        result = _invoke(words)
        flush_output()
    except YuanjingError as error:
        if isinstance(error, OutputError):
            _drop_output()
        return report(error, as_json=as_json)
    except typer.TyperException as error:
        return _wrong_usage(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001  # the last resort: bad settings, or a bug that must not pass as success
        return _unexpected(error, as_json=as_json)
    return result if isinstance(result, int) else ExitCode.OK


def _invoke(words: Sequence[str]) -> object:
    """Run the command; options for all commands may stand behind it too, where people write them.

    A word is moved only when its command does not know it as an option, so none is taken that is another's value.
    """
    app = build_app(with_nouns=words[:1] != ["serve"])
    for _ in words:
        try:
            return app(words, prog_name="yuanjing", standalone_mode=False)
        except typer.TyperException as error:
            moved = _moved(words, str(getattr(error, "option_name", "")))
            if moved is None:
                raise
            words = moved
    return app(words, prog_name="yuanjing", standalone_mode=False)


def _moved(words: Sequence[str], option: str) -> list[str] | None:
    """The words with this option for all commands before the command; None if it is none, or has no value."""
    places = [place for place, word in enumerate(words) if word.partition("=")[0] == option]
    if option not in _GLOBAL_OPTIONS or not places:
        return None
    first = 0
    while words[first].partition("=")[0] in _GLOBAL_OPTIONS:
        first += _length(words[first])
    begin = places[-1]
    end = begin + _length(words[begin])
    if begin < first or end > len(words):
        return None
    return [*words[:first], *words[begin:end], *words[first:begin], *words[end:]]


def _length(word: str) -> int:
    """How many words an option with a value is."""
    return 1 if "=" in word else 2


def _write_everything() -> None:
    """A name in Chinese must not end the program where the output is ASCII; such characters are then escaped."""
    output: object = sys.stdout
    if isinstance(output, io.TextIOWrapper):
        output.reconfigure(errors="backslashreplace")


def _check_words(words: Sequence[str]) -> None:
    for number, word in enumerate(words, 1):
        if not _is_text(word):
            raise _WrongUsageError(f"argument {number} is not text in UTF-8")


def _is_text(word: str) -> bool:
    """Python keeps bytes that are no text as lone surrogates, which nothing else takes."""
    return not any("\ud800" <= letter <= "\udfff" for letter in word)


def _drop_output() -> None:
    """Nobody takes it: what is left of it must not fail again when the interpreter ends."""
    with suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)


def _wrong_usage(error: typer.TyperException, *, as_json: bool) -> ExitCode:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "yuanjing"
    message = error.format_message()
    if message.startswith("Usage:"):
        sys.stderr.write(message + "\n")
        return ExitCode.USAGE
    return report(_WrongUsageError(f"{message} See: {command} --help"), as_json=as_json)


def _unexpected(error: Exception, *, as_json: bool) -> ExitCode:
    from yuanjing.settings import SettingsError  # noqa: PLC0415  # commands load it only when they need it

    if isinstance(error, SettingsError):
        return report(_WrongSettingsError("\n".join(error.lines)), as_json=as_json)
    if isinstance(error, OSError):
        try:
            flush_output()  # fails again if it was typer that could not write
        except OutputError as failed:
            _drop_output()
            return report(failed, as_json=as_json)
    import traceback  # noqa: PLC0415  # there should be none

    traceback.print_exception(error)
    return ExitCode.BUG
