"""Every route of the running platform for everybody who may call it, out of its own description (goals S1 and S2)."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, cast

import httpx2
import pytest
from tests.support.load import wait_until
from tests.support.matrix import BODY_BYTES_MAX, SETTINGS, Page, Person, World
from tests.support.matrix_rules import RULES, Access, Outcome, Rule
from tests.support.platform import Platform

from yuanjing.adapters.sql.tables import METADATA

pytestmark = pytest.mark.timeout(300)
Json = dict[str, Any]
Route = tuple[str, str]
SAFE = ("GET", "HEAD")
NO_COLUMNS = (
    "role",
    "is_admin",
    "balance",
    "customer",
    "owner",
    "user_id",
    "status",
    "permissions",
    "test",
    "__proto__",
)
TOO_MANY = ("0", "-1", "201", str(10**9), "x", "", "1.5", "9" * 400)
DAMAGED = ("x", "'", "\x00", "ä", "eyJ", "-1", "0" * 5000)
"""Cursors that nobody was given."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("matrix")
    with Platform(folder / "var", workers=1, **SETTINGS) as platform, World(platform) as made:
        yield made
        assert "Traceback" not in platform.errors()
        assert platform.verify() == []
        assert platform.stop() == 0


@pytest.fixture(scope="module")
def document(world: World) -> Json:
    return world.client().get("/openapi.json").json()


@pytest.fixture
def me(world: World) -> Page:
    """A session of this test's own: another test ends all that there are."""
    return world.sign_in(world.me)


