"""Whether the process lives, whether it takes requests, and its metrics."""

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from yuanjing.domain.dialects import Dialect
from yuanjing.edge.address import is_from_this_machine
from yuanjing.edge.error_docs import error_responses
from yuanjing.edge.parts import Parts
from yuanjing.kit.metrics import CONTENT_TYPE

_UNKNOWN_REASON = "starting or stopping"
router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Whether chat requests are admitted, and if not, why."""

    status: Literal["ready", "not_ready"]
    reasons: list[str]


@router.get("/healthz")
async def get_health() -> Health:
    """200 as long as the process lives; it says nothing about what the process depends on."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Requests are not admitted."}})
async def get_readiness(parts: Parts, response: Response) -> Readiness:
    """200 if chat requests are admitted, else 503 with the reasons; for load balancers."""
    if parts.is_ready():
        return Readiness(status="ready", reasons=[])
    response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    response.headers["retry-after"] = "1"
    return Readiness(status="not_ready", reasons=list(parts.why_not_ready()) or [_UNKNOWN_REASON])


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text format."},
        **error_responses(Dialect.OPENAI, "not_found"),
    },
)
async def get_metrics(request: Request, parts: Parts) -> Response:
    """The metrics of all processes of this machine, in Prometheus' text format; for programs on it only."""
    if not parts.metrics_public and not is_from_this_machine(request):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return Response(parts.render_metrics(), headers={"content-type": CONTENT_TYPE})
