"""What providers can be given is known before a task is made: by their real adapters, as gateways ask them."""

from dataclasses import replace

import pytest
from tests.support.files import Bench

from yuanjing.bootstrap.files import FileServices, make_delivery
from yuanjing.bootstrap.upstreams import DeliveryCheck, Upstreams
from yuanjing.domain.artifacts import Artifact, ArtifactKind, MediaFacts
from yuanjing.domain.catalog import Channel
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import MediaRole
from yuanjing.domain.videos import TaskMedia
from yuanjing.settings import Settings
from yuanjing.usecases.artifacts.intake import TakenMedia

LOCAL, PUBLIC = "http://127.0.0.1:8080", "https://ai.example.com"
LIVE = Channel(id="ch", provider_id="p", book=Book.LIVE, name="c", base_url="https://ark.test", credential=b"")
SANDBOX = replace(LIVE, book=Book.TEST, base_url="http://127.0.0.1:8090/api/v3")


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()


def taken(role: MediaRole, source_url: str | None = None) -> TakenMedia:
    artifact = Artifact(
        id="art_1",
        path="/tmp/1/input.mp4",  # noqa: S108  # no path of a disk
        blob="1/1/input",
        kind=ArtifactKind.INPUT,
        customer_id="cus_1",
        task_id="1",
        facts=MediaFacts(media_type="video/mp4", size_bytes=1000),
        sha256="",
        created_at=0,
        expires_at=10**10,
    )
    media = TaskMedia(role=role, artifact_id=artifact.id, source_url=source_url)
    return TakenMedia(media=(media,), artifacts=(artifact,))


CLIP, PICTURE = taken(MediaRole.REFERENCE_VIDEO), taken(MediaRole.REFERENCE_IMAGE)
LINKED = taken(MediaRole.REFERENCE_VIDEO, "https://customer.example/a.mp4")


@pytest.mark.parametrize(
    ("channel", "protocol", "files", "public", "expected"),
    [
        (LIVE, "ark", CLIP, "", False),
        (LIVE, "ark", CLIP, PUBLIC, True),
        (LIVE, "ark", LINKED, "", True),
        (LIVE, "ark", PICTURE, "", True),
        (SANDBOX, "ark", CLIP, "", True),
        (replace(SANDBOX, base_url="https://sandbox.example"), "ark", CLIP, "", False),
        (replace(SANDBOX, book=Book.LIVE), "ark", CLIP, "", False),
        (LIVE, "vidu", CLIP, PUBLIC, False),
        (LIVE, "openai", PICTURE, PUBLIC, False),
    ],
)
async def test_what_can_be_given(bench, channel, protocol, files, public, expected):
    settings = Settings(data=bench.folder, public_base_url=public)
    services = FileServices(
        blobs=bench.blobs,
        scratch=bench.scratch,
        inspector=bench.inspector,
        fetcher=bench.fetcher,
        links=bench.links,
    )
    check = DeliveryCheck(Upstreams(settings), make_delivery(settings, services, LOCAL), LOCAL)
    assert await check.can_give(channel, protocol, "", files) is expected
