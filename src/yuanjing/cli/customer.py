"""`yuanjing customer`: customers and their money."""

from collections.abc import Mapping
from typing import Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import JsonFlag, TestFlag, book_of, run, show
from yuanjing.cli.tables import CURRENCY, api_time
from yuanjing.cli.views import to_json_balance, to_json_balances, to_json_customer, to_json_entry
from yuanjing.domain.identity import Customer
from yuanjing.domain.ledger import Balances, Entry
from yuanjing.domain.money import Book, parse_amount
from yuanjing.usecases import customers
from yuanjing.usecases.customers import AccountKind

app = typer.Typer(name="customer", help="Customers and their money.", no_args_is_help=True)

CustomerArgument = Annotated[
    str, typer.Argument(metavar="CUSTOMER", help="Id (cus_…) or mobile number.", show_default=False)
]


@app.command()
def create(
    context: typer.Context,
    *,
    mobile: Annotated[str, typer.Option(help="Mobile number; without a country code it is a Chinese one.")],
    name: Annotated[str, typer.Option(help="Name for operators.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Make a customer; it gets the play money of YUANJING_WELCOME_TEST_GRANT."""
    made, balances = run(context, lambda s: _create(s.store, s.clock, mobile, name, s.settings.welcome_test_grant))
    document = {"customer": to_json_customer(made), "currency": CURRENCY, "balances": to_json_balances(balances)}
    show(document, lambda: _show_customer(made, balances), as_json=as_json)


@app.command("list")
def list_(
    context: typer.Context,
    *,
    after: Annotated[str | None, typer.Option(help="Begin above this id.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """List customers, oldest first."""
    found = run(context, lambda s: customers.list_customers(s.store, after=after, limit=limit))
    following = found[-1].id if len(found) == limit else None
    document = {"customers": [to_json_customer(customer) for customer in found], "next": following}
    rows = [(c.id, c.mobile, c.name, tables.local_time(c.created_at)) for c in found]
    columns = ("ID", "MOBILE", "NAME", "CREATED")
    empty = "no customers; make one: yuanjing customer create --mobile NUMBER"
    show(document, lambda: tables.table(columns, rows, empty=empty), as_json=as_json)


@app.command("show")
def show_(context: typer.Context, customer: CustomerArgument, *, as_json: JsonFlag = False) -> None:
    """Show a customer and what it has."""
    found, balances = run(context, lambda s: _look(s.store, customer))
    document = {"customer": to_json_customer(found), "currency": CURRENCY, "balances": to_json_balances(balances)}
    show(document, lambda: _show_customer(found, balances), as_json=as_json)


@app.command()
def grant(  # noqa: PLR0913  # the options of one command
    context: typer.Context,
    customer: CustomerArgument,
    amount: Annotated[str, typer.Argument(help="Amount of CNY, such as 12.50.", show_default=False)],
    *,
    test: TestFlag = False,
    cause: Annotated[str | None, typer.Option(help="Your name of this grant; the same one grants only once.")] = None,
    note: Annotated[str, typer.Option(help="For operators: who granted it, and why.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Give money to a customer: real money, or play money with --test."""
    nanos, book = parse_amount(amount), book_of(test=test)
    receipt = run(
        context,
        lambda s: customers.grant_money(
            s.store, s.clock, customer_id=customer, book=book, amount_nanos=nanos, cause=cause, note=note
        ),
    )
    document = {
        "transfer_id": receipt.transfer.id,
        "is_new": receipt.is_new,
        "book": book.value,
        "amount": tables.plain_amount(nanos),
        "currency": CURRENCY,
        "balance": to_json_balance(receipt.balances),
    }
    verb = "granted" if receipt.is_new else "granted before, nothing done:"
    line = f"{verb} {tables.amount(nanos)} ({book}); available now {tables.amount(receipt.balances.available_nanos)}"
    show(document, lambda: tables.write(line), as_json=as_json)


@app.command()
def balance(context: typer.Context, customer: CustomerArgument, *, as_json: JsonFlag = False) -> None:
    """Show the posted balances of a customer."""
    (found, balances), now = run(context, lambda s: _look_now(s.store, s.clock.unix(), customer))
    document = {
        "customer_id": found.id,
        "as_of": api_time(now),
        "currency": CURRENCY,
        "balances": to_json_balances(balances),
    }
    show(document, lambda: _show_balances(balances), as_json=as_json)


@app.command()
def entries(  # noqa: PLR0913  # the options of one command
    context: typer.Context,
    customer: CustomerArgument,
    *,
    test: TestFlag = False,
    account: Annotated[AccountKind, typer.Option(help="Which account.")] = AccountKind.AVAILABLE,
    before: Annotated[int | None, typer.Option(help="Only versions below this one.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List the ledger entries of one account of a customer, newest first."""
    book = book_of(test=test)
    found = run(
        context,
        lambda s: customers.customer_entries(
            s.store, customer, book, account_kind=account, before_version=before, limit=limit
        ),
    )
    document = {
        "book": book.value,
        "account": account.value,
        "currency": CURRENCY,
        "entries": [to_json_entry(entry) for entry in found],
        "next": found[-1].version if len(found) == limit else None,
    }
    show(document, lambda: _show_entries(found), as_json=as_json)


async def _create(
    store: customers.Store, clock: customers.Clock, mobile: str, name: str, grant_text: str
) -> tuple[Customer, Mapping[Book, Balances]]:
    made = await customers.create_customer(
        store, clock, mobile=mobile, name=name, test_grant_nanos=parse_amount(grant_text)
    )
    return made, await customers.customer_balances(store, made.id)


async def _look(store: customers.Store, name: str) -> tuple[Customer, Mapping[Book, Balances]]:
    found = await customers.find_customer(store, name)
    return found, await customers.customer_balances(store, found.id)


async def _look_now(
    store: customers.Store, now: float, name: str
) -> tuple[tuple[Customer, Mapping[Book, Balances]], float]:
    return await _look(store, name), now


def _show_customer(customer: Customer, balances: Mapping[Book, Balances]) -> None:
    tables.facts(
        (
            ("id", customer.id),
            ("mobile", customer.mobile),
            ("name", customer.name),
            ("created", tables.local_time(customer.created_at)),
            ("disabled", tables.local_time(customer.disabled_at)),
        ),
    )
    tables.write("")
    _show_balances(balances)


def _show_balances(balances: Mapping[Book, Balances]) -> None:
    rows = [
        (book.value, tables.amount(b.available_nanos), tables.amount(b.held_nanos), tables.amount(b.promotion_nanos))
        for book, b in balances.items()
    ]
    tables.table(("BOOK", "AVAILABLE#", "HELD#", "PROMOTION#"), rows, empty="")


def _show_entries(found: list[Entry]) -> None:
    rows = [
        (
            str(e.version),
            tables.local_time(e.created_at),
            e.reason.value,
            tables.amount(e.amount_nanos),
            tables.amount(e.balance_after_nanos),
            e.transfer_id,
        )
        for e in found
    ]
    tables.table(("VERSION#", "AT", "REASON", "AMOUNT#", "BALANCE#", "TRANSFER"), rows, empty="no entries")
