"""What Ark counts: tokens by the formula that fits every measured sample, and the size of an adaptive picture."""

from fractions import Fraction

from yuanjing.sandbox.video.ark_models import FPS, PIXELS, RATIOS

TOKEN_PIXELS = 1024
FRAME_SLACK = 0.01
DRAFT_PERCENT = 70
DRAFT_PERCENT_WITH_AUDIO = 60


def count(width: int, height: int, seconds: float, input_seconds: float = 0.0) -> int:
    """The tokens of a video: floor(width x height x (24 x seconds + 1) / 1024), input videos counted as seconds.

    A clip of the input that has no whole number of frames loses the rest [assumed].
    """
    frames = _frames(seconds) + _frames(input_seconds) + 1
    return width * height * frames // TOKEN_PIXELS


def _frames(seconds: float) -> int:
    """Whole frames; a container tells its length in microseconds, which may cut a frame's last one off."""
    return int(FPS * seconds + FRAME_SLACK)


def count_draft(tokens: int, *, has_audio: bool) -> int:
    """The tokens of a draft, by the documented coefficients; the rest is cut off [assumed]."""
    return tokens * (DRAFT_PERCENT_WITH_AUDIO if has_audio else DRAFT_PERCENT) // 100


def size(resolution: str, ratio: str) -> tuple[int, int]:
    """Width and height in pixels."""
    return PIXELS[resolution][ratio]


def nearest_ratio(width: int, height: int) -> str:
    """The ratio that `adaptive` takes for a picture of this size."""
    given = Fraction(width, height)

    def distance(ratio: str) -> Fraction:
        across, down = ratio.split(":")
        one = Fraction(int(across), int(down))
        return max(one / given, given / one)

    return min(RATIOS, key=distance)
