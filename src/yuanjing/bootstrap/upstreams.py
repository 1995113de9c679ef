"""The protocols of video providers, and their callbacks."""

import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from yuanjing.bootstrap.protocols import make_upstreams
from yuanjing.bootstrap.services import Services
from yuanjing.domain.catalog import Channel
from yuanjing.domain.money import Book
from yuanjing.kit.secretbox import SecretBoxError
from yuanjing.ports.upstream import Callback, CallbackHint, CallbackRefusedError, VideoUpstream
from yuanjing.settings import Settings
from yuanjing.usecases.artifacts.delivery import MediaDelivery, UndeliverableError
from yuanjing.usecases.artifacts.intake import TakenMedia
from yuanjing.usecases.catalog import DirectoryData, load_directory
from yuanjing.usecases.video_callbacks import CallbackAddresses, VideoCallbacks

if TYPE_CHECKING:
    from yuanjing.kit.webcalls import WebCaller

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Upstreams:
    """The adapters by the name of their protocol, made when they are first needed.

    With a stack they share an HTTP client, which is closed with it. Without one they cannot call anybody: for processes
    that only need to know what a protocol takes, and what callbacks say.
    """

    def __init__(self, settings: Settings, stack: AsyncExitStack | None = None) -> None:
        self._settings = settings
        self._stack = stack
        self._adapters: Mapping[str, VideoUpstream] | None = None

    async def of(self, protocol: str) -> VideoUpstream | None:
        """The adapter; None if no protocol of video is called so."""
        if self._adapters is None:
            self._adapters = make_upstreams(await self._caller())
        return self._adapters.get(protocol)

    async def _caller(self) -> "WebCaller":
        from yuanjing.kit.webcalls import CallLimits, SilentCaller, WebCaller, open_client  # noqa: PLC0415  # with httpx2: 0.1 s of a start

        if self._stack is None:
            return SilentCaller()
        settings = self._settings
        limits = CallLimits(
            total_seconds=settings.video_call_seconds,
            connections_max=settings.video_calls_max + settings.video_submits_max,
        )
        verify = ssl.create_default_context(cafile=settings.ca_file)
        return WebCaller(await self._stack.enter_async_context(open_client(limits, verify=verify)), limits)


def open_credential(services: Services, channel: Channel) -> str:
    """A channel's credential in plain text.

    Raises:
        SecretBoxError: it cannot be opened.
    """
    return services.box.open(channel.credential, channel.credential_context).decode() if channel.credential else ""


def is_local(channel: Channel, address: str) -> bool:
    """Whether it leads to a simulator on this machine, which can fetch files from `address`, if that is known."""
    return channel.book is Book.TEST and urlsplit(channel.base_url).hostname in _LOOPBACK and bool(address)


class DeliveryCheck:
    """See `usecases.videos.parts.ChecksDelivery`."""

    def __init__(self, upstreams: Upstreams, delivery: MediaDelivery, address: str) -> None:
        self._upstreams = upstreams
        self._delivery = delivery
        self._address = address

    async def can_give(self, channel: Channel, protocol: str, form: str, taken: TakenMedia) -> bool:
        """See the port."""
        upstream = await self._upstreams.of(protocol)
        if upstream is None:
            return False
        artifacts = {artifact.id: artifact for artifact in taken.artifacts}
        is_here = is_local(channel, self._address)
        try:
            self._delivery.check(upstream, form=form, media=taken.media, artifacts=artifacts, is_local=is_here)
        except UndeliverableError:
            return False
        return True


class CallbackReader:
    """See `usecases.video_callbacks.ReadsCallbacks`."""

    def __init__(self, services: Services, upstreams: Upstreams) -> None:
        self._services = services
        self._upstreams = upstreams
        self._data: DirectoryData | None = None
        self._read_at = 0.0

    async def read(self, channel_id: str, callback: Callback) -> CallbackHint | None:
        """See the port."""
        data = await self._directory()
        channel = next((one for one in data.channels if one.id == channel_id), None)
        if channel is None:
            return None
        provider = next(one for one in data.providers if one.id == channel.provider_id)
        upstream = await self._upstreams.of(provider.protocol)
        if upstream is None:
            return None
        try:
            return upstream.read_callback(open_credential(self._services, channel), callback)
        except SecretBoxError as error:
            raise CallbackRefusedError(f"the channel's credential cannot be opened: {error}") from error

    async def _directory(self) -> DirectoryData:
        now = self._services.clock.monotonic()
        if self._data is None or now - self._read_at > self._services.settings.video_refresh_seconds:
            self._data, self._read_at = await load_directory(self._services.store), now
        return self._data


def make_callbacks(services: Services) -> VideoCallbacks:
    """What takes callbacks in."""
    reader = CallbackReader(services, Upstreams(services.settings))
    return VideoCallbacks(services.store, services.clock, CallbackAddresses(services.pepper), reader)
