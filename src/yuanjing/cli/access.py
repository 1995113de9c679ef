"""The commands of `yuanjing customer` about signing in."""

from typing import TYPE_CHECKING, Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import JsonFlag, run, show
from yuanjing.cli.tables import api_time
from yuanjing.cli.views import to_json_customer
from yuanjing.domain.identity import Customer
from yuanjing.domain.signin import Session
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store
from yuanjing.usecases.customers import find_customer
from yuanjing.usecases.signin import operating
from yuanjing.usecases.signin.operating import Unlocked

if TYPE_CHECKING:
    from yuanjing.bootstrap.services import Services

app = typer.Typer()

CustomerArgument = Annotated[
    str, typer.Argument(metavar="CUSTOMER", help="Id (cus_…) or mobile number.", show_default=False)
]


@app.command()
def unlock(
    context: typer.Context,
    customer: CustomerArgument,
    *,
    remove_authenticator: Annotated[
        bool,
        typer.Option(
            "--remove-authenticator",
            help="Ask for no one-time password any more, for who has lost it; ends all sessions. Be sure who asks.",
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Let a customer's passwords and one-time passwords count again, after too many wrong ones of either."""
    found, done = run(context, lambda s: _unlock(s, customer, takes=remove_authenticator))
    document = {
        "customer": to_json_customer(found),
        "was_locked": done.was_locked,
        "authenticator_removed": done.had_authenticator,
        "ended_sessions": done.ended_sessions,
    }
    line = f"{found.mobile}: {'unlocked' if done.was_locked else 'was not locked'}"
    if remove_authenticator:
        line += "; authenticator removed" if done.had_authenticator else "; had no authenticator"
        line += f"; {done.ended_sessions} sessions ended"
    show(document, lambda: tables.write(line), as_json=as_json)


@app.command()
def disable(context: typer.Context, customer: CustomerArgument, *, as_json: JsonFlag = False) -> None:
    """Keep a customer out: sessions end and no key counts; what runs goes on."""
    found, ended = run(context, lambda s: _disable(s, customer))
    document = {"customer": to_json_customer(found), "ended_sessions": ended}
    line = f"{found.mobile}: disabled since {tables.local_time(found.disabled_at)}; {ended} sessions ended"
    show(document, lambda: tables.write(line), as_json=as_json)


@app.command()
def enable(context: typer.Context, customer: CustomerArgument, *, as_json: JsonFlag = False) -> None:
    """Let a customer in again; keys that were not revoked count again."""
    found = run(context, lambda s: _enable(s, customer))
    show({"customer": to_json_customer(found)}, lambda: tables.write(f"{found.mobile}: enabled"), as_json=as_json)


@app.command()
def sessions(context: typer.Context, customer: CustomerArgument, *, as_json: JsonFlag = False) -> None:
    """List the browsers in which a customer is signed in, newest first."""
    found = run(context, lambda s: _sessions(s.store, s.clock, customer))
    document = {
        "sessions": [
            {
                "id": one.id,
                "address": one.address,
                "agent": one.agent,
                "created_at": api_time(one.created_at),
                "seen_at": api_time(one.seen_at),
                "ends_at": api_time(min(one.ends_at, one.seen_at + one.idle_seconds)),
            }
            for one in found
        ]
    }
    rows = [(one.id, tables.local_time(one.seen_at), one.address, one.agent) for one in found]
    columns = ("ID", "SEEN", "ADDRESS", "BROWSER")
    show(document, lambda: tables.table(columns, rows, empty="no sessions"), as_json=as_json)


@app.command("end-sessions")
def end_sessions(
    context: typer.Context,
    customer: CustomerArgument,
    *,
    session: Annotated[str | None, typer.Option(help="Only this one (ses_…).")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Sign a customer out everywhere, or in one browser."""
    ended = run(context, lambda s: _end_sessions(s, customer, session))
    show({"ended_sessions": ended}, lambda: tables.write(f"{ended} sessions ended"), as_json=as_json)


async def _unlock(s: "Services", name: str, *, takes: bool) -> tuple[Customer, Unlocked]:
    found = await find_customer(s.store, name)
    done = await operating.unlock_customer(s.store, s.clock, found.id, takes_authenticator=takes, by=s.operator)
    return found, done


async def _disable(s: "Services", name: str) -> tuple[Customer, int]:
    found = await find_customer(s.store, name)
    return await operating.disable_customer(s.store, s.clock, found.id, by=s.operator)


async def _enable(s: "Services", name: str) -> Customer:
    found = await find_customer(s.store, name)
    return await operating.enable_customer(s.store, s.clock, found.id, by=s.operator)


async def _sessions(store: Store, clock: Clock, name: str) -> list[Session]:
    found = await find_customer(store, name)
    return await operating.open_sessions(store, clock, found.id)


async def _end_sessions(s: "Services", name: str, session_id: str | None) -> int:
    found = await find_customer(s.store, name)
    return await operating.end_sessions(s.store, s.clock, found.id, session_id, by=s.operator)
