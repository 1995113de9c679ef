"""`/api/keys`: a customer's API keys. The key itself is in the answer that makes it, and never again."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.identity import ApiKey, BudgetPeriod, KeyLimits
from yuanjing.domain.money import Book, format_amount, parse_amount
from yuanjing.edge.console.auth import AuthenticatedSession
from yuanjing.edge.console.bodies import AMOUNT_PATTERN, Body, api_time, body_docs, json_body
from yuanjing.edge.console.errors import BODY_CODES, READ_CODES, WRITE_CODES
from yuanjing.edge.console.queries import PAGE_DEFAULT, PAGE_MAX, TIME_LENGTH_MAX, ApiQuery, read_time
from yuanjing.edge.console.sessions import NO_CONTENT
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import Parts
from yuanjing.usecases.key_reports import KeyReport, list_key_reports, read_key_report
from yuanjing.usecases.keys import (
    LIMIT_MAX,
    LIST_LENGTH_MAX,
    NAME_LENGTH_MAX,
    KeyTerms,
    change_key,
    create_key,
    revoke_own_key,
)

_MODEL_LENGTH_MAX, _NETWORK_LENGTH_MAX = 200, 64
_ID_PATTERN = r"^key_[0-9a-z]{26}$"
_COUNTS = frozenset({"requests_per_minute", "tokens_per_minute", "concurrency"})
_WRITE = (*BODY_CODES, *WRITE_CODES, *READ_CODES)
router = APIRouter(prefix="/api", tags=["account"])

Count = Annotated[int, Field(ge=1, le=LIMIT_MAX)]
Model = Annotated[str, Field(min_length=1, max_length=_MODEL_LENGTH_MAX)]
Network = Annotated[str, Field(min_length=1, max_length=_NETWORK_LENGTH_MAX)]


class KeyPatchBody(Body):
    """What is to change; what is left out stays."""

    name: str = Field(default="", max_length=NAME_LENGTH_MAX, description="Name for its owner.")
    expires_at: str | None = Field(
        default=None,
        max_length=TIME_LENGTH_MAX,
        description="RFC 3339, or a day of UTC+8, at whose end it expires; null for never.",
    )
    models: list[Model] = Field(
        default=[], max_length=LIST_LENGTH_MAX, description="Only these models; none for all that there are."
    )
    networks: list[Network] = Field(
        default=[],
        max_length=LIST_LENGTH_MAX,
        description="Only from these networks or addresses, such as `192.0.2.0/24`; none for everywhere.",
    )
    requests_per_minute: Count | None = Field(default=None, description="Null for no limit.")
    tokens_per_minute: Count | None = Field(default=None, description="Null for no limit.")
    concurrency: Count | None = Field(default=None, description="Requests at once; null for no limit.")
    budget: str | None = Field(
        default=None, pattern=AMOUNT_PATTERN, description="CNY that it may spend; null for no limit."
    )
    budget_period: Literal["total", "day", "month"] = Field(
        default="total", description="When the budget starts afresh: never, or with each day or month of UTC+8."
    )

    def changed(self, terms: KeyTerms) -> KeyTerms:
        """The terms with what was given.

        Raises:
            InvalidFieldError: the expiry cannot be read.
        """
        given = self.model_fields_set
        limits: dict[str, Any] = {name: getattr(self, name) for name in _COUNTS & given}
        limits |= {name: tuple(getattr(self, name)) for name in {"models", "networks"} & given}
        if "budget" in given:
            limits["budget_nanos"] = None if self.budget is None else parse_amount(self.budget)
        if "budget_period" in given:
            limits["budget_period"] = BudgetPeriod(self.budget_period)
        return KeyTerms(
            name=self.name if "name" in given else terms.name,
            limits=replace(terms.limits, **limits),
            expires_at=(
                read_time(self.expires_at, "expires_at", is_end=True) if "expires_at" in given else terms.expires_at
            ),
        )


class KeyBody(KeyPatchBody):
    """A key that is wanted."""

    book: Literal["live", "test"] = Field(description="Whether it spends real money or play money; for ever.")


class KeysQuery(ApiQuery):
    """Which keys are wanted."""

    book: Book | None = Field(default=None, description="Only keys of this book.")
    after: str | None = Field(default=None, pattern=_ID_PATTERN, description="`next` of the page before.")
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MAX)


class KeyView(BaseModel):
    """An API key; amounts are decimal strings of CNY."""

    object: Literal["key"]
    id: str
    prefix: str = Field(description="How the key begins, so that its owner knows it again.")
    name: str
    book: Book
    state: Literal["active", "expired", "revoked"]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(description="When its last use was charged; null if it was never used.")
    spent_this_month: str = Field(description="Of this month of UTC+8.")
    spent_total: str
    models: list[str] = Field(description="The only models that it may use; none for all.")
    networks: list[str] = Field(description="The only networks that it may be used from; none for everywhere.")
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrency: int | None
    budget: str | None
    budget_period: BudgetPeriod
    budget_spent: str | None = Field(description="Of the budget, in its current period; null without one.")
    budget_held: str | None = Field(description="Of the budget, by what is running; null without one.")


class NewKeyView(KeyView):
    """A key that was just made."""

    key: str = Field(description="The key itself. It is shown this once.")


class KeyList(BaseModel):
    """A page of keys, oldest first, revoked and expired ones too."""

    object: Literal["list"]
    data: list[KeyView]
    next: str | None = Field(description="As `after` it brings the next page; null on the last one.")


@router.get("/keys", responses=error_responses(Dialect.CONSOLE, *READ_CODES, "invalid_parameter"))
async def list_api_keys(parts: Parts, signed_in: AuthenticatedSession, query: Annotated[KeysQuery, Query()]) -> KeyList:
    """The customer's keys, with what they have spent and when they were last used."""
    found = await list_key_reports(
        parts.store, parts.clock, signed_in.customer.id, book=query.book, after=query.after, limit=query.limit
    )
    now = parts.clock.unix()
    following = found[-1].key.id if len(found) == query.limit else None
    return KeyList(object="list", data=[_view(one, now) for one in found], next=following)


