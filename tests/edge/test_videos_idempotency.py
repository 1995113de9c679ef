"""`Idempotency-Key` on every route that makes videos: what is the same request, and what it is answered."""

import json

import httpx2
import pytest
from tests.edge.platform import Platform
from tests.edge.videos import I2V, T2V
from tests.support.video_api import picture

SHAPES = {
    "/llmage/video": {"llmid": T2V, "prompt": "a cat"},
    "/llmage/v1/video/generations": {"model": "dream", "prompt": "a cat"},
    "/v1/videos": {"model": "dream", "prompt": "a cat"},
}
NAMED = {"idempotency-key": "order-1"}
routes = pytest.mark.parametrize("path", SHAPES)


def error_of(answer: httpx2.Response) -> str:
    said = answer.json()["error"]
    return said if isinstance(said, str) else said["message"]


@routes
async def test_the_same_request_is_answered_by_the_same_task(platform: Platform, client: httpx2.AsyncClient, path: str):
    body = SHAPES[path] | {"resolution": "480P", "ratio": "5:4"}
    first = await client.post(path, json=body, headers=NAMED)
    again = await client.post(path, json=body, headers=NAMED)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert again.headers.get_list("x-warning") == first.headers.get_list("x-warning")
    assert len(platform.videos.tasks) == 1
    unnamed = await client.post(path, json=body)
    assert "idempotent-replayed" not in unnamed.headers
    other = await client.post(path, json=body, headers={"idempotency-key": "order-2"})
    assert "idempotent-replayed" not in other.headers
    assert len(platform.videos.tasks) == 3


@routes
async def test_the_key_stands_for_one_content(platform: Platform, client: httpx2.AsyncClient, path: str):
    await client.post(path, json=SHAPES[path], headers=NAMED)
    other = await client.post(path, json=SHAPES[path] | {"prompt": "a dog"}, headers=NAMED)
    assert (other.status_code, "used for another request" in error_of(other)) == (422, True)
    assert len(platform.videos.tasks) == 1


async def test_the_same_fields_at_another_route_are_another_request(client: httpx2.AsyncClient):
    await client.post("/v1/videos", json=SHAPES["/v1/videos"], headers=NAMED)
    other = await client.post("/llmage/v1/video/generations", json=SHAPES["/v1/videos"], headers=NAMED)
    assert other.status_code == 422


@routes
@pytest.mark.parametrize("name", ["", "x" * 256, "a\tb"], ids=["empty", "long", "control"])
async def test_what_is_no_key_is_refused(platform: Platform, client: httpx2.AsyncClient, path: str, name: str):
    refused = await client.post(path, json=SHAPES[path], headers={"idempotency-key": name})
    assert (refused.status_code, "Idempotency-Key" in error_of(refused)) == (400, True)
    assert platform.videos.tasks == []


async def test_two_keys_and_bytes_beyond_ascii_are_refused(client: httpx2.AsyncClient):
    for headers in ([("idempotency-key", "1"), ("idempotency-key", "2")], [(b"idempotency-key", "é".encode())]):
        refused = await client.post("/llmage/video", json=SHAPES["/llmage/video"], headers=headers)
        assert refused.status_code == 400, headers
    long = {"idempotency-key": "~" * 255}
    assert (await client.post("/llmage/video", json=SHAPES["/llmage/video"], headers=long)).status_code == 200


def form(boundary: str, image: bytes, name: str = "a.png") -> dict[str, object]:
    """A form as SDKs write it: with a new boundary each time."""
    parts = [f'--{boundary}\r\ncontent-disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in (
        ("llmid", I2V), ("prompt", "a cat"))]  # fmt: skip
    head = f'--{boundary}\r\ncontent-disposition: form-data; name="image1_file"; filename="{name}"\r\n\r\n'.encode()
    body = b"".join([*parts, head, image, f"\r\n--{boundary}--\r\n".encode()])
    return {"content": body, "headers": NAMED | {"content-type": f"multipart/form-data; boundary={boundary}"}}


async def test_a_form_is_the_same_by_its_fields_and_files(platform: Platform, client: httpx2.AsyncClient):
    first = await client.post("/llmage/video", **form("one", picture()))  # type: ignore[arg-type]
    again = await client.post("/llmage/video", **form("two", picture()))  # type: ignore[arg-type]
    assert (first.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    for other in (form("one", picture() + b"x"), form("one", picture(), name="b.png")):
        assert (await client.post("/llmage/video", **other)).status_code == 422  # type: ignore[arg-type]
    assert len(platform.videos.tasks) == 1


async def test_where_a_value_ends_matters(client: httpx2.AsyncClient):
    one = {"llmid": T2V, "prompt": "a", "other": ["b", "c"]}
    await client.post("/llmage/video", json=one, headers=NAMED)
    for other in (one | {"other": ["bc"]}, one | {"other": ["c", "b"]}, one | {"oth": "er"}):
        assert (await client.post("/llmage/video", json=other, headers=NAMED)).status_code == 422
    text = json.dumps(dict(reversed(one.items())), indent=1)
    again = await client.post("/llmage/video", content=text, headers=NAMED | {"content-type": "application/json"})
    assert again.headers["idempotent-replayed"] == "true", "spaces and the order of names say nothing"


async def test_routes_that_make_nothing_do_not_look_at_it(client: httpx2.AsyncClient):
    made = (await client.post("/llmage/video", json=SHAPES["/llmage/video"])).json()["taskid"]
    for method, path in (
        ("GET", "/v1/videos"),
        ("GET", f"/v1/videos/{made}"),
        ("GET", f"/llmage/tasks?taskid={made}"),
        ("GET", "/llmage/v1/models"),
        ("POST", f"/llmage/tasks?taskid={made}"),
    ):
        for name in ("", "x" * 999, "1"):
            answer = await client.request(method, path, headers={"idempotency-key": name})
            assert (answer.status_code, "idempotent-replayed" in answer.headers) == (200, False), path
    quote = await client.post("/llmage/v1/video/quotes", json=SHAPES["/v1/videos"], headers={"idempotency-key": ""})
    assert quote.status_code == 200
