"""`yuanjing secret`: the keys under which credentials are sealed, and changing them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import ExitCode, JsonFlag, run, show

if TYPE_CHECKING:
    from yuanjing.bootstrap.services import Services
    from yuanjing.usecases.sealed_secrets import SealedReport

app = typer.Typer(
    name="secret", help="The keys under which credentials and one-time passwords are sealed.", no_args_is_help=True
)


@app.command("list")
def list_(context: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Count what each key has sealed; exit code 1 if something opens by none of them."""

    async def find(services: "Services") -> "SealedReport":
        from yuanjing.usecases.sealed_secrets import survey_secrets  # noqa: PLC0415  # few commands need it

        return await survey_secrets(services.store, services.box)

    _show(run(context, find), "", as_json=as_json)


@app.command()
def rotate(context: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Put a new key in front, if the keys are in a file, and seal everything anew under the first one.

    The platform may run. The old keys stay until `yuanjing secret retire`. Exit code 1 if something opens by none.
    """

    async def work(services: "Services") -> "SealedReport":
        from yuanjing.bootstrap.encryption_keys import rotate_key  # noqa: PLC0415  # few commands need it

        return await rotate_key(services)

    _show(run(context, work), "sealed anew", as_json=as_json)


@app.command()
def retire(context: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Take all keys but the first out of their file, once they have sealed nothing that is still there."""

    async def work(services: "Services") -> "SealedReport":
        from yuanjing.bootstrap.encryption_keys import retire_keys  # noqa: PLC0415  # few commands need it

        return await retire_keys(services)

    _show(run(context, work), "sealed anew, and the old keys are gone", as_json=as_json)


def _show(report: "SealedReport", done: str, *, as_json: bool) -> None:
    document: Mapping[str, object] = {
        "current": report.current,
        "keys": dict(report.counts),
        "moved": report.moved,
        "unopened": list(report.unopened),
    }
    show(document, lambda: _write(report, done), as_json=as_json)
    if report.unopened:
        raise typer.Exit(ExitCode.FAILED_CHECK)


def _write(report: "SealedReport", done: str) -> None:
    if done:
        tables.write(f"{report.moved} secrets are {done}")
    rows = [(id_, "seals" if id_ == report.current else "opens", str(n)) for id_, n in report.counts.items()]
    tables.table(("KEY", "USE", "SECRETS#"), rows, empty="")
    for owner in report.unopened:
        tables.write(f"{owner}: what is sealed opens by no key; give it again")
