"""Handing a task's files to its provider: within the request, uploaded before it, or by an address."""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from yuanjing.domain.artifacts import Artifact
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.tasks import Delivery, MediaInput
from yuanjing.domain.videos import TaskMedia
from yuanjing.ports.artifacts import BlobStore
from yuanjing.ports.upstream import ChannelAccess, UploadFile, VideoUpstream
from yuanjing.usecases.artifacts.links import ArtifactLinks


class UndeliverableError(YuanjingError):
    """The provider cannot be given one of the files, however often it is tried."""

    code = "provider_unavailable"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryParts:
    """What handing out files needs.

    Attributes:
        public_base_url: where providers reach us; empty if they cannot.
        local_base_url: where programs of this machine do, for the simulators.
        inline_bytes_max: of all files within one request together, before they are written as Base64.
    """

    blobs: BlobStore
    links: ArtifactLinks
    public_base_url: str
    local_base_url: str
    inline_bytes_max: int


class MediaDelivery:
    """Chooses the first way that works: inline while there is room in the request, the provider's upload, an address.

    A provider that must fetch, and cannot reach us, is given the customer's own address if there is one.
    """

    def __init__(self, parts: DeliveryParts) -> None:
        self._parts = parts

    def check(
        self,
        upstream: VideoUpstream,
        *,
        form: str,
        media: Sequence[TaskMedia],
        artifacts: Mapping[str, Artifact],
        is_local: bool,
    ) -> None:
        """Whether `deliver` would find a way for each file.

        Raises:
            UndeliverableError: not.
        """
        for item, way in zip(media, self._ways(upstream, form, media, artifacts), strict=True):
            if way is Delivery.URL:
                self._address(item, artifacts[item.artifact_id], is_local=is_local)

    async def deliver(  # noqa: PLR0913  # each is a fact of its own about one submission
        self,
        upstream: VideoUpstream,
        access: ChannelAccess,
        *,
        form: str,
        model: str,
        media: Sequence[TaskMedia],
        artifacts: Mapping[str, Artifact],
        is_local: bool,
    ) -> tuple[MediaInput, ...]:
        """The files as a submission gives them, in their order; `artifacts` by id, `model` the upstream's.

        Raises:
            UndeliverableError: there is no way for one of them.
            UpstreamError: the provider's upload failed.
            NotFoundError: a file is lost.
            StorageUnavailableError: files cannot be reached.
        """
        inputs: list[MediaInput] = []
        for item, way in zip(media, self._ways(upstream, form, media, artifacts), strict=True):
            if way is Delivery.ASSET:
                url = item.source_url or ""
            elif way is Delivery.INLINE:
                url = await self._inline(artifacts[item.artifact_id])
            elif way is Delivery.UPLOAD:
                url = await self._uploaded(upstream, access, model, artifacts[item.artifact_id])
            else:
                url = self._address(item, artifacts[item.artifact_id], is_local=is_local)
            inputs.append(MediaInput(role=item.role, url=url))
        return tuple(inputs)

    def _ways(
        self, upstream: VideoUpstream, form: str, media: Sequence[TaskMedia], artifacts: Mapping[str, Artifact]
    ) -> list[Delivery]:
        left = self._parts.inline_bytes_max
        ways: list[Delivery] = []
        for item in media:
            known = upstream.deliveries(form, item.role)
            if item.is_asset:
                if Delivery.ASSET not in known:
                    raise UndeliverableError("The provider has no library of files that could be named")
                ways.append(Delivery.ASSET)
                continue
            size = artifacts[item.artifact_id].facts.size_bytes
            way = _first_way(known, size, left, can_upload=upstream.traits.can_upload)
            left -= size if way is Delivery.INLINE else 0
            ways.append(way)
        return ways

    def _address(self, item: TaskMedia, artifact: Artifact, *, is_local: bool) -> str:
        base_url = self._parts.local_base_url if is_local else self._parts.public_base_url
        if base_url:
            return base_url + self._parts.links.target(artifact)
        if item.source_url is None:
            raise UndeliverableError(
                "The provider must fetch this file from us, and this platform has no public address "
                "(YUANJING_PUBLIC_BASE_URL); give the file by an address of your own"
            )
        return item.source_url

    async def _inline(self, artifact: Artifact) -> str:
        async with self._parts.blobs.open(artifact.blob) as blob:
            data = b"".join([chunk async for chunk in blob.read(0, blob.size_bytes)])
        return f"data:{artifact.facts.media_type};base64,{base64.b64encode(data).decode('ascii')}"

    async def _uploaded(self, upstream: VideoUpstream, access: ChannelAccess, model: str, artifact: Artifact) -> str:
        async with self._parts.blobs.open(artifact.blob) as blob:
            file = UploadFile(
                name=artifact.path.rpartition("/")[2],
                media_type=artifact.facts.media_type,
                size_bytes=blob.size_bytes,
                chunks=blob.read(0, blob.size_bytes),
            )
            return await upstream.upload(access, model, file)


def _first_way(ways: Collection[Delivery], size: int, room: int, *, can_upload: bool) -> Delivery:
    if Delivery.INLINE in ways and size <= room:
        return Delivery.INLINE
    if Delivery.UPLOAD in ways and can_upload:
        return Delivery.UPLOAD
    if Delivery.URL in ways:
        return Delivery.URL
    raise UndeliverableError("The provider has no way to take a file of this kind and size")
