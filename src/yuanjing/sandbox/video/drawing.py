"""The pictures of a rendered video: what stands still is drawn once, what moves is cheap."""

import colorsys
import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache

import noto_cjk_sans_otc
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from yuanjing.sandbox.video.media import Resolved
from yuanjing.sandbox.video.wish import Kind, Role, Wish, even

FONT_INDEX = 2  # the simplified Chinese face of the collection
HOLD_SECONDS = 0.4
PROMPT_LINES_MAX = 6
THUMBNAILS_MAX = 9
_INK = (240, 240, 240)
_DIM = (176, 186, 200)
_DARK = (18, 22, 30)

_Font = ImageFont.FreeTypeFont


@lru_cache(maxsize=32)
def _font(size: int) -> _Font:
    return ImageFont.truetype(str(noto_cjk_sans_otc.FONT_PATH), size, index=FONT_INDEX)


def picture_of(piece: Resolved) -> Image.Image:
    """An image, or a video's first frame, as it is to be seen: EXIF orientation applied, RGB."""
    with Image.open(io.BytesIO(piece.data)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


@dataclass(frozen=True, kw_only=True)
class _Still:
    """A picture that is pasted at a place of each frame."""

    image: Image.Image
    at: tuple[int, int]


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
        images = [(piece.role, picture_of(piece)) for piece in media if piece.data]
        self._first = self._fitted(images, Role.FIRST_FRAME)
        self._last = self._fitted(images, Role.LAST_FRAME)
        self._hold = max(1, min(round(HOLD_SECONDS * wish.fps), self.frames // 4))
        self._travel = max(2, self.size[0] // 6)
        self._backgrounds = [self._background(one) for one in (self._first, self._last) if one] or [
            self._background(None)
        ]
        margin = max(2, self._unit // 30)
        panel = self._panel([image for _, image in images], media)
        self._panel_still = _Still(image=panel, at=(margin, max(0, self.size[1] - panel.height - margin)))
        self._mark = self._watermark(margin)
        self._code_font = _font(max(8, self._unit // 22))
        left, top, right, bottom = self._code_font.getbbox("00:00.000 / 000 s  #00000")
        self._code_size = (min(int(right - left) + 2 * margin, self.size[0]), int(bottom + top))
        self._margin = margin

    def frame(self, index: int) -> Image.Image:
        """The picture at `index`, from 0 to `frames` - 1."""
        if self._first is not None and index < self._hold:
            return self._marked(self._first.copy())
        if self._last is not None and index >= self.frames - self._hold:
            return self._marked(self._last.copy())
        part = index * len(self._backgrounds) // self.frames
        way = index * max(1, self.size[0] // 240) % (2 * self._travel)
        left = way if way <= self._travel else 2 * self._travel - way
        picture = self._backgrounds[part].crop((left, 0, left + self.size[0], self.size[1]))
        picture.paste(self._panel_still.image, self._panel_still.at)
        self._time_code(picture, index)
        return self._marked(picture)

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

    def _panel(self, images: list[Image.Image], media: tuple[Resolved, ...]) -> Image.Image:
        """Prompt, parameters and thumbnails."""
        wish, unit = self._wish, self._unit
        large, small = _font(max(8, unit // 20)), _font(max(7, unit // 28))
        width = self.size[0] - 2 * max(2, unit // 30)
        pad = max(2, unit // 40)
        inner = width - 2 * pad
        prompt = _wrapped(wish.prompt or "(no prompt)", large, inner, PROMPT_LINES_MAX)
        names = [("", f"{wish.protocol} · {wish.model}"), *_facts(wish), *wish.lines]
        facts = _wrapped("   ".join(f"{name} {value}".strip() for name, value in names), small, inner, 3)
        clips = [
            f"{piece.role.value} {piece.format} {piece.seconds:.1f} s"
            for piece in media
            if piece.kind is not Kind.IMAGE
        ]
        facts += _wrapped("   ".join(clips), small, inner, 2) if clips else []
        thumb = unit // 7 if images else 0
        line, low = _line_height(large), _line_height(small)
        height = 2 * pad + len(prompt) * line + len(facts) * low + (thumb + pad if thumb else 0)
        panel = Image.new("RGB", (width, min(height, self.size[1])), _DARK)
        draw = ImageDraw.Draw(panel)
        y = pad
        for at, image in enumerate(images[:THUMBNAILS_MAX]):
            one = ImageOps.contain(image, (max(1, inner // THUMBNAILS_MAX - 2), thumb))
            panel.paste(one, (pad + at * (inner // THUMBNAILS_MAX), y))
        y += thumb + pad if thumb else 0
        for text in prompt:
            draw.text((pad, y), text, font=large, fill=_INK)
            y += line
        for text in facts:
            draw.text((pad, y), text, font=small, fill=_DIM)
            y += low
        return panel

    def _time_code(self, picture: Image.Image, index: int) -> None:
        at = index / self._wish.fps
        text = f"{int(at // 60):02}:{at % 60:06.3f} / {self._wish.seconds:g} s  #{index}"
        box = Image.new("RGB", self._code_size, _DARK)
        draw = ImageDraw.Draw(box)
        draw.text((self._margin, 0), text, font=self._code_font, fill=_INK)
        done = self._code_size[0] * (index + 1) // self.frames
        draw.rectangle(
            (0, self._code_size[1] - max(2, self._unit // 120), done, self._code_size[1]), fill=(255, 176, 0)
        )
        picture.paste(box, (self.size[0] - self._code_size[0] - self._margin, self._margin))

    def _watermark(self, margin: int) -> _Still | None:
        if not self._wish.watermark:
            return None
        font = _font(max(8, self._unit // 24))
        _, _, right, bottom = font.getbbox(self._wish.watermark)
        image = Image.new("RGB", (min(int(right) + 2 * margin, self.size[0]), int(bottom) + margin), (60, 60, 60))
        ImageDraw.Draw(image).text((margin, 0), self._wish.watermark, font=font, fill=_INK)
        at = (self.size[0] - image.width, self.size[1] - image.height)
        return _Still(image=image, at=(max(0, at[0]), max(0, at[1])))

    def _marked(self, picture: Image.Image) -> Image.Image:
        if self._mark is not None:
            picture.paste(self._mark.image, self._mark.at)
        return picture


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