def operations(document: Json) -> Iterator[tuple[Route, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield (method.upper(), path), operation


def outcome(answer: httpx2.Response, wanted: Outcome) -> Outcome:
    """What came of a call, as exactly as it is wanted."""
    return answer.status_code if isinstance(wanted, int) else (answer.status_code, code_of(answer))


def code_of(answer: httpx2.Response) -> str:
    """The code of the console's error."""
    return str(answer.json()["error"]["code"])


def test_each_route_has_a_rule_and_each_rule_a_route(document: Json):
    assert {route for route, _ in operations(document)} == set(RULES), "write a line in tests/support/matrix_rules.py"


def test_the_description_says_who_may_call(document: Json):
    nobody: list[Json] = []
    wanted = dict.fromkeys((Access.OPEN, Access.BROWSER), nobody)
    wanted |= {Access.SESSION: [{"session": nobody}], Access.KEY: [{"api_key": nobody}]}
    for route, operation in operations(document):
        assert operation.get("security", []) == wanted[RULES[route].access], route
        assert route[1].startswith("/api/") == (RULES[route].access in (Access.BROWSER, Access.SESSION)), route


def test_everybody_gets_what_the_rules_say(world: World, document: Json):
    """And the description knows each status that anybody gets."""
    wrong: list[object] = []
    for route, operation in operations(document):
        for who, answer, wanted in _calls(world, route, RULES[route]):
            if outcome(answer, wanted) != wanted or str(answer.status_code) not in operation["responses"]:
                wrong.append((route, who, wanted, answer.status_code, answer.text[:200]))
    assert wrong == []


def _calls(world: World, route: Route, rule: Rule) -> Iterator[tuple[str, httpx2.Response, Outcome]]:
    """Everybody's call of a route: who, what came, and what should have; the right caller last, since it may be the end
    of the object."""
    method, path = route
    is_console = path.startswith("/api/")
    mine = dict(world.me.objects)
    if method == "DELETE":  # of an object that nobody else needs
        fresh = {kind for kind in rule.ids.values() if kind in world.makers}
        mine |= {kind: world.makers[kind](world.me, world.sign_in(world.me)) for kind in fresh}
    target, query = world.target(path, rule, mine)

    def call(page: Page | httpx2.Client, **options: Any) -> httpx2.Response:
        use = page.call if isinstance(page, Page) else page.request
        return use(method, target, params=query, **world.body(rule), **options)

    is_forgeable = is_console and method not in SAFE
    refused: Outcome = (401, "not_signed_in") if is_console else 401
    for_nobody = rule.ok if rule.access in (Access.OPEN, Access.BROWSER) else refused
    yield "anonymous", call(world.page()), for_nobody
    yield "anonymous, no page of ours", call(world.client()), (403, "forgery_suspected") if is_forgeable else for_nobody
    signed_in = world.sign_in(world.me)
    if rule.access is Access.KEY:
        yield "session", call(signed_in), refused
        yield "session, wrong key", call(signed_in, headers={"authorization": "Bearer yj_test_x_y"}), refused
        yield "live key", call(world.bearer[world.me.live_key]), rule.ok if rule.live is None else rule.live
        yield "test key", call(world.bearer[world.me.test_key]), rule.ok
        return
    for name, key in (("live key", world.me.live_key), ("test key", world.me.test_key)):
        yield name, call(world.page(authorization=f"Bearer {key}")), for_nobody
    forged: Outcome = (403, "forgery_suspected") if is_forgeable else rule.ok
    yield "session, no token", call(signed_in, with_token=False), forged
    mixed_up: Outcome = (403, "forgery_suspected") if rule.access is Access.SESSION else forged
    yield "session, another's token", _with_token_of(world.page(), signed_in, call), mixed_up
    yield "session", call(signed_in), rule.ok


def _with_token_of(other: Page, page: Page, call: Any) -> httpx2.Response:
    return call(page, headers={"x-csrf-token": other.token})


def test_objects_of_others_are_like_objects_that_do_not_exist(world: World):
    """The same status and the same words, for another customer's session and keys; and the objects are unharmed."""
    kinds: set[str] = set()
    for route, rule in RULES.items():
        used = [kind for kind in rule.ids.values() if kind in world.makers]
        if not used or rule.access is Access.OPEN:
            continue
        kinds |= set(used)
        theirs, unknown = world.other.objects, {kind: world.unknown(kind) for kind in used}
        answers = [_foreign(world, route, rule, ids) for ids in (theirs, unknown)]
        for given, fresh in zip(*answers, strict=True):
            assert given[0].status_code == 404, (route, given[0].text)
            assert _words(given) == _words(fresh), route
    assert kinds, "nothing was asked for"
    _check_unharmed(world, world.other)


def test_filters_by_objects_of_others_are_like_filters_by_nothing_that_is(world: World, document: Json, me: Page):
    """Lists that name an object in their query, of which nobody is to learn whether it is there."""
    kinds, asked = {"key": "key", "after": "video"}, 0
    for (method, path), operation in operations(document):
        names = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
        rule = RULES[method, path]
        for name, kind in kinds.items():
            if name not in names or (name == "after" and rule.access is Access.SESSION):
                continue  # of a session's own list it is a place in it, whoever has the id
            asked += 1
            call = me.call if rule.access is Access.SESSION else world.bearer[world.me.test_key].request
            ids = ({kind: world.other.objects[kind]}, {kind: world.unknown(kind)})
            given, fresh = (call(method, path, params={**rule.query, name: one[kind]}) for one in ids)
            assert given.status_code == 404, (path, name, given.text)
            assert _words((given, ids[0])) == _words((fresh, ids[1])), (path, name)
    assert asked >= 4


def _foreign(
    world: World, route: Route, rule: Rule, ids: dict[str, str]
) -> Sequence[tuple[httpx2.Response, dict[str, str]]]:
    method, path = route
    target, query = world.target(path, rule, ids)
    body = world.body(rule)
    if rule.access is Access.SESSION:
        return [(world.sign_in(world.me).call(method, target, params=query, **body), ids)]
    keys = (world.me.test_key, world.me.live_key)
    return [(world.bearer[key].request(method, target, params=query, **body), ids) for key in keys]


def _words(call: tuple[httpx2.Response, dict[str, str]]) -> tuple[int, str]:
    answer, ids = call
    text = answer.text
    for one in ids.values():
        text = text.replace(one, "ID")
    return answer.status_code, text


def _check_unharmed(world: World, person: Person) -> None:
    """Each object is still there for its owner."""
    page = world.sign_in(person)
    for (method, path), rule in RULES.items():
        if method in SAFE and rule.ids and rule.ok == 200:
            target, query = world.target(path, rule, person.objects)
            bearer = world.bearer[person.test_key]
            answer = (page.call if rule.access is Access.SESSION else bearer.request)(method, target, params=query)
            assert answer.status_code == 200, (path, answer.text)
    sessions = [one["id"] for one in page.call("GET", "/api/auth/sessions").json()["data"]]
    assert person.objects["session"] in sessions


def test_no_column_of_any_table_can_be_set_by_a_body(world: World, document: Json, me: Page):
    """Mass assignment: every body refuses what it does not know, under its name; in objects within it too."""
    names = sorted({column.name for table in METADATA.tables.values() for column in table.c} | set(NO_COLUMNS))
    bodies = 0
    for (method, path), operation in operations(document):
        if not path.startswith("/api/") or "requestBody" not in operation:
            continue
        rule = RULES[method, path]
        assert rule.body is not None, (method, path)
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        target, query = world.target(path, rule, world.me.objects)
        body = world.body(rule)["json"]
        for place, known in _objects(schema, body, schema):
            bodies += 1
            for name in names:
                if name not in known:
                    answer = me.call(method, target, params=query, json=_with(body, place, name))
                    assert answer.status_code == 400, (path, place, name, answer.text)
                    error = answer.json()["error"]
                    assert (error["code"], error["param"]) == ("unsupported_parameter", ".".join([*place, name]))
    assert bodies >= 5
    assert len(names) > 150


def _objects(schema: Json, value: object, root: Json) -> Iterator[tuple[list[str], set[str]]]:
    """The objects in a body: where each is, and the fields that it may have."""
    schema = _resolved(schema, root)
    if not isinstance(value, dict):
        return
    assert schema.get("additionalProperties") is False, schema
    yield [], set(schema["properties"])
    for name, inner in cast("Json", value).items():
        for place, known in _objects(schema["properties"][name], inner, root):
            yield [name, *place], known


def _resolved(schema: Json, root: Json) -> Json:
    if "$ref" in schema:
        return root["$defs"][schema["$ref"].rpartition("/")[2]]
    objects = [_resolved(one, root) for one in schema.get("anyOf", []) if one.get("type") != "null"]
    return next((one for one in objects if one.get("type") == "object"), schema)


def _with(body: Json, place: Sequence[str], name: str) -> Json:
    if not place:
        return {**body, name: 1}
    return {**body, place[0]: _with(body[place[0]], place[1:], name)}


def test_what_a_paying_request_says_of_its_owner_is_not_believed(world: World):
    """Chat takes fields that it does not know, for its provider; none of them changes whose and how dear it is."""
    claims = {"customer_id": world.other.id, "book": "live", "charge_nanos": 0, "key_id": "key_x", "price_id": "p"}
    before = world.platform.usages("--customer", world.other.id)
    answer = world.bearer[world.me.test_key].post(
        "/v1/chat/completions", json={**(RULES["POST", "/v1/chat/completions"].body or {}), **claims}
    )
    assert answer.status_code == 200, answer.text
    usage_id, cost = answer.headers["x-yuanjing-usage-id"], Decimal(answer.json()["usage"]["cost"])
    wait_until(lambda: usage_id in world.platform.usages("--customer", world.me.id), pause=0.1)
    found = world.platform.usages("--customer", world.me.id)[usage_id]
    assert (found["book"], Decimal(str(found["charge"])), found["price_id"] != "p") == ("test", cost, True)
    assert cost > 0
    assert world.platform.usages("--customer", world.other.id) == before


def test_every_list_comes_in_bounded_pages(world: World, document: Json, me: Page):
    listing = 0
    for (method, path), operation in operations(document):
        parameters = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "query"}
        rule = RULES[method, path]
        assert rule.lists == ("limit" in parameters), (method, path)
        if not rule.lists:
            continue
        listing += 1
        target, query = world.target(path, rule, world.me.objects)
        call = me.call if rule.access is Access.SESSION else world.bearer[world.me.test_key].request
        greatest = _greatest(parameters["limit"]["schema"])
        assert 1 <= greatest <= 200 or not path.startswith("/api/")
        for limit in ("1", str(greatest)):
            assert call(method, target, params={**query, "limit": limit}).status_code == 200
        for limit in (*TOO_MANY, str(greatest + 1)):
            if limit == "201" and greatest > 200:
                continue
            _check_refusal(path, "limit", call(method, target, params={**query, "limit": limit}))
        (cursor,) = {"cursor", "after", "before"} & set(parameters)
        for damaged in DAMAGED:
            _check_refusal(path, cursor, call(method, target, params={**query, cursor: damaged}))
    assert listing >= 2


def test_a_query_of_the_console_has_no_parameter_that_is_not_described(world: World, document: Json, me: Page):
    """A filter with a typing error must not be the whole list."""
    count = 0
    for (method, path), operation in operations(document):
        if path.startswith("/api/") and any(one["in"] == "query" for one in operation.get("parameters", [])):
            count += 1
            rule = RULES[method, path]
            target, query = world.target(path, rule, world.me.objects)
            for name in ("limti", "customer_id", "customer"):
                answer = me.call(method, target, params={**query, name: "1"})
                assert answer.status_code == 400, (path, name)
                assert answer.json()["error"]["param"] == name, path
    assert count >= 6


def _greatest(schema: Json) -> int:
    kinds = [schema, *schema.get("anyOf", [])]
    return int(next(kind["maximum"] for kind in kinds if "maximum" in kind))


def _check_refusal(path: str, param: str, answer: httpx2.Response) -> None:
    statuses = (400, 404) if param == "after" else (400,)  # OpenAI's `after` is an id, which may be unknown
    assert answer.status_code in statuses, (path, param, str(answer.url)[:200], answer.text[:200])
    if path.startswith("/api/"):
        assert answer.json()["error"]["param"] == param, (path, answer.text)


def test_bodies_that_cannot_be_are_refused_by_every_route(world: World, document: Json, me: Page):
    """413, 415 and 400, where the description has them; and it has them for every body."""
    count = 0
    for (method, path), operation in operations(document):
        if "requestBody" not in operation:
            continue
        count += 1
        rule, statuses = RULES[method, path], set(operation["responses"])
        target, _ = world.target(path, rule, world.me.objects)
        call = me.call if path.startswith("/api/") else world.bearer[world.me.test_key].request
        json_type = {"content-type": "application/json"}
        for content in (b"", b"{", b"[]", b'"x"', b"null", b'{"a": "\xff"}', b"[" * 20_000):
            answer = call(method, target, content=content, headers=json_type)
            assert answer.status_code == 400, (path, content[:9], answer.text)
        large = b'{"prompt": "' + b"x" * (64 * 1024 if path.startswith("/api/") else BODY_BYTES_MAX) + b'"}'
        answer = call(method, target, content=large, headers=json_type)
        assert answer.status_code == 413, (path, answer.text)
        assert {"400", "413"} <= statuses, path
        if path.startswith("/api/"):
            assert code_of(answer) == "request_too_large"
            assert "415" in statuses, path
        if "415" in statuses:
            answer = call(method, target, content=b"{}", headers={"content-type": "text/plain"})
            assert answer.status_code == 415, (path, answer.text)
    assert count >= 10
