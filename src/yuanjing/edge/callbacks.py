"""Where video providers tell about changes; whatever they say, it is only a reason to ask them."""

from http import HTTPStatus

import structlog
from fastapi import APIRouter, Request, Response

from yuanjing.edge.bodies import BodyTooLargeError, read_body
from yuanjing.edge.errors import error_answer
from yuanjing.edge.parts import Parts
from yuanjing.ports.upstream import Callback, CallbackRefusedError

_BODY_BYTES_MAX = 256 * 1024
router = APIRouter(include_in_schema=False)
_log = structlog.stdlib.get_logger("edge")


@router.post("/callbacks/video/{channel_id}/{token}")
async def take_callback(request: Request, parts: Parts, channel_id: str, token: str) -> Response:
    """200 for what may be from the provider, whether or not it is of use: repeating it would not make it so."""
    if parts.callbacks is None:
        return error_answer(request.url.path, "not_found", "There is nothing at this path")
    try:
        body = await read_body(request, _BODY_BYTES_MAX)
    except BodyTooLargeError:  # larger than any callback
        return error_answer(request.url.path, "not_found", "There is nothing at this path")
    callback = Callback(
        path=request.scope.get("raw_path", b"").decode("latin-1") or request.url.path,
        query=request.scope.get("query_string", b"").decode("latin-1"),
        headers=dict(request.headers),
        body=body,
        received_at=parts.clock.unix(),
    )
    try:
        await parts.callbacks.take(channel_id, token, callback)
    except CallbackRefusedError as error:
        _log.warning("video.callback_refused", channel=channel_id, reason=str(error))
        return Response(status_code=HTTPStatus.FORBIDDEN)
    return Response(b'{"status":"ok"}', media_type="application/json")
