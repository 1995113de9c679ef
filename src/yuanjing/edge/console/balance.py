"""`/api/balance`: what the customer owns, in both books."""

from collections.abc import Mapping
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.ledger import Balances
from yuanjing.domain.money import Book, format_amount
from yuanjing.edge.console.auth import AuthenticatedSession
from yuanjing.edge.console.bodies import api_time
from yuanjing.edge.console.errors import READ_CODES, WRITE_CODES
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import Parts
from yuanjing.usecases.account import fill_test_book
from yuanjing.usecases.customers import customer_balances

router = APIRouter(prefix="/api", tags=["account"])


class BookBalance(BaseModel):
    """What is owned in one book: posted amounts of CNY, as decimal strings."""

    available: str = Field(description="What can be spent.")
    held: str = Field(description="What is reserved for work under way.")
    promotion: str = Field(description="What was given by promotions.")


class BalanceView(BaseModel):
    """What the customer owns."""

    object: Literal["balance"]
    currency: Literal["CNY"]
    as_of: str = Field(description="What was used until less than a second before may not be in it.")
    live: BookBalance
    test: BookBalance


class GrantedBalanceView(BalanceView):
    """What the customer owns after it was given play money."""

    granted: str = Field(description="How much was given; `0.00` if nothing was missing.")


@router.get("/balance", responses=error_responses(Dialect.CONSOLE, *READ_CODES))
async def get_account_balance(parts: Parts, signed_in: AuthenticatedSession) -> BalanceView:
    """What the customer owns: real money in `live`, play money in `test`."""
    as_of = parts.clock.unix()
    return _view(await customer_balances(parts.store, signed_in.customer.id), as_of)


@router.post(
    "/balance/test-grant",
    responses=error_responses(Dialect.CONSOLE, *WRITE_CODES, *READ_CODES, "rate_limit_exceeded"),
)
async def create_test_grant(parts: Parts, signed_in: AuthenticatedSession) -> GrantedBalanceView:
    """Fill the test book up to what a new customer gets; some times a day."""
    as_of = parts.clock.unix()
    given = await fill_test_book(parts.store, parts.clock, parts.account, signed_in.customer.id)
    view = _view(given.balances, as_of)
    return GrantedBalanceView(**dict(view), granted=format_amount(given.granted_nanos))


def _view(balances: Mapping[Book, Balances], as_of: float) -> BalanceView:
    return BalanceView(
        object="balance",
        currency="CNY",
        as_of=api_time(as_of),
        live=_book(balances[Book.LIVE]),
        test=_book(balances[Book.TEST]),
    )


def _book(balances: Balances) -> BookBalance:
    return BookBalance(
        available=format_amount(balances.available_nanos),
        held=format_amount(balances.held_nanos),
        promotion=format_amount(balances.promotion_nanos),
    )
