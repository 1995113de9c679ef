"""The OpenAPI document: cold routes as FastAPI sees them, hot routes and errors added by hand."""

import json
from typing import cast

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from yuanjing.edge import chat_docs, error_docs, video_docs
from yuanjing.edge.console import docs as console_docs
from yuanjing.edge.error_docs import Json
from yuanjing.edge.errors import dialect_of
from yuanjing.edge.parts import Parts

_TITLE = "Yuanjing"
_VERSION = "0.1.0"
_SUMMARY = "Chat and video models of many providers through one API, with one key and one exact prepaid balance."
_DESCRIPTION = (
    "Before its path is looked at, any call may be answered 400 (in plain text: not HTTP), 408 (its headers did not "
    "arrive in time) or 431 (they are too large)."
)
_TOPUPS = "/api/topups"
_UNUSED_STATUS = "422"
"""The framework's own; a route that answers it says so with an error of ours."""
_UNUSED_SCHEMAS = ("HTTPValidationError", "ValidationError")
_TAGS = (
    {"name": "chat", "description": "OpenAI's dialect."},
    {"name": "videos", "description": "Videos, in OpenAI's dialect."},
    {"name": "models", "description": "What can be used, in OpenAI's dialect."},
    {"name": "llmage", "description": "The llmage dialect: chat, videos, models, prices and the balance."},
    {"name": "square", "description": "What is sold, for anybody, in the console's dialect."},
    {
        "name": "sign-in",
        "description": "How customers sign in, in the console's dialect: by the cookie of a session, never by a key.",
    },
    {"name": "top-ups", "description": "How customers pay in, in the console's dialect."},
    {
        "name": "account",
        "description": "What customers see and change of their own, in the console's dialect.",
    },
    {"name": "usage", "description": "What customers have used, in the console's dialect."},
    {"name": "tasks", "description": "Customers' videos, in the console's dialect."},
    {"name": "receipts", "description": "The public keys with which receipts can be checked."},
    {"name": "operations", "description": "For those who run the platform."},
)

router = APIRouter(tags=["operations"])


@router.get("/openapi.json", response_class=JSONResponse)
async def get_api_description(request: Request, parts: Parts) -> JSONResponse:
    """This document."""
    app = cast("FastAPI", request.app)
    if app.openapi_schema is None:
        app.openapi_schema = build_document(app, parts.public_base_url)
    return JSONResponse(app.openapi_schema)


def build_document(app: FastAPI, public_base_url: str) -> Json:
    """The whole description of the application's API."""
    document = cast(
        "Json",
        get_openapi(
            title=_TITLE,
            version=_VERSION,
            summary=_SUMMARY,
            description=_DESCRIPTION,
            routes=app.routes,
            tags=[dict(tag) for tag in _TAGS],
            servers=[{"url": public_base_url}] if public_base_url else None,
        ),
    )
    paths = cast("dict[str, Json]", document["paths"])
    for path, item in paths.items():
        for operation in item.values():
            responses = cast("dict[str, Json]", cast("Json", operation)["responses"])
            if _UNUSED_SCHEMAS[0] in json.dumps(responses.get(_UNUSED_STATUS)):
                del responses[_UNUSED_STATUS]
            error_docs.restore_examples(dialect_of(path), responses)
    if not any(path.startswith(_TOPUPS) for path in paths):
        document["tags"] = [tag for tag in _TAGS if tag["name"] != "top-ups"]
    video_docs.describe(paths)
    console_docs.describe(paths)
    hot = {path: {"post": chat_docs.hot_operation(dialect)} for path, dialect in chat_docs.HOT_ROUTES.items()}
    document["paths"] = {**hot, **paths}
    schemas = cast("Json", cast("Json", document["components"])["schemas"])
    for name in _UNUSED_SCHEMAS:
        schemas.pop(name, None)
    schemas.update(error_docs.COMPONENTS)
    schemas.update(chat_docs.COMPONENTS)
    schemas.update(video_docs.COMPONENTS)
    return document
