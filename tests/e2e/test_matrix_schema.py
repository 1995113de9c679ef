"""The description of `/api/…` against the running platform, for who is signed in (goal S10)."""

from collections.abc import Iterator, Mapping
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support.matrix import SETTINGS, Page, World
from tests.support.matrix_rules import RULES, Rule
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(300)
EXAMPLES_EACH = 8
CALL_SECONDS = 20


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    with Platform(tmp_path / "var", workers=1, **SETTINGS) as platform, World(platform) as made:
        yield made
        assert "Traceback" not in platform.errors()
        assert platform.verify() == []
        assert platform.stop() == 0


def test_answers_to_who_is_signed_in_are_as_described(world: World):
    """Good calls out of the rules of the matrix, and whatever a generator makes of the description."""
    schema = schemathesis.openapi.from_url(f"{world.platform.url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    console = [one for one in operations if one.path.startswith("/api/")]
    assert len(console) >= 30
    seen: dict[str, set[int]] = {}
    for operation in console:
        caller = Caller(world)
        rule = RULES[operation.method.upper(), operation.path]
        statuses = seen[operation.label] = {caller.check(_good(caller, operation, rule))}
        _generate(operation, caller, statuses)
    assert {label: found for label, found in seen.items() if _wanted(label) not in found} == {}
    assert sum(1 for found in seen.values() if found & {400, 404}) >= len(console) // 2


def _wanted(label: str) -> int:
    method, _, path = label.partition(" ")
    ok = RULES[method, path].ok
    return ok if isinstance(ok, int) else ok[0]


class Caller:
    """Somebody who is signed in, and signs in again when a call was the end of the session."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.page: Page = world.sign_in(world.me)

    def check(self, case: schemathesis.Case) -> int:
        """Call and compare with the description; the status."""
        if self.page.open()["customer"] is None:
            self.page = self.world.sign_in(self.world.me)
        headers = {"Origin": self.page.origin, "X-CSRF-Token": self.page.token}
        cookies = {one.name: str(one.value) for one in self.page.client.cookies.jar}
        answer = case.call(headers=headers, cookies=cookies, timeout=CALL_SECONDS)
        checks: list[Any] = [not_a_server_error, status_code_conformance, content_type_conformance]
        if "json" in answer.headers.get("content-type", [""])[0]:
            checks.append(response_schema_conformance)
        case.validate_response(answer, checks=checks)
        return answer.status_code


def _good(caller: Caller, operation: Any, rule: Rule) -> schemathesis.Case:
    """What the right caller may call."""
    world = caller.world
    ids: Mapping[str, str] = world.me.objects
    if operation.method.upper() == "DELETE":
        used = {kind for kind in rule.ids.values() if kind in world.makers}
        ids = {**ids, **{kind: world.makers[kind](world.me, world.sign_in(world.me)) for kind in used}}
    named = {name: ids.get(kind, kind) for name, kind in rule.ids.items()}
    in_path = {name: value for name, value in named.items() if f"{{{name}}}" in operation.path}
    query = {**rule.query, **{name: value for name, value in named.items() if name not in in_path}}
    body = world.body(rule)
    more = {"body": body["json"], "media_type": "application/json"} if body else {}
    return operation.Case(path_parameters=in_path, query=query, **more)


def _generate(operation: Any, caller: Caller, statuses: set[int]) -> None:
    def generated(case: schemathesis.Case) -> None:
        statuses.add(caller.check(case))

    profile = hypothesis.settings(
        max_examples=EXAMPLES_EACH,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    profile(hypothesis.given(case=operation.as_strategy())(generated))()
