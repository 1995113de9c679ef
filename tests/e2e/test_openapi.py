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


@pytest.mark.timeout(120)
def test_answers_are_as_documented(tmp_path):
    settings = {"YUANJING_SANDBOX_TIME_SCALE": "0"}
    with Platform(tmp_path / "var", **settings) as platform:
        schema = schemathesis.openapi.from_url(f"{platform.url}/openapi.json")
        headers = {"Authorization": f"Bearer {platform.key}"}
        operations = [found.ok() for found in schema.get_all_operations()]
        labels = {operation.label for operation in operations}
        assert {*(f"POST {path}" for path in HOT_PATHS), "GET /v1/models"} <= labels
        statuses: set[tuple[str, int]] = set()
        for operation in operations:
            profile = hypothesis.settings(
                max_examples=25,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(hypothesis.HealthCheck),
                phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
            )

            @profile
            @hypothesis.given(case=operation.as_strategy())
            def check(case: schemathesis.Case) -> None:
                answer = case.call(headers=headers, timeout=20)
                statuses.add((case.operation.label, answer.status_code))
                checks = [not_a_server_error, status_code_conformance, content_type_conformance]
                if "event-stream" not in answer.headers.get("content-type", [""])[0]:
                    checks.append(response_schema_conformance)  # it takes an event for an object; ours is its text
                case.validate_response(answer, checks=checks)

            check()
        assert {(f"POST {path}", status) for path in HOT_PATHS for status in (200, 400)} <= statuses
        assert "Traceback" not in platform.errors()
        assert platform.stop() == 0
        assert platform.verify() == []
