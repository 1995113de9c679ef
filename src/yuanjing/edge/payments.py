"""Where payment methods tell of payments. Outside of every session: what counts is their signature."""

from http import HTTPStatus

import structlog
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from yuanjing.domain.dialects import public_error
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.topups import Verdict
from yuanjing.edge.bodies import BodyTooLargeError, read_body
from yuanjing.edge.parts import Parts
from yuanjing.usecases.topups.notifications import DEALT_WITH

router = APIRouter(include_in_schema=False)
_log = structlog.stdlib.get_logger("edge")
_REFUSALS = {
    Verdict.FORGED: HTTPStatus.FORBIDDEN,
    Verdict.MISMATCH: HTTPStatus.CONFLICT,
    Verdict.UNKNOWN: HTTPStatus.NOT_FOUND,
}
_TEXT = "text/plain; charset=utf-8"


@router.post("/callbacks/payments/{method}")
async def take_notification(request: Request, parts: Parts, method: str) -> Response:
    """The method's own word once it is committed what the notification says; anything else makes it tell it again."""
    assert parts.topups is not None
    desk = parts.topups
    try:
        acknowledgement = desk.notifications.acknowledgement(method)
        raw = await read_body(request, desk.notification_bytes_max)
        verdict, reason = await desk.notifications.take(method, raw)
    except YuanjingError as error:
        _log.warning("topup.notification_not_taken", method=method[:40], code=error.code)
        return _refusal(public_error(error.code).status, error.code)
    except (BodyTooLargeError, ClientDisconnect) as error:
        _log.warning("topup.notification_not_taken", method=method[:40], code=type(error).__name__)
        return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too large")
    if verdict not in DEALT_WITH:
        _log.warning("topup.notification_refused", method=method[:40], verdict=verdict.value, reason=reason)
        return _refusal(_REFUSALS[verdict], verdict.value)
    _log.info("topup.notification", method=method[:40], verdict=verdict.value)
    return Response(acknowledgement, media_type=_TEXT)


def _refusal(status: int, word: str) -> Response:
    return Response(word.encode(), status_code=status, media_type=_TEXT)