@router.post(
    "/keys",
    responses=error_responses(Dialect.CONSOLE, *_WRITE, "too_many_keys"),
    openapi_extra=body_docs(KeyBody),
)
async def create_api_key(
    parts: Parts, signed_in: AuthenticatedSession, body: Annotated[KeyBody, Depends(json_body(KeyBody))]
) -> NewKeyView:
    """Make a key. Nobody can see it again: keep it."""
    terms = body.changed(KeyTerms(name="", limits=KeyLimits(), expires_at=None))
    key, text = await create_key(
        parts.store,
        parts.clock,
        parts.pepper,
        customer_id=signed_in.customer.id,
        book=Book(body.book),
        name=terms.name,
        limits=terms.limits,
        expires_at=terms.expires_at,
        keys_max=parts.account.keys_max,
        by=signed_in.actor,
    )
    report = await read_key_report(parts.store, parts.clock, signed_in.customer.id, key.id)
    return NewKeyView(**dict(_view(report, parts.clock.unix())), key=text)


@router.get("/keys/{key_id}", responses=error_responses(Dialect.CONSOLE, *READ_CODES, "not_found"))
async def get_api_key(parts: Parts, signed_in: AuthenticatedSession, key_id: str) -> KeyView:
    """One key."""
    report = await read_key_report(parts.store, parts.clock, signed_in.customer.id, key_id)
    return _view(report, parts.clock.unix())


@router.patch(
    "/keys/{key_id}",
    responses=error_responses(Dialect.CONSOLE, *_WRITE, "not_found", "key_revoked"),
    openapi_extra=body_docs(KeyPatchBody),
)
async def patch_api_key(
    parts: Parts,
    signed_in: AuthenticatedSession,
    key_id: str,
    body: Annotated[KeyPatchBody, Depends(json_body(KeyPatchBody))],
) -> KeyView:
    """Change what is given, and leave the rest. The gateways know within `YUANJING_SIGNAL_POLL_SECONDS`."""
    customer_id = signed_in.customer.id
    await change_key(
        parts.store, parts.clock, customer_id=customer_id, key_id=key_id, change=body.changed, by=signed_in.actor
    )
    return _view(await read_key_report(parts.store, parts.clock, customer_id, key_id), parts.clock.unix())


@router.delete(
    "/keys/{key_id}",
    status_code=NO_CONTENT,
    response_class=Response,
    responses=error_responses(Dialect.CONSOLE, *WRITE_CODES, *READ_CODES, "not_found"),
)
async def delete_api_key(parts: Parts, signed_in: AuthenticatedSession, key_id: str) -> None:
    """Revoke a key, for ever. The gateways know within `YUANJING_SIGNAL_POLL_SECONDS`; what runs ends as it would."""
    await revoke_own_key(parts.store, parts.clock, signed_in.customer.id, key_id, by=signed_in.actor)


def _state(key: ApiKey, now: float) -> Literal["active", "expired", "revoked"]:
    if key.revoked_at is not None:
        return "revoked"
    return "active" if key.is_usable(now) else "expired"


def _view(report: KeyReport, now: float) -> KeyView:
    key, limits, spending, budget = report.key, report.key.limits, report.spending, report.budget
    return KeyView(
        object="key",
        id=key.id,
        prefix=f"yj_{key.book}_{key.public_id}",
        name=key.name,
        book=key.book,
        state=_state(key, now),
        created_at=api_time(key.created_at),
        expires_at=None if key.expires_at is None else api_time(key.expires_at),
        revoked_at=None if key.revoked_at is None else api_time(key.revoked_at),
        last_used_at=None if spending.last_used_at is None else api_time(spending.last_used_at),
        spent_this_month=format_amount(spending.recent_nanos),
        spent_total=format_amount(spending.total_nanos),
        models=list(limits.models),
        networks=list(limits.networks),
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
        concurrency=limits.concurrency,
        budget=None if limits.budget_nanos is None else format_amount(limits.budget_nanos),
        budget_period=limits.budget_period,
        budget_spent=None if budget is None else format_amount(budget.spent_nanos),
        budget_held=None if budget is None else format_amount(budget.held_nanos),
    )
