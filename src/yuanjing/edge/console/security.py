"""`/api/security-events`: what happened to the customer's account."""

import json
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from yuanjing.domain.audit import ActorKind, AuditEvent
from yuanjing.domain.dialects import Dialect
from yuanjing.edge.console.auth import AuthenticatedSession
from yuanjing.edge.console.bodies import api_time
from yuanjing.edge.console.errors import READ_CODES
from yuanjing.edge.console.queries import PAGE_DEFAULT, PAGE_MAX, ApiQuery
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import Parts
from yuanjing.usecases.audit import list_security_events

_ID_PATTERN = r"^aud_[0-9a-z]{26}$"
router = APIRouter(prefix="/api", tags=["account"])


class SecurityEventView(BaseModel):
    """One thing that happened to the account."""

    object: Literal["security_event"]
    id: str
    at: str
    action: str = Field(description="Such as `session.begun`, `sign_in.failed`, `key.created`, `mobile.changed`.")
    by: Literal["you", "visitor", "operator", "system"] = Field(
        description="`visitor` is whoever could not show to be the customer."
    )
    address: str | None = Field(description="The IP address that it came from; null where it was no browser.")
    subject: str = Field(description="The id of the session, key or top-up, else of the customer.")
    details: dict[str, str | int | list[str]] = Field(description="Of what an operator did they are empty.")


class SecurityEventList(BaseModel):
    """Events, newest first."""

    object: Literal["list"]
    data: list[SecurityEventView]
    next: str | None = Field(description="As `before` it brings the next page; null on the last one.")


class SecurityEventsQuery(ApiQuery):
    """Which events are wanted."""

    before: str | None = Field(default=None, pattern=_ID_PATTERN, description="`next` of the page before.")
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MAX)


@router.get("/security-events", responses=error_responses(Dialect.CONSOLE, *READ_CODES, "invalid_parameter"))
async def list_own_security_events(
    parts: Parts, signed_in: AuthenticatedSession, query: Annotated[SecurityEventsQuery, Query()]
) -> SecurityEventList:
    """What happened to the account: sign-ins and failed ones, changes of how one signs in and of keys, by whomever."""
    found = await list_security_events(parts.store, signed_in.customer.id, before=query.before, limit=query.limit)
    following = found[-1].id if len(found) == query.limit else None
    return SecurityEventList(object="list", data=[_view(one) for one in found], next=following)


def _view(event: AuditEvent) -> SecurityEventView:
    """Who an operator is, where and what exactly was done there, is for operators."""
    kind = event.actor.kind
    is_own = kind in (ActorKind.CUSTOMER, ActorKind.VISITOR)
    details = cast("dict[str, str | int | list[str]]", json.loads(event.details if is_own else "{}"))
    return SecurityEventView(
        object="security_event",
        id=event.id,
        at=api_time(event.at),
        action=event.action.value,
        by="you" if kind is ActorKind.CUSTOMER else kind.value,
        address=(event.actor.address or None) if is_own else None,
        subject=event.subject,
        details=details,
    )
