"""`/api/topups`: paying money in. These routes are there only where a payment method is set up."""

from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.money import format_amount, parse_amount
from yuanjing.domain.topups import PayWay, TopUp
from yuanjing.edge.address import client_address
from yuanjing.edge.console.auth import AuthenticatedSession
from yuanjing.edge.console.bodies import Body, api_time, body_docs, json_body
from yuanjing.edge.console.errors import BODY_CODES, READ_CODES, WRITE_CODES
from yuanjing.edge.console.pictures import qr_svg
from yuanjing.edge.console.queries import PAGE_DEFAULT, PAGE_MAX, ApiQuery
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import EdgeParts, Parts, TopUpDesk
from yuanjing.ports.payments import PaymentRefusedError, PaymentStart, PaymentUnavailableError

_AMOUNT_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,2})?$"
_ID_PATTERN = r"^top_[0-9a-z]{26}$"
_METHOD_LENGTH_MAX = 40
_AWAY = "The payment method does not answer now; try again in a minute"
router = APIRouter(prefix="/api", tags=["top-ups"])
_log = structlog.stdlib.get_logger("edge")


class TopUpBody(Body):
    """What is to be paid in, and how."""

    method: str = Field(min_length=1, max_length=_METHOD_LENGTH_MAX, description="One of `GET /api/topups/methods`.")
    way: Literal["page", "wap", "qr", "transfer"] = Field(description="One of the method's ways.")
    amount: str = Field(pattern=_AMOUNT_PATTERN, description="CNY with at most two decimals, such as `100.00`.")


class TopUpsQuery(ApiQuery):
    """Which top-ups are wanted."""

    before: str | None = Field(default=None, pattern=_ID_PATTERN, description="`next` of the page before.")
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MAX)


class MethodView(BaseModel):
    """A way to pay."""

    name: str
    ways: list[Literal["page", "wap", "qr", "transfer"]]
    amount_min: str
    amount_max: str
    is_confirmed_by_hand: bool = Field(description="Whether somebody has to see the money first, which takes days.")


class MethodList(BaseModel):
    """How one can pay."""

    object: Literal["list"]
    currency: Literal["CNY"]
    data: list[MethodView]


class TopUpView(BaseModel):
    """A top-up."""

    object: Literal["topup"]
    id: str
    number: str = Field(description="Its name at the payment method, and on receipts.")
    method: str
    way: Literal["page", "wap", "qr", "transfer"]
    amount: str
    currency: Literal["CNY"]
    state: Literal["created", "paid", "credited", "closed"]
    refunded: str = Field(description="What has gone back of it, or is on its way.")
    created_at: str
    expires_at: str = Field(description="Until then it can be paid.")
    paid_at: str | None
    credited_at: str | None
    closed_at: str | None


class PaymentView(BaseModel):
    """What the payer does next: one of these is not null."""

    url: str | None = Field(description="Open it in the browser.")
    qr_text: str | None = Field(description="To be shown as a QR code.")
    qr_svg: str | None = Field(description="The same as a picture: an SVG element that stands by itself.")
    instructions: str | None = Field(description="How to transfer the money.")


class StartedTopUp(TopUpView):
    """A new top-up with how to pay it, which is told once."""

    payment: PaymentView


class TopUpList(BaseModel):
    """Top-ups, newest first."""

    object: Literal["list"]
    data: list[TopUpView]
    next: str | None = Field(description="As `before` it brings the next page; null on the last one.")


@router.get("/topups/methods", responses=error_responses(Dialect.CONSOLE, *READ_CODES))
async def list_payment_methods(parts: Parts, _signed_in: AuthenticatedSession) -> MethodList:
    """How one can pay, and how much at once."""
    orders = _desk(parts).orders
    low, high = (format_amount(nanos) for nanos in orders.amounts_nanos)
    return MethodList(
        object="list",
        currency="CNY",
        data=[
            MethodView(
                name=name,
                ways=[one.value for one in PayWay if one in method.ways],
                amount_min=low,
                amount_max=high,
                is_confirmed_by_hand=method.is_confirmed_by_hand,
            )
            for name, method in orders.methods.items()
        ],
    )


