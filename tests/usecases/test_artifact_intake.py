"""Files of requests: from everywhere they may come from, against every limit that an offer may have."""

import asyncio
import base64
import io
from dataclasses import replace
from decimal import Decimal
from urllib.parse import quote

import pytest
from PIL import Image
from tests.support.files import Bench, DirectInspector
from tests.support.media import clip, moving_picture, picture, sound

from yuanjing.domain.artifacts import Artifact, ArtifactKind, IncomingFile, MediaFacts, StorageFullError
from yuanjing.domain.parameters import MediaValue, ParameterError
from yuanjing.domain.tasks import MediaRole
from yuanjing.domain.video_offers import MediaRule, VideoModel, VideoSpec
from yuanjing.ports.artifacts import FetchFailedError, MediaBusyError, StorageUnavailableError
from yuanjing.usecases.artifacts.intake import IntakeParts, MediaIntake, TakenMedia
from yuanjing.usecases.artifacts.sources import FetchTimes, OwnFiles, Sources

TASK = "123456789012345678"
FIRST = MediaRule(
    role=MediaRole.FIRST_FRAME,
    field="image1_file",
    media_types=("image/jpeg", "image/png"),
    size_bytes_max=100_000,
    side_min=300,
    side_max=1000,
    aspect_min=Decimal("0.4"),
    aspect_max=Decimal("2.5"),
)
IMAGES = replace(FIRST, role=MediaRole.REFERENCE_IMAGE, field="image_files", count_max=3)
CLIPS = MediaRule(
    role=MediaRole.REFERENCE_VIDEO,
    field="video_files",
    count_max=2,
    media_types=("video/mp4",),
    size_bytes_max=1_000_000,
    seconds_min=Decimal("1.8"),
    seconds_max=Decimal(4),
    seconds_total_max=Decimal(5),
)
SOUNDS = MediaRule(
    role=MediaRole.REFERENCE_AUDIO, field="audio_files", media_types=("audio/mpeg",), size_bytes_max=1_000_000
)
SPEC = VideoSpec(family="f", models=(VideoModel(name="m"),), media=(FIRST, IMAGES, CLIPS, SOUNDS))
FIELDS = {rule.role: rule.field for rule in SPEC.media}
URL = "https://example.com/a.jpg?Signature=a%2Bb"


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()


def intake(bench, **changes):
    own = OwnFiles(bench.store, bench.blobs, bench.clock, ["https://ai.example.com", "http://127.0.0.1:8080"])
    sources = Sources(bench.scratch, bench.fetcher, own, FetchTimes(total_seconds=60, idle_seconds=10))
    values = {
        "clock": bench.clock,
        "blobs": bench.blobs,
        "scratch": bench.scratch,
        "inspector": bench.inspector,
        "sources": sources,
        "file_bytes_max": 10**8,
        "measure_seconds": 30.0,
    }
    return MediaIntake(IntakeParts(**(values | changes)))


async def take(bench, *items, spec=SPEC, **changes):
    media = [MediaValue(role=role, field=FIELDS[role], value=value) for role, value in items]
    return await intake(bench, **changes).take(
        spec, media, customer_id="cus_1", task_id=TASK, expires_at=bench.clock.unix() + 1000
    )


async def refused(bench, *items, **changes):
    with pytest.raises(ParameterError) as error:
        await take(bench, *items, **changes)
    assert (bench.kept(), bench.temporary()) == ([], [])
    assert error.value.code == "invalid_parameter"
    assert error.value.message.startswith(f"Invalid parameter: {error.value.param}; ")
    return error.value


def first(value):
    return (MediaRole.FIRST_FRAME, value)


def uploaded(bench, data, name="a.jpg"):
    place = bench.folder / f"upload-{len(list(bench.folder.iterdir()))}"
    place.write_bytes(data)
    return IncomingFile(name=name, size_bytes=len(data), place=place)


def data_uri(data, head="image/jpeg;base64"):
    return f"data:{head},{base64.b64encode(data).decode()}"


