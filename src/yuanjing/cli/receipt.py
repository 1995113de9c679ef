"""`yuanjing receipt`: signed statements of what was charged, made and checked."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import JsonFlag, load_settings, run, show
from yuanjing.cli.tables import CURRENCY
from yuanjing.domain.errors import InvalidInputError
from yuanjing.domain.money import format_amount

if TYPE_CHECKING:
    from yuanjing.usecases.receipts import CheckedReceipt

app = typer.Typer(name="receipt", help="Signed statements of what was charged.", no_args_is_help=True)
_FILE_BYTES_MAX = 1024 * 1024


@app.command("show")
def show_(
    context: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="A usage id or a task id.", show_default=False)],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Print the receipt of a usage record or a task; the file counts to the byte."""
    from yuanjing.bootstrap.receipts import make_receipts  # noqa: PLC0415  # help and usage errors need not wait for it
    from yuanjing.usecases.receipts import receipt_of  # noqa: PLC0415  # the same

    receipt = run(context, lambda s: receipt_of(make_receipts(s), id_))
    text = receipt.decode()
    show(json.loads(text), lambda: tables.write(text), as_json=as_json)


@app.command("verify")
def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The receipt.", show_default=False)],
    *,
    public_key: Annotated[
        Path | None, typer.Option(help="File with the public keys, as the platform publishes them; then it is offline.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Address of the platform, to get its public keys from.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check a receipt: its signature, and its charge, computed again. Without an option by this platform's own keys."""
    from yuanjing.usecases.receipts import check_receipt, read_key_document  # noqa: PLC0415  # help need not wait for it

    if public_key is not None and url is not None:
        raise InvalidInputError("give --public-key or --url, not both", param="url")
    data = _read(file, "file")
    if public_key is not None:
        keys = read_key_document(_json(_read(public_key, "public_key")))
    elif url is not None:
        keys = read_key_document(_fetched(context, url))
    else:
        keys = _own_keys(context)
    checked = check_receipt(data, keys)
    document = {
        "ok": True,
        "key_id": checked.key_id,
        "currency": CURRENCY,
        "charge": format_amount(checked.recomputed.charge_nanos),
        "total": format_amount(checked.recomputed.total_nanos),
        "receipt": dict(checked.statement),
    }
    show(document, lambda: _show_checked(checked), as_json=as_json)


def _read(path: Path, param: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidInputError(f"{path}: {error.strerror}", param=param) from error
    if len(data) > _FILE_BYTES_MAX:
        raise InvalidInputError(f"{path}: it is larger than {_FILE_BYTES_MAX} bytes", param=param)
    return data


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise InvalidInputError("the public keys are no JSON", param="public_key") from None


def _fetched(context: typer.Context, url: str) -> object:
    import asyncio  # noqa: PLC0415  # offline checks need none of this

    from yuanjing.bootstrap.receipt_keys import fetch_keys  # noqa: PLC0415  # the same

    return _json(asyncio.run(fetch_keys(load_settings(context), url)))


def _own_keys(context: typer.Context) -> dict[str, bytes]:
    found = run(context, lambda s: s.store.read(lambda tx: tx.receipt_keys.list()))
    return {key.id: key.public_key for key in found}


def _show_checked(checked: "CheckedReceipt") -> None:
    stated = checked.statement
    tables.write("The receipt is true: it is signed, unchanged, and its counts and rates make its charge.", "")
    tables.facts(
        (
            ("kind", str(stated["kind"])),
            ("usage", str(stated.get("usage_id", ""))),
            ("task", str(stated.get("task_id", ""))),
            ("customer", str(stated.get("customer_id", ""))),
            ("model", str(stated.get("model", ""))),
            ("book", str(stated.get("book", ""))),
            ("charge", tables.amount(checked.recomputed.charge_nanos)),
            ("signed by", checked.key_id),
        )
    )
