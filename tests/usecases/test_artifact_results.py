"""Copying results: what is delivered, what is broken, what is tried again, and what a restart finds."""

from dataclasses import replace
from decimal import Decimal

import pytest
from PIL import Image
from tests.adapters.store_contract.builders import task as any_task
from tests.support.files import Bench
from tests.support.media import clip, picture, sound

from yuanjing.adapters.artifacts.folder import FolderBlobs
from yuanjing.domain.artifacts import ArtifactKind
from yuanjing.domain.tasks import Size
from yuanjing.domain.videos import Outcome, TaskStep
from yuanjing.ports.artifacts import FetchFailedError, FetchRefusedError, StorageUnavailableError
from yuanjing.usecases.artifacts.results import CopierParts, ResultBrokenError, ResultCopier, ResultUnavailableError
from yuanjing.usecases.artifacts.sources import FetchTimes

ID = "123456789012345678"
VIDEO_URL, COVER_URL = "https://vendor.example/v.mp4?Signature=a%2B", "https://vendor.example/c.png"
VIDEO_KEY, COVER_KEY = f"123/{ID}/video", f"123/{ID}/cover"


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    return {
        "good": clip(folder / "good.mp4", has_audio=True).read_bytes(),
        "black": clip(folder / "black.mp4", color="black").read_bytes(),
        "late": clip(folder / "late.mp4", bright_from=1.0).read_bytes(),
        "sound": sound(folder / "a.mp3").read_bytes(),
    }


@pytest.fixture
def bench(tmp_path, films):
    made = Bench(tmp_path)
    made.fetcher.answers[VIDEO_URL] = films["good"]
    yield made
    made.close()


def task(*, cover_url=None, video_url=VIDEO_URL, size=None, seconds=2):
    made = any_task(ID, step=TaskStep.COPYING, outcome=Outcome(video_url=video_url, cover_url=cover_url))
    return replace(made, request=replace(made.request, size=size, duration_seconds=seconds))


async def copy(bench, one=None, **changes):
    parts = CopierParts(
        clock=bench.clock,
        blobs=bench.blobs,
        scratch=bench.scratch,
        inspector=bench.inspector,
        fetcher=bench.fetcher,
        times=FetchTimes(total_seconds=900, idle_seconds=30),
        bytes_max=10**7,
        keep_days=7,
    )
    try:
        return await ResultCopier(parts).copy(one or task(), **changes)
    finally:
        assert bench.temporary() == []


async def test_a_video_and_its_first_frame(bench, films):
    result = await copy(bench)
    now = bench.clock.unix()
    video, cover = result.video, result.cover
    assert (video.kind, video.blob, video.facts, video.customer_id, video.task_id) == (
        ArtifactKind.VIDEO,
        VIDEO_KEY,
        result.measured,
        "cus_a",
        ID,
    )
    assert (result.measured.width, result.measured.height, result.measured.has_audio) == (160, 120, True)
    assert abs(result.measured.seconds - 2) < Decimal("0.1")
    assert (video.created_at, video.expires_at) == (now, now + 7 * 86_400)
    assert (video.path.endswith("/video.mp4"), cover.path.endswith("/cover.jpeg")) == (True, True)
    assert bench.blobs.local_path(VIDEO_KEY).read_bytes() == films["good"]
    with Image.open(bench.blobs.local_path(COVER_KEY)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (160, 120))
    assert (cover.kind, cover.facts.width, cover.facts.media_type) == (ArtifactKind.COVER, 160, "image/jpeg")
    assert result.notes == ()
    assert bench.kept() == [COVER_KEY, VIDEO_KEY]


async def test_the_providers_cover_if_it_is_a_picture_else_the_first_frame(bench, films):
    for answer, width in (
        (picture(400, 300, "PNG"), 400),
        (b"<svg/>", 160),
        (b"", 160),
        (films["good"], 160),
        (FetchRefusedError("gone"), 160),
        (FetchFailedError("slow", status=500), 160),
        (picture(turn=6), 160),
    ):
        bench.blobs.local_path(COVER_KEY).unlink(missing_ok=True)
        bench.fetcher.answers[COVER_URL] = answer
        result = await copy(bench, task(cover_url=COVER_URL))
        assert result.cover.facts.width == width
        assert result.cover.facts.size_bytes == bench.blobs.local_path(COVER_KEY).stat().st_size


async def test_the_address_goes_byte_for_byte_and_the_origin_with_it(bench):
    bench.fetcher.answers[COVER_URL] = picture()
    await copy(bench, task(cover_url=COVER_URL), allowed_origin="http://127.0.0.1:8090")
    assert [url for url, _ in bench.fetcher.asked] == [VIDEO_URL, COVER_URL]
    first = bench.fetcher.asked[0][1]
    assert {limits.allowed_origin for _, limits in bench.fetcher.asked} == {"http://127.0.0.1:8090"}
    assert (first.size_bytes_max, first.total_seconds, first.idle_seconds) == (10**7, 900, 30)


