"""`yuanjing task`: video tasks of all customers, their history, and canceling them."""

from typing import Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import Json, JsonFlag, run, show
from yuanjing.cli.tables import CURRENCY
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import VideoTask
from yuanjing.ports.store import Store
from yuanjing.ports.tasks import TaskFilter
from yuanjing.usecases import tasks
from yuanjing.usecases.customers import find_customer
from yuanjing.usecases.tasks import TaskReport

app = typer.Typer(name="task", help="Video tasks.", no_args_is_help=True)

_TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="Task id, 18 digits.", show_default=False)]


@app.command("list")
def list_(  # noqa: PLR0913  # the options of one command
    context: typer.Context,
    *,
    customer: Annotated[str | None, typer.Option(help="Only of this customer: id or mobile number.")] = None,
    key: Annotated[str | None, typer.Option(help="Only of this key: its id.")] = None,
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    book: Annotated[Book | None, typer.Option(help="Only of this book.")] = None,
    state: Annotated[list[TaskState] | None, typer.Option(help="Only in this state; may be repeated.")] = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Only those that operators should look at.")] = False,
    before: Annotated[str | None, typer.Option(help="Only what was submitted before this task.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List tasks, newest first; also those that their customers have deleted."""
    where = TaskFilter(
        key_id=key,
        model=model,
        book=book,
        states=tuple(state or ()),
        is_flagged=True if flagged else None,
        with_deleted=True,
        limit=limit,
    )
    found = run(context, lambda s: _list(s.store, where, customer, before))
    document = {
        "currency": CURRENCY,
        "tasks": [_to_json(task) for task in found],
        "next": found[-1].id if len(found) == limit else None,
    }
    show(document, lambda: _show_tasks(found), as_json=as_json)


@app.command("show")
def show_(context: typer.Context, task: _TaskArgument, *, as_json: JsonFlag = False) -> None:
    """Show a task: where it stands, its history, its hold and its charge."""
    report = run(context, lambda s: tasks.show_task(s.store, task))
    show(_to_json_report(report), lambda: _show_report(report), as_json=as_json)


@app.command("cancel")
def cancel(context: typer.Context, task: _TaskArgument, *, as_json: JsonFlag = False) -> None:
    """Ask for the end of a task. One that its provider cannot stop runs on, and is charged if it succeeds."""
    asked = run(context, lambda s: tasks.cancel_task(s.store, s.clock, task, by=s.operator))
    document = {"task": _to_json(asked)}
    show(document, lambda: tables.write(f"task {asked.id} will be canceled if it still can be"), as_json=as_json)


async def _list(store: Store, where: TaskFilter, customer: str | None, before: str | None) -> list[VideoTask]:
    owner = await find_customer(store, customer) if customer else None
    return await tasks.list_tasks(store, where, customer_id=owner.id if owner else None, before=before)


def _to_json(task: VideoTask) -> Json:
    return {
        "id": task.id,
        "book": task.book.value,
        "customer_id": task.customer_id,
        "key_id": task.key_id,
        "model": task.model,
        "offer_id": task.offer_id,
        "operation": task.operation.value,
        "state": task.state.value,
        "step": task.step.value,
        "created_at": tables.api_time(task.created_at),
        "ended_at": tables.api_time(task.ended_at),
        "ceiling": tables.plain_amount(task.ceiling_nanos),
        "charge": tables.plain_amount(task.charge_nanos),
        "usage_id": task.usage_id,
        "channel_id": task.channel_id or None,
        "upstream_model": task.upstream_model or None,
        "upstream_task_id": task.upstream_task_id or None,
        "submissions": task.submissions,
        "failure": task.failure
        and {"kind": task.failure.kind.value, "code": task.failure.code, "detail": task.failure.detail},
        "flag": task.flag or None,
        "is_cancel_requested": task.is_cancel_requested,
        "deleted_at": tables.api_time(task.deleted_at),
    }


def _to_json_report(report: TaskReport) -> Json:
    hold = report.hold
    return {
        "currency": CURRENCY,
        "task": _to_json(report.task),
        "hold": hold
        and {
            "id": hold.id,
            "amount": tables.plain_amount(hold.amount_nanos),
            "settled": tables.plain_amount(hold.settled_nanos),
            "released": tables.plain_amount(hold.released_nanos),
            "closed_at": tables.api_time(hold.closed_at),
        },
        "history": [
            {
                "at": tables.api_time(event.at),
                "state": event.state.value,
                "step": event.step.value,
                "text": event.text,
            }
            for event in report.events
        ],
    }


def _show_tasks(found: list[VideoTask]) -> None:
    rows = [
        (
            task.id,
            tables.local_time(task.created_at),
            task.book.value,
            task.model,
            task.operation.value,
            task.state.value,
            task.step.value,
            tables.amount(task.charge_nanos if task.step.value == "done" else task.ceiling_nanos),
            task.flag,
        )
        for task in found
    ]
    columns = ("ID", "AT", "BOOK", "MODEL", "OPERATION", "STATE", "STEP", "MONEY#", "FLAG")
    tables.table(columns, rows, empty="no tasks")


def _show_report(report: TaskReport) -> None:
    task, hold, failure = report.task, report.hold, report.task.failure
    held = hold and ", ".join(
        f"{tables.amount(nanos)} {what}"
        for nanos, what in (
            (hold.amount_nanos, "placed"),
            (hold.settled_nanos, "settled"),
            (hold.released_nanos, "released"),
        )
    )
    tables.facts(
        (
            ("task", task.id),
            ("customer", task.customer_id),
            ("key", task.key_id),
            ("model", f"{task.model}, {task.operation.value} ({task.offer_id})"),
            ("state", f"{task.state.value}, {task.step.value}"),
            ("flag", task.flag),
            ("created", tables.local_time(task.created_at)),
            ("ended", tables.local_time(task.ended_at)),
            ("upstream", f"{task.upstream_task_id} of {task.channel_id}" if task.channel_id else ""),
            ("failure", f"{failure.kind.value} {failure.code} {failure.detail}".strip() if failure else ""),
            ("ceiling", tables.amount(task.ceiling_nanos)),
            ("hold", f"{task.hold_id}: {held or 'is not there'}"),
            ("charge", tables.amount(task.charge_nanos)),
            ("usage", task.usage_id if task.state is TaskState.SUCCEEDED else ""),
            ("deleted", tables.local_time(task.deleted_at)),
        )
    )
    tables.write("")
    rows = [(tables.local_time(event.at), event.state.value, event.step.value, event.text) for event in report.events]
    tables.table(("AT", "STATE", "STEP", "WHAT"), rows, empty="no history")
