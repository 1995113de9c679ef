"""Videos for customers: submitted, looked at, canceled and deleted; and how tasks end."""

from yuanjing.usecases.videos.parts import (
    BudgetExceededError,
    BudgetHeldError,
    ModelNotAllowedError,
    ProviderUnavailableError,
    QuotedVideo,
    SubmittedVideo,
    TooManyTasksError,
    UndeliverableFilesError,
    VideoParts,
    VideoPolicy,
    VideoView,
    Viewer,
    viewer_of,
)
from yuanjing.usecases.videos.videos import Videos

__all__ = [
    "BudgetExceededError",
    "BudgetHeldError",
    "ModelNotAllowedError",
    "ProviderUnavailableError",
    "QuotedVideo",
    "SubmittedVideo",
    "TooManyTasksError",
    "UndeliverableFilesError",
    "VideoParts",
    "VideoPolicy",
    "VideoView",
    "Videos",
    "Viewer",
    "viewer_of",
]
