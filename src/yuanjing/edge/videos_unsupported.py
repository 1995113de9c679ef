"""What OpenAI's video API has beyond ours: each is refused with what to use instead."""

from fastapi import APIRouter, Response

from yuanjing.domain.dialects import ERRORS, Dialect
from yuanjing.domain.errors import YuanjingError
from yuanjing.edge.auth import AuthenticatedCaller
from yuanjing.edge.error_docs import KEY_CODES, error_responses

_CODE = "unsupported_operation"
_STATUS = ERRORS[_CODE].status
_RESPONSES = error_responses(Dialect.OPENAI, *KEY_CODES, _CODE)
_FROM_VIDEO = (
    "POST /v1/videos with a model for reference_to_video, a new prompt and the video as video_files makes a new one"
)
router = APIRouter(prefix="/v1/videos", tags=["videos"])


class UnsupportedOperationError(YuanjingError):
    """A part of OpenAI's API that we do not have."""

    code = _CODE

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(f"{what} is not supported; {instead}")


@router.post("/{video_id}/remix", response_class=Response, status_code=_STATUS, responses=_RESPONSES)
async def remix_video(_caller: AuthenticatedCaller, video_id: str) -> Response:
    """Refused: models that take a video as a reference make a new one of it."""
    del video_id
    raise UnsupportedOperationError("Remixing a video", _FROM_VIDEO)


@router.post("/edits", response_class=Response, status_code=_STATUS, responses=_RESPONSES)
async def edit_video(_caller: AuthenticatedCaller) -> Response:
    """Refused: models that take a video as a reference make a new one of it."""
    raise UnsupportedOperationError("Editing a video", _FROM_VIDEO)


@router.post("/extensions", response_class=Response, status_code=_STATUS, responses=_RESPONSES)
async def extend_video(_caller: AuthenticatedCaller) -> Response:
    """Refused: a last frame, used as the first one of a new video, goes on where it ended."""
    raise UnsupportedOperationError(
        "Extending a video", "POST /v1/videos with its last frame as input_reference makes one that goes on from there"
    )


@router.post("/characters", response_class=Response, status_code=_STATUS, responses=_RESPONSES)
async def create_character(_caller: AuthenticatedCaller) -> Response:
    """Refused: reference images show the same character in many videos."""
    raise _no_characters()


@router.get("/characters/{character_id}", response_class=Response, status_code=_STATUS, responses=_RESPONSES)
async def get_character(_caller: AuthenticatedCaller, character_id: str) -> Response:
    """Refused, as making one is."""
    del character_id
    raise _no_characters()


def _no_characters() -> UnsupportedOperationError:
    instead = "POST /v1/videos with a model for reference_to_video and image_files shows the same character"
    return UnsupportedOperationError("A character of its own", instead)
