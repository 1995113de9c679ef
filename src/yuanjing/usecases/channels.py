"""Channels: the operator's ways into providers, with their sealed credentials."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from yuanjing.domain.audit import SYSTEM, Action, Actor
from yuanjing.domain.catalog import CHANNEL_CONNECTIONS_MAX, Channel, ChannelLimits, Provider, upstream_model
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.money import Book
from yuanjing.kit.baseurl import parse_base_url
from yuanjing.kit.clock import Clock
from yuanjing.kit.ids import sortable_id
from yuanjing.kit.secretbox import SecretBox, SecretBoxError
from yuanjing.ports.store import Store, Topic, Tx
from yuanjing.ports.upstream import ChannelProbe, ProbeReport, ProbeTarget
from yuanjing.usecases.audit import record
from yuanjing.usecases.catalog import find_offer

PRIORITY_MAX, WEIGHT_MAX, CONNECTIONS_MAX = 1000, 10_000, 65_536
LIMIT_MAX = 10**12
_LIMITS = tuple(field.name for field in dataclasses.fields(ChannelLimits))
SANDBOX_NAME = "sandbox"
_CREDENTIAL = re.compile(r"[\x21-\x7e]{0,4096}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelDraft:
    """A channel to be made; `offers` and the keys of `upstream_models` are ids, models or aliases of offers.

    `base_url` may be empty for the provider's documented address.
    """

    provider_id: str
    book: Book
    name: str = ""
    base_url: str = ""
    priority: int = 0
    weight: int = 100
    connections_max: int = CHANNEL_CONNECTIONS_MAX
    limits: ChannelLimits = field(default_factory=ChannelLimits)
    offers: tuple[str, ...] = ()
    upstream_models: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelChange:
    """What to change of a channel; None leaves it, and a limit of 0 takes that limit away."""

    name: str | None = None
    base_url: str | None = None
    priority: int | None = None
    weight: int | None = None
    connections_max: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    offers: tuple[str, ...] | None = None
    upstream_models: Mapping[str, str] | None = None
    is_enabled: bool | None = None


async def list_channels(store: Store) -> list[Channel]:
    """Every channel, by id."""
    return await store.read(lambda tx: tx.catalog.channels())


async def add_channel(
    store: Store, clock: Clock, box: SecretBox, draft: ChannelDraft, *, credential: str, by: Actor = SYSTEM
) -> Channel:
    """Make a channel, enabled; here and below `by` is who is recorded as having done it.

    Raises:
        NotFoundError: no such provider or offer.
        InvalidInputError: an address, number or credential that cannot be used.
    """

    def work(tx: Tx) -> Channel:
        provider = _provider(tx, draft.provider_id)
        plain = Channel(
            id=sortable_id("ch"),
            provider_id=provider.id,
            book=draft.book,
            name=draft.name or provider.id,
            base_url=(draft.base_url or provider.base_url).rstrip("/"),
            credential=b"",
            priority=draft.priority,
            weight=draft.weight,
            connections_max=draft.connections_max,
            limits=draft.limits,
            offers=_offer_ids(tx, provider, draft.offers),
            upstream_models=_upstream_models(tx, provider, draft.upstream_models),
            created_at=clock.unix(),
        )
        made = _seal(box, provider, _checked(plain), credential)
        _record(tx, clock, by, Action.CHANNEL_ADDED, made)
        return _save(tx, clock, made)

    return await store.write(work)


async def update_channel(  # noqa: PLR0913  # the parts of one change
    store: Store,
    clock: Clock,
    box: SecretBox,
    channel_id: str,
    change: ChannelChange,
    *,
    credential: str | None = None,
    by: Actor = SYSTEM,
) -> Channel:
    """Change a channel; None leaves its credential.

    A new address needs the credential again, so that a stored one is never sent where it was not meant to go.

    Raises:
        NotFoundError: no such channel or offer.
        InvalidInputError: a value that cannot be used.
    """

    def work(tx: Tx) -> Channel:
        old = _channel(tx, channel_id)
        provider = _provider(tx, old.provider_id)
        changes: dict[str, object] = {
            name: getattr(change, name)
            for name in ("name", "priority", "weight", "connections_max", "is_enabled")
            if getattr(change, name) is not None
        }
        limits = {name: getattr(change, name) for name in _LIMITS if getattr(change, name) is not None}
        if limits:
            changes["limits"] = dataclasses.replace(
                old.limits, **{name: value or None for name, value in limits.items()}
            )
        if change.base_url is not None:
            changes["base_url"] = change.base_url.rstrip("/")
        if change.offers is not None:
            changes["offers"] = _offer_ids(tx, provider, change.offers)
        if change.upstream_models is not None:
            changes["upstream_models"] = _upstream_models(tx, provider, change.upstream_models)
        new = _checked(dataclasses.replace(old, **changes))
        if credential is None and new.base_url != old.base_url:
            raise InvalidInputError("a new address needs the credential again", param="credential")
        if credential is not None:
            new = _seal(box, provider, new, credential)
        return _changed(tx, clock, by, old, new)

    return await store.write(work)


async def set_channel_enabled(
    store: Store, clock: Clock, channel_id: str, *, is_enabled: bool, by: Actor = SYSTEM
) -> Channel:
    """Take a channel into service or out of it; requests under way finish.

    Raises:
        NotFoundError: no such channel.
    """

    def work(tx: Tx) -> Channel:
        old = _channel(tx, channel_id)
        return _changed(tx, clock, by, old, dataclasses.replace(old, is_enabled=is_enabled))

    return await store.write(work)


async def check_channel(
    store: Store, clock: Clock, box: SecretBox, probe: ChannelProbe, channel_id: str, *, model: str | None = None
) -> ProbeReport:
    """Try a channel with one small request: its list of models, or one tiny chat if a model is named.

    A provider of videos is asked for a task that does not exist. Gateways open a channel that works, if it was shut.

    Raises:
        NotFoundError: no such channel or offer, or the channel's provider does not serve the offer.
        InvalidInputError: a model is named, but its video would cost money.
    """

    def work(tx: Tx) -> tuple[Channel, Provider, str | None]:
        channel = _channel(tx, channel_id)
        provider = _provider(tx, channel.provider_id)
        if model is None:
            return channel, provider, None
        if provider.video is not None:
            raise InvalidInputError("a video costs money; test the channel without a model", param="model")
        offer = find_offer(tx, model)
        name = upstream_model(offer, offer.model, provider.id, channel.upstream_models)
        if name is None:
            raise NotFoundError(f"{channel.provider_id} does not serve {offer.model}", param="model")
        return channel, provider, name

    channel, provider, name = await store.read(work)
    try:
        credential = box.open(channel.credential, channel.credential_context).decode()
    except SecretBoxError as error:
        message = f"the stored credential cannot be opened ({error}); give it again: yuanjing channel update"
        return ProbeReport(is_ok=False, status=None, message=message, duration_ms=0)
    target = ProbeTarget(
        base_url=channel.base_url,
        credential=credential,
        model=name,
        protocol=provider.protocol,
        quirks=provider.quirks,
    )
    report = await probe.probe(target)
    if report.is_ok:
        await store.write(lambda tx: tx.signals.emit(Topic.CATALOG, channel.id, clock.unix()))
    return report


async def ensure_sandbox_channels(
    store: Store, clock: Clock, box: SecretBox, *, base_url: str, credential: str
) -> list[Channel]:
    """Give every provider a channel of the test book into the sandbox at this address.

    Returns those that were made or changed; what an operator has set on them stays.
    """

    def work(tx: Tx) -> list[Channel]:
        existing = {channel.id: channel for channel in tx.catalog.channels()}
        changed: list[Channel] = []
        for provider in tx.catalog.providers():
            channel_id = _sandbox_id(provider)
            address = base_url.rstrip("/") + provider.sandbox_path
            old = existing.get(channel_id)
            plain = dataclasses.replace(old, base_url=address) if old else _sandbox_channel(provider, address, clock)
            if old is None or not _is_same(box, old, plain, credential):
                channel = _seal(box, provider, plain, credential)
                tx.catalog.save_channel(channel)
                action = Action.CHANNEL_ADDED if old is None else Action.CHANNEL_CHANGED
                _record(tx, clock, SYSTEM, action, channel)
                changed.append(channel)
        if changed:
            tx.signals.emit(Topic.CATALOG, "", clock.unix())
        return changed

    return await store.write(work)


async def add_sandbox_channels(store: Store, clock: Clock, box: SecretBox, *, by: Actor = SYSTEM) -> list[Channel]:
    """Give providers that are new here a channel into the sandbox that the others' channels lead to, if there is one.

    Returns those that were made; all others stay as they are.
    """

    def work(tx: Tx) -> list[Channel]:
        providers = tx.catalog.providers()
        existing = {channel.id: channel for channel in tx.catalog.channels()}
        sandbox = _sandbox_of(box, providers, existing)
        if sandbox is None:
            return []
        base_url, credential = sandbox
        made = [
            _seal(box, provider, _sandbox_channel(provider, base_url + provider.sandbox_path, clock), credential)
            for provider in providers
            if _sandbox_id(provider) not in existing
        ]
        for channel in made:
            tx.catalog.save_channel(channel)
            _record(tx, clock, by, Action.CHANNEL_ADDED, channel)
        if made:
            tx.signals.emit(Topic.CATALOG, "", clock.unix())
        return made

    return await store.write(work)


def _sandbox_of(
    box: SecretBox, providers: Sequence[Provider], existing: Mapping[str, Channel]
) -> tuple[str, str] | None:
    """Address and credential of the sandbox, by the first of its channels that still leads there."""
    for provider in providers:
        channel = existing.get(_sandbox_id(provider))
        if channel is None or not channel.base_url.endswith(provider.sandbox_path):
            continue
        try:
            credential = box.open(channel.credential, channel.credential_context).decode()
        except SecretBoxError:
            continue  # sealed under a key that is gone
        return channel.base_url.removesuffix(provider.sandbox_path), credential
    return None


def _sandbox_id(provider: Provider) -> str:
    return f"ch_{SANDBOX_NAME}_{provider.id}"


def _sandbox_channel(provider: Provider, address: str, clock: Clock) -> Channel:
    return Channel(
        id=_sandbox_id(provider),
        provider_id=provider.id,
        book=Book.TEST,
        name=SANDBOX_NAME,
        base_url=address,
        credential=b"",
        created_at=clock.unix(),
    )


def _is_same(box: SecretBox, old: Channel, new: Channel, credential: str) -> bool:
    if old.base_url != new.base_url:
        return False
    try:
        return box.open(old.credential, old.credential_context) == credential.encode()
    except SecretBoxError:
        return False  # sealed under a key that is gone


def _changed(tx: Tx, clock: Clock, by: Actor, old: Channel, new: Channel) -> Channel:
    if new == old:
        return old
    names = [one.name for one in dataclasses.fields(Channel) if getattr(old, one.name) != getattr(new, one.name)]
    _record(tx, clock, by, Action.CHANNEL_CHANGED, new, names)
    return _save(tx, clock, new)


def _record(tx: Tx, clock: Clock, by: Actor, action: Action, channel: Channel, fields: Sequence[str] = ()) -> None:
    """Of the credential no more than that it was changed; an address may hold a secret, so it is not shown either."""
    details: dict[str, str | Sequence[str]] = {"provider": channel.provider_id, "book": channel.book.value}
    if fields:
        details |= {"fields": fields, "is_enabled": str(channel.is_enabled)}
    record(tx, clock.unix(), by, action, channel.id, details=details)


def _save(tx: Tx, clock: Clock, channel: Channel) -> Channel:
    tx.catalog.save_channel(channel)
    tx.signals.emit(Topic.CATALOG, "", clock.unix())
    return channel


def _channel(tx: Tx, channel_id: str) -> Channel:
    for channel in tx.catalog.channels():
        if channel.id == channel_id:
            return channel
    raise NotFoundError(f"there is no channel {channel_id[:60]!r}", param="channel")


def _provider(tx: Tx, provider_id: str) -> Provider:
    providers = {provider.id: provider for provider in tx.catalog.providers()}
    if provider_id not in providers:
        known = ", ".join(providers) or "none; run: yuanjing offer import"
        raise NotFoundError(f"there is no provider {provider_id[:60]!r}; known are: {known}", param="provider")
    return providers[provider_id]


def _offer_ids(tx: Tx, provider: Provider, names: Sequence[str]) -> tuple[str, ...]:
    ids: list[str] = []
    for name in names:
        offer = find_offer(tx, name)
        if provider.id not in offer.providers:
            raise InvalidInputError(f"{provider.id} does not serve {offer.model}", param="offers")
        ids.append(offer.id)
    return tuple(dict.fromkeys(ids))


def _upstream_models(tx: Tx, provider: Provider, names: Mapping[str, str]) -> dict[str, str]:
    """Names by `OFFER`, or by `OFFER/MODEL` for a further model of a video offer."""
    models: dict[str, str] = {}
    for name, upstream in names.items():
        offer_name, has_model, model = name.partition("/")
        offers = {offer.id: offer for offer in tx.catalog.offers()}
        is_further = bool(has_model) and offer_name in offers
        (offer_id,) = _offer_ids(tx, provider, [offer_name if is_further else name])
        video = offers[offer_id].video
        if is_further and (video is None or model not in {one.name for one in video.models[1:]}):
            raise InvalidInputError(
                f"upstream model of {name}: the offer has no such further model", param="upstream_models"
            )
        if not upstream.strip() or not upstream.isprintable():
            raise InvalidInputError(f"upstream model of {name}: a name is missing", param="upstream_models")
        models[f"{offer_id}/{model}" if is_further else offer_id] = upstream.strip()
    return models


def _checked(channel: Channel) -> Channel:
    try:
        parse_base_url(channel.base_url)
    except ValueError as error:
        raise InvalidInputError(f"base_url: {error}", param="base_url") from None
    if not channel.name.isprintable() or not 1 <= len(channel.name) <= 100:  # noqa: PLR2004  # as everywhere
        raise InvalidInputError("name: from 1 to 100 printable characters", param="name")
    for name, value, low, high in (
        ("priority", channel.priority, 0, PRIORITY_MAX),
        ("weight", channel.weight, 1, WEIGHT_MAX),
        ("connections_max", channel.connections_max, 1, CONNECTIONS_MAX),
    ):
        if not low <= value <= high:
            raise InvalidInputError(f"{name}: from {low} to {high}", param=name)
    for name in _LIMITS:
        limit = getattr(channel.limits, name)
        if limit is not None and not 1 <= limit <= LIMIT_MAX:
            raise InvalidInputError(f"{name}: from 1 to {LIMIT_MAX}, or none", param=name)
    return channel


def _seal(box: SecretBox, provider: Provider, channel: Channel, credential: str) -> Channel:
    if not _CREDENTIAL.fullmatch(credential):
        raise InvalidInputError("credential: one line of visible ASCII characters", param="credential")
    if not credential and "credential_optional" not in provider.quirks:
        raise InvalidInputError(f"{provider.id} needs a credential", param="credential")
    sealed = box.seal(credential.encode(), channel.credential_context)
    return dataclasses.replace(channel, credential=sealed)
