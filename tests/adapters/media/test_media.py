"""What files are, by their content; broken, huge and false ones cost a process at most."""

import asyncio
import io
import itertools
import os
import signal
import zlib
from decimal import Decimal

import pytest
from PIL import Image
from tests.support.media import GPS, ORIENTATION, claimed_picture, clip, moving_picture, picture, sound

from yuanjing.adapters.media.pool import MediaPool, PoolOptions
from yuanjing.domain.artifacts import HEIC, SUFFIXES, MediaFacts
from yuanjing.ports.artifacts import MediaBusyError, NotMediaError

OPTIONS = PoolOptions(workers=1, pixels_max=1_000_000)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return {
        "plain.mp4": clip(folder / "plain.mp4"),
        "sound.mp4": clip(folder / "sound.mp4", has_audio=True, seconds=1.0, rate=24),
        "slow.mp4": clip(folder / "slow.mp4", is_fast=False),
        "a.mov": clip(folder / "a.mov"),
        "a.webm": clip(folder / "a.webm", seconds=1.0),
        "a.mkv": clip(folder / "a.mkv"),
        "a.avi": clip(folder / "a.avi"),
        "black.mp4": clip(folder / "black.mp4", color="black"),
        "dark.mp4": clip(folder / "dark.mp4", color="#050505"),
        "late.mp4": clip(folder / "late.mp4", bright_from=1.5),
    }


@pytest.fixture
async def pool():
    async with MediaPool(OPTIONS) as made:
        yield made


@pytest.fixture
def put(tmp_path):
    def write(data):
        (tmp_path / "file").write_bytes(data)
        return tmp_path / "file"

    return write


def pixels(width, height, media_type, size):
    return MediaFacts(media_type=media_type, size_bytes=size, width=width, height=height)


