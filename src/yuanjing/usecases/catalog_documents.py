"""Catalogue files: TOML documents of providers and offers, read and checked.

The format is described in docs/reference/catalog.md.
"""

import datetime as dt
import functools
import importlib.resources
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from yuanjing.domain.catalog import ChatLimits, Offer, OnDisconnect, Operation, Provider
from yuanjing.domain.errors import InvalidAmountError, InvalidInputError
from yuanjing.domain.money import parse_amount
from yuanjing.domain.pricing import RATE_NANOS_MAX, ChatTier
from yuanjing.domain.usage import COUNT_MAX
from yuanjing.kit.tomlfile import Document, Problem, Table

PROTOCOLS = ("openai_compatible",)
QUIRKS = (
    "credential_optional",
    "either_token_limit",
    "empty_lines_before_json",
    "error_flat",
    "max_completion_tokens",
    "reasoning_field",
    "role_in_every_chunk",
    "usage_cache_hit_tokens",
    "usage_cached_tokens_on_top",
    "usage_in_choice",
)
_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
_MODEL = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}"
_OFFER_ID = r"[A-Za-z0-9_-]{21}"
_ADDRESS = r"https?://[^\s/?#@]+(/[^\s?#]*[^\s?#/])?"
_AMOUNT_WORDS = 'an amount of CNY per million tokens in quotes, such as "2.5"'
_TOKENS_MAX = 10**9


class CatalogError(InvalidInputError):
    """One or more catalogue files cannot be used; `problems` say where and what to change."""

    code = "invalid_catalog"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceDraft:
    """A price as a file has it, without a version."""

    effective_from: dt.datetime
    tiers: tuple[ChatTier, ...]
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferDraft:
    """An offer as a file has it; `line` is where, for problems that only show beside other files."""

    offer: Offer
    price: PriceDraft | None
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogDocument:
    """One file, correct in itself."""

    name: str
    providers: tuple[Provider, ...] = ()
    offers: tuple[OfferDraft, ...] = field(default=())


def parse_document(name: str, text: str) -> CatalogDocument:
    """Read one catalogue file.

    Raises:
        CatalogError: with every problem found, not only the first.
    """
    document = Document(name, text)
    root = document.root
    providers = [_read_provider(table) for table in root.tables("provider")]
    draft = _read_offer_file(document)
    root.finish()
    if not document.problems and not providers and draft is None:
        root.report("neither [[provider]] nor [offer] is here")
    if document.problems:
        raise CatalogError(sorted(document.problems, key=lambda problem: problem.line))
    return CatalogDocument(name=name, providers=tuple(providers), offers=(draft,) if draft else ())


def shipped_documents() -> list[CatalogDocument]:
    """The catalogue that comes with the program."""
    folder = importlib.resources.files("yuanjing") / "catalog"
    files = [folder / "providers.toml", *sorted((folder / "offers").iterdir(), key=lambda file: file.name)]
    return [
        parse_document(file.name, file.read_text(encoding="utf-8")) for file in files if file.name.endswith(".toml")
    ]


def _read_provider(table: Table) -> Provider:
    quirks = table.texts("quirks")
    for quirk in quirks:
        if quirk not in QUIRKS:
            table.report(f"`quirks` does not know {quirk!r}; known are: {', '.join(QUIRKS)}", "quirks")
    provider = Provider(
        id=table.text("id", pattern=_NAME, words="a lower-case name"),
        label=table.text("label"),
        label_zh=table.text("label_zh"),
        protocol=table.choice("protocol", PROTOCOLS),
        base_url=table.text("base_url", pattern=_ADDRESS, words="an http(s) address without a slash at the end"),
        sandbox_path=table.text("sandbox_path", pattern=r"(/[\w.-]+)+", words="a path such as /openai/v1"),
        on_disconnect=OnDisconnect(table.choice("on_disconnect", [v.value for v in OnDisconnect], "cancel")),
        quirks=quirks,
    )
    table.finish()
    return provider


def _read_offer_file(document: Document) -> OfferDraft | None:
    root = document.root
    table, price = root.table("offer"), root.table("price")
    if table is None:
        if price is not None:
            price.report("a [price] needs an [offer] in the same file")
        return None
    offer = _read_offer(table)
    draft = _read_price(price, offer) if price else None
    return OfferDraft(offer=offer, price=draft, line=document.line_of(("offer",)))