async def test_a_file_from_everywhere(bench):
    data = picture()
    bench.fetcher.answers[URL] = data
    plain = base64.b64encode(data).decode()
    for value, source_url in (
        (uploaded(bench, data), None),
        (URL, URL),
        (f"  {URL}\n", URL),
        (data_uri(data), None),
        (data_uri(data, ";base64"), None),
        (data_uri(data, "text/html;charset=x;BASE64").replace("data:", "DATA:"), None),
        (f"data:image/jpeg,{quote(data)}", None),
        (plain, None),
        (plain.rstrip("="), None),
        ("\n".join(plain[i : i + 76] for i in range(0, len(plain), 76)), None),
        (base64.urlsafe_b64encode(data).decode(), None),
    ):
        taken = await take(bench, first(value))
        (media,), (artifact,) = taken.media, taken.artifacts
        assert (media.role, media.artifact_id, media.source_url) == (MediaRole.FIRST_FRAME, artifact.id, source_url)
        assert artifact.facts == MediaFacts(media_type="image/jpeg", size_bytes=len(data), width=400, height=300)
        assert bench.blobs.local_path(artifact.blob).read_bytes() == data
        await intake(bench).drop(taken)
    assert (bench.kept(), bench.temporary()) == ([], [])


async def test_the_names_of_assets_stay_as_they_are_where_the_offer_takes_them(bench):
    spec = replace(SPEC, media=tuple(replace(rule, takes_assets=True) for rule in SPEC.media))
    name = "asset://asset-20261101080000-ab3_x.1"
    clip_name = "asset://clip"
    items = (
        (MediaRole.REFERENCE_IMAGE, name),
        (MediaRole.REFERENCE_IMAGE, data_uri(picture())),
        (MediaRole.REFERENCE_VIDEO, clip_name),
    )
    taken = await take(bench, *items, spec=spec)
    (artifact,) = taken.artifacts
    assert [(one.role, one.artifact_id, one.source_url, one.is_asset) for one in taken.media] == [
        (MediaRole.REFERENCE_IMAGE, "", name, True),
        (MediaRole.REFERENCE_IMAGE, artifact.id, None, False),
        (MediaRole.REFERENCE_VIDEO, "", clip_name, True),
    ]
    assert taken.media[2].seconds is None
    assert artifact.path.endswith("/input2.jpeg")
    await intake(bench).drop(taken)
    assert bench.kept() == []
    for wrong in ("asset://", "asset://a/b", "asset://a b", "asset://a?x=1", "asset://\u00e4", "asset://" + "a" * 129):
        error = await refused(bench, (MediaRole.REFERENCE_IMAGE, wrong), spec=spec)
        assert "the id of the asset" in error.message
    for unknown in ("ASSET://a", "assets://a"):
        await refused(bench, (MediaRole.REFERENCE_IMAGE, unknown), spec=spec)
    too_many = [(MediaRole.REFERENCE_IMAGE, name)] * 4
    assert "at most 3" in (await refused(bench, *too_many, spec=spec)).message


async def test_the_names_of_assets_are_no_files_elsewhere(bench):
    error = await refused(bench, first("asset://asset-20261101080000-abcde"))
    assert "it must be a file" in error.message


async def test_what_is_known_of_a_file(bench):
    taken = await take(bench, first(uploaded(bench, picture())))
    (artifact,) = taken.artifacts
    assert artifact.id.startswith("art_")
    assert artifact.path.endswith("/input1.jpeg")
    assert (artifact.blob, artifact.kind, artifact.customer_id, artifact.task_id) == (
        f"123/{TASK}/input1.jpeg",
        ArtifactKind.INPUT,
        "cus_1",
        TASK,
    )
    assert artifact.expires_at == artifact.created_at + 1000 == bench.clock.unix() + 1000
    assert len(artifact.sha256) == 64


async def test_addresses_are_fetched_within_limits(bench):
    bench.fetcher.answers[URL] = picture()
    await take(bench, first(URL))
    ((_, limits),) = bench.fetcher.asked
    assert (limits.size_bytes_max, limits.total_seconds, limits.idle_seconds) == (100_000, 60, 10)
    assert limits.allowed_origin == ""
    await take(bench, first(URL), file_bytes_max=50_000)
    assert bench.fetcher.asked[1][1].size_bytes_max == 50_000