async def test_pictures_of_every_kind(pool, put):
    for kind, media_type in (
        ("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("BMP", "image/bmp"),
        ("GIF", "image/gif"),
        ("TIFF", "image/tiff"), ("HEIF", HEIC), ("MPO", "image/jpeg"),
    ):  # fmt: skip
        data = picture(kind=kind)
        found = await pool.inspect(put(data))
        assert found.facts == pixels(400, 300, media_type, len(data))
        assert found.is_ready == (media_type != HEIC)
        assert media_type in SUFFIXES


async def test_a_turned_picture_is_written_upright_and_without_its_place(pool, put, tmp_path):
    for turn, size, red in ((3, (400, 300), (380, 150)), (6, (300, 400), (150, 20)), (8, (300, 400), (150, 380))):
        place = put(picture(turn=turn))
        found = await pool.inspect(place)
        assert (found.facts.width, found.facts.height, found.is_ready) == (*size, False)
        facts = await pool.normalise(place, tmp_path / "new")
        with Image.open(tmp_path / "new") as new:
            exif = new.getexif()
            assert (new.format, new.size, facts.width, facts.height) == ("JPEG", size, *size)
            assert (exif.get(ORIENTATION), exif.get_ifd(GPS)) == (None, {})
            assert new.convert("RGB").getpixel(red)[0] > 200
        assert facts == pixels(*size, "image/jpeg", (tmp_path / "new").stat().st_size)


async def test_what_providers_do_not_read_becomes_jpeg(pool, put, tmp_path):
    for data in (picture(kind="HEIF"), picture(mode="CMYK"), picture(kind="PNG", mode="RGBA")):
        await pool.normalise(put(data), tmp_path / "new")
        with Image.open(tmp_path / "new") as new:
            assert (new.format, new.mode, new.size) == ("JPEG", "RGB", (400, 300))
            red, green, blue = new.getpixel((20, 150))
            assert (red > 200, green < 90, blue < 90) == (True, True, True)


async def test_what_can_be_seen_through_is_white(pool, put, tmp_path):
    out = io.BytesIO()
    Image.new("RGBA", (320, 320), (0, 0, 0, 0)).save(out, "PNG")
    await pool.normalise(put(out.getvalue()), tmp_path / "new")
    with Image.open(tmp_path / "new") as new:
        assert new.getpixel((5, 5)) == (255, 255, 255)


HOSTILE = {
    "html": b"<!doctype html><html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>',
    "xml svg": b'<?xml version="1.0"?><svg/>',
    "m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
    "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "pdf": b"%PDF-1.7\n",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "zip": b"PK\x03\x04",
    "text": b"hello",
    "nothing": b"",
    "zeros": bytes(10_000),
    "jpeg head": b"\xff\xd8\xff\xe0",
    "png head": b"\x89PNG\r\n\x1a\n",
    "mp4 head": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
    "webm head": b"\x1a\x45\xdf\xa3\x42\x82\x84webm",
    "mp3 head": b"ID3\x04\0\0\0\0\0\0",
    "wav head": b"RIFF\x24\0\0\0WAVEfmt ",
    "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
    "jpeg with a playlist in it": b"\xff\xd8\xff" + b"#EXTM3U\nfile:///etc/passwd\n",
    "mp4 with a playlist in it": b"\0\0\0\x18ftypmp42#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
}


async def test_what_is_none_of_these_is_refused_by_every_call(pool, put, tmp_path):
    """One process sees all of it, and works on."""
    pid = (await child_of(pool, put(picture())))._process.pid
    for data in HOSTILE.values():
        place = put(data)
        for call in (
            pool.inspect(place),
            pool.examine(place, tmp_path / "new"),
            pool.normalise(place, tmp_path / "new"),
        ):
            with pytest.raises(NotMediaError):
                await call
    assert (await child_of(pool, put(picture())))._process.pid == pid


async def test_broken_moving_and_huge_pictures_are_refused(pool, put):
    whole = picture()
    for data, words in (
        (whole[: len(whole) // 2], "cannot be decoded"),
        (moving_picture("GIF"), "moves"),
        (moving_picture("WEBP"), "moves"),
        (moving_picture("PNG"), "moves"),
        (moving_picture("TIFF"), "moves"),
        (picture(1001, 1000, "PNG"), "more than 1000000 pixels"),
        (claimed_picture(30_000, 30_000), "more than 1000000 pixels"),
        (claimed_picture(2**31 - 1, 2**31 - 1), "more than 1000000 pixels"),
    ):
        with pytest.raises(NotMediaError, match=words):
            await pool.inspect(put(data))


def scanned(width, height, scans):
    """A progressive JPEG with so many scans."""
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    last = data.rindex(b"\xff\xda")
    head, own = data[:last], data.count(b"\xff\xda")
    return head + data[last:-2] * (scans - own + 1) + data[-2:]


async def test_pictures_of_more_pieces_than_any_needs_are_refused_before_they_are_decoded(pool, put):
    jpeg, png = picture(), picture(kind="PNG")
    empty = b"\0\0\0\0abCd" + zlib.crc32(b"abCd").to_bytes(4)
    noise = b"\xff\xda" * 1000
    for data in (
        scanned(400, 300, 100),
        jpeg[:2] + b"\xff\xfe\x07\xd2" + noise + jpeg[2:],
        jpeg + noise,
        png[:-12] + empty * 99_000 + png[-12:],
        jpeg[:2] + b"\xff\xfe\0\2" * 9_900 + jpeg[2:],
    ):
        assert (await pool.inspect(put(data))).facts.width == 400
    for data, words in (
        (scanned(400, 300, 101), "more than 100 scans"),
        (jpeg[:2] + b"\xff\xfe\0\2" * 10_000 + jpeg[2:], "more than 10000 segments"),
        (png[:-12] + empty * 100_000 + png[-12:], "more than 100000 chunks"),
    ):
        with pytest.raises(NotMediaError, match=words):
            await pool.inspect(put(data))


async def test_scans_and_pixels_are_counted_together(put):
    async with MediaPool(PoolOptions(workers=1, pixels_max=50_000_000)) as pool:
        assert (await pool.inspect(put(scanned(4000, 4000, 15)))).facts.width == 4000
        with pytest.raises(NotMediaError, match="98 scans, which is too much"):
            await pool.inspect(put(scanned(4000, 4000, 98)))


async def test_the_frames_of_a_moving_picture_are_not_counted(pool, put):
    """Counting a million of them takes ten seconds."""
    data = picture(1, 1, kind="GIF")
    frame = data.index(b",")
    with pytest.raises(NotMediaError, match="moves"):
        async with asyncio.timeout(2):
            await pool.inspect(put(data[:frame] + data[frame:-1] * 1_000_000 + b";"))


async def test_clips_of_more_pieces_than_any_needs_are_refused(pool, put, clips):
    whole, box = clips["plain.mp4"].read_bytes(), b"\0\0\0\x08free"
    assert (await pool.inspect(put(whole + box * 9_900))).facts.width == 160
    with pytest.raises(NotMediaError, match="more than 10000 boxes"):
        await pool.inspect(put(whole + box * 10_000))
    frame = bytes.fromhex("fff15080015ffc") + b"abc"
    with pytest.raises(NotMediaError, match="more than 100000 frames"):
        await pool.inspect(put(frame * 100_001))


async def test_clips_of_every_kind(pool, clips, tmp_path):
    for name, media_type, seconds, rate in (
        ("plain.mp4", "video/mp4", "2.000", "12.000"),
        ("slow.mp4", "video/mp4", "2.000", "12.000"),
        ("a.mov", "video/quicktime", "2.000", "12.000"),
        ("a.webm", "video/webm", "1.000", "12.000"),
        ("a.mkv", "video/x-matroska", "2.000", "12.000"),
        ("a.avi", "video/x-msvideo", "2.000", "12.000"),
    ):
        found = (await pool.examine(clips[name], tmp_path / "cover")).facts
        assert (found.media_type, found.width, found.height, found.has_audio) == (media_type, 160, 120, False)
        assert abs(found.seconds - Decimal(seconds)) <= Decimal("0.1"), name
        assert found.frame_rate == Decimal(rate)
        assert found.size_bytes == clips[name].stat().st_size
        assert media_type in SUFFIXES
    found = (await pool.inspect(clips["sound.mp4"])).facts
    assert (found.has_audio, found.seconds, found.frame_rate) == (True, Decimal("1.000"), Decimal("24.000"))


async def test_sound_of_every_kind(pool, tmp_path):
    for suffix, media_type in (
        ("mp3", "audio/mpeg"), ("wav", "audio/wav"), ("m4a", "audio/mp4"), ("aac", "audio/aac"),
        ("flac", "audio/flac"), ("ogg", "audio/ogg"),
    ):  # fmt: skip
        found = (await pool.inspect(sound(tmp_path / f"a.{suffix}"))).facts
        assert (found.media_type, found.width, found.has_audio) == (media_type, None, True)
        assert abs(found.seconds - 2) < Decimal("0.2"), suffix
        assert media_type in SUFFIXES


async def test_only_a_clip_that_is_black_to_its_end_is_black(pool, clips, tmp_path):
    for name, is_black in (("black.mp4", True), ("dark.mp4", True), ("late.mp4", False), ("plain.mp4", False)):
        assert (await pool.examine(clips[name], tmp_path / "cover")).is_black == is_black
        assert not (await pool.inspect(clips[name])).is_black


async def test_a_clip_that_is_cut_off_is_refused(pool, put, clips, tmp_path):
    for name, share in itertools.product(("plain.mp4", "slow.mp4"), (0.1, 0.5, 0.9, 0.99)):
        whole = clips[name].read_bytes()
        with pytest.raises(NotMediaError, match="broken"):
            await pool.examine(put(whole[: int(len(whole) * share)]), tmp_path / "cover")


async def test_the_first_frame(pool, clips, tmp_path, put):
    facts = (await pool.examine(clips["plain.mp4"], tmp_path / "cover")).first_frame
    with Image.open(tmp_path / "cover") as cover:
        assert (cover.format, cover.size) == ("JPEG", (160, 120))
        assert cover.getpixel((80, 60))[0] > 150
    assert facts == pixels(160, 120, "image/jpeg", (tmp_path / "cover").stat().st_size)
    for data in (picture(), sound(tmp_path / "a.mp3").read_bytes()):
        assert (await pool.examine(put(data), tmp_path / "none")).first_frame is None
        assert not (tmp_path / "none").exists()


async def test_a_first_frame_that_cannot_be_written_says_nothing_of_the_clip(pool, clips, tmp_path):
    found = await pool.examine(clips["plain.mp4"], tmp_path / "nowhere" / "cover")
    assert (found.first_frame, found.facts.width) == (None, 160)


# the processes


async def child_of(pool, place):
    await pool.inspect(place)
    (child,) = pool._idle
    return child


@pytest.mark.parametrize("is_noticed", [False, True], ids=["just now", "a while ago"])
async def test_a_process_that_died_while_it_waited_for_work_costs_no_file(pool, put, is_noticed):
    place = put(picture())
    child = await child_of(pool, place)
    os.kill(child._process.pid, signal.SIGKILL)
    if is_noticed:
        await child._process.wait()
        child._process.stdin.close()  # as uvloop does with it
    assert (await pool.inspect(place)).facts.width == 400
    (other,) = pool._idle
    assert other._process.pid != child._process.pid


async def test_a_file_that_kills_its_processes_is_refused(pool, put, monkeypatch):
    place = put(picture())
    child = await child_of(pool, place)
    asked = []

    async def die(self, _job):
        asked.append(self)
        self.kill()
        raise EOFError

    with monkeypatch.context() as patched:
        patched.setattr(type(child), "ask", die)
        with pytest.raises(NotMediaError, match="decoding it fails"):
            await pool.inspect(place)
    assert len(asked) == 2
    assert pool._idle == []
    assert (await pool.inspect(place)).facts.width == 400


async def test_a_file_that_takes_too_long_is_refused_and_its_process_ends(put):
    place = put(picture())
    async with MediaPool(PoolOptions(workers=1, seconds=0.3)) as pool:
        child = await child_of(pool, place)
        os.kill(child._process.pid, signal.SIGSTOP)
        with pytest.raises(NotMediaError, match="too long"):
            await pool.inspect(place)
        assert child._process.returncode == -signal.SIGKILL
        assert (await child_of(pool, place))._process.pid != child._process.pid


async def test_a_call_that_is_given_up_leaves_no_process_with_a_stale_answer(pool, put):
    place = put(picture())
    child = await child_of(pool, place)
    os.kill(child._process.pid, signal.SIGSTOP)
    asked = asyncio.ensure_future(pool.inspect(place))
    await asyncio.sleep(0.05)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (await pool.inspect(place)).facts.width == 400
    assert child._process.returncode == -signal.SIGKILL


async def test_memory_is_limited(put, tmp_path):
    """A picture that needs more memory than there is fails, and its process lives on."""
    out = io.BytesIO()
    Image.new("1", (14_000, 14_000)).save(out, "PNG")
    place = put(out.getvalue())
    options = PoolOptions(workers=1, memory_bytes_max=700 * 1024 * 1024, pixels_max=200_000_000)
    async with MediaPool(options) as pool:
        with pytest.raises(NotMediaError, match=r"memory|fails"):
            await pool.normalise(place, tmp_path / "new")
        assert (await pool.inspect(put(picture()))).facts.width == 400


async def test_as_many_processes_as_allowed_and_a_queue_with_an_end(put):
    place = put(picture())
    async with MediaPool(PoolOptions(workers=2, queue_max=6)) as pool:
        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(pool.inspect(place)) for _ in range(6)]
            await asyncio.sleep(0)
            with pytest.raises(MediaBusyError):
                await pool.inspect(place)
        assert {job.result().facts.width for job in jobs} == {400}
        assert len(pool._idle) == 2
        ended = [child._process for child in pool._idle]
    assert [process.returncode for process in ended] == [-signal.SIGKILL] * 2


async def test_a_process_without_work_ends(put):
    async with MediaPool(PoolOptions(workers=1, idle_seconds=0.1)) as pool:
        child = await child_of(pool, put(picture()))
        async with asyncio.timeout(5):
            await child._process.wait()
        assert pool._idle == []


async def test_a_process_knows_no_secret_and_not_where_to_go(pool, put, monkeypatch):
    monkeypatch.setenv("YUANJING_KEY_PEPPER", "a secret")
    child = await child_of(pool, put(picture()))
    with open(f"/proc/{child._process.pid}/environ", "rb") as file:  # noqa: ASYNC230, PTH123  # of the kernel, at once
        assert b"YUANJING" not in file.read()
