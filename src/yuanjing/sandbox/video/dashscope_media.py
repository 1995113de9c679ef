"""What DashScope wants of pictures, videos and sounds, checked on the fetched files: what is wrong fails the task."""

import dataclasses

from yuanjing.sandbox.video import dashscope_models as models
from yuanjing.sandbox.video.dashscope_models import DashModel, VideoLimits
from yuanjing.sandbox.video.dashscope_request import DashAsk, invalid
from yuanjing.sandbox.video.media import MediaLoader
from yuanjing.sandbox.video.wish import FailedError, FailureKind, Kind, Media, Resolved, Role


async def resolve(ask: DashAsk, owner: str, loader: MediaLoader) -> tuple[Resolved, ...]:
    """The media of a request, fetched and checked.

    Raises:
        FailedError: one cannot be fetched or is not as wanted.
    """
    found = [await _one(one, owner, loader) for one in ask.media]
    for piece in found:
        _check(piece, ask.row)
    if sum(piece.kind is Kind.VIDEO for piece in found) > models.REFERENCE_VIDEOS_MAX:
        raise invalid(f"The reference_urls is not valid, at most {models.REFERENCE_VIDEOS_MAX} videos are allowed")
    return tuple(found)


async def _one(media: Media, owner: str, loader: MediaLoader) -> Resolved:
    """One piece; `reference_urls` does not say what a URL holds, so a picture that is none may be a video."""
    try:
        return await loader.resolve(media, owner)
    except FailedError as error:
        if media.role is not Role.REFERENCE_IMAGE or error.failure.kind is not FailureKind.MEDIA_INVALID:
            raise
        video = dataclasses.replace(media, role=Role.REFERENCE_VIDEO, kind=Kind.VIDEO)
        try:
            return await loader.resolve(video, owner)
        except FailedError:
            raise error from None


def _check(piece: Resolved, row: DashModel) -> None:
    if piece.kind is Kind.IMAGE:
        _check_image(piece, row)
    elif piece.kind is Kind.VIDEO and not row.references_max:
        raise invalid("The media is not valid, the model takes no video")
    else:
        _check_clip(piece, models.REFERENCE_VIDEO if piece.kind is Kind.VIDEO else models.AUDIO)


def _check_image(piece: Resolved, row: DashModel) -> None:
    limits = row.images
    short, long = sorted((piece.width, piece.height))
    if piece.format not in limits.formats:
        raise invalid(f"The image format is not valid {piece.format}, supported: {', '.join(limits.formats)}")
    if piece.bytes_length > limits.bytes_max:
        raise invalid(f"The image is not valid, it is larger than {limits.bytes_max // models.MIB} MB")
    if short < limits.short_side_min or long > limits.long_side_max:
        raise invalid(f"The image size is not valid {piece.width}*{piece.height}")
    if piece.format in limits.opaque and piece.has_alpha:
        raise invalid(f"The image is not valid, a {piece.format} with an alpha channel is not supported")
    if limits.ratio_max and long > short * limits.ratio_max:
        raise invalid(f"The image ratio is not valid {piece.width}:{piece.height}")


def _check_clip(piece: Resolved, limits: VideoLimits) -> None:
    if piece.format not in limits.formats:
        raise invalid(f"The {piece.kind} format is not valid {piece.format}, supported: {', '.join(limits.formats)}")
    if piece.bytes_length > limits.bytes_max:
        raise invalid(f"The {piece.kind} is not valid, it is larger than {limits.bytes_max // models.MIB} MB")
    if not limits.seconds_min - models.SLACK_SECONDS <= piece.seconds <= limits.seconds_max + models.SLACK_SECONDS:
        raise invalid(f"The {piece.kind} duration is not valid {piece.seconds:.1f}")
