"""Handing files to providers: the first way that works, and a clear word if there is none."""

import base64

import pytest
from tests.support.files import Bench

from yuanjing.domain.artifacts import Artifact, ArtifactKind, MediaFacts
from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.tasks import Delivery, MediaInput, MediaRole
from yuanjing.domain.videos import TaskMedia
from yuanjing.ports.upstream import CallbackKind, ChannelAccess, UpstreamTraits
from yuanjing.usecases.artifacts.delivery import DeliveryParts, MediaDelivery, UndeliverableError

PUBLIC, LOCAL = "https://ai.example.com", "http://127.0.0.1:8080"
ACCESS = ChannelAccess(base_url="https://provider.example", credential="secret")
INLINE, URL, UPLOAD = Delivery.INLINE, Delivery.URL, Delivery.UPLOAD


class Upstream:
    """Takes files in these ways; what is uploaded is kept."""

    def __init__(self, *ways, can_upload=True):
        self._ways = ways
        self.asked = []
        self.uploaded = []
        self.traits = UpstreamTraits(
            batch_max=0,
            calls_per_batch_max=0,
            has_exact_search=False,
            callbacks=CallbackKind.NONE,
            can_upload=can_upload,
            record_seconds=1,
            result_seconds=1,
            unseen_seconds=1,
        )

    def deliveries(self, form, role):
        self.asked.append((form, role))
        return self._ways

    async def upload(self, access, model, file):
        data = b"".join([chunk async for chunk in file.chunks])
        self.uploaded.append((access, model, file.name, file.media_type, file.size_bytes, data))
        return f"oss://{len(self.uploaded)}"


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()


async def files(bench, *sizes, source_url=None):
    """Artifacts of these sizes, by id, and the task's media."""
    artifacts, media = {}, []
    for i, size in enumerate(sizes):
        place = bench.folder / "file"
        place.write_bytes(bytes([65 + i]) * size)
        await bench.blobs.put_file(f"1/1/input{i}", place, "image/jpeg")
        place.unlink()
        artifacts[f"art_{i}"] = Artifact(
            id=f"art_{i}",
            path=f"/tmp/1/2/3/4/{i}/input{i}.jpeg",  # noqa: S108  # no path of a disk
            blob=f"1/1/input{i}",
            kind=ArtifactKind.INPUT,
            customer_id="cus_1",
            task_id="1",
            facts=MediaFacts(media_type="image/jpeg", size_bytes=size),
            sha256="",
            created_at=0,
            expires_at=10**10,
        )
        media.append(TaskMedia(role=MediaRole.REFERENCE_IMAGE, artifact_id=f"art_{i}", source_url=source_url))
    return artifacts, media


def delivery(bench, *, public=PUBLIC, local=LOCAL, inline_bytes_max=100):
    return MediaDelivery(
        DeliveryParts(
            blobs=bench.blobs,
            links=bench.links,
            public_base_url=public,
            local_base_url=local,
            inline_bytes_max=inline_bytes_max,
        )
    )


async def deliver(bench, upstream, artifacts, media, *, is_local=False, **changes):
    made = delivery(bench, **changes)
    given = {"form": "f", "media": media, "artifacts": artifacts, "is_local": is_local}
    try:
        made.check(upstream, **given)
    except UndeliverableError:
        with pytest.raises(UndeliverableError):
            await made.deliver(upstream, ACCESS, model="m", **given)
        raise
    inputs = await made.deliver(upstream, ACCESS, model="m", **given)
    assert {one.role for one in inputs} == {MediaRole.REFERENCE_IMAGE}
    return [one.url for one in inputs]


def inline(letter, size):
    return f"data:image/jpeg;base64,{base64.b64encode(letter * size).decode()}"


def link(base, i):
    return f"{base}/idfile?path=/tmp/1/2/3/4/{i}/input{i}.jpeg"


async def test_inline_comes_first_while_there_is_room(bench):
    upstream = Upstream(URL, UPLOAD, INLINE)
    found = await deliver(bench, upstream, *await files(bench, 60, 60, 40))
    assert found == [inline(b"A", 60), "oss://1", inline(b"C", 40)]
    assert upstream.uploaded == [(ACCESS, "m", "input1.jpeg", "image/jpeg", 60, b"B" * 60)]
    assert ("f", MediaRole.REFERENCE_IMAGE) in upstream.asked


async def test_then_the_upload_then_an_address(bench):
    artifacts, media = await files(bench, 200, source_url="https://customer.example/a")
    assert await deliver(bench, Upstream(INLINE, URL, UPLOAD), artifacts, media) == ["oss://1"]
    assert await deliver(bench, Upstream(INLINE, URL), artifacts, media) == [link(PUBLIC, 0)]
    assert await deliver(bench, Upstream(URL, UPLOAD, can_upload=False), artifacts, media) == [link(PUBLIC, 0)]


async def test_the_sandbox_fetches_from_this_machine(bench):
    artifacts, media = await files(bench, 200)
    assert await deliver(bench, Upstream(URL), artifacts, media, is_local=True, public="") == [link(LOCAL, 0)]
    assert await deliver(bench, Upstream(URL), artifacts, media, is_local=True) == [link(LOCAL, 0)]


async def test_the_customers_address_only_if_we_have_none(bench):
    artifacts, media = await files(bench, 200, source_url="https://customer.example/a")
    assert await deliver(bench, Upstream(URL), artifacts, media, public="") == ["https://customer.example/a"]
    artifacts, media = await files(bench, 200)
    with pytest.raises(UndeliverableError, match="YUANJING_PUBLIC_BASE_URL"):
        await deliver(bench, Upstream(URL), artifacts, media, public="")


async def test_an_asset_is_named_and_takes_no_room(bench):
    artifacts, media = await files(bench, 60)
    named = TaskMedia(role=MediaRole.REFERENCE_IMAGE, artifact_id="", source_url="asset://a-1")
    upstream = Upstream(INLINE, Delivery.ASSET)
    assert await deliver(bench, upstream, artifacts, [named, *media]) == ["asset://a-1", inline(b"A", 60)]
    with pytest.raises(UndeliverableError, match="library"):
        await deliver(bench, Upstream(INLINE, URL, UPLOAD), artifacts, [*media, named])


@pytest.mark.parametrize("ways", [(), (INLINE,)])
async def test_no_way_is_told(bench, ways):
    with pytest.raises(UndeliverableError, match="no way"):
        await deliver(bench, Upstream(*ways), *await files(bench, 200))


async def test_a_lost_file_is_told(bench):
    artifacts, media = await files(bench, 50)
    await bench.blobs.remove("1/1/input0")
    for ways in ((INLINE,), (UPLOAD,)):
        with pytest.raises(NotFoundError):
            await deliver(bench, Upstream(*ways), artifacts, media)


def test_no_file_shows_when_it_is_printed():
    assert "AAAA" not in repr(MediaInput(role=MediaRole.FIRST_FRAME, url=inline(b"A", 9)))
