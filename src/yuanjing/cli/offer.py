"""`yuanjing offer`: what customers can buy."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.price_tables import price_table, price_title, short_rates
from yuanjing.cli.runtime import JsonFlag, run, show
from yuanjing.cli.tables import CURRENCY
from yuanjing.cli.views import to_json_offer
from yuanjing.domain.errors import InvalidInputError
from yuanjing.domain.video_offers import VideoSpec
from yuanjing.usecases import catalog
from yuanjing.usecases.catalog import ImportReport, OfferInfo
from yuanjing.usecases.catalog_documents import CatalogDocument, parse_document, shipped_documents
from yuanjing.usecases.channels import add_sandbox_channels

if TYPE_CHECKING:
    from yuanjing.bootstrap.services import Services

app = typer.Typer(name="offer", help="What customers can buy.", no_args_is_help=True)

OfferArgument = Annotated[str, typer.Argument(metavar="OFFER", help="Model, alias or id (llmid).", show_default=False)]


@app.command("list")
def list_(
    context: typer.Context,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Disabled ones too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List offers with their prices."""
    found = run(context, lambda s: catalog.list_offers(s.store, s.clock, with_disabled=all_))
    document = {"currency": CURRENCY, "offers": [_to_json(info) for info in found]}
    rows = [
        (info.offer.model, info.offer.id, ", ".join(info.offer.providers), *short_rates(info.price), _state(info))
        for info in found
    ]
    columns = ("MODEL", "ID", "PROVIDERS", "INPUT#", "OUTPUT#", "STATE")
    empty = "no offers; take in the shipped ones: yuanjing offer import"
    show(document, lambda: tables.table(columns, rows, empty=empty), as_json=as_json)


@app.command("show")
def show_(context: typer.Context, offer: OfferArgument, *, as_json: JsonFlag = False) -> None:
    """Show an offer with its limits, parameters and price."""
    info = run(context, lambda s: catalog.get_offer(s.store, s.clock, offer))
    document = {"currency": CURRENCY, "offer": {**_to_json(info), "parameters": dict(info.offer.parameters)}}
    show(document, lambda: _show_offer(info), as_json=as_json)


@app.command("import")
def import_(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Catalogue files or folders of them; none for the shipped ones."),
    ] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Take catalogue files in, all of them or none; see docs/reference/catalog.md.

    A platform that runs offers them within seconds; providers that are new get their channels into its sandbox.
    """
    documents = _read(files) if files else shipped_documents()

    async def work(services: "Services") -> tuple[ImportReport, list[str]]:
        found = await catalog.import_catalog(services.store, services.clock, documents, by=services.operator)
        made = await add_sandbox_channels(services.store, services.clock, services.box, by=services.operator)
        return found, [channel.id for channel in made]

    report, channels = run(context, work)
    document = {
        "files": len(documents),
        "providers": list(report.providers),
        "offers": list(report.offers),
        "prices": [{"model": model, "version": version} for model, version in report.prices],
        "sandbox_channels": channels,
    }
    show(document, lambda: _show_report(len(documents), report, channels), as_json=as_json)


def _read(paths: list[Path]) -> list[CatalogDocument]:
    documents: list[CatalogDocument] = []
    for path in paths:
        files = sorted(path.rglob("*.toml")) if path.is_dir() else [path]
        if not files:
            raise InvalidInputError(f"{path}: no *.toml files here", param="file")
        for file in files:
            try:
                text = file.read_text(encoding="utf-8")
            except OSError as error:
                raise InvalidInputError(f"{file}: {error.strerror}", param="file") from error
            except UnicodeDecodeError as error:
                raise InvalidInputError(f"{file}: not UTF-8 text", param="file") from error
            documents.append(parse_document(str(file), text))
    return documents


def _to_json(info: OfferInfo) -> dict[str, object]:
    return dict(to_json_offer(info.offer, is_enabled=info.is_enabled, price=info.price))


def _state(info: OfferInfo) -> str:
    if not info.is_enabled:
        return "disabled"
    return "enabled" if info.price else "no price yet"


def _show_offer(info: OfferInfo) -> None:
    offer, chat, video = info.offer, info.offer.chat, info.offer.video
    tables.facts(
        (
            ("model", offer.model),
            ("id", offer.id),
            ("aliases", ", ".join(offer.aliases)),
            ("label", offer.label),
            ("description", offer.description),
            ("operation", offer.operation.value),
            ("providers", ", ".join(f"{name} ({model})" for name, model in offer.providers.items())),
            ("capabilities", ", ".join(offer.capabilities)),
            ("models", ", ".join(model.name for model in video.models) if video else ""),
            ("family", video.family if video else ""),
            ("parameters", ", ".join(_parameter_names(info))),
            ("files", ", ".join(_files(video)) if video else ""),
            ("context", f"{chat.context_tokens} tokens" if chat else ""),
            ("output", f"{chat.output_tokens_max} tokens at most" if chat else ""),
            (
                "reasoning",
                f"{chat.reasoning_tokens_max} tokens beside it" if chat and chat.reasoning_tokens_max else "",
            ),
            ("state", _state(info)),
        ),
    )
    if info.price:
        tables.write("", f"price version {info.price.version}, {price_title(info.price)}")
        price_table(info.price)


def _parameter_names(info: OfferInfo) -> list[str]:
    properties = info.offer.parameters.get("properties", {})
    return [str(name) for name in properties] if isinstance(properties, dict) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # a JSON Schema


def _files(video: VideoSpec) -> list[str]:
    needed = {True: "needed", False: "optional"}
    return [f"{rule.field} (up to {rule.count_max}, {needed[rule.is_required]})" for rule in video.media]


def _show_report(files: int, report: ImportReport, channels: Sequence[str]) -> None:
    if not report.is_changed and not channels:
        tables.write(f"{files} files, nothing new")
        return
    tables.facts(
        (
            ("providers", ", ".join(report.providers)),
            ("offers", ", ".join(report.offers)),
            ("prices", ", ".join(f"{model} v{version}" for model, version in report.prices)),
            ("sandbox channels", ", ".join(channels)),
        ),
    )
