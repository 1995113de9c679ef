"""`yuanjing channel`: the ways into providers."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import ExitCode, JsonFlag, TestFlag, book_of, load_settings, run, show
from yuanjing.cli.views import to_json_channel
from yuanjing.domain.catalog import CHANNEL_CONNECTIONS_MAX, Channel, ChannelLimits
from yuanjing.domain.errors import InvalidInputError
from yuanjing.usecases import channels
from yuanjing.usecases.channels import ChannelChange, ChannelDraft
from yuanjing.usecases.video_callbacks import CallbackAddresses, callback_path

if TYPE_CHECKING:
    from yuanjing.bootstrap.services import Services

app = typer.Typer(name="channel", help="The ways into providers.", no_args_is_help=True)

_CREDENTIAL_BYTES_MAX = 8192

ChannelArgument = Annotated[str, typer.Argument(metavar="CHANNEL", help="Id (ch_…).", show_default=False)]
CredentialFlag = Annotated[
    bool, typer.Option("--credential-stdin", help="Read the credential from standard input, never from the command.")
]
NameOption = Annotated[str | None, typer.Option(help="Name for operators.")]
PriorityOption = Annotated[int | None, typer.Option(help="The lowest number is tried first.")]
WeightOption = Annotated[int | None, typer.Option(help="Share among channels of one priority.")]
ConnectionsOption = Annotated[int | None, typer.Option(help="Connections of one gateway process at most.")]
RpmOption = Annotated[
    int | None, typer.Option(help="Chats a minute at most, of all gateway processes together; 0 for no limit.")
]
TpmOption = Annotated[int | None, typer.Option(help="Tokens of chats a minute at most; 0 for no limit.")]
ConcurrencyOption = Annotated[int | None, typer.Option(help="Chats under way at most; 0 for no limit.")]
OffersOption = Annotated[list[str] | None, typer.Option(help="Only this offer; may be repeated.")]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="OFFER[/MODEL]=NAME",
        help="This account's own name of a model, such as an endpoint id; may be repeated. A further model of a video "
        "offer is OFFER/MODEL, with the offer's id.",
    ),
]


@app.command()
def add(  # noqa: PLR0913  # the options of one command
    context: typer.Context,
    *,
    provider: Annotated[str, typer.Option(help="Provider, such as dashscope.")],
    base_url: Annotated[str, typer.Option(help="Address (default: the provider's documented one).")] = "",
    credential_stdin: CredentialFlag = False,
    test: TestFlag = False,
    name: NameOption = None,
    priority: PriorityOption = None,
    weight: WeightOption = None,
    connections_max: ConnectionsOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrency: ConcurrencyOption = None,
    offer: OffersOption = None,
    upstream_model: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a channel, enabled."""
    draft = ChannelDraft(
        provider_id=provider,
        book=book_of(test=test),
        name=name or "",
        base_url=base_url,
        priority=0 if priority is None else priority,
        weight=100 if weight is None else weight,
        connections_max=CHANNEL_CONNECTIONS_MAX if connections_max is None else connections_max,
        limits=ChannelLimits(
            requests_per_minute=rpm or None, tokens_per_minute=tpm or None, concurrency=concurrency or None
        ),
        offers=tuple(offer or ()),
        upstream_models=_read_models(upstream_model or []),
    )
    credential = _read_credential() if credential_stdin else ""
    made = run(
        context, lambda s: channels.add_channel(s.store, s.clock, s.box, draft, credential=credential, by=s.operator)
    )
    line = f"{made.id} leads to {made.base_url} ({made.book}); try it: yuanjing channel test {made.id}"
    show({"channel": to_json_channel(made)}, lambda: tables.write(line), as_json=as_json)


@app.command("list")
def list_(context: typer.Context, *, as_json: JsonFlag = False) -> None:
    """List channels."""
    found = run(context, lambda s: channels.list_channels(s.store))
    rows = [
        (c.id, c.provider_id, c.book.value, c.name, c.base_url, str(c.priority), str(c.weight), _state(c))
        for c in found
    ]
    columns = ("ID", "PROVIDER", "BOOK", "NAME", "ADDRESS", "PRIORITY#", "WEIGHT#", "STATE")
    empty = "no channels; make one: yuanjing channel add --provider dashscope --credential-stdin"
    document = {"channels": [to_json_channel(channel) for channel in found]}
    show(document, lambda: tables.table(columns, rows, empty=empty), as_json=as_json)


