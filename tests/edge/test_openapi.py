"""The API's description: valid, complete, and true."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import jsonschema_rs
import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import ignored_auth
from tests.edge.platform import LLMID, Platform

from yuanjing.domain.dialects import ERRORS, Dialect, public_error
from yuanjing.edge.app import create_app
from yuanjing.edge.chat_docs import HOT_CODES, HOT_ROUTES
from yuanjing.edge.openapi import build_document
from yuanjing.gateway import contract

DOCS = Path(__file__).parents[2] / "docs" / "reference"
COLD_CODES = {"internal_error", "not_found", "method_not_allowed", "model_not_found", "model_not_allowed"}
NOT_ANSWERED = {"unsupported_media_type"}
"""In the dialects' table, and not answered by any route yet."""

Json = dict


@pytest.fixture
def document(platform: Platform) -> Json:
    return build_document(create_app(platform.parts), "https://ai.example.com")


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def test_it_is_a_valid_document(document: Json) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.validate()
    assert len(list(schema.get_all_operations())) == 12
    for name, component in document["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **component})
        assert name
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    assert "422" not in json.dumps(document["paths"])


def test_it_lists_exactly_the_routes(platform: Platform, document: Json) -> None:
    routes = {(method, route.path_format) for route in _routes(platform) for method in route.methods}
    assert {(method, path) for method, path, _ in operations(document)} == routes
    assert {path.encode() for path in HOT_ROUTES} == set(contract.HOT_ROUTES)
    assert {path: contract.HOT_ROUTES[path.encode()] for path in HOT_ROUTES} == HOT_ROUTES
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)


def _routes(platform: Platform) -> Iterator[APIRoute]:
    pending = list(create_app(platform.parts).routes)
    while pending:
        route = pending.pop()
        if isinstance(route, APIRoute):
            yield route
        else:
            pending += list(getattr(route, "original_router").routes)  # noqa: B009  # FastAPI keeps routers whole


def test_every_route_but_the_open_ones_wants_a_key(document: Json) -> None:
    for _, path, operation in operations(document):
        is_open = path in ("/", "/healthz", "/readyz", "/metrics", "/openapi.json")
        assert operation.get("security", []) == ([] if is_open else [{"api_key": []}])
    assert document["components"]["securitySchemes"]["api_key"]["scheme"] == "bearer"


def test_every_error_of_the_hot_routes_is_described(document: Json) -> None:
    assert set(HOT_CODES) | COLD_CODES | NOT_ANSWERED == set(ERRORS)
    for path, dialect in HOT_ROUTES.items():
        responses = document["paths"][path]["post"]["responses"]
        for code in (*HOT_CODES, "internal_error"):
            status = str(public_error(code).status)
            examples = responses[status]["content"]["application/json"]["examples"]
            error = examples[code]["value"]["error"]
            assert isinstance(error, str) if dialect is Dialect.LLMAGE else error["type"] == ERRORS[code].type
        assert "x-should-retry" in responses["429"]["headers"]


def test_the_examples_fit_their_schemas(document: Json) -> None:
    count = 0
    for _, _, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for media in (m for body in bodies for m in body.get("content", {}).values()):
            for example in media.get("examples", {}).values():
                count += 1
                _validate(document, media["schema"], example["value"])
    assert count > 50


def test_the_stream_examples_are_streams(document: Json) -> None:
    for path in HOT_ROUTES:
        media = document["paths"][path]["post"]["responses"]["200"]["content"]["text/event-stream"]
        blocks = media["examples"]["stream"]["value"].split("\n\n")
        assert blocks[-2:] == ["data: [DONE]", ""]
        for block in blocks[:-2]:
            _validate(document, media["schema"]["x-event-schema"], json.loads(block.removeprefix("data: ")))


def _validate(document: Json, schema: Json, value: object) -> None:
    root = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": document["components"], **schema}
    jsonschema_rs.validator_for(root).validate(value)


async def test_the_served_document_names_the_public_address(platform: Platform, client: httpx2.AsyncClient) -> None:
    assert (await client.get("/openapi.json")).json()["servers"] == [{"url": "https://ai.example.com"}]
    async with platform.client(parts=platform.changed(public_base_url="")) as local:
        assert "servers" not in (await local.get("/openapi.json")).json()


async def test_answers_fit_the_described_schemas(client: httpx2.AsyncClient, document: Json) -> None:
    count = 0
    for _, path, operation in operations(document):
        content = operation["responses"]["200"].get("content", {}).get("application/json", {})
        if path in HOT_ROUTES or not content:
            continue
        count += 1
        answer = await client.get(path.replace("{model}", LLMID), params={"model": LLMID} if "pricing" in path else {})
        assert answer.status_code == 200
        _validate(document, content["schema"], answer.json())
    assert count == 8


def test_cold_routes_keep_to_the_description(platform: Platform) -> None:
    """What a generator makes of the description is answered as described."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(platform.parts))
    cold = [result.ok() for result in schema.get_all_operations() if result.ok().path not in HOT_ROUTES]
    assert len(cold) == 9  # all but the description itself
    for operation in cold:

        @settings(
            max_examples=8,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(
                headers={"authorization": f"Bearer {platform.key}"},
                excluded_checks=[ignored_auth],  # it would send the key as well; test_auth.py checks this
            )

        check()
