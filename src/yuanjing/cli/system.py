"""Commands of the whole platform: serve, demo, migrate, verify, backup."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import ExitCode, JsonFlag, load_settings, run, show
from yuanjing.cli.verified import show_verified, to_json_verified

_VERIFY_PATIENCE_SECONDS = 3.0
"""A worker looks for ended processes every second; what looks wrong with a spool is looked at again after this."""
_ROLES = ("all", "gateway", "worker", "sandbox")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (serve, demo, migrate, verify, backup):
        app.command()(command)


def serve(  # noqa: PLR0913  # the options of one command
    context: typer.Context,
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on (YUANJING_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (YUANJING_PORT).")] = None,
    data: Annotated[str | None, typer.Option(help="Data folder (YUANJING_DATA).")] = None,
    workers: Annotated[int | None, typer.Option(help="Gateway processes (YUANJING_WORKERS).")] = None,
    sandbox: Annotated[bool, typer.Option(help="Start the simulated providers too.")] = False,
    role: Annotated[str, typer.Option(help="What to run: all, gateway, worker or sandbox.")] = "all",
    demo: Annotated[
        bool, typer.Option("--demo", help="Make the demonstration customer, and print how to call (development only).")
    ] = False,
    sandbox_url: Annotated[
        str | None, typer.Option(help="Address of a sandbox that runs already, to serve test keys.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run the platform until it is stopped; with --json it says what is ready as one JSON document."""
    if role not in _ROLES:
        raise typer.BadParameter(f"write one of {', '.join(_ROLES)}", param_hint="--role")
    overrides = {"host": host, "port": port, "data": data, "workers": workers}
    settings = load_settings(context, **{name: value for name, value in overrides.items() if value is not None})
    from yuanjing.bootstrap.serve import serve as serve_platform  # noqa: PLC0415  # help and usage errors need not wait for it
    from yuanjing.settings import Role, ServeOptions  # noqa: PLC0415  # the same

    options = ServeOptions(
        role=Role(role),
        sandbox=sandbox,
        demo=demo,
        sandbox_url=sandbox_url,
        as_json=as_json,
    )
    raise typer.Exit(serve_platform(settings, options))


def demo(context: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Print address, key, balance and calls to paste of the demonstration customer (development only)."""
    from yuanjing.bootstrap.demo import show_demo  # noqa: PLC0415  # help and usage errors need not wait for it

    found, is_running = run(context, show_demo)
    document = {**found.document(), "is_running": is_running}
    show(document, lambda: tables.write(found.text(is_running=is_running).rstrip("\n")), as_json=as_json)


def migrate(context: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Bring the database to the schema of this program."""
    settings = load_settings(context)
    from yuanjing.bootstrap.services import migrate as migrate_database  # noqa: PLC0415  # help and usage errors need not wait for it

    report = asyncio.run(migrate_database(settings))
    text = "nothing to do" if report.before == report.after else f"from {report.before or 'nothing'}"
    line = f"the schema is at {report.after} ({text})"
    show({"before": report.before, "after": report.after}, lambda: tables.write(line), as_json=as_json)


def verify(context: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Prove that the money is right; exit code 1 and a list if it is not."""
    from yuanjing.bootstrap.data_folder import node_prefix  # noqa: PLC0415  # the same
    from yuanjing.usecases import verify as usecase  # noqa: PLC0415  # `serve` need not wait for it

    report = run(
        context,
        lambda s: usecase.verify(
            s.store, s.spools, s.clock, node_prefix=node_prefix(s.settings), patience_seconds=_VERIFY_PATIENCE_SECONDS
        ),
    )
    show(to_json_verified(report), lambda: show_verified(report), as_json=as_json)
    if report.breaches:
        raise typer.Exit(ExitCode.FAILED_CHECK)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for the copy.", show_default=False)],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Copy the SQLite database into a new file, also while the platform runs."""
    settings = load_settings(context)
    from yuanjing.bootstrap.services import back_up  # noqa: PLC0415  # help and usage errors need not wait for it

    size = asyncio.run(back_up(settings, file.absolute()))
    line = f"{file} holds the database ({size} bytes); keep the secrets as well, apart from it"
    show({"file": str(file.absolute()), "bytes": size}, lambda: tables.write(line), as_json=as_json)
