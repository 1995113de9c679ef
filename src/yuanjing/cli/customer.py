"""`yuanjing customer`: customers and their money."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from yuanjing.cli import access, tables
from yuanjing.cli.access import CustomerArgument
from yuanjing.cli.runtime import JsonFlag, TestFlag, book_of, run, show
from yuanjing.cli.tables import CURRENCY, api_time
from yuanjing.cli.views import Json, to_json_balance, to_json_balances, to_json_customer, to_json_entry, to_json_lot
from yuanjing.domain.errors import InvalidInputError
from yuanjing.domain.identity import Customer
from yuanjing.domain.ledger import Balances, Entry
from yuanjing.domain.money import Book, parse_amount
from yuanjing.domain.promotions import Lot
from yuanjing.usecases import customers
from yuanjing.usecases.customers import AccountKind, GrantReceipt, PromotionReceipt
from yuanjing.usecases.promotions import open_promotions

_SECONDS_PER_DAY = 86_400
if TYPE_CHECKING:
    from yuanjing.bootstrap.services import Services

app = typer.Typer(name="customer", help="Customers and their money.", no_args_is_help=True)
app.add_typer(access.app)


@app.command()
def create(
    context: typer.Context,
    *,
    mobile: Annotated[str, typer.Option(help="Mobile number; without a country code it is a Chinese one.")],
    name: Annotated[str, typer.Option(help="Name for operators.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Make a customer; it gets the play money of YUANJING_WELCOME_TEST_GRANT."""
    made, balances = run(context, lambda s: _create(s, mobile, name))
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wish:
    customer: str
    book: Book
    nanos: int
    cause: str | None
    note: str


@app.command()
def grant(  # noqa: PLR0913  # the options of one command
    context: typer.Context,
    customer: CustomerArgument,
    amount: Annotated[str, typer.Argument(help="Amount of CNY, such as 12.50.", show_default=False)],
    *,
    test: TestFlag = False,
    promotion: Annotated[
        bool, typer.Option("--promotion", help="Promotion money: spent first, never paid out.")
    ] = False,
    expires_in: Annotated[
        int | None, typer.Option(metavar="DAYS", min=1, max=36_500, help="With --promotion: days until it expires.")
    ] = None,
    expires_at: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"], help="The same as a point in time."),
    ] = None,
    cause: Annotated[str | None, typer.Option(help="Your name of this grant; the same one grants only once.")] = None,
    note: Annotated[str, typer.Option(help="For operators: who granted it, and why.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Give money to a customer: real money, or play money with --test; with --promotion it may expire."""
    if (expires_in is not None or expires_at is not None) and not promotion:
        raise InvalidInputError("only promotion money expires; add --promotion", param="expires_at")
    if expires_in is not None and expires_at is not None:
        raise InvalidInputError("give --expires-in or --expires-at", param="expires_at")
    wish = _Wish(customer=customer, book=book_of(test=test), nanos=parse_amount(amount), cause=cause, note=note)
    if promotion:
        given = run(context, lambda s: _give(s, wish, expires_in, expires_at))
        document, line = _told_promotion(given)
    else:
        document, line = _told_grant(run(context, lambda s: _grant(s, wish)))
    show(document, lambda: tables.write(line), as_json=as_json)


@app.command()
def balance(context: typer.Context, customer: CustomerArgument, *, as_json: JsonFlag = False) -> None:
    """Show the posted balances of a customer, and what is left of its promotion money."""
    found, balances, lots, now = run(context, lambda s: _look_now(s.store, s.clock.unix(), customer))
    document = {
        "customer_id": found.id,
        "as_of": api_time(now),
        "currency": CURRENCY,
        "balances": to_json_balances(balances),
        "promotions": [to_json_lot(lot) for lot in lots],
    }
    show(document, lambda: _show_money(balances, lots), as_json=as_json)


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


async def _create(s: "Services", mobile: str, name: str) -> tuple[Customer, Mapping[Book, Balances]]:
    grant_nanos = parse_amount(s.settings.welcome_test_grant)
    made = await customers.create_customer(
        s.store, s.clock, mobile=mobile, name=name, test_grant_nanos=grant_nanos, by=s.operator
    )
    return made, await customers.customer_balances(s.store, made.id)


async def _look(store: customers.Store, name: str) -> tuple[Customer, Mapping[Book, Balances]]:
    found = await customers.find_customer(store, name)
    return found, await customers.customer_balances(store, found.id)


async def _look_now(
    store: customers.Store, now: float, name: str
) -> tuple[Customer, Mapping[Book, Balances], list[Lot], float]:
    found, balances = await _look(store, name)
    return found, balances, await open_promotions(store, found.id), now


async def _grant(s: "Services", wish: _Wish) -> GrantReceipt:
    return await customers.grant_money(
        s.store,
        s.clock,
        customer_id=wish.customer,
        book=wish.book,
        amount_nanos=wish.nanos,
        cause=wish.cause,
        note=wish.note,
        by=s.operator,
    )


async def _give(s: "Services", wish: _Wish, days: int | None, moment: dt.datetime | None) -> PromotionReceipt:
    ends_at = moment.timestamp() if moment else None
    return await customers.grant_promotion(
        s.store,
        s.clock,
        customer_id=wish.customer,
        book=wish.book,
        amount_nanos=wish.nanos,
        expires_at=ends_at if days is None else s.clock.unix() + days * _SECONDS_PER_DAY,
        cause=wish.cause,
        note=wish.note,
        by=s.operator,
    )


def _told_grant(receipt: GrantReceipt) -> tuple[Json, str]:
    transfer = receipt.transfer
    document = {
        "transfer_id": transfer.id,
        "is_new": receipt.is_new,
        "book": transfer.book.value,
        "amount": tables.plain_amount(transfer.amount_nanos),
        "currency": CURRENCY,
        "balance": to_json_balance(receipt.balances),
    }
    now = f"available now {tables.amount(receipt.balances.available_nanos)}"
    return document, f"{_granted(receipt.is_new, transfer.amount_nanos, transfer.book)}; {now}"


def _told_promotion(receipt: PromotionReceipt) -> tuple[Json, str]:
    lot = receipt.lot
    document = {
        "promotion": to_json_lot(lot),
        "is_new": receipt.is_new,
        "book": lot.book.value,
        "amount": tables.plain_amount(lot.amount_nanos),
        "currency": CURRENCY,
        "balance": to_json_balance(receipt.balances),
    }
    until = f", until {tables.local_time(lot.expires_at)}" if lot.expires_at is not None else ""
    now = f"promotion money now {tables.amount(receipt.balances.promotion_nanos)}"
    return document, f"{_granted(receipt.is_new, lot.amount_nanos, lot.book)}{until}; {now}"


def _granted(is_new: bool, nanos: int, book: Book) -> str:  # noqa: FBT001  # said by its name where it is given
    verb = "granted" if is_new else "granted before, nothing done:"
    return f"{verb} {tables.amount(nanos)} ({book})"


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


def _show_money(balances: Mapping[Book, Balances], lots: Sequence[Lot]) -> None:
    _show_balances(balances)
    if not lots:
        return
    tables.write("")
    rows = [
        (
            lot.id,
            lot.book.value,
            tables.amount(lot.left_nanos),
            tables.amount(lot.amount_nanos),
            tables.local_time(lot.expires_at),
            lot.cause,
        )
        for lot in lots
    ]
    tables.table(("PROMOTION", "BOOK", "LEFT#", "OF#", "EXPIRES", "CAUSE"), rows, empty="")


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
