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
from yuanjing.domain.errors import InvalidInputError
from yuanjing.kit.tomlfile import Document, Problem, Table
from yuanjing.usecases.price_documents import PriceDraft, check_rates, read_price
from yuanjing.usecases.video_documents import PLAIN, read_limits, read_spec
from yuanjing.usecases.video_parameters import read_parameters

CHAT_PROTOCOL = "openai_compatible"
VIDEO_PROTOCOLS = ("dashscope", "ark", "vidu")
PROTOCOLS = (CHAT_PROTOCOL, *VIDEO_PROTOCOLS)
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
    "wrapped_in_data",
)
_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
_MODEL = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}"
_OFFER_ID = r"[A-Za-z0-9_-]{21}"
_ADDRESS = r"https?://[^\s/?#@]+(/[^\s?#]*[^\s?#/])?"
_TOKENS_MAX = 10**9
_FIELD = r"[A-Za-z][A-Za-z0-9_.-]{0,63}"
_REFUSED_MAX = 50
PRICED_FIELDS = ("service_tier", "enable_search", "search_options", "web_search_options", "enable_code_interpreter")
"""Fields for which providers are known to charge more; refused by an offer whose file says nothing of it."""
PRICED_TOOLS = ("builtin_function", "code_interpreter", "web_search")
"""Likewise types of tools that a provider runs itself."""
READ_FIELDS = frozenset({
    "llmid", "max_completion_tokens", "max_tokens", "messages", "model", "n", "prompt", "stream", "stream_options",
    "sys_prompt", "tools",
})  # fmt: skip
"""Fields that the platform reads itself; an offer cannot refuse them."""


class CatalogError(InvalidInputError):
    """One or more catalogue files cannot be used; `problems` say where and what to change."""

    code = "invalid_catalog"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


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
    return [parse_document(name, text) for name, text in _shipped_texts()]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShippedNames:
    """What the shipped catalogue holds: ids of providers, and models of offers by their ids."""

    providers: tuple[str, ...]
    offers: Mapping[str, str]


def shipped_names() -> ShippedNames:
    """The names alone, which every start looks at: reading all of it takes six times as long."""
    documents = [tomllib.loads(text) for _, text in _shipped_texts()]
    offers = [document["offer"] for document in documents if "offer" in document]
    return ShippedNames(
        providers=tuple(str(one["id"]) for document in documents for one in document.get("provider", ())),
        offers={str(offer["id"]): str(offer["model"]) for offer in offers},
    )


def _shipped_texts() -> list[tuple[str, str]]:
    folder = importlib.resources.files("yuanjing") / "catalog"
    files = [folder / "providers.toml", *sorted((folder / "offers").iterdir(), key=lambda file: file.name)]
    return [(file.name, file.read_text(encoding="utf-8")) for file in files if file.name.endswith(".toml")]


def _read_provider(table: Table) -> Provider:
    quirks = table.texts("quirks")
    for quirk in quirks:
        if quirk not in QUIRKS:
            table.report(f"`quirks` does not know {quirk!r}; known are: {', '.join(QUIRKS)}", "quirks")
    protocol = table.choice("protocol", PROTOCOLS)
    makes_videos = protocol in VIDEO_PROTOCOLS
    video = table.table("video", is_required=makes_videos)
    if video is not None and not makes_videos:
        table.report(f"[provider.video] is for the protocols {', '.join(VIDEO_PROTOCOLS)}", "video")
    provider = Provider(
        id=table.text("id", pattern=_NAME, words="a lower-case name"),
        label=table.text("label"),
        label_zh=table.text("label_zh"),
        protocol=protocol,
        base_url=table.text("base_url", pattern=_ADDRESS, words="an http(s) address without a slash at the end"),
        sandbox_path=table.text("sandbox_path", pattern=r"(/[\w.-]+)*", words="a path such as /openai/v1"),
        on_disconnect=OnDisconnect(table.choice("on_disconnect", [v.value for v in OnDisconnect], "cancel")),
        quirks=quirks,
        video=None if video is None else read_limits(video),
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
    draft = read_price(price, offer) if price else None
    if price and draft and offer.video and not document.problems:
        for problem in check_rates(offer, draft.rates):
            price.report(problem, "rate")
    return OfferDraft(offer=offer, price=draft, line=document.line_of(("offer",)))


def _read_offer(table: Table) -> Offer:
    providers = table.mapping("providers")
    if not providers:
        table.report('`providers` is missing; add which providers serve it: { dashscope = "qwen3-max" }', "providers")
    id_ = table.text("id", pattern=_OFFER_ID, words="21 characters of A-Z a-z 0-9 _ -")
    model = table.text("model", pattern=_MODEL, words="a model name")
    operation = Operation(table.choice("operation", [operation.value for operation in Operation]))
    part = table.table("chat" if operation is Operation.CHAT else "video", is_required=True)
    limits, spec = None, None
    if operation is Operation.CHAT:
        limits = _read_limits(part) if part else None
        parameters = _read_parameters(table.table("parameters"), limits.refused_fields if limits else ())
    else:
        spec, strategy = read_spec(part, model) if part else (None, PLAIN)
        providers = {**providers, **strategy.providers}
        own = table.table("parameters", is_required=True)
        parameters = read_parameters(own, id_, spec, strategy) if own and spec else {}
    is_enabled = table.flag("enabled", default=True)
    until = table.moment("enabled_until")
    offer = Offer(
        id=id_,
        model=model,
        operation=operation,
        label=table.text("label"),
        provider_label=table.text("provider_label"),
        providers=providers,
        chat=limits,
        video=spec,
        aliases=table.texts("aliases"),
        capabilities=table.texts("capabilities"),
        parameters=parameters,
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
        refused_fields=_read_refused(table, "refused_fields", PRICED_FIELDS),
        refused_tools=_read_refused(table, "refused_tools", PRICED_TOOLS),
    )
    for name in limits.refused_fields:
        if name in READ_FIELDS:
            table.report(f"`refused_fields` cannot have {name!r}, which the platform reads itself", "refused_fields")
    if "function" in limits.refused_tools:
        table.report("`refused_tools` cannot have 'function': the client runs those itself", "refused_tools")
    table.finish()
    return limits


def _read_refused(table: Table, key: str, usual: tuple[str, ...]) -> tuple[str, ...]:
    """A list of names; the usual one if it is not given, so that only who knows the price can offer more."""
    if key not in table:
        table.skip(key)
        return usual
    names = table.texts(key)
    if len(names) > _REFUSED_MAX:
        table.report(f"`{key}` must have at most {_REFUSED_MAX} names", key)
    for name in names:
        if not re.fullmatch(_FIELD, name):
            table.report(f"`{key}` must have names as requests do, not {name[:40]!r}", key)
    return names


@functools.cache
def _base_parameters(name: str) -> Mapping[str, object]:
    file = importlib.resources.files("yuanjing") / "catalog" / "parameters" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _read_parameters(table: Table | None, refused: tuple[str, ...]) -> dict[str, object]:
    """The JSON Schema of an offer: the shared base, without some parameters and with others; none that is refused."""
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
            if changes is not None and name in refused:
                changes.report(f"`{name}` is among `refused_fields`, also where that is left out; take one away", name)
            old = cast("Mapping[str, object]", properties.get(name, {}))
            properties[name] = {**old, **cast("dict[str, object]", change)}
        table.finish()
    return {**base, "properties": properties}