@router.post(
    "/topups",
    responses=error_responses(
        Dialect.CONSOLE,
        *BODY_CODES,
        *WRITE_CODES,
        *READ_CODES,
        "not_found",
        "rate_limit_exceeded",
        "payment_unavailable",
    ),
    openapi_extra=body_docs(TopUpBody),
)
async def create_topup(
    request: Request,
    parts: Parts,
    signed_in: AuthenticatedSession,
    body: Annotated[TopUpBody, Depends(json_body(TopUpBody))],
) -> StartedTopUp:
    """Order a top-up of the live book. Pay it by what `payment` says; the money is there when `state` is `credited`."""
    try:
        topup, begun = await _desk(parts).orders.start(
            signed_in.customer.id,
            body.method,
            PayWay(body.way),
            parse_amount(body.amount),
            client_address=client_address(request, parts.trusted_proxies),
        )
    except (PaymentRefusedError, PaymentUnavailableError) as error:
        raise _away("topup.not_begun", body.method, error) from error
    return StartedTopUp(**_view(topup).model_dump(), payment=_payment(begun))


@router.get("/topups", responses=error_responses(Dialect.CONSOLE, *READ_CODES, "invalid_parameter"))
async def list_topups(
    parts: Parts, signed_in: AuthenticatedSession, query: Annotated[TopUpsQuery, Query()]
) -> TopUpList:
    """The customer's top-ups, newest first."""
    found = await _desk(parts).orders.list(signed_in.customer.id, before=query.before, limit=query.limit)
    following = found[-1].id if len(found) == query.limit else None
    return TopUpList(object="list", data=[_view(one) for one in found], next=following)


@router.get("/topups/{topup_id}", responses=error_responses(Dialect.CONSOLE, *READ_CODES, "not_found"))
async def get_topup(parts: Parts, signed_in: AuthenticatedSession, topup_id: str) -> TopUpView:
    """How it stands. While it is open its payment method is asked, as often as the platform allows."""
    return _view(await _desk(parts).orders.show(signed_in.customer.id, topup_id, ask=True))


@router.post(
    "/topups/{topup_id}/close",
    responses=error_responses(Dialect.CONSOLE, *WRITE_CODES, *READ_CODES, "not_found", "payment_unavailable"),
)
async def close_topup(parts: Parts, signed_in: AuthenticatedSession, topup_id: str) -> TopUpView:
    """End an order that will not be paid. If it is paid already it is credited; money that comes is never lost."""
    try:
        return _view(await _desk(parts).orders.close(signed_in.customer.id, topup_id))
    except (PaymentRefusedError, PaymentUnavailableError) as error:
        raise _away("topup.not_closed", topup_id, error) from error


def _desk(parts: EdgeParts) -> TopUpDesk:
    assert parts.topups is not None, "these routes are there only with top-ups"
    return parts.topups


def _away(event: str, what: str, error: PaymentRefusedError | PaymentUnavailableError) -> PaymentUnavailableError:
    """What the method says is for operators."""
    _log.warning(event, what=what[:_METHOD_LENGTH_MAX], code=error.code, reason=error.message)
    return PaymentUnavailableError(_AWAY)


def _view(topup: TopUp) -> TopUpView:
    return TopUpView(
        object="topup",
        id=topup.id,
        number=topup.number,
        method=topup.method,
        way=topup.way.value,
        amount=format_amount(topup.amount_nanos),
        currency="CNY",
        state=topup.state.value,
        refunded=format_amount(topup.refunded_nanos),
        created_at=api_time(topup.created_at),
        expires_at=api_time(topup.expires_at),
        paid_at=_maybe_time(topup.paid_at),
        credited_at=_maybe_time(topup.credited_at),
        closed_at=_maybe_time(topup.closed_at),
    )


def _maybe_time(at: float | None) -> str | None:
    return None if at is None else api_time(at)


def _payment(begun: PaymentStart) -> PaymentView:
    return PaymentView(
        url=begun.url or None,
        qr_text=begun.qr_text or None,
        qr_svg=qr_svg(begun.qr_text) if begun.qr_text else None,
        instructions=begun.instructions or None,
    )
