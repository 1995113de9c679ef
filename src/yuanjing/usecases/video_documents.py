"""The video part of a catalogue file: what an offer takes, and the JSON Schema that says so.

Tables that several offers share (parameters, kinds of files, pixels) are in the folder `catalog/parameters`.
"""

import functools
import importlib.resources
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from yuanjing.domain.catalog import VideoLimits
from yuanjing.domain.parameters.spec import keywords_in
from yuanjing.domain.parameters.values import Keywords, read_size
from yuanjing.domain.tasks import MediaRole, Size
from yuanjing.domain.video_offers import (
    Changes,
    CreditRate,
    MediaRule,
    Pixels,
    TokenFormula,
    VideoCase,
    VideoModel,
    VideoSpec,
)
from yuanjing.kit.tomlfile import Table

COUNT_OF_FILES_MAX = 32
_SIZE_BYTES_MAX = 2 * 1024**3
_PIXELS_MAX = 65_535
_SECONDS_MAX = 3600
_EXPECTED_SECONDS_MAX = 24 * 3600
_DECIMAL = r"\d{1,9}(\.\d{1,6})?"
_DECIMAL_WORDS = 'a number in quotes, such as "2.5"'
_ROLES = [role.value for role in MediaRole]


@dataclass(frozen=True, kw_only=True, slots=True)
class Strategy:
    """One of several ways in which an offer can be served; its file says which is used.

    Attributes:
        providers: who serves it then, and under which model name; empty leaves it to the offer.
        without: parameters that do not exist then.
        properties: how the others differ.
    """

    form: str = ""
    providers: Mapping[str, str]
    sends_tier: bool = False
    without: tuple[str, ...] = ()
    properties: Changes


PLAIN = Strategy(providers={}, properties={})


@functools.cache
def shared(name: str) -> Mapping[str, object]:
    """A shared table of the shipped catalogue."""
    file = importlib.resources.files("yuanjing") / "catalog" / "parameters" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def known_properties() -> Mapping[str, Keywords]:
    """The parameters that offers choose from."""
    return keywords_in(shared("video")["properties"])


def read_limits(table: Table) -> VideoLimits:
    """`[provider.video]`."""
    usual = VideoLimits()
    limits = VideoLimits(
        deadline_seconds=table.integer("deadline_seconds", usual.deadline_seconds, low=1),
        off_peak_deadline_seconds=table.integer("off_peak_deadline_seconds", usual.off_peak_deadline_seconds, low=1),
        lost_seconds=table.integer("lost_seconds", usual.lost_seconds, low=1),
        poll_min_seconds=table.integer("poll_min_seconds", usual.poll_min_seconds, low=1),
        poll_max_seconds=table.integer("poll_max_seconds", usual.poll_max_seconds, low=1),
        queries_per_second=table.integer("queries_per_second", usual.queries_per_second, low=1),
        lists_per_second=table.integer("lists_per_second", usual.lists_per_second),
        submits_per_minute=table.integer("submits_per_minute", usual.submits_per_minute, low=1),
        tasks_max=table.integer("tasks_max", usual.tasks_max, low=1),
        result_seconds=table.integer("result_seconds", usual.result_seconds, low=1),
    )
    if limits.poll_max_seconds < limits.poll_min_seconds:
        table.report("`poll_max_seconds` must not be below `poll_min_seconds`", "poll_max_seconds")
    table.finish()
    return limits