async def test_several_files_keep_their_order(bench):
    pictures = {f"https://example.com/{i}": picture(400 + i, 300) for i in range(3)}
    bench.fetcher.answers |= pictures
    taken = await take(bench, *((MediaRole.REFERENCE_IMAGE, url) for url in pictures))
    assert [artifact.facts.width for artifact in taken.artifacts] == [400, 401, 402]
    assert [media.source_url for media in taken.media] == list(pictures)
    assert [media.artifact_id for media in taken.media] == [artifact.id for artifact in taken.artifacts]
    assert bench.kept() == [f"123/{TASK}/input{i}.jpeg" for i in (1, 2, 3)]


async def test_heic_and_turned_pictures_are_written_anew(bench):
    for data, size in ((picture(kind="HEIF"), (400, 300)), (picture(turn=6), (300, 400))):
        bench.fetcher.answers[URL] = data
        taken = await take(bench, first(URL))
        (artifact,) = taken.artifacts
        assert (artifact.facts.media_type, artifact.facts.width, artifact.facts.height) == ("image/jpeg", *size)
        with Image.open(bench.blobs.local_path(artifact.blob)) as kept:
            assert (kept.format, kept.size, dict(kept.getexif())) == ("JPEG", size, {})
        assert taken.media[0].source_url is None  # what is there is another file
        await intake(bench).drop(taken)


async def test_clips_and_sound_have_a_length(bench, tmp_path):
    film, song = clip(tmp_path / "a.mp4", seconds=2.0), sound(tmp_path / "a.mp3", 1.0)
    taken = await take(
        bench,
        (MediaRole.REFERENCE_VIDEO, uploaded(bench, film.read_bytes())),
        (MediaRole.REFERENCE_AUDIO, uploaded(bench, song.read_bytes())),
    )
    assert taken.media[0].seconds == Decimal("2.000")
    assert abs(taken.media[1].seconds - 1) < Decimal("0.2")


async def test_each_limit_of_a_picture_is_named(bench):
    out = io.BytesIO()
    Image.effect_noise((600, 600), 100).convert("RGB").save(out, "PNG")
    assert len(out.getvalue()) > 100_000
    for data, words in (
        (picture(200, 180), "the picture is 200 × 180 pixels, the shorter side must be at least 300"),  # noqa: RUF001  # the sign is meant
        (picture(1001, 500), "the picture is 1001 × 500 pixels, the longer side must be at most 1000"),  # noqa: RUF001  # the same
        (picture(300, 800), "the picture is 300 × 800 pixels, its width divided by its height must be at least 0.4"),  # noqa: RUF001  # the same
        (picture(800, 300), "the picture is 800 × 300 pixels, its width divided by its height must be at most 2.5"),  # noqa: RUF001  # the same
        (out.getvalue(), f"the file has {len(out.getvalue())} bytes, at most 100000 are taken"),
        (picture() + bytes(100_001 - len(picture())), "the file has 100001 bytes, at most 100000 are taken"),
        (b"", "the file is empty"),
        (picture(kind="BMP")[:90_000], "the file is broken: it cannot be decoded"),
        (picture(310, 300, kind="WEBP"), "the file is image/webp; taken are image/jpeg, image/png"),
        (moving_picture("PNG"), "the picture moves; only still ones are taken"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "it is no picture, video or sound of a kind that is read here"),
        (b"<html></html>", "it is no picture, video or sound of a kind that is read here"),
        (b"#EXTM3U\n", "it is no picture, video or sound of a kind that is read here"),
    ):
        error = await refused(bench, first(uploaded(bench, data)))
        assert (error.param, error.message) == ("image1_file", f"Invalid parameter: image1_file; {words}")
    for width, height in ((300, 300), (1000, 400), (400, 1000), (750, 300)):
        await intake(bench).drop(await take(bench, first(uploaded(bench, picture(width, height)))))


