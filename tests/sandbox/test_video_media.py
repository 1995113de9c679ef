"""Media: really fetched, really decoded."""

import base64
import io
import struct
import wave

import av
import pillow_heif
import pytest
from PIL import Image
from tests.support.video_wire import picture
from tests.support.web import Web

from yuanjing.kit.clock import ManualClock
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video.media import MediaLoader, Upload
from yuanjing.sandbox.video.wish import FailedError, FailureKind, Kind, Media, Role

pillow_heif.register_heif_opener()
UNREACHABLE, INVALID, TOO_LARGE = (
    FailureKind.MEDIA_UNREACHABLE,
    FailureKind.MEDIA_INVALID,
    FailureKind.MEDIA_TOO_LARGE,
)


def loader(**options):
    return MediaLoader(SandboxOptions(**options), ManualClock())


def inline(data, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


async def resolve(source, kind=Kind.IMAGE, *, by=None, owner="me"):
    return await (by or loader()).resolve(Media(role=Role.REFERENCE_IMAGE, kind=kind, source=source), owner)


async def reason(source, kind=Kind.IMAGE, **more):
    with pytest.raises(FailedError) as caught:
        await resolve(source, kind, **more)
    assert caught.value.failure.text
    return caught.value.failure.kind


def bitmap_head(side):
    """A BMP that promises a picture of that size."""
    return b"BM" + struct.pack("<IHHIIIiHHIIIIII", 54, 0, 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)


def clip(seconds=1, fps=8):
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        track = file.add_stream("libx264", rate=fps)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        for index in range(seconds * fps):
            frame = av.VideoFrame.from_image(Image.new("RGB", (64, 48), "teal"))
            frame.pts = index
            file.mux(track.encode(frame))
        file.mux(track.encode(None))
    return out.getvalue()


def tone(seconds=2):
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\0\1" * 8000 * seconds)
    return out.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "HEIF"])
async def test_images_of_all_forms(form):
    found = await resolve(inline(picture(60, 40, form)))
    assert (found.format, found.width, found.height, found.ratio) == (form.lower(), 60, 40, 1.5)
    assert (found.kind, found.role, found.seconds) == (Kind.IMAGE, Role.REFERENCE_IMAGE, 0)
    assert found.bytes_length == len(found.data)


async def test_orientation_counts():
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(out, "JPEG", exif=exif)
    found = await resolve(inline(out.getvalue()))
    assert (found.width, found.height) == (40, 60)


async def test_clips():
    video = await resolve(inline(clip(), "video/mp4"), Kind.VIDEO)
    assert (video.format, video.width, video.height, video.fps) == ("mp4", 64, 48, 8)
    assert video.seconds == pytest.approx(1, abs=0.1)
    with Image.open(io.BytesIO(video.data)) as poster:
        assert poster.format == "JPEG"
    audio = await resolve(inline(tone(), "audio/wav"), Kind.AUDIO)
    assert (audio.format, audio.seconds, audio.data, audio.ratio) == ("wav", 2, b"", 0)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<html></html>", Kind.IMAGE),
        (b"", Kind.IMAGE),
        (picture(60, 40)[:60], Kind.IMAGE),
        (picture(60, 40, "HEIF")[:-20], Kind.IMAGE),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n", Kind.VIDEO),
        (clip()[:300], Kind.VIDEO),
        (tone(), Kind.VIDEO),
        (clip(), Kind.AUDIO),
        (b"", Kind.AUDIO),
    ],
)
async def test_what_is_not_what_it_should_be(data, kind):
    assert await reason(inline(data), kind) is INVALID


@pytest.mark.parametrize("source", ["data:image/png;base64,????", "data:image/png,abc", "data:"])
async def test_bad_data_uris(source):
    assert await reason(source) is INVALID


async def test_fetched():
    answers = {
        "/a.png": (200, {}, picture(60, 40)),
        "/moved": (302, {"location": "/a.png"}, b""),
        "/circle": (302, {"location": "/circle"}, b""),
        "/short": (200, {"content-length": "99999"}, b"x"),
        "/silent": None,
    }
    async with Web(answers) as web:
        assert (await resolve(f"{web.url}/a.png?sign=%2B1")).width == 60
        assert web.seen[-1].target == "/a.png?sign=%2B1"
        assert (await resolve(f"{web.url}/moved")).width == 60
        quick = loader(media_wait_seconds=0.2, media_image_bytes_max=100)
        for path in ("/nothing", "/circle", "/short", "/silent"):
            assert await reason(web.url + path, by=quick) is UNREACHABLE
        assert await reason(f"{web.url}/a.png", by=quick) is TOO_LARGE
    assert await reason("http://127.0.0.1:9/a.png") is UNREACHABLE


@pytest.mark.parametrize(
    "source", ["", "file:///etc/hostname", "ftp://x/a", "asset://nothing", "http://", "oss://nothing"]
)
async def test_addresses_that_are_none(source):
    assert await reason(source) is UNREACHABLE


@pytest.mark.parametrize("pixels", [None, 40_000_000, 89_000_000])
async def test_too_large(monkeypatch, pixels):
    """Whatever limit of Pillow's another part of the process has set."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels)
    assert await reason(inline(picture(60, 40)), by=loader(media_image_bytes_max=50)) is TOO_LARGE
    for side in (8000, 60_000):
        assert await reason(inline(bitmap_head(side))) is TOO_LARGE


async def test_uploads():
    clock = ManualClock()
    box = MediaLoader(SandboxOptions(video_uploads_bytes_max=3000), clock)
    until = clock.unix() + 60
    box.put("oss://dir/a.png", Upload(owner="me", data=picture(60, 40), until=until))
    assert (await resolve("oss://dir/a.png", by=box)).width == 60
    assert await reason("oss://dir/a.png", by=box, owner="you") is UNREACHABLE
    box.put("oss://dir/b.png", Upload(owner="me", data=b"x" * 2999, until=until))
    assert await reason("oss://dir/a.png", by=box) is UNREACHABLE
    box.put("oss://dir/b.png", Upload(owner="me", data=picture(60, 40), until=until))
    clock.advance(60)
    assert await reason("oss://dir/b.png", by=box) is UNREACHABLE
