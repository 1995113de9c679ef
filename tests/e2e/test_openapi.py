"""The OpenAPI document against the running platform, hot routes included."""

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support.platform import Platform

HOT_PATHS = ("/v1/chat/completions", "/llmage/v1/chat/completions")
VIDEO_PATHS = ("/v1/videos", "/llmage/video", "/llmage/v1/video/generations")


@pytest.mark.timeout(300)
def test_answers_are_as_documented(tmp_path):
    settings = {"YUANJING_SANDBOX_TIME_SCALE": "0"}
    with Platform(tmp_path / "var", **settings) as platform:
        schema = schemathesis.openapi.from_url(f"{platform.url}/openapi.json")
        headers = {"Authorization": f"Bearer {platform.key}"}
        found = (one.ok() for one in schema.get_all_operations())
        operations = [one for one in found if not one.path.startswith("/api/")]  # see test_matrix_schema.py
        labels = {operation.label for operation in operations}
        assert {*(f"POST {path}" for path in (*HOT_PATHS, *VIDEO_PATHS)), "GET /v1/models"} <= labels
        statuses: set[tuple[str, int]] = set()

        def check(case: schemathesis.Case) -> int:
            answer = case.call(headers=headers, timeout=20)
            statuses.add((case.operation.label, answer.status_code))
            checks = [not_a_server_error, status_code_conformance, content_type_conformance]
            if "event-stream" not in answer.headers.get("content-type", [""])[0]:
                checks.append(response_schema_conformance)  # it takes an event for an object; ours is its text
            case.validate_response(answer, checks=checks)
            return answer.status_code

        for operation in operations:
            for body in _examples(operation):
                assert check(operation.Case(body=body, media_type="application/json")) == 200
            profile = hypothesis.settings(
                max_examples=12,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(hypothesis.HealthCheck),
                phases=[hypothesis.Phase.generate],
            )
            profile(hypothesis.given(case=operation.as_strategy())(_checking(check)))()
        assert {(f"POST {path}", status) for path in (*HOT_PATHS, *VIDEO_PATHS) for status in (200, 400)} <= statuses
        assert "Traceback" not in platform.errors()
        assert platform.stop() == 0
        assert platform.verify() == []


def _examples(operation):
    """The bodies that the description shows; what is generated seldom names a model that exists."""
    body = operation.definition.raw.get("requestBody", {}).get("content", {}).get("application/json", {})
    return [example["value"] for example in body.get("examples", {}).values()]


def _checking(check):
    def generated(case: schemathesis.Case) -> None:
        check(case)

    return generated
