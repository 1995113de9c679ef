"""`/idfile`: the files of tasks, at addresses that nobody can guess."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from yuanjing.domain.artifacts import Artifact
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import NotFoundError
from yuanjing.edge.address import own_address
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.file_answers import file_answer
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.usecases.artifacts.links import FileExpiredError

_PATH_LENGTH_MAX = 200
_TEXT_LENGTH_MAX = 100
_YES = frozenset({"1", "true", "yes", "y", "on"})
_log = structlog.stdlib.get_logger("edge")
router = APIRouter(tags=["files"])


class FileQuery(BaseModel):
    """Which file; unknown parameters are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    path: str = Field(min_length=1, max_length=_PATH_LENGTH_MAX, description="As it stands in the link.")
    download: str = Field(
        default="",
        max_length=_TEXT_LENGTH_MAX,
        description="`1` to have a browser save the file instead of showing it.",
    )
    expires: str = Field(default="", max_length=_TEXT_LENGTH_MAX, description="Of a signed link: until when it lives.")
    signature: str = Field(default="", max_length=_TEXT_LENGTH_MAX, description="Of a signed link: that it is ours.")


def artifact_url(request: Request, parts: EdgeParts, artifact: Artifact) -> str:
    """The file's address for an answer to this request."""
    return own_address(request, parts.public_base_url) + parts.files.links.target(artifact)


async def send_artifact(
    request: Request, parts: EdgeParts, artifact: Artifact, *, as_attachment: bool = False
) -> Response:
    """The file, or the parts of it that the request asks for.

    Raises:
        FileExpiredError: it is not kept any more.
        NotFoundError: its bytes are lost, which is logged.
    """
    if artifact.removed_at is not None or artifact.expires_at <= parts.clock.unix():
        raise FileExpiredError("The file is not kept any more")
    try:
        return await file_answer(parts.files, request, artifact, as_attachment=as_attachment)
    except NotFoundError:
        _log.error("files.missing", artifact=artifact.id, task=artifact.task_id)
        raise


@router.get(
    "/idfile",
    response_class=Response,
    responses={
        200: {
            "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
            "description": "The file. `ETag`, `Last-Modified` and `Accept-Ranges` are set; HEAD is answered too.",
        },
        206: {
            "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
            "description": "The parts of the file that `Range` asks for.",
        },
        304: {"description": "The client has the file already, by `If-None-Match` or `If-Modified-Since`."},
        307: {"description": "The file is at the address in `Location`, for some minutes."},
        **error_responses(
            Dialect.OPENAI,
            "missing_required_parameter",
            "invalid_parameter",
            "link_invalid",
            "not_found",
            "file_expired",
            "range_not_satisfiable",
            "store_unavailable",
        ),
    },
)
async def get_file(request: Request, parts: Parts, query: Annotated[FileQuery, Query()]) -> Response:
    """A video, cover or uploaded file, by the link that a task's answer has. It needs no key.

    Links live as long as the file, or, where the operator has them signed, until `expires`.
    """
    parts.files.links.check(query.path, query.expires, query.signature)
    artifact = await parts.store.read(lambda tx: tx.artifacts.by_path(query.path))
    if artifact is None:
        raise NotFoundError("There is no such file", param="path")
    return await send_artifact(request, parts, artifact, as_attachment=query.download.lower() in _YES)
