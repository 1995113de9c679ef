"""`/api/promotions`, `/api/redemptions`: what a customer was given, and codes that it redeems."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.money import Book, format_amount
from yuanjing.domain.promotions import Lot
from yuanjing.domain.redemptions import TEXT_LENGTH_MAX
from yuanjing.edge.console.auth import AuthenticatedSession, visitor_of
from yuanjing.edge.console.bodies import Body, api_time, body_docs, json_body
from yuanjing.edge.console.errors import BODY_CODES, READ_CODES, WRITE_CODES
from yuanjing.edge.console.queries import PAGE_DEFAULT, PAGE_MAX, ApiQuery
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import Parts
from yuanjing.usecases.promotions import list_promotions
from yuanjing.usecases.redemptions import Redemption

_LOT_PATTERN = r"^promo_[0-9a-z]{26}$"
_CODE_PATTERN = r"^code_[0-9a-z]{26}$"
router = APIRouter(prefix="/api", tags=["promotions"])


class RedemptionBody(Body):
    """A code that somebody has."""

    code: str = Field(
        min_length=1, max_length=TEXT_LENGTH_MAX, description="As it is written; case, spaces and dashes do not matter."
    )


class PromotionView(BaseModel):
    """Promotion money that was given at once."""

    object: Literal["promotion"]
    id: str
    book: Book
    currency: Literal["CNY"]
    amount: str
    left: str = Field(description="What is neither spent nor expired; what is held counts as left.")
    expired: str = Field(description="What was taken back after its expiry.")
    created_at: str
    expires_at: str | None = Field(description="From then on what is left is taken back; null if it never is.")


class PromotionList(BaseModel):
    """Promotion money, newest first."""

    object: Literal["list"]
    data: list[PromotionView]
    next: str | None = Field(description="As `before` it brings the next page; null on the last one.")


class RedemptionView(BaseModel):
    """A code that was redeemed."""

    object: Literal["redemption"]
    id: str
    hint: str = Field(description="How the code began.")
    redeemed_at: str
    promotion: PromotionView


class RedemptionList(BaseModel):
    """Redeemed codes, newest first."""

    object: Literal["list"]
    data: list[RedemptionView]
    next: str | None = Field(description="As `before` it brings the next page; null on the last one.")


class PromotionsQuery(ApiQuery):
    """Which promotions are wanted."""

    before: str | None = Field(default=None, pattern=_LOT_PATTERN, description="`next` of the page before.")
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MAX)


class RedemptionsQuery(ApiQuery):
    """Which redemptions are wanted."""

    before: str | None = Field(default=None, pattern=_CODE_PATTERN, description="`next` of the page before.")
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MAX)


@router.get("/promotions", responses=error_responses(Dialect.CONSOLE, *READ_CODES, "invalid_parameter"))
async def list_own_promotions(
    parts: Parts, signed_in: AuthenticatedSession, query: Annotated[PromotionsQuery, Query()]
) -> PromotionList:
    """What the customer was given, newest first, with what is left of it. What expires first is spent first."""
    found = await list_promotions(parts.store, signed_in.customer.id, before=query.before, limit=query.limit)
    following = found[-1].id if len(found) == query.limit else None
    return PromotionList(object="list", data=[_lot(one) for one in found], next=following)


@router.post(
    "/redemptions",
    responses=error_responses(
        Dialect.CONSOLE,
        *BODY_CODES,
        *WRITE_CODES,
        *READ_CODES,
        "mistyped_redeem_code",
        "wrong_redeem_code",
        "redeem_code_limit",
        "too_many_attempts",
    ),
    openapi_extra=body_docs(RedemptionBody),
)
async def create_redemption(
    request: Request,
    parts: Parts,
    signed_in: AuthenticatedSession,
    body: Annotated[RedemptionBody, Depends(json_body(RedemptionBody))],
) -> RedemptionView:
    """Turn a code into promotion money. Once for each code; the customer who has may ask again and is told the same."""
    address = visitor_of(request, parts).address_group
    return _redemption(await parts.redemptions.redeem(signed_in.customer.id, address, body.code))


@router.get("/redemptions", responses=error_responses(Dialect.CONSOLE, *READ_CODES, "invalid_parameter", "not_found"))
async def list_redemptions(
    parts: Parts, signed_in: AuthenticatedSession, query: Annotated[RedemptionsQuery, Query()]
) -> RedemptionList:
    """What the customer has redeemed, newest first."""
    found = await parts.redemptions.list(signed_in.customer.id, before=query.before, limit=query.limit)
    following = found[-1].code.id if len(found) == query.limit else None
    return RedemptionList(object="list", data=[_redemption(one) for one in found], next=following)


def _lot(lot: Lot) -> PromotionView:
    return PromotionView(
        object="promotion",
        id=lot.id,
        book=lot.book,
        currency="CNY",
        amount=format_amount(lot.amount_nanos),
        left=format_amount(lot.left_nanos),
        expired=format_amount(lot.expired_nanos),
        created_at=api_time(lot.created_at),
        expires_at=None if lot.expires_at is None else api_time(lot.expires_at),
    )


def _redemption(one: Redemption) -> RedemptionView:
    assert one.code.redeemed_at is not None, one.code.id
    return RedemptionView(
        object="redemption",
        id=one.code.id,
        hint=one.code.hint,
        redeemed_at=api_time(one.code.redeemed_at),
        promotion=_lot(one.lot),
    )