@app.command()
def update(  # noqa: PLR0913  # the options of one command
    context: typer.Context,
    channel: ChannelArgument,
    *,
    base_url: Annotated[str | None, typer.Option(help="New address; needs the credential again.")] = None,
    credential_stdin: CredentialFlag = False,
    name: NameOption = None,
    priority: PriorityOption = None,
    weight: WeightOption = None,
    connections_max: ConnectionsOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrency: ConcurrencyOption = None,
    offer: OffersOption = None,
    all_offers: Annotated[bool, typer.Option("--all-offers", help="All offers of its provider again.")] = False,
    upstream_model: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Change a channel; what is not given stays."""
    change = ChannelChange(
        name=name,
        base_url=base_url,
        priority=priority,
        weight=weight,
        connections_max=connections_max,
        requests_per_minute=rpm,
        tokens_per_minute=tpm,
        concurrency=concurrency,
        offers=() if all_offers else tuple(offer) if offer else None,
        upstream_models=_read_models(upstream_model) if upstream_model else None,
    )
    credential = _read_credential() if credential_stdin else None
    changed = run(
        context,
        lambda s: channels.update_channel(
            s.store, s.clock, s.box, channel, change, credential=credential, by=s.operator
        ),
    )
    show({"channel": to_json_channel(changed)}, lambda: tables.write(f"{changed.id} is changed"), as_json=as_json)


@app.command()
def enable(context: typer.Context, channel: ChannelArgument, *, as_json: JsonFlag = False) -> None:
    """Take a channel into service."""
    _switch(context, channel, is_enabled=True, as_json=as_json)


@app.command()
def disable(context: typer.Context, channel: ChannelArgument, *, as_json: JsonFlag = False) -> None:
    """Take a channel out of service; requests under way finish."""
    _switch(context, channel, is_enabled=False, as_json=as_json)


@app.command("test")
def try_(
    context: typer.Context,
    channel: ChannelArgument,
    *,
    model: Annotated[
        str | None, typer.Option(help="Send one tiny chat to this model instead of asking for the list of models.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Try a channel with one small request that costs nothing; exit code 1 if it does not work.

    One that works is opened in all gateways, if they had shut it.
    """
    report = run(context, lambda s: channels.check_channel(s.store, s.clock, s.box, s.probe, channel, model=model))
    document = {
        "ok": report.is_ok,
        "status": report.status,
        "message": report.message,
        "duration_ms": report.duration_ms,
        "models": list(report.models),
    }
    listed = f"; {len(report.models)} models: {', '.join(report.models[:10])}" if report.models else ""
    line = f"{report.message} ({report.duration_ms} ms){listed}"
    show(document, lambda: tables.write(line), as_json=as_json)
    if not report.is_ok:
        raise typer.Exit(ExitCode.FAILED_CHECK)


@app.command()
def callback(context: typer.Context, channel: ChannelArgument, *, as_json: JsonFlag = False) -> None:
    """Tell the secret address at which a video provider may say that tasks have ended.

    Most providers are given it with each task. DashScope is not: register it there as an HTTP target of EventBridge.
    """
    base_url = load_settings(context).public_base_url

    async def find(services: "Services") -> str:
        return await callback_path(services.store, CallbackAddresses(services.pepper), channel)

    path = run(context, find)
    url = base_url + path if base_url else None
    line = url or f"{path} (where providers reach us is not set: YUANJING_PUBLIC_BASE_URL)"
    show({"callback": {"path": path, "url": url}}, lambda: tables.write(line), as_json=as_json)


def _switch(context: typer.Context, channel: str, *, is_enabled: bool, as_json: bool) -> None:
    changed = run(
        context,
        lambda s: channels.set_channel_enabled(s.store, s.clock, channel, is_enabled=is_enabled, by=s.operator),
    )
    line = f"{changed.id} is {_state(changed)}"
    show({"channel": to_json_channel(changed)}, lambda: tables.write(line), as_json=as_json)


def _state(channel: Channel) -> str:
    return "enabled" if channel.is_enabled else "disabled"


def _read_models(pairs: list[str]) -> dict[str, str]:
    models: dict[str, str] = {}
    for pair in pairs:
        offer, is_pair, name = pair.partition("=")
        if not is_pair:
            message = f"upstream model {pair[:60]!r}: write OFFER=NAME or OFFER/MODEL=NAME"
            raise InvalidInputError(message, param="upstream_model")
        models[offer] = name
    return models


def _read_credential() -> str:
    """One line of standard input; on a terminal it is asked for without showing it."""
    if sys.stdin.isatty():
        return str(typer.prompt("Credential", hide_input=True)).strip()
    return sys.stdin.read(_CREDENTIAL_BYTES_MAX).strip()