async def test_each_limit_of_clips_is_named(bench, tmp_path):
    short, two, three, long = (
        uploaded(bench, clip(tmp_path / f"{s}.mp4", seconds=s, rate=10).read_bytes()) for s in (1.7, 2.0, 3.1, 4.1)
    )
    song = uploaded(bench, sound(tmp_path / "a.mp3", 2.0).read_bytes())
    for items, words in (
        ([short], "the file lasts 1.700 s, it must be at least 1.8 s"),
        ([long], "the file lasts 4.100 s, it must be at most 4 s"),
        ([two, three], "the files last 5.100 s together, at most 5 s are taken"),
        ([two, two, two], "there are 3 files, at most 2 are taken"),
        ([song], "the file is audio/mpeg; taken are video/mp4"),
        ([two, short], "the file lasts 1.700 s, it must be at least 1.8 s"),
    ):
        error = await refused(bench, *((MediaRole.REFERENCE_VIDEO, item) for item in items))
        assert error.message == f"Invalid parameter: video_files; {words}"
    await take(bench, (MediaRole.REFERENCE_VIDEO, two), (MediaRole.REFERENCE_VIDEO, two))


async def test_texts_that_hold_no_file_are_refused(bench):
    for text in ("not base64!", "data:image/jpeg;base64", "data:image/jpeg;base64,@@@@", "图", "ftp://x/y", "a", ""):
        error = await refused(bench, first(text))
        assert error.message.endswith(("data: URI or Base64", "the file is empty")), text
    for url in ("http://[::1", "https://x:y/", "http://x:99999/z"):
        await refused(bench, first(url))


async def test_what_cannot_be_fetched_is_told_with_its_field(bench):
    bench.fetcher.answers["https://example.com/slow"] = FetchFailedError("fetching the address takes more than 60 s")
    error = await refused(bench, first("https://example.com/slow"))
    assert error.message == "Invalid parameter: image1_file; fetching the address takes more than 60 s"
    error = await refused(bench, first("http://169.254.169.254/"))
    assert error.message == "Invalid parameter: image1_file; the address may not be fetched"


async def test_a_role_that_the_offer_has_no_use_for_is_refused(bench):
    spec = replace(SPEC, media=(FIRST,))
    with pytest.raises(ParameterError, match=r"^Unsupported parameter: reference_audio$"):
        await take(bench, (MediaRole.REFERENCE_AUDIO, "x"), spec=spec)


# links of ours


async def own_file(bench, **changes):
    (bench.folder / "own").write_bytes(picture(500, 400))
    await bench.blobs.put_file("1/1/cover", bench.folder / "own", "image/jpeg")
    values = {
        "id": "art_1",
        "path": "/tmp/1/2/3/4/abc/cover.jpeg",  # noqa: S108  # no path of a disk
        "blob": "1/1/cover",
        "kind": ArtifactKind.COVER,
        "customer_id": "cus_1",
        "task_id": "1",
        "facts": MediaFacts(media_type="image/jpeg", size_bytes=1),
        "sha256": "",
        "created_at": 0.0,
        "expires_at": bench.clock.unix() + 10,
    }
    artifact = Artifact(**(values | changes))
    await bench.store.write(lambda tx: tx.artifacts.add(artifact))
    return bench.links.target(artifact)


@pytest.mark.parametrize("base", ["https://ai.example.com", "http://127.0.0.1:8080", "https://ai.example.com:443"])
async def test_a_customer_may_use_its_own_results(bench, base):
    target = await own_file(bench)
    taken = await take(bench, first(base + target))
    assert (taken.artifacts[0].facts.width, taken.media[0].source_url) == (500, None)
    assert bench.fetcher.asked == []
    assert taken.artifacts[0].blob != "1/1/cover"


@pytest.mark.parametrize("changes", [{"customer_id": "cus_2"}, {"removed_at": 5.0}, {"expires_at": 5.0}])
async def test_but_nobody_elses_and_nothing_that_is_gone(bench, changes):
    target = await own_file(bench, **changes)
    with pytest.raises(ParameterError, match="may not be fetched"):
        await take(bench, first(f"http://127.0.0.1:8080{target}"))


async def test_other_addresses_of_ours_and_the_same_path_elsewhere_are_fetched(bench):
    target = await own_file(bench)
    for url in (f"http://127.0.0.1:8081{target}", f"https://evil.example{target}", "http://127.0.0.1:8080/metrics"):
        with pytest.raises(ParameterError, match="may not be fetched"):
            await take(bench, first(url))
        assert bench.fetcher.asked.pop()[0] == url