async def test_what_is_broken_is_final(bench, films):
    good = films["good"]
    for answer, words in (
        (b"", "the file is empty"),
        (b"<html>", "no picture, video or sound"),
        (good[: len(good) // 2], "ends before its time"),
        (good[:40], "broken"),
        (films["black"], "black from its first to its last frame"),
        (films["sound"], "audio/mpeg, and no video"),
        (picture(), "image/jpeg, and no video"),
        (FetchRefusedError("HTTP 404 is the answer"), "404"),
        (bytes(10**7 + 1), "more than 10000000 bytes"),
    ):
        bench.fetcher.answers[VIDEO_URL] = answer
        with pytest.raises(ResultBrokenError, match=words):
            await copy(bench)
        assert bench.kept() == []
    with pytest.raises(ResultBrokenError, match="names no file"):
        await copy(bench, task(video_url=None))
    with pytest.raises(ResultBrokenError, match="names no file"):
        await copy(bench, replace(task(), outcome=None))


async def test_a_video_that_only_begins_black_is_delivered(bench, films):
    bench.fetcher.answers[VIDEO_URL] = films["late"]
    assert (await copy(bench)).video.facts.width == 160


async def test_what_may_be_better_later_is_not_final(bench, monkeypatch):
    bench.fetcher.answers[VIDEO_URL] = FetchFailedError("the address cannot be fetched: HTTP 503", status=503)
    with pytest.raises(ResultUnavailableError, match="503"):
        await copy(bench)
    bench.fetcher.answers[VIDEO_URL] = picture()
    bench.free = 0
    with pytest.raises(ResultUnavailableError, match="no room"):
        await copy(bench)
    bench.free = 10**9

    async def fail(*_):
        raise StorageUnavailableError("files cannot be reached")

    monkeypatch.setattr(bench.blobs, "size", fail)
    with pytest.raises(ResultUnavailableError, match="cannot be reached"):
        await copy(bench)


@pytest.mark.parametrize("where", ["put video", "ask for the cover", "put cover"])
async def test_a_copy_that_was_cut_short_is_made_again_with_the_same_keys(bench, monkeypatch, where):
    """The worker dies at this point; the next one finds what is there, also if the provider's link is dead by then."""
    put, size = bench.blobs.put_file, bench.blobs.size

    async def dies(*args):
        stored = await put(*args)
        if where.startswith("put ") and where.removeprefix("put ") in args[0]:
            raise SystemExit
        return stored

    async def no_cover(key):
        if where == "ask for the cover" and key == COVER_KEY:
            raise SystemExit
        return await size(key)

    with monkeypatch.context() as patch:
        patch.setattr(bench.blobs, "put_file", dies)
        patch.setattr(bench.blobs, "size", no_cover)
        with pytest.raises(SystemExit):
            await copy(bench)
    assert VIDEO_KEY in bench.kept()
    bench.fetcher.answers.clear()
    result = await copy(bench)
    assert (result.video.blob, result.cover.blob) == (VIDEO_KEY, COVER_KEY)
    assert result.video.sha256 == (await copy(bench)).video.sha256
    assert [url for url, _ in bench.fetcher.asked] == [VIDEO_URL]
    assert bench.kept() == [COVER_KEY, VIDEO_KEY]


async def test_a_cover_that_is_kept_is_not_replaced(bench):
    bench.fetcher.answers[COVER_URL] = picture(400, 300)
    first = await copy(bench, task(cover_url=COVER_URL))
    bench.fetcher.answers[COVER_URL] = picture(300, 400)
    again = await copy(bench, task(cover_url=COVER_URL))
    assert (again.cover.sha256, again.cover.facts) == (first.cover.sha256, first.cover.facts)


async def test_a_late_worker_takes_the_cover_that_another_has_kept_meanwhile(bench, monkeypatch):
    fetch, others = bench.fetcher.fetch, []

    async def late(url, *args):
        if url == COVER_URL:
            monkeypatch.setattr(bench.fetcher, "fetch", fetch)
            bench.fetcher.answers[COVER_URL] = picture()
            others.append(await copy(bench, task(cover_url=COVER_URL)))
            raise FetchFailedError("slow", status=500)
        return await fetch(url, *args)

    monkeypatch.setattr(bench.fetcher, "fetch", late)
    monkeypatch.setattr(bench, "temporary", list)  # the late one's are still there
    result = await copy(bench, task(cover_url=COVER_URL))
    assert (result.cover.sha256, result.cover.facts) == (others[0].cover.sha256, others[0].cover.facts)
    assert result.cover.facts.width == 400


async def test_without_a_disk_of_its_own_the_store_is_read(bench, monkeypatch):
    await copy(bench)
    bench.fetcher.answers.clear()
    monkeypatch.setattr(FolderBlobs, "local_path", lambda *_: None)
    result = await copy(bench)
    assert result.measured.width == 160


@pytest.mark.parametrize(
    ("one", "expected", "notes"),
    [
        (task(size=Size(width=160, height=120)), None, ()),
        (task(size=Size(width=320, height=240)), None, ("asked for 320x240 pixels, delivered were 160x120",)),
        (task(), Size(width=120, height=160), ("asked for 120x160 pixels, delivered were 160x120",)),
        (task(size=Size(width=1, height=1)), Size(width=160, height=120), ()),
        (task(seconds=None), None, ()),
        (task(seconds=-1), None, ()),
        (task(seconds=5), None, ("asked for 5 s, delivered were 2.000 s",)),
    ],
)
async def test_what_is_otherwise_than_asked_is_delivered_and_noted(bench, one, expected, notes):
    result = await copy(bench, one, expected=expected)
    assert result.notes == notes
    assert result.video.facts == result.measured
