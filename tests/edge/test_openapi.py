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
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from tests.edge.platform import LLMID, Platform, described
from tests.edge.videos import T2V

from yuanjing.domain.dialects import ERRORS, Dialect, error_body, public_error
from yuanjing.edge.app import create_app
from yuanjing.edge.chat_docs import HOT_CODES, HOT_ROUTES
from yuanjing.edge.receipts import PATH as RECEIPT_KEYS
from yuanjing.edge.video_docs import SUBMIT_ROUTES
from yuanjing.gateway import contract
from yuanjing.gateway.request import ChatRequest, RequestError

DOCS = Path(__file__).parents[2] / "docs" / "reference"
COLD_CODES = {"internal_error", "not_found", "method_not_allowed", "model_not_found", "model_not_allowed"}
VIDEO_CODES = {
    "unknown_llmid",
    "unsupported_parameter",
    "unsupported_operation",
    "video_not_ready",
    "storage_full",
    "unsupported_media_type",
    "undeliverable_files",
}
CONSOLE_CODES = {
    "task_ended",
    "already_exists",
    "too_many_keys",
    "key_revoked",
    "not_signed_in",
    "wrong_code",
    "wrong_password",
    "one_time_password_required",
    "wrong_one_time_password",
    "customer_disabled",
    "confirmation_required",
    "captcha_required",
    "forgery_suspected",
    "weak_password",
    "number_not_served",
    "mistyped_redeem_code",
    "wrong_redeem_code",
    "redeem_code_limit",
    "too_many_codes",
    "too_many_attempts",
    "sms_unavailable",
    "payment_unavailable",
}
FILE_CODES = {"file_expired", "link_invalid", "range_not_satisfiable"}
Json = dict


@pytest.fixture
def document(platform: Platform) -> Json:
    return described(platform.parts, "https://ai.example.com")


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def test_it_is_a_valid_document(document: Json) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.validate()
    names = [result.ok().path for result in schema.get_all_operations()]
    assert len([path for path in names if not path.startswith("/api/")]) == 29
    for name, component in document["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **component})
        assert name
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    operations = [(path, one) for path, item in document["paths"].items() for one in item.values()]
    unprocessable = {path for path, one in operations if "422" in one["responses"]}
    assert unprocessable == {*HOT_ROUTES, *SUBMIT_ROUTES}, "of these it is our own"
    assert "HTTPValidationError" not in json.dumps(document)


@pytest.mark.parametrize(
    "path", ["/llmage/video", "/llmage/v1/video/generations", "/llmage/v1/video/quotes", "/v1/videos"]
)
def test_a_video_may_be_asked_for_in_json_and_both_kinds_of_form(document: Json, path: str) -> None:
    content = document["paths"][path]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data", "application/x-www-form-urlencoded"}
    fields = {
        media: document["components"]["schemas"][one["schema"]["$ref"].rpartition("/")[2]]["properties"]
        for media, one in content.items()
    }
    assert all(fields["application/json"].keys() <= form.keys() for form in fields.values())
    assert "contentMediaType" in fields["multipart/form-data"]["image1_file"]


def test_a_task_may_be_asked_for_in_json_and_both_kinds_of_form(document: Json) -> None:
    content = document["paths"]["/llmage/tasks"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data", "application/x-www-form-urlencoded"}


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
            is_told = route.include_in_schema or route.path in HOT_ROUTES  # the pages of the console are not
            if is_told and not route.path.startswith("/callbacks/"):  # not for customers
                yield route
        else:
            pending += list(getattr(route, "original_router").routes)  # noqa: B009  # FastAPI keeps routers whole


def test_every_route_but_the_open_ones_wants_a_key(document: Json) -> None:
    for _, path, operation in operations(document):
        if path.startswith("/api/"):
            continue  # see tests/e2e/test_matrix.py
        is_open = path in ("/", "/idfile", "/healthz", "/readyz", "/metrics", "/openapi.json", RECEIPT_KEYS)
        assert operation.get("security", []) == ([] if is_open else [{"api_key": []}])
    assert document["components"]["securitySchemes"]["api_key"]["scheme"] == "bearer"
    assert document["components"]["securitySchemes"]["session"]["in"] == "cookie"


def test_every_error_of_the_hot_routes_is_described(document: Json) -> None:
    assert set(HOT_CODES) | COLD_CODES | VIDEO_CODES | FILE_CODES | CONSOLE_CODES == set(ERRORS)
    for path, dialect in HOT_ROUTES.items():
        responses = document["paths"][path]["post"]["responses"]
        for code in (*HOT_CODES, "internal_error"):
            status = str(public_error(code).status)
            examples = responses[status]["content"]["application/json"]["examples"]
            error = examples[code]["value"]["error"]
            assert isinstance(error, str) if dialect is Dialect.LLMAGE else error["type"] == ERRORS[code].type
        assert "x-should-retry" in responses["429"]["headers"]


@pytest.mark.parametrize("path", ["/llmage/video", "/llmage/v1/video/generations", "/v1/videos"])
def test_files_that_no_provider_can_be_given_are_described(document: Json, path: str) -> None:
    refusal = document["paths"][path]["post"]["responses"]["400"]
    assert "undeliverable_files" in refusal["content"]["application/json"]["examples"]
    assert "x-should-retry" in refusal["headers"]


@pytest.mark.parametrize("dialect", list(HOT_ROUTES.values()))
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"model": "qwen3-max"}', "missing_required_parameter"),
        (b'{"model": "qwen3-max", "messages": [{"content": "x"}], "max_tokens": 0}', "invalid_parameter"),
    ],
)
def test_the_errors_that_chat_shows_are_those_that_it_gives(
    document: Json, dialect: Dialect, body: bytes, code: str
) -> None:
    with pytest.raises(RequestError) as refused:
        ChatRequest(dialect, body)
    error = refused.value
    assert error.code == code
    path = next(path for path, spoken in HOT_ROUTES.items() if spoken is dialect)
    examples = document["paths"][path]["post"]["responses"]["400"]["content"]["application/json"]["examples"]
    assert examples[code]["value"] == json.loads(error_body(dialect, code, error.message, error.param))


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
    made = (await client.post("/v1/videos", json={"model": T2V, "prompt": "a cat"})).json()
    for method, path, operation in operations(document):
        content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
        if path in HOT_ROUTES or path.startswith("/api/") or not content:
            continue
        count += 1
        target = path.replace("{model}", LLMID).replace("{video_id}", made["id"])
        query = {"pricing": {"model": LLMID}, "tasks": {"taskid": made["id"]}}.get(path.rpartition("/")[2], {})
        asked = {"llmid": T2V, "model": "dream", "prompt": "a cat"} if method == "POST" else None
        answer = await client.request(method, target, params=query, json=asked)
        assert answer.status_code == 200, answer.text
        _validate(document, content["schema"], answer.json())
    assert count == 19


def test_cold_routes_keep_to_the_description(platform: Platform) -> None:
    """What a generator makes of the description is answered as described."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(platform.parts))
    cold = [result.ok() for result in schema.get_all_operations() if result.ok().path not in HOT_ROUTES]
    assert len([one for one in cold if not one.path.startswith("/api/")]) == 26  # all but the description itself
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
                # the first would send the key as well, see test_auth.py; what an offer takes is not described here
                excluded_checks=[ignored_auth, positive_data_acceptance],
            )

        check()