def read_spec(table: Table, model: str) -> tuple[VideoSpec, Strategy]:
    """`[offer.video]`, and the strategy that it chooses."""
    strategy = _read_strategy(table)
    extras = table.table("extras")
    tokens = table.table("tokens")
    spec = VideoSpec(
        family=table.text("family"),
        models=_read_models(table, model),
        form=strategy.form or table.text("form", ""),
        media=tuple(_read_media(item) for item in table.tables("media")),
        needs_any_of=_read_roles(table, "needs_any_of"),
        sends_tier=strategy.sends_tier,
        pixels=_read_pixels(table),
        token_formula=_read_formula(tokens) if tokens else None,
        credit_rates=tuple(rate for item in table.tables("credit") for rate in _read_credits(item)),
        credits_margin_percent=table.integer("credits_margin_percent", 150, low=100, high=1000),
        seconds_when_chosen=table.integer("seconds_when_chosen", 15, low=1, high=_SECONDS_MAX),
        input_seconds_max=table.integer("input_seconds_max", 15, high=_SECONDS_MAX),
        expected_seconds=_optional_integer(table, "expected_seconds", high=_EXPECTED_SECONDS_MAX),
        expires_after_seconds=_optional_integer(table, "expires_after_seconds", high=10**7),
        extras=dict(extras.raw) if extras else {},
    )
    table.skip("form")
    table.finish()
    return spec, strategy


def _read_strategy(table: Table) -> Strategy:
    tables = table.table("strategies")
    if tables is None:
        if "strategy" in table:
            table.report("`strategy` needs [offer.video.strategies]", "strategy")
        table.skip("strategy")
        return PLAIN
    names = list(tables.raw)
    found = {name: _read_one_strategy(item) for name in names if (item := tables.table(name)) is not None}
    return found.get(table.choice("strategy", names), PLAIN)


def _read_one_strategy(table: Table) -> Strategy:
    strategy = Strategy(
        form=table.text("form", ""),
        providers=table.mapping("providers"),
        sends_tier=table.flag("sends_tier", default=False),
        without=table.texts("without"),
        properties=_read_changes(table),
    )
    table.finish()
    return strategy


def _read_models(table: Table, offer_model: str) -> tuple[VideoModel, ...]:
    models = [_read_model(item) for item in table.tables("model")]
    names = [model.name for model in models]
    if names and names[0] != offer_model:
        table.report(f"the first [[offer.video.model]] must be the offer's `model`, {offer_model!r}", "model")
    if len(set(names)) != len(names):
        table.report("each model needs a name of its own", "model")
    return tuple(models) or (VideoModel(name=offer_model),)


def _read_model(table: Table) -> VideoModel:
    model = VideoModel(
        name=table.text("name", words="a model name"),
        aliases=table.texts("aliases"),
        properties=_read_changes(table),
        cases=tuple(_read_case(item) for item in table.tables("case")),
        required=_read_roles(table, "required"),
    )
    table.finish()
    return model


def _read_case(table: Table) -> VideoCase:
    case = VideoCase(roles=_read_roles(table, "roles"), properties=_read_changes(table))
    table.finish()
    return case


def _read_roles(table: Table, key: str) -> tuple[MediaRole, ...]:
    values = table.texts(key)
    if any(value not in _ROLES for value in values):
        table.report(f"`{key}` knows {', '.join(_ROLES)}", key)
    return tuple(MediaRole(value) for value in values if value in _ROLES)


def _read_changes(table: Table) -> Changes:
    changes = table.table("properties")
    if changes is None:
        return {}
    for name, change in changes.raw.items():
        if not isinstance(change, dict):
            changes.report(f"`{name}` must be a table of JSON Schema keywords", name)
    return keywords_in(changes.raw)


