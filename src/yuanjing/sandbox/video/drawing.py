"""The pictures of a rendered video.

What stands still is drawn once; a frame is made of copies of it, in the encoder's own planes, so that no frame is
converted: this takes a tenth of the time of drawing in RGB.
"""

import colorsys
import hashlib
import io
from functools import lru_cache

import noto_cjk_sans_otc
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from yuanjing.sandbox.video import film
from yuanjing.sandbox.video.wish import Kind, Resolved, Role, Wish, even

FONT_INDEX = 2  # the simplified Chinese face of the collection
HOLD_SECONDS = 0.4
PROMPT_LINES_MAX = 6
THUMBNAILS_MAX = 9
_INK = (240, 240, 240)
_DIM = (176, 186, 200)
_DARK = (18, 22, 30)

_SCALES = (1, 2, 2)
# BT.601 with 16 to 235, which players take for granted where nothing else is said: rows of R, G, B and an offset.
_YUV = (0.257, 0.504, 0.098, 16, -0.148, -0.291, 0.439, 128, 0.439, -0.368, -0.071, 128)

_Font = ImageFont.FreeTypeFont


@lru_cache(maxsize=32)
def _font(size: int) -> _Font:
    return ImageFont.truetype(str(noto_cjk_sans_otc.FONT_PATH), size, index=FONT_INDEX)


