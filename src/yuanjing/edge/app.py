"""The HTTP application, put together."""

from fastapi import FastAPI
from fastapi.routing import APIRoute

from yuanjing.edge import (
    callbacks,
    console,
    errors,
    files,
    health,
    home,
    llmage,
    openai_models,
    openapi,
    outbox,
    payments,
    receipts,
    site,
    videos_generations,
    videos_llmage,
    videos_openai,
    videos_unsupported,
)
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
    errors.install(app, site.missing_page() if site.is_built() else lambda _: None)
    for path in HOT_ROUTES:
        app.add_api_route(path, _misdirected, methods=["POST"], include_in_schema=False)
    videos = (videos_llmage, videos_generations, videos_openai, videos_unsupported)
    for module in (openai_models, llmage, *videos, files, callbacks, console, receipts, health, openapi):
        app.include_router(module.router)
    app.include_router(site.site_router() if site.is_built() else home.router)
    if parts.outbox is not None:
        app.include_router(outbox.router)
    if parts.topups is not None:
        app.include_router(console.topup_router)
        app.include_router(payments.router)
    return app


async def _misdirected() -> None:
    raise MisdirectedError


def _operation_id(route: APIRoute) -> str:
    return route.name