def _read_offer(table: Table) -> Offer:
    providers = table.mapping("providers")
    if not providers:
        table.report('`providers` is missing; add which providers serve it: { dashscope = "qwen3-max" }', "providers")
    chat = table.table("chat", is_required=True)
    limits = _read_limits(chat) if chat else None
    is_enabled = table.flag("enabled", default=True)
    until = table.moment("enabled_until")
    offer = Offer(
        id=table.text("id", pattern=_OFFER_ID, words="21 characters of A-Z a-z 0-9 _ -"),
        model=table.text("model", pattern=_MODEL, words="a model name"),
        operation=Operation(table.choice("operation", [Operation.CHAT.value])),
        label=table.text("label"),
        provider_label=table.text("provider_label"),
        providers=providers,
        chat=limits,
        aliases=table.texts("aliases"),
        capabilities=table.texts("capabilities"),
        parameters=_read_parameters(table.table("parameters")),
        description=table.text("description", ""),
        description_zh=table.text("description_zh", ""),
        enabled_from=table.moment("enabled_from"),
        enabled_until=until if is_enabled else NEVER,
    )
    table.finish()
    return offer


NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""`enabled_until` of an offer whose file says `enabled = false`."""


def _read_limits(table: Table) -> ChatLimits:
    context = table.integer("context_tokens", low=1, high=_TOKENS_MAX)
    output = table.integer("output_tokens_max", low=1, high=_TOKENS_MAX)
    if output > context:
        table.report("`output_tokens_max` must not be above `context_tokens`", "output_tokens_max")
    limits = ChatLimits(
        context_tokens=context,
        output_tokens_max=output,
        reasoning_tokens_max=table.integer("reasoning_tokens_max", 0, high=_TOKENS_MAX),
        template_tokens_per_request=table.integer("template_tokens_per_request", 64, high=1_000_000),
        template_tokens_per_message=table.integer("template_tokens_per_message", 16, high=100_000),
        image_tokens_max=table.integer("image_tokens_max", 16_384, high=10_000_000),
        bytes_per_token=table.integer("bytes_per_token", 3, low=1, high=16),
        choices_max=table.integer("choices_max", 8, low=1, high=128),
    )
    table.finish()
    return limits


def _read_price(table: Table, offer: Offer) -> PriceDraft | None:
    effective = table.moment("effective_from", is_required=True)
    source = table.text("source", words="text: where the numbers are from, with its date")
    if source and not re.search(r"\b20\d\d-\d\d-\d\d\b", source):
        table.report("`source` must name its date, such as 2026-06-30", "source")
    items = table.tables("tier")
    if not items:
        table.report("a price needs at least one [[price.tier]]")
    tiers = [_read_tier(item) for item in items]
    bounds = [COUNT_MAX if tier.input_up_to is None else tier.input_up_to for tier in tiers]
    if bounds != sorted(set(bounds)):
        table.report("the tiers must come in rising order of `input_up_to`; only the last may be without it", "tier")
    table.finish()
    if effective is None:
        return None
    if offer.chat and tiers and bounds[-1] < offer.chat.context_tokens:
        table.report(
            f"the last tier ends at {bounds[-1]} tokens, below the model's {offer.chat.context_tokens}; "
            "leave its `input_up_to` out",
            "tier",
        )
    return PriceDraft(effective_from=effective, tiers=tuple(tiers), source=source)


def _read_tier(table: Table) -> ChatTier:
    bound = table.integer("input_up_to", low=1, high=COUNT_MAX - 1) if "input_up_to" in table else None
    tier = ChatTier(
        input_up_to=bound,
        input_nanos=_read_rate(table, "input") or 0,
        output_nanos=_read_rate(table, "output") or 0,
        cache_read_nanos=_read_rate(table, "cache_read", is_required=False),
        cache_write_nanos=_read_rate(table, "cache_write", is_required=False),
    )
    table.finish()
    return tier


def _read_rate(table: Table, key: str, *, is_required: bool = True) -> int | None:
    if key not in table and not is_required:
        table.skip(key)
        return None
    text = table.text(key, words=_AMOUNT_WORDS)
    if not text:
        return None
    try:
        rate = parse_amount(text)
    except InvalidAmountError as error:
        table.report(f"`{key}`: {error.message}", key)
        return None
    if rate > RATE_NANOS_MAX:
        table.report(f"`{key}` is above the dearest rate that may be set, one million CNY", key)
        return None
    return rate


@functools.cache
def _base_parameters(name: str) -> Mapping[str, object]:
    file = importlib.resources.files("yuanjing") / "catalog" / "parameters" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _read_parameters(table: Table | None) -> dict[str, object]:
    """The JSON Schema of an offer: the shared base, without some parameters and with others."""
    base = _base_parameters("chat")
    properties = dict(cast("Mapping[str, object]", base["properties"]))
    if table is not None:
        for name in table.texts("without"):
            if properties.pop(name, None) is None:
                table.report(f"`without` names {name!r}, which the base does not have", "without")
        changes = table.table("properties")
        for name, change in changes.raw.items() if changes else ():
            if changes is not None and not isinstance(change, dict):
                changes.report(f"`{name}` must be a table of JSON Schema keywords", name)
                continue
            old = cast("Mapping[str, object]", properties.get(name, {}))
            properties[name] = {**old, **cast("dict[str, object]", change)}
        table.finish()
    return {**base, "properties": properties}