def _read_media(table: Table) -> MediaRule:
    """A file that the offer takes; `like` names a shared kind, whose values the entry's own go before."""
    field = table.text("field", words="the name of a parameter for files")
    role = known_properties().get(field, {}).get("x-role")
    if field and role is None:
        names = ", ".join(name for name, keywords in known_properties().items() if "x-role" in keywords)
        table.report(f"`field` must be one of {names}, not {field[:40]!r}", "field")
    kinds = keywords_in(shared("video_media"))
    like = table.choice("like", list(kinds)) if "like" in table else ""
    table.skip("like")
    base = kinds.get(like, {})
    types = table.texts("media_types") or tuple(cast("Sequence[str]", base.get("media_types", ())))
    size = _whole(table, base, "size_bytes_max", _SIZE_BYTES_MAX)
    if not types or size is None:
        table.report("a file needs `media_types` and `size_bytes_max`, or `like` with the name of a shared kind")
    rule = MediaRule(
        role=MediaRole(role) if isinstance(role, str) else MediaRole.FIRST_FRAME,
        field=field,
        is_required=table.flag("required", default=False),
        count_max=table.integer("count_max", 1, low=1, high=COUNT_OF_FILES_MAX),
        media_types=types,
        size_bytes_max=size or 1,
        side_min=_whole(table, base, "side_min", _PIXELS_MAX),
        side_max=_whole(table, base, "side_max", _PIXELS_MAX),
        aspect_min=_decimal(table, base, "aspect_min"),
        aspect_max=_decimal(table, base, "aspect_max"),
        seconds_min=_decimal(table, base, "seconds_min"),
        seconds_max=_decimal(table, base, "seconds_max"),
        seconds_total_max=_decimal(table, base, "seconds_total_max"),
        takes_assets=table.flag("takes_assets", default=False),
    )
    table.finish()
    return rule


def _whole(table: Table, base: Keywords, key: str, high: int) -> int | None:
    if key in table:
        return table.integer(key, low=1, high=high)
    table.skip(key)
    return cast("int | None", base.get(key))


def _decimal(table: Table, base: Keywords, key: str) -> Decimal | None:
    if key in table:
        return _read_decimal(table, key)
    table.skip(key)
    found = base.get(key)
    return None if found is None else Decimal(str(found))


def _read_decimal(table: Table, key: str) -> Decimal:
    text = table.text(key, pattern=_DECIMAL, words=_DECIMAL_WORDS)
    return Decimal(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else Decimal(0)


def _optional_integer(table: Table, key: str, *, high: int) -> int | None:
    if key in table:
        return table.integer(key, low=1, high=high)
    table.skip(key)
    return None


def _read_formula(table: Table) -> TokenFormula:
    formula = TokenFormula(
        frame_rate=table.integer("frame_rate", low=1, high=1000),
        extra_frames=table.integer("extra_frames", 0, high=1000),
        divisor=table.integer("divisor", low=1, high=10**6),
    )
    table.finish()
    return formula


def _read_credits(table: Table) -> list[CreditRate]:
    resolution, model = table.text("resolution"), table.text("model", "")
    rates = [
        CreditRate(
            resolution=resolution, is_off_peak=is_off_peak, credits_per_second=_read_decimal(table, key), model=model
        )
        for key, is_off_peak in (("normal", False), ("off_peak", True))
        if key in table
    ]
    if not rates:
        table.report("credits per second are missing: add `normal`, and `off_peak` if there is one")
    table.skip("normal", "off_peak")
    table.finish()
    return rates


def _read_pixels(table: Table) -> tuple[Pixels, ...]:
    """A table of sizes by tier and ratio, or the name of a shared one."""
    tables = shared("video_pixels")
    value = table.raw.get("pixels")
    if isinstance(value, str) and value in tables:
        table.skip("pixels")
        sizes = [
            (tier, ratio, read_size(text))
            for tier, row in keywords_in(tables[value]).items()
            for ratio, text in row.items()
        ]
    elif isinstance(value, dict):
        sizes = list(_own_sizes(table))
    else:
        table.skip("pixels")
        table.report(f"`pixels` must be a table of sizes by tier and ratio, or one of {', '.join(tables)}", "pixels")
        sizes = []
    return tuple(Pixels(resolution=tier, ratio=ratio, size=size) for tier, ratio, size in sizes if size)


def _own_sizes(table: Table) -> Iterator[tuple[str, str, Size | None]]:
    tiers = table.table("pixels")
    for tier in tiers.raw if tiers else ():
        row = tiers.table(tier) if tiers else None
        for ratio, text in row.raw.items() if row else ():
            size = read_size(text)
            if row and size is None:
                row.report(f'`{ratio}` must be a size like "1280*720"', ratio)
            yield tier, ratio, size
