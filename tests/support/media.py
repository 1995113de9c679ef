"""Pictures, clips and sound for tests, made on the spot and small."""

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import pillow_heif
from PIL import Image, ImageDraw

pillow_heif.register_heif_opener()
ORIENTATION, GPS = 0x0112, 0x8825


def picture(width: int = 400, height: int = 300, kind: str = "JPEG", *, turn: int = 1, mode: str = "RGB") -> bytes:
    """A picture whose left half is red; with `turn`, an EXIF orientation and a place on earth."""
    image = Image.new("RGB", (width, height), "blue")
    ImageDraw.Draw(image).rectangle((0, 0, width // 2, height), fill="red")
    exif = Image.Exif()
    if turn != 1:
        exif[ORIENTATION] = turn
        exif.get_ifd(GPS)[1] = "N"
    out = io.BytesIO()
    image.convert(mode).save(out, kind, **({"exif": exif} if turn != 1 else {}))
    return out.getvalue()


def moving_picture(kind: str = "GIF") -> bytes:
    """Three frames."""
    frames = [Image.new("RGB", (320, 320), color) for color in ("red", "green", "blue")]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    return out.getvalue()


def claimed_picture(width: int, height: int) -> bytes:
    """A PNG whose head promises so many pixels, and that has none."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        import zlib  # noqa: PLC0415  # only here

        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def clip(  # noqa: PLR0913  # a clip has many sides
    place: Path,
    *,
    seconds: float = 2.0,
    width: int = 160,
    height: int = 120,
    rate: int = 12,
    color: str = "",
    bright_from: float | None = None,
    has_audio: bool = False,
    is_fast: bool = True,
) -> Path:
    """A clip of changing colours, or of one; black until `bright_from` if that is given."""
    options = {"movflags": "+faststart"} if is_fast and place.suffix in {".mp4", ".mov"} else {}
    with av.open(str(place), "w", options=options) as container:
        codec = "libvpx" if place.suffix == ".webm" else "libx264"
        video = container.add_stream(codec, rate=rate, options={"preset": "ultrafast"} if codec == "libx264" else {})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        sound = container.add_stream("aac", rate=44_100) if has_audio else None
        for i in range(round(seconds * rate)):
            shown = color or f"hsl({i * 17 % 360}, 80%, 50%)"
            if bright_from is not None:
                shown = "white" if i / rate >= bright_from else "black"
            frame = av.VideoFrame.from_image(Image.new("RGB", (width, height), shown))
            for packet in video.encode(frame):
                container.mux(packet)
        for packet in video.encode():
            container.mux(packet)
        if sound is not None:
            _silence(container, sound, seconds)
    return place


def sound(place: Path, seconds: float = 2.0) -> Path:
    """Silence, in the format that the suffix names."""
    codecs = {
        ".mp3": "libmp3lame",
        ".wav": "pcm_s16le",
        ".m4a": "aac",
        ".aac": "aac",
        ".flac": "flac",
        ".ogg": "libopus",
    }
    formats = {".m4a": "mp4", ".aac": "adts"}
    rate = 48_000 if place.suffix == ".ogg" else 44_100
    with av.open(str(place), "w", format=formats.get(place.suffix)) as container:
        _silence(container, container.add_stream(codecs[place.suffix], rate=rate), seconds)
    return place


def _silence(container, stream, seconds: float) -> None:
    samples = stream.codec_context.frame_size or 1024
    for i in range(round(seconds * stream.rate / samples)):
        layout, kind = stream.codec_context.layout.name, stream.codec_context.format.name
        frame = av.AudioFrame(format=kind, layout=layout, samples=samples)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.rate, frame.pts, frame.time_base = stream.rate, i * samples, Fraction(1, stream.rate)
        for packet in stream.encode(frame):
            container.mux(packet)
    for packet in stream.encode():
        container.mux(packet)