def picture_of(piece: Resolved) -> Image.Image:
    """An image, or a video's first frame, as it is to be seen: EXIF orientation applied, RGB."""
    with Image.open(io.BytesIO(piece.data)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


class Sheet:
    """A picture as planes of Y, U and V (BT.601, 16 to 235), the last two at half the size; all places are even."""

    def __init__(self, planes: tuple[Image.Image, Image.Image, Image.Image]) -> None:
        self.planes = planes

    @classmethod
    def of(cls, image: Image.Image) -> "Sheet":
        """An RGB image; its sides are even."""
        y, u, v = image.convert("RGB", _YUV).split()
        return cls((y, u.reduce(2), v.reduce(2)))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.planes[0].size

    def window(self, left: int, width: int) -> "Sheet":
        """A copy of the part that begins at `left`; black where it passes the edge."""
        y, u, v = (
            plane.crop((left // scale, 0, (left + width) // scale, plane.height))
            for plane, scale in zip(self.planes, _SCALES, strict=True)
        )
        return Sheet((y, u, v))

    def paste(self, other: "Sheet", at: tuple[int, int]) -> None:
        """Lay `other` over this."""
        for plane, over, scale in zip(self.planes, other.planes, _SCALES, strict=True):
            plane.paste(over, (at[0] // scale, at[1] // scale))

    def frame(self) -> film.Picture:
        """For the encoder."""
        width, height = self.size
        frame = film.picture(width, height)
        for plane, image in zip(frame.planes, self.planes, strict=True):
            wide = image.crop((0, 0, plane.line_size, image.height)) if plane.line_size != image.width else image
            plane.update(wide.tobytes())
        return frame


class Scene:
    """One video's frames.

    With a first image the video begins with exactly it (scaled and cut to the video's shape) for 0.4 s, or a quarter of
    the video if that is less; with a last image it ends so.
    """

    def __init__(self, wish: Wish, media: tuple[Resolved, ...]) -> None:
        self.size = (even(wish.width), even(wish.height))
        self.frames = max(1, round(wish.seconds * wish.fps))
        self._wish = wish
        self._unit = min(self.size)
        self._margin = even(self._unit // 30)
        self._travel = even(self.size[0] // 6)
        images = [(piece.role, picture_of(piece)) for piece in media if piece.data]
        first, last = (self._fitted(images, role) for role in (Role.FIRST_FRAME, Role.LAST_FRAME))
        self._first, self._last = (Sheet.of(image) if image else None for image in (first, last))
        self._hold = max(1, min(round(HOLD_SECONDS * wish.fps), self.frames // 4))
        shown = [image for image in (first, last) if image] or [None]
        self._backgrounds = [Sheet.of(self._background(image)) for image in shown]
        self._panel = Sheet.of(self._drawn_panel([image for _, image in images], media))
        self._mark = Sheet.of(self._watermark(wish.watermark)) if wish.watermark else None
        self._code_font = _font(max(8, self._unit // 22))
        _, top, right, bottom = self._code_font.getbbox("00:00.000 / 000 s  #00000")
        self._code_size = (even(min(int(right) + 2 * self._margin, self.size[0])), even(int(bottom + top)))

    def frame(self, index: int) -> film.Picture:
        """The picture at `index`, from 0 to `frames` - 1."""
        sheet = self._held(index) or self._moving(index)
        if self._mark is not None:
            sheet.paste(self._mark, self._corner(self._mark, 0))
        return sheet.frame()

    def _held(self, index: int) -> Sheet | None:
        """The first or last image, if it is its time."""
        if self._first is not None and index < self._hold:
            return self._first.window(0, self.size[0])
        if self._last is not None and index >= self.frames - self._hold:
            return self._last.window(0, self.size[0])
        return None

    def _moving(self, index: int) -> Sheet:
        part = index * len(self._backgrounds) // self.frames
        way = index * even(self.size[0] // 240) % (2 * self._travel)
        sheet = self._backgrounds[part].window(min(way, 2 * self._travel - way), self.size[0])
        below = self._margin + (self._mark.size[1] if self._mark else 0)
        sheet.paste(self._panel, (self._margin, self._corner(self._panel, below)[1]))
        sheet.paste(self._time_code(index), (self.size[0] - self._code_size[0] - self._margin, self._margin))
        return sheet

    def _corner(self, sheet: Sheet, margin: int) -> tuple[int, int]:
        """Where it lies at the bottom right."""
        width, height = sheet.size
        return max(0, self.size[0] - width - margin), max(0, self.size[1] - height - margin)

    def _fitted(self, images: list[tuple[Role, Image.Image]], role: Role) -> Image.Image | None:
        found = [image for of, image in images if of is role]
        return ImageOps.fit(found[0], self.size) if found else None

    def _background(self, image: Image.Image | None) -> Image.Image:
        """A picture somewhat wider than the video, over which the video's window moves."""
        width, height = self.size[0] + self._travel, self.size[1]
        if image is not None:
            return ImageEnhance.Brightness(ImageOps.fit(image, (width, height))).enhance(0.7)
        seed = hashlib.sha256(f"{self._wish.model}\n{self._wish.prompt}\n{self._wish.seed}".encode()).digest()
        hue = seed[0] / 256
        dark, light = _colour(hue, 0.35), _colour((hue + 0.12) % 1, 0.75)
        ramp = ImageOps.fit(Image.linear_gradient("L").rotate(90), (width, height))
        picture = ImageOps.colorize(ramp, dark, light)
        draw = ImageDraw.Draw(picture)
        for number in range(6):
            x, y = seed[number + 1] * width // 256, seed[number + 8] * height // 256
            radius = self._unit * (4 + seed[number + 16] % 10) // 60
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_colour((hue + number / 9) % 1, 0.6))
        return picture

    def _drawn_panel(self, images: list[Image.Image], media: tuple[Resolved, ...]) -> Image.Image:
        """Prompt, parameters and thumbnails."""
        wish, unit = self._wish, self._unit
        large, small = _font(max(8, unit // 20)), _font(max(7, unit // 28))
        width = self.size[0] - 2 * self._margin
        pad = max(2, unit // 40)
        inner = width - 2 * pad
        prompt = _wrapped(wish.prompt or "(no prompt)", large, inner, PROMPT_LINES_MAX)
        names = [("", wish.protocol), ("", wish.model), *_facts(wish), *wish.lines]
        facts = _wrapped(" · ".join(f"{name} {value}".strip() for name, value in names), small, inner, 3)
        clips = [
            f"{piece.role.value} {piece.format} {piece.seconds:.1f} s"
            for piece in media
            if piece.kind is not Kind.IMAGE
        ]
        facts += _wrapped(" · ".join(clips), small, inner, 2) if clips else []
        box = (max(1, inner // THUMBNAILS_MAX - 2), max(1, unit // 7))
        thumbs = [ImageOps.contain(image, box) for image in images[:THUMBNAILS_MAX]]
        thumb = max((one.height for one in thumbs), default=0)
        line, low = _line_height(large), _line_height(small)
        height = 2 * pad + len(prompt) * line + len(facts) * low + (thumb + pad if thumb else 0)
        panel = Image.new("RGB", (even(width), even(min(height, self.size[1]))), _DARK)
        draw = ImageDraw.Draw(panel)
        y = pad
        for at, one in enumerate(thumbs):
            panel.paste(one, (pad + at * (inner // THUMBNAILS_MAX), y))
        y += thumb + pad if thumb else 0
        for text in prompt:
            draw.text((pad, y), text, font=large, fill=_INK)
            y += line
        for text in facts:
            draw.text((pad, y), text, font=small, fill=_DIM)
            y += low
        return panel

    def _time_code(self, index: int) -> Sheet:
        width, height = self._code_size
        at = index / self._wish.fps
        text = f"{int(at // 60):02}:{at % 60:06.3f} / {self._wish.seconds:g} s  #{index}"
        box = Image.new("RGB", self._code_size, _DARK)
        draw = ImageDraw.Draw(box)
        draw.text((self._margin, 0), text, font=self._code_font, fill=_INK)
        done = width * (index + 1) // self.frames
        draw.rectangle((0, height - max(2, self._unit // 120), done, height), fill=(255, 176, 0))
        return Sheet.of(box)

    def _watermark(self, text: str) -> Image.Image:
        font = _font(max(8, self._unit // 24))
        _, _, right, bottom = font.getbbox(text)
        size = min(int(right) + 2 * self._margin, self.size[0]), min(int(bottom) + self._margin, self.size[1])
        image = Image.new("RGB", (even(size[0]), even(size[1])), (60, 60, 60))
        ImageDraw.Draw(image).text((self._margin, 0), text, font=font, fill=_INK)
        return image


def _facts(wish: Wish) -> list[tuple[str, str]]:
    facts = [("", f"{even(wish.width)}*{even(wish.height)}"), ("", f"{wish.seconds:g} s"), ("", f"{wish.fps} fps")]
    facts.append(("audio", "on" if wish.has_audio else "off"))
    return [*facts, ("seed", str(wish.seed))] if wish.seed is not None else facts


def _wrapped(text: str, font: _Font, width: int, lines_max: int) -> list[str]:
    """Lines that fit the width; broken at spaces where a line has one, anywhere else in Chinese."""
    lines: list[str] = []
    line = ""
    for char in " ".join(text.split()):
        if font.getlength(line + char) <= width or not line:
            line += char
            continue
        head, space, tail = line.rpartition(" ")
        if space and char.isascii() and char != " " and tail.isascii():
            lines.append(head)
            line = tail + char
        else:
            lines.append(line)
            line = char.strip()
        if len(lines) == lines_max:
            return [*lines[:-1], lines[-1][:-1] + "…"]
    return [*lines, line] if line else lines


def _line_height(font: _Font) -> int:
    ascent, descent = font.getmetrics()
    return ascent + descent


def _colour(hue: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.6, value)
    return int(red * 255), int(green * 255), int(blue * 255)
