"""The rendered files, measured and looked at."""

import hashlib
import io
import itertools

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video.drawing import Scene, _font, _wrapped
from yuanjing.sandbox.video.render import Renderer
from yuanjing.sandbox.video.wish import Kind, Resolved, Role, Wish


def wish(**changes):
    values = {"protocol": "vidu", "model": "m", "prompt": "小猫 a kitten", "width": 96, "height": 64, "seconds": 1}
    return Wish(**(values | {"fps": 8} | changes))


def image(colour, role, size=(96, 64), form="PNG", **save):
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, form, **save)
    data = out.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    return Resolved(role=role, kind=Kind.IMAGE, format=form.lower(), data=data, digest=digest)


def measure(path):
    with av.open(str(path)) as file:
        video = file.streams.video[0]
        sound = [(track.codec_context.name, track.rate, track.layout.name) for track in file.streams.audio]
        frames = [frame.to_image() for frame in file.decode(video)]
        shape = (video.codec_context.name, video.width, video.height, float(video.average_rate), video.pix_fmt)
        return shape, file.duration / 1e6, sound, frames


def opened(path):
    with Image.open(path) as image:
        return image.convert("RGB")


def colour_at(picture):
    return picture.getpixel((picture.width // 2, picture.height // 3))


def near(one, other):
    return all(abs(a - b) < 24 for a, b in zip(one, other, strict=True))


@pytest.fixture
def renderer():
    one = Renderer(SandboxOptions())
    yield one
    one.close()


@pytest.mark.parametrize(
    ("width", "height", "seconds", "fps", "sound"),
    [(96, 64, 1, 24, True), (64, 112, 2, 8, False), (131, 67, 1, 30, True), (1470, 630, 0.5, 8, False)],
)
def test_exactly_the_shape(renderer, width, height, seconds, fps, sound):
    asked = wish(width=width, height=height, seconds=seconds, fps=fps, has_audio=sound, watermark="AI生成", seed=3)
    files = renderer.start(asked, ()).result()
    shape, length, tracks, frames = measure(files.video)
    assert shape == ("h264", width & ~1, height & ~1, fps, "yuv420p")
    assert length == pytest.approx(seconds, abs=0.03)
    assert tracks == ([("aac", 44_100, "stereo")] if sound else [])
    assert len(frames) == seconds * fps
    assert b"moov" in files.video.read_bytes()[:200]  # the index comes first
    assert opened(files.cover).size == frames[0].size
    assert ImageStat.Stat(ImageChops.difference(opened(files.last_frame), frames[-1])).mean[0] < 8


def test_the_picture_moves(renderer):
    frames = measure(renderer.start(wish(width=320, height=180), ()).result().video)[3]
    moved = [ImageStat.Stat(ImageChops.difference(a, b)).sum[0] for a, b in itertools.pairwise(frames)]
    assert min(moved) > 0


def test_first_and_last_frame_are_the_images(renderer):
    media = (image("red", Role.FIRST_FRAME), image("blue", Role.LAST_FRAME, (300, 300)))
    files = renderer.start(wish(seconds=2), media).result()
    frames = measure(files.video)[3]
    assert near(colour_at(frames[0]), (255, 0, 0))
    assert near(colour_at(opened(files.cover)), (255, 0, 0))
    assert near(colour_at(frames[-1]), (0, 0, 255))
    assert near(opened(files.last_frame).getpixel((1, 1)), (0, 0, 255))


def test_references_are_shown_small():
    shown = []
    for media in ((image((0, 255, 0), Role.REFERENCE_IMAGE),), ()):
        picture = Scene(wish(width=640, height=360), media).frame(4).to_image()
        shown.append(sum(near(picture.getpixel((x, y)), (0, 255, 0)) for x in range(640) for y in range(180, 360)))
    assert shown[0] > 500
    assert shown[1] == 0


def test_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    scene = Scene(wish(), (image("red", Role.FIRST_FRAME, (64, 32), "JPEG", exif=exif),))
    assert scene.frame(0).to_image().size == (96, 64)


def test_equal_orders_share_a_file_others_do_not(renderer):
    red, blue = image("red", Role.FIRST_FRAME), image("blue", Role.FIRST_FRAME)
    orders = [renderer.start(wish(), (red,)), renderer.start(wish(), (red,)), renderer.start(wish(), (blue,))]
    paths = [order.result().video for order in orders]
    assert paths[0] == paths[1] != paths[2]
    assert renderer.start(wish(), (red,)) is orders[0]
    paths[0].unlink()
    again = renderer.start(wish(), (red,))
    assert again is not orders[0]
    assert again.result().video.exists()


def test_the_cache_is_bounded_and_goes_with_its_folder(tmp_path):
    small = Renderer(SandboxOptions(video_cache_bytes_max=1))
    first = small.start(wish(prompt="1"), ()).result()
    assert first.video.exists()
    second = small.start(wish(prompt="2"), ()).result()
    assert not any(path.exists() for path in first.files)
    small.close()
    assert not second.video.parent.exists()
    kept = Renderer(SandboxOptions(video_cache_folder=tmp_path))
    files = kept.start(wish(), ()).result()
    kept.close()
    assert files.video.exists()
    written = files.video.stat().st_mtime_ns
    later = Renderer(SandboxOptions(video_cache_folder=tmp_path))
    assert later.start(wish(), ()).result().video.stat().st_mtime_ns == written
    later.close()


def test_stopping_ends_an_unfinished_file():
    renderer = Renderer(SandboxOptions())
    order = renderer.start(wish(width=1280, height=720, seconds=60, fps=24), ())
    renderer.close()
    assert order.cancelled() or order.exception() is not None


def test_long_texts_are_wrapped_and_cut():
    font = _font(20)
    lines = _wrapped("一只小猫在月光下的花园里追老鼠。A kitten chases a mouse through the garden " * 9, font, 300, 6)
    assert len(lines) == 6
    assert lines[-1].endswith("…")
    assert all(font.getlength(line) <= 320 for line in lines)
    assert _wrapped("one two", font, 300, 6) == ["one two"]
    assert _wrapped("", font, 300, 6) == []