# room, failures


async def test_a_full_disk_is_told_before_anything_also_without_files(bench):
    bench.free = 999
    for items in ((), (first(URL),)):
        with pytest.raises(StorageFullError):
            await take(bench, *items)
    assert bench.fetcher.asked == []
    bench.free = 1000
    assert await take(bench) == TakenMedia()


async def test_that_there_is_room_is_asked_once_in_a_second(bench):
    taking = intake(bench)

    async def take_nothing():
        return await taking.take(SPEC, [], customer_id="cus_1", task_id=TASK, expires_at=bench.clock.unix() + 1000)

    assert await take_nothing() == TakenMedia()
    bench.free = 999
    assert await take_nothing() == TakenMedia()
    bench.clock.advance(1)
    for _ in range(2):
        with pytest.raises(StorageFullError):
            await take_nothing()
    bench.free = 1000
    assert await take_nothing() == TakenMedia()


async def test_all_or_nothing_is_kept(bench, monkeypatch):
    data = [uploaded(bench, picture(400 + i, 300)) for i in range(3)]
    put, calls = bench.blobs.put_file, []

    async def second_fails(*args):
        calls.append(args)
        if len(calls) == 2:
            raise StorageUnavailableError("files cannot be reached")
        return await put(*args)

    monkeypatch.setattr(bench.blobs, "put_file", second_fails)
    with pytest.raises(StorageUnavailableError):
        await take(bench, *((MediaRole.REFERENCE_IMAGE, one) for one in data))
    assert (bench.kept(), bench.temporary()) == ([], [])


async def test_a_request_that_is_given_up_leaves_nothing(bench, monkeypatch):
    started = asyncio.Event()

    async def endless(*_, **__):
        started.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(bench.fetcher, "fetch", endless)
    job = asyncio.ensure_future(take(bench, first(URL), (MediaRole.REFERENCE_IMAGE, uploaded(bench, picture()))))
    await started.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert (bench.kept(), bench.temporary()) == ([], [])


async def test_dropping_twice_or_while_files_cannot_be_reached_does_no_harm(bench, monkeypatch):
    taken = await take(bench, first(uploaded(bench, picture())))
    await intake(bench).drop(taken)
    await intake(bench).drop(taken)

    async def fail(*_):
        raise StorageUnavailableError("files cannot be reached")

    monkeypatch.setattr(bench.blobs, "remove", fail)
    await intake(bench).drop(taken)


class SlowInspector(DirectInspector):
    """Measures when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may, self.at_once, self.most = asyncio.Event(), 0, 0

    async def inspect(self, place):
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.may.wait()
            return await super().inspect(place)
        finally:
            self.at_once -= 1


async def test_a_customers_files_are_measured_one_after_the_other_and_keep_no_other_customer(bench):
    inspector = SlowInspector()
    made = intake(bench, inspector=inspector)

    def taken(customer_id, task_id):
        media = [MediaValue(role=MediaRole.REFERENCE_IMAGE, field="image_files", value=data_uri(picture()))] * 2
        return asyncio.ensure_future(made.take(SPEC, media, customer_id=customer_id, task_id=task_id, expires_at=1e10))

    jobs = [taken("cus_1", "1" * 18), taken("cus_1", "2" * 18), taken("cus_2", "3" * 18)]
    await asyncio.sleep(0.3)
    assert inspector.at_once == 2
    inspector.may.set()
    assert [len((await job).media) for job in jobs] == [2, 2, 2]
    assert inspector.most == 2


async def test_a_file_waits_for_its_turn_no_longer_than_it_may(bench):
    made = intake(bench, inspector=SlowInspector(), measure_seconds=0.05)
    media = [MediaValue(role=MediaRole.FIRST_FRAME, field="image1_file", value=data_uri(picture()))]
    with pytest.raises(MediaBusyError, match="try again"):
        await made.take(SPEC, media, customer_id="cus_1", task_id=TASK, expires_at=1e10)
    assert (bench.kept(), bench.temporary()) == ([], [])
