"""A request's values: read, checked against the spec, and written as the offer's model needs them."""

import math
from collections.abc import Collection, Mapping

from yuanjing.domain.catalog import Offer
from yuanjing.domain.parameters.files import Files
from yuanjing.domain.parameters.spec import names_of, outcome, problem_with, properties_of, role_names
from yuanjing.domain.parameters.values import (
    Fields,
    Keywords,
    advice,
    given,
    invalid,
    missing,
    read_size,
    read_value,
    texts,
)
from yuanjing.domain.tasks import Size
from yuanjing.domain.video_offers import Pixels, VideoModel, VideoSpec
from yuanjing.domain.videos import VideoRequest

LLMID, MODEL, PROMPT, RESOLUTION, RATIO, SIZE = "llmid", "model", "prompt", "resolution", "ratio", "size"
FIELDS: Mapping[str, str] = {
    PROMPT: "prompt",
    "negative_prompt": "negative_prompt",
    RESOLUTION: "resolution",
    SIZE: "size",
    RATIO: "ratio",
    "duration": "duration_seconds",
    "off_peak": "off_peak",
    "generate_audio": "audio",
    "seed": "seed",
    "watermark": "watermark",
}
"""Where a parameter goes in `VideoRequest`; every other one needs the hint `x-extra`."""


class Reading:
    """The values of one request for one model of an offer.

    Attributes:
        warnings: what is done differently from what was asked for.
        known_names: every name that means something here.
    """

    def __init__(self, fields: Fields, offer: Offer, model: VideoModel, files: Files) -> None:
        assert offer.video is not None, offer.id
        self._spec: VideoSpec = offer.video
        self._fields, self._offer, self._model, self._files = fields, offer, model, files
        self._properties = properties_of(offer, model, files)
        self._own_names = [
            name
            for name, keywords in self._properties.items()
            if name not in (LLMID, MODEL) and "x-role" not in keywords
        ]
        self._used: dict[str, str] = {}
        self._is_size_used = SIZE in self._properties
        self.warnings: list[str] = []

    @property
    def known_names(self) -> Collection[str]:
        """See the class. A size means something only if it stood for the tier, which is known after `request`."""
        roles = role_names(self._offer)
        own = [names_of(name, keywords) for name, keywords in self._properties.items()]
        size = {SIZE} if self._is_size_used else set[str]()
        return {*size, *(name for names in (*roles.values(), *own) for name in names)}

    def check_required(self) -> None:
        """Complain about what is missing.

        Raises:
            ParameterError: a parameter, no file, is missing.
        """
        for name in texts(self._offer.parameters.get("required")):
            if name in self._own_names and self._given(name) is None:
                raise missing(name)

    def request(self) -> VideoRequest:
        """What the model is asked for.

        Raises:
            ParameterError: a value is not allowed.
        """
        values = {name: self._value(name, self._properties[name]) for name in self._own_names}
        values = {name: value for name, value in values.items() if value is not None}
        self._take_size(values)
        for name in self._own_names:
            if name not in values and "default" in self._properties[name]:
                values[name] = self._properties[name]["default"]
        self._check(values)
        sent = {name: self._rewritten(name, value) for name, value in values.items()}
        arguments: dict[str, object] = {
            FIELDS[name]: value for name, value in sent.items() if name in FIELDS and value is not None
        }
        extras = {
            str(self._properties[name]["x-extra"]): value
            for name, value in sent.items()
            if name not in FIELDS and value is not None
        }
        self._put_size(arguments)
        return VideoRequest(model=self._model.name, extras={**self._spec.extras, **extras}, **arguments)  # pyright: ignore[reportArgumentType]  # the spec's types are those of `FIELDS`

    def _given(self, name: str) -> object | None:
        names = names_of(name, self._properties[name])
        for used, value in given(self._fields, names):
            self._used[name] = used
            return value
        return None

    def _value(self, name: str, keywords: Keywords) -> object | None:
        value = self._given(name)
        return None if value is None else read_value(self._used[name], keywords, value)

    def _take_size(self, values: dict[str, object]) -> None:
        """A size is another way to say tier and ratio, where the model knows only those."""
        raw = next((value for _, value in given(self._fields, (SIZE,))), None)
        if raw is None or SIZE in self._properties or RESOLUTION not in self._properties or RESOLUTION in values:
            return
        size = read_size(raw)
        if size is None:
            raise invalid(SIZE, "such as 1280x720")
        nearest = self._nearest(size)
        if nearest is None:
            return
        self._is_size_used = True
        values[RESOLUTION] = nearest.resolution
        ratio = self._properties.get(RATIO)
        if ratio is None or outcome(ratio, nearest.ratio) is None:
            self._warn_of_shape(size, nearest.resolution)
            return
        made = values.setdefault(RATIO, nearest.ratio)
        if nearest.size != size or made != nearest.ratio:
            self.warnings.append(f"size {size.width}x{size.height} is made as {nearest.resolution} {made}")

    def _warn_of_shape(self, size: Size, tier: str) -> None:
        name = f"size {size.width}x{size.height}"
        self.warnings.append(f"{name}: only its tier {tier} is used, the picture decides the shape")

    def _nearest(self, size: Size) -> Pixels | None:
        """Of the ratio that is nearest in shape, the tier that is nearest in area; None if there are no sizes."""
        tiers, ratios = (texts(self._properties.get(name, {}).get("enum")) for name in (RESOLUTION, RATIO))
        fitting = [
            entry for entry in self._spec.pixels if entry.resolution in tiers and (not ratios or entry.ratio in ratios)
        ]
        if not fitting:
            return None
        ratio = min(fitting, key=lambda entry: abs(_shape(entry.size) - _shape(size))).ratio
        same_ratio = [entry for entry in fitting if entry.ratio == ratio]
        return min(same_ratio, key=lambda entry: abs(_area(entry.size) - _area(size)))

    def _check(self, values: Mapping[str, object]) -> None:
        counts = {rule.field: len(self._files.get(rule.role, ())) for rule in self._spec.media}
        files = {name: self._placeholder(name, count) for name, count in counts.items() if count}
        instance = {LLMID: self._offer.id, MODEL: self._model.name, **values, **files}
        wrong = problem_with(self._offer, self._model, self._files, instance)
        if wrong is not None:
            raise invalid(self._used.get(wrong, wrong), advice(self._properties.get(wrong, {})))

    def _placeholder(self, name: str, count: int) -> object:
        """What stands for files while the spec is checked: their number matters, they themselves are checked later."""
        is_list = self._properties.get(name, {}).get("type") == "array"
        return ["file"] * count if is_list else "file"

    def _rewritten(self, name: str, value: object) -> object | None:
        """What the model is asked instead; None if it is not told at all."""
        found = outcome(self._properties[name], value)
        if found is not None and found != value:
            self.warnings.append(f"{name} {value} is not made by {self._model.name}; {found} is used")
        return found

    def _put_size(self, arguments: dict[str, object]) -> None:
        """The size as numbers, or as its tier if that is what the model is told."""
        size = read_size(arguments.pop("size", None))
        if size is None:
            return
        if self._spec.sends_tier:
            tier = next(entry.resolution for entry in self._spec.pixels if entry.size == size)
            arguments["resolution"] = tier
            if SIZE in self._used:
                self._warn_of_shape(size, tier)
        else:
            arguments["size"] = size


def _shape(size: Size) -> float:
    return math.log(size.width / size.height)


def _area(size: Size) -> int:
    return size.width * size.height
