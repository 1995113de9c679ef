"""`/api/profile`: who the customer is, and how it wants to be written to."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.identity import Language
from yuanjing.domain.money import format_amount, parse_amount
from yuanjing.edge.console.auth import AuthenticatedSession
from yuanjing.edge.console.bodies import AMOUNT_PATTERN, Body, api_time, body_docs, json_body
from yuanjing.edge.console.errors import BODY_CODES, READ_CODES, WRITE_CODES, InvalidFieldError
from yuanjing.edge.console.sessions import FactorsView
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import Parts
from yuanjing.usecases.account import Profile, ProfileTerms, change_profile, read_profile
from yuanjing.usecases.customers import NAME_LENGTH_MAX

router = APIRouter(prefix="/api", tags=["account"])


class ProfileBody(Body):
    """What is to change; what is left out stays."""

    name: str = Field(default="", max_length=NAME_LENGTH_MAX, description="As the customer wants to be called.")
    language: Literal["zh", "en"] | None = Field(
        default=None, description="In which messages are written; null for none chosen, which is `zh`."
    )
    low_balance: str | None = Field(
        default=None,
        pattern=AMOUNT_PATTERN,
        description="CNY: a message comes when less is owned in the live book; null for none.",
    )


class ProfileView(BaseModel):
    """Who is signed in."""

    object: Literal["profile"]
    id: str
    mobile: str = Field(description="In E.164; whole, since only its owner sees it.")
    name: str
    language: Language | None
    low_balance: str | None
    created_at: str
    factors: FactorsView


@router.get("/profile", responses=error_responses(Dialect.CONSOLE, *READ_CODES))
async def get_profile(parts: Parts, signed_in: AuthenticatedSession) -> ProfileView:
    """Who is signed in."""
    return _view(await read_profile(parts.store, signed_in.customer.id))


@router.patch(
    "/profile",
    responses=error_responses(Dialect.CONSOLE, *BODY_CODES, *WRITE_CODES, *READ_CODES),
    openapi_extra=body_docs(ProfileBody),
)
async def patch_profile(
    parts: Parts, signed_in: AuthenticatedSession, body: Annotated[ProfileBody, Depends(json_body(ProfileBody))]
) -> ProfileView:
    """Change what is given, and leave the rest."""
    given = body.model_fields_set
    line = None if body.low_balance is None else parse_amount(body.low_balance)
    if line == 0:
        raise InvalidFieldError("low_balance", "more than zero, or null for no messages")

    def change(terms: ProfileTerms) -> ProfileTerms:
        return ProfileTerms(
            name=body.name if "name" in given else terms.name,
            language=_language(body) if "language" in given else terms.language,
            low_balance_nanos=line if "low_balance" in given else terms.low_balance_nanos,
        )

    return _view(await change_profile(parts.store, signed_in.customer.id, change))


def _language(body: ProfileBody) -> Language | None:
    return None if body.language is None else Language(body.language)


def _view(profile: Profile) -> ProfileView:
    customer, line, factors = profile.customer, profile.alert.below_nanos, profile.factors
    return ProfileView(
        object="profile",
        id=customer.id,
        mobile=customer.mobile,
        name=customer.name,
        language=customer.language,
        low_balance=None if line is None else format_amount(line),
        created_at=api_time(customer.created_at),
        factors=FactorsView(
            password=bool(factors.password_hash),
            totp=factors.has_totp,
            recovery_codes_left=len(factors.recovery_digests),
        ),
    )
