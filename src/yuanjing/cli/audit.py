"""`yuanjing audit`: who has changed what, and whether that record is whole."""

import datetime as dt
import json
from pathlib import Path
from typing import Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import ExitCode, Json, JsonFlag, run, show
from yuanjing.cli.tables import api_time
from yuanjing.cli.verified import show_verified, to_json_verified
from yuanjing.domain.audit import Action, AuditEvent
from yuanjing.domain.errors import InvalidInputError
from yuanjing.ports.audit import AuditFilter

app = typer.Typer(name="audit", help="Who has changed what.", no_args_is_help=True)


@app.command("list")
def list_(  # noqa: PLR0913  # the options of one command
    context: typer.Context,
    *,
    actor: Annotated[
        str | None, typer.Option(help="Only of this user or customer, or of operator, customer, visitor or system.")
    ] = None,
    action: Annotated[list[Action] | None, typer.Option(help="Only this; may be repeated.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only what was done to this id.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only what concerns this customer (cus_…).")] = None,
    since: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"], help="Only from then on."),
    ] = None,
    before: Annotated[str | None, typer.Option(help="Only below this id.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """List what was recorded, newest first."""
    from yuanjing.usecases.audit import list_events  # noqa: PLC0415  # help and usage errors need not wait for it

    where = AuditFilter(
        limit=limit,
        actor=actor,
        actions=tuple(action or ()),
        subject=subject,
        customer_id=customer,
        since=since.timestamp() if since else None,
        before=before,
    )
    found = run(context, lambda s: list_events(s.store, where))
    document = {
        "events": [_to_json(event) for event in found],
        "next": found[-1].id if len(found) == limit else None,
    }
    show(document, lambda: _show_events(found), as_json=as_json)


@app.command()
def verify(
    context: typer.Context,
    *,
    checkpoint: Annotated[
        Path | None, typer.Option(help="File with a checkpoint that was kept; the log must still hold all of it.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Prove that nothing that was recorded has been changed or removed; exit code 1 and a list if it has."""
    from yuanjing.usecases.audit_checkpoints import verify_audit  # noqa: PLC0415  # help need not wait for it

    data = None if checkpoint is None else _read(checkpoint)
    report = run(context, lambda s: verify_audit(s.store, s.clock, checkpoint=data))
    show(to_json_verified(report), lambda: show_verified(report), as_json=as_json)
    if report.breaches:
        raise typer.Exit(ExitCode.FAILED_CHECK)


@app.command()
def checkpoint(context: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Print a signed checkpoint, to be kept away from this machine; the file counts to the byte."""
    from yuanjing.bootstrap.receipts import make_receipts  # noqa: PLC0415  # help and usage errors need not wait for it
    from yuanjing.usecases.audit_checkpoints import make_checkpoint  # noqa: PLC0415  # the same

    text = run(context, lambda s: make_checkpoint(make_receipts(s))).decode()
    show(json.loads(text), lambda: tables.write(text), as_json=as_json)


def _read(path: Path) -> bytes:
    from yuanjing.usecases.audit_checkpoints import CHECKPOINT_BYTES_MAX  # noqa: PLC0415  # help need not wait for it

    try:
        with path.open("rb") as file:
            return file.read(CHECKPOINT_BYTES_MAX)
    except OSError as error:
        raise InvalidInputError(f"{path}: {error.strerror}", param="checkpoint") from error


def _to_json(event: AuditEvent) -> Json:
    return {
        "id": event.id,
        "at": api_time(event.at),
        "actor": {"kind": event.actor.kind.value, "id": event.actor.id or None},
        "address": event.actor.address or None,
        "action": event.action.value,
        "subject": event.subject,
        "customer_id": event.customer_id,
        "details": json.loads(event.details),
    }


def _show_events(found: list[AuditEvent]) -> None:
    rows = [
        (
            tables.local_time(event.at),
            f"{event.actor.kind.value} {event.actor.id}".strip(),
            event.actor.address,
            event.action.value,
            event.subject,
            event.details,
        )
        for event in found
    ]
    tables.table(("AT", "WHO", "FROM", "WHAT", "TO", "DETAILS"), rows, empty="nothing was recorded")
