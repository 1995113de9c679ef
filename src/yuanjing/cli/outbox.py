"""`yuanjing outbox`: messages that development writes to a file instead of sending them."""

from dataclasses import asdict
from typing import Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import JsonFlag, load_settings, show
from yuanjing.domain.errors import InvalidInputError
from yuanjing.kit.mobiles import parse_mobile

app = typer.Typer(name="outbox", help="Messages of development.", no_args_is_help=True)


@app.callback()
def _noun() -> None:
    """Without it a noun of one command would be that command."""


@app.command("last")
def last(
    context: typer.Context,
    *,
    mobile: Annotated[str | None, typer.Option(help="Only to this number.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the last message, with its code (development only)."""
    settings = load_settings(context)
    from yuanjing.bootstrap.sms import last_message  # noqa: PLC0415  # help and usage errors need not wait for it

    try:
        number = None if mobile is None else parse_mobile(mobile)
    except ValueError as error:
        raise InvalidInputError(f"mobile: {error}", param="mobile") from error
    found = last_message(settings, number)
    words = found.code or ", ".join(f"{name}: {value}" for name, value in found.fields.items())
    show(
        {"message": asdict(found)},
        lambda: tables.write(f"{found.at}  {found.mobile}  {found.kind}  {words}"),
        as_json=as_json,
    )
