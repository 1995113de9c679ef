"""What Ark wants of pictures, videos and sounds, checked on the fetched files."""

from collections.abc import Sequence

from yuanjing.sandbox.video.ark_content import ASSET, ArkMedia
from yuanjing.sandbox.video.ark_problems import ArkRefusedError, invalid
from yuanjing.sandbox.video.media import MediaLoader
from yuanjing.sandbox.video.wish import FailedError, Kind, Media, Resolved, Role

MIB = 1024 * 1024
FORMATS = {
    Kind.IMAGE: ("jpeg", "png", "webp", "bmp", "tiff", "gif", "heic", "heif"),
    Kind.VIDEO: ("mp4", "mov"),
    Kind.AUDIO: ("wav", "mp3"),
}
BYTES_MAX = {Kind.IMAGE: 30 * MIB, Kind.VIDEO: 200 * MIB, Kind.AUDIO: 15 * MIB}
SIDE_MIN = 300
SIDE_MAX = 6000
RATIO_MIN = 0.4
RATIO_MAX = 2.5
CLIP_SECONDS_MIN = 2.0
CLIP_SECONDS_MAX = 15.0
CLIPS_SECONDS_MAX = 15.0
FPS_MIN = 24.0
FPS_MAX = 60.0
_FACE_CODES = {
    Kind.IMAGE: "InputImageSensitiveContentDetected.PrivacyInformation",
    Kind.VIDEO: "InputVideoSensitiveContentDetected.PrivacyInformation",
}
"""That of a clip is documented as a code, what it is for is [assumed]."""
SLACK_SECONDS = 0.05
"""A file of two seconds is often some milliseconds off them [assumed]."""


async def resolve(media: Sequence[ArkMedia], owner: str, loader: MediaLoader) -> tuple[Resolved, ...]:
    """The media, fetched and checked.

    Raises:
        ArkRefusedError: one cannot be fetched or is not as wanted; that Ark fetches before it accepts is [assumed].
    """
    found: list[Resolved] = []
    for one in media:
        if one.is_asset and not loader.has(one.url, owner):  # the code is [assumed]
            raise invalid(one.name, f"the asset {one.url.removeprefix(ASSET)} does not exist")
        try:
            piece = await loader.resolve(Media(role=Role(one.role), kind=Kind(one.kind), source=one.url), owner)
        except FailedError as error:
            raise _refused(one, error.failure.text) from error
        _check(piece, one)
        found.append(piece)
    for kind in (Kind.VIDEO, Kind.AUDIO):
        total = sum(piece.seconds for piece in found if piece.kind is kind)
        if total > CLIPS_SECONDS_MAX + SLACK_SECONDS:
            raise invalid("content", f"all {kind}s together are {total:.1f} s, at most {CLIPS_SECONDS_MAX:g} s")
    return tuple(found)


def refuse_faces(media: Sequence[ArkMedia]) -> None:
    """Refuse the first picture or clip that is no asset, as showing a real person.

    Raises:
        ArkRefusedError: there is one.
    """
    for one in media:
        code = _FACE_CODES.get(Kind(one.kind))
        if code and not one.is_asset:
            text = f"The request failed because the input {one.kind} may contain a real person."
            raise ArkRefusedError(code, text, one.name)


def _refused(one: ArkMedia, why: str) -> ArkRefusedError:
    if one.kind == Kind.IMAGE:
        return ArkRefusedError("InvalidImageURL", f"The image cannot be used: {why}", one.name)
    return invalid(one.name, why)


def _check(piece: Resolved, one: ArkMedia) -> None:
    if piece.format not in FORMATS[piece.kind]:
        raise invalid(one.name, f"the format {piece.format} is not one of {', '.join(FORMATS[piece.kind])}")
    if piece.bytes_length > BYTES_MAX[piece.kind]:
        raise invalid(one.name, f"the file is larger than {BYTES_MAX[piece.kind] // MIB} MB")
    if piece.kind is Kind.IMAGE:
        _check_image(piece, one)
        return
    if not CLIP_SECONDS_MIN - SLACK_SECONDS <= piece.seconds <= CLIP_SECONDS_MAX + SLACK_SECONDS:
        raise invalid(one.name, f"it lasts {piece.seconds:.1f} s, not {CLIP_SECONDS_MIN:g} to {CLIP_SECONDS_MAX:g} s")
    if piece.kind is Kind.VIDEO and not FPS_MIN - 0.5 <= piece.fps <= FPS_MAX + 0.5:
        raise invalid(one.name, f"it has {piece.fps:.1f} frames per second, not {FPS_MIN:g} to {FPS_MAX:g}")


def _check_image(piece: Resolved, one: ArkMedia) -> None:
    if not RATIO_MIN < piece.ratio < RATIO_MAX:
        raise invalid(one.name, f"the ratio of the image is {piece.ratio:.2f}, not between {RATIO_MIN} and {RATIO_MAX}")
    if min(piece.width, piece.height) < SIDE_MIN or max(piece.width, piece.height) > SIDE_MAX:
        raise invalid(one.name, f"the image is {piece.width}x{piece.height}, sides must be {SIDE_MIN} to {SIDE_MAX} px")
