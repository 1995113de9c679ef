"""The task engine of a worker: its channels with their credentials, and everything else that it is made of."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from yuanjing.bootstrap.files import FileServices, make_delivery
from yuanjing.bootstrap.services import Services
from yuanjing.bootstrap.upstreams import Upstreams, is_local, open_credential
from yuanjing.domain.catalog import Channel, Offer, Provider
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import Delivery
from yuanjing.kit.secretbox import SecretBoxError
from yuanjing.ports.upstream import CallbackKind, ChannelAccess, VideoUpstream
from yuanjing.settings import Settings
from yuanjing.usecases.artifacts.results import CopierParts, ResultCopier
from yuanjing.usecases.artifacts.sources import FetchTimes
from yuanjing.usecases.catalog import load_directory
from yuanjing.usecases.video_callbacks import CallbackAddresses
from yuanjing.worker.supervisor import Logger
from yuanjing.worker.video import VideoChannel, VideoDirectory, VideoEngine, VideoOptions, VideoParts


class VideoChannels:
    """See `worker.video.VideoSource`: everything of video in the catalogue, ready for use.

    `address` is where this machine reaches the platform; empty if it is not known.
    """

    def __init__(self, services: Services, upstreams: Upstreams, logger: Logger, *, address: str) -> None:
        self._services = services
        self._upstreams = upstreams
        self._logger = logger
        self._address = address
        self._addresses = CallbackAddresses(services.pepper)
        self._told: set[tuple[str, str]] = set()

    async def load(self) -> VideoDirectory:
        """See the port. What is wrong with a channel is said once."""
        data = await load_directory(self._services.store)
        providers = {provider.id: provider for provider in data.providers if provider.video is not None}
        offers = {offer.id: offer for offer in data.offers if offer.video is not None}
        opened = [
            await self._open(channel, providers[channel.provider_id])
            for channel in data.channels
            if channel.provider_id in providers
        ]
        channels = {channel.id: channel for channel in opened if channel is not None}
        if not self._services.settings.public_base_url:
            for channel in channels.values():
                self._warn(channel, offers)
        limits = {one.id: one.video for one in providers.values() if one.video is not None}
        return VideoDirectory(offers=offers, channels=channels, limits=limits)

    async def _open(self, channel: Channel, provider: Provider) -> VideoChannel | None:
        assert provider.video is not None, provider
        upstream = await self._upstreams.of(provider.protocol)
        if upstream is None:
            self._say(channel.id, "its provider's protocol is none of video", protocol=provider.protocol)
            return None
        access = self._access(channel, provider)
        if access is None:
            return None
        parts = urlsplit(channel.base_url)
        is_test = channel.book is Book.TEST
        is_here = is_local(channel, self._address)
        return VideoChannel(
            id=channel.id,
            name=channel.name,
            provider_id=provider.id,
            book=channel.book,
            access=access,
            upstream=upstream,
            limits=provider.video,
            priority=channel.priority,
            weight=channel.weight,
            offers=channel.offers,
            upstream_models=channel.upstream_models,
            is_enabled=channel.is_enabled,
            origin=f"{parts.scheme}://{parts.netloc}" if is_test else "",
            is_local=is_here,
            callback_url=self._callback_url(channel, upstream, is_local=is_here),
        )

    def _access(self, channel: Channel, provider: Provider) -> ChannelAccess | None:
        try:
            credential = open_credential(self._services, channel)
        except SecretBoxError as error:
            self._say(channel.id, "its credential cannot be opened", reason=str(error))
            return None
        return ChannelAccess(base_url=channel.base_url, credential=credential, quirks=provider.quirks)

    def _callback_url(self, channel: Channel, upstream: VideoUpstream, *, is_local: bool) -> str | None:
        base = self._address if is_local else self._services.settings.public_base_url
        if not base or upstream.traits.callbacks in {CallbackKind.NONE, CallbackKind.EVENTS}:
            return None
        return base + self._addresses.path(channel.id)

    def _warn(self, channel: VideoChannel, offers: Mapping[str, Offer]) -> None:
        """Say which live channels cannot be given all files while nobody can fetch from us."""
        if not channel.is_enabled or channel.book is not Book.LIVE:
            return
        names = sorted(
            offer.model for offer in offers.values() if channel.serves(offer) and _must_fetch(channel, offer)
        )
        if names:
            self._say(channel.id, "YUANJING_PUBLIC_BASE_URL is not set: its provider cannot fetch files", models=names)

    def _say(self, channel_id: str, what: str, **facts: object) -> None:
        if (channel_id, what) not in self._told:
            self._told.add((channel_id, what))
            self._logger.warning("video.channel_trouble", channel=channel_id, what=what, **facts)


@asynccontextmanager
async def open_engine(
    services: Services, files: FileServices, logger: Logger, *, address: str
) -> AsyncGenerator[VideoEngine]:
    """The task engine of a worker; `address` is where this machine reaches the platform, if that is known."""
    settings = services.settings
    async with AsyncExitStack() as stack:
        yield VideoEngine(
            _options(settings),
            VideoParts(
                store=services.store,
                clock=services.clock,
                logger=logger,
                source=VideoChannels(services, Upstreams(settings, stack), logger, address=address),
                delivery=make_delivery(settings, files, address),
                copier=ResultCopier(
                    CopierParts(
                        clock=services.clock,
                        blobs=files.blobs,
                        scratch=files.scratch,
                        inspector=files.inspector,
                        fetcher=files.fetcher,
                        times=FetchTimes(
                            total_seconds=settings.result_seconds, idle_seconds=settings.fetch_idle_seconds
                        ),
                        bytes_max=settings.result_bytes_max,
                        keep_days=settings.result_days,
                    )
                ),
            ),
        )


def _options(settings: Settings) -> VideoOptions:
    return VideoOptions(
        owner=f"{settings.machine}-{os.getpid()}",
        claim_seconds=settings.video_claim_seconds,
        look_seconds=settings.video_look_seconds,
        look_seconds_min=settings.video_look_seconds_min,
        refresh_seconds=settings.video_refresh_seconds,
        submits_max=settings.video_submits_max,
        calls_max=settings.video_calls_max,
        polls_max=settings.video_polls_max,
        copies_max=settings.video_copies_max,
        wait_seconds=settings.video_wait_seconds,
        ahead_seconds_max=settings.video_ahead_seconds_max,
        retry_seconds_max=settings.video_retry_seconds_max,
        avoid_seconds=settings.video_avoid_seconds,
        call_seconds=settings.video_call_seconds,
        copy_seconds=settings.video_copy_seconds,
        stop_seconds=settings.video_stop_seconds,
    )


def _must_fetch(channel: VideoChannel, offer: Offer) -> bool:
    """Whether the provider takes some file of the offer by an address only."""
    spec = offer.video
    assert spec is not None, offer
    ways = {Delivery.INLINE, *((Delivery.UPLOAD,) if channel.upstream.traits.can_upload else ())}
    return any(ways.isdisjoint(channel.upstream.deliveries(spec.form, rule.role)) for rule in spec.media)
