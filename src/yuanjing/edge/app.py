"""The HTTP application, put together."""

from fastapi import FastAPI
from fastapi.routing import APIRoute

from yuanjing.edge import errors, health, home, llmage, openai_models, openapi
from yuanjing.edge.chat_docs import HOT_ROUTES
from yuanjing.edge.envelope import Envelope
from yuanjing.edge.parts import EdgeParts


class MisdirectedError(Exception):
    """A chat request has come up to ASGI: the server does not run with the gateway's protocol."""


def create_app(parts: EdgeParts) -> FastAPI:
    """All routes but the hot ones, over these parts.

    The hot paths are known here for their other methods only; the gateway's protocol serves their POST.
    """
    app = FastAPI(
        lifespan=parts.lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.parts = parts
    app.add_middleware(Envelope)
    errors.install(app)
    for path in HOT_ROUTES:
        app.add_api_route(path, _misdirected, methods=["POST"], include_in_schema=False)
    for module in (openai_models, llmage, health, openapi, home):
        app.include_router(module.router)
    return app


async def _misdirected() -> None:
    raise MisdirectedError


def _operation_id(route: APIRoute) -> str:
    return route.name
