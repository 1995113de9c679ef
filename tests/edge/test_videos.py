"""Video calls of the two llmage shapes: their bytes, words, errors and lists."""

import json
from decimal import Decimal
from itertools import chain

import httpx2
import pytest
from tests.edge.platform import Platform
from tests.edge.videos import I2V, ONLY_R2V, R2V, T2V

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import InsufficientFundsError
from yuanjing.domain.identity import KeyLimits
from yuanjing.domain.tasks import Failure, FailureKind, TaskState
from yuanjing.usecases.videos import UndeliverableFilesError

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
MULTIPART = (
    f'--b\r\ncontent-disposition: form-data; name="llmid"\r\n\r\n{T2V}\r\n'
    '--b\r\ncontent-disposition: form-data; name="prompt"\r\n\r\na cat\r\n--b--\r\n'
)
USAGE = {"action": "t2v", "credits": 10, "off_peak": False}


async def create(client: httpx2.AsyncClient, **fields: object) -> str:
    answer = await client.post("/llmage/video", json={"llmid": T2V, "prompt": "a cat", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["taskid"]


async def test_the_create_answer_is_the_seeds_byte_for_byte(platform: Platform, client: httpx2.AsyncClient) -> None:
    answer = await client.post("/llmage/video", json={"llmid": T2V, "prompt": "小猫", "duration": "4"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == '{"taskid": "900000000000000000", "status": "created"}'
    assert "x-warning" not in answer.headers
    (task,) = platform.videos.tasks
    assert (task.dialect, task.request.prompt, task.request.duration_seconds) == (Dialect.LLMAGE, "小猫", 4)
    assert task.request_id == answer.headers["x-request-id"]


async def test_the_created_word_can_be_upper_case(platform: Platform) -> None:
    async with platform.client(parts=platform.changed(create_status_word="CREATED")) as client:
        answer = await client.post("/llmage/video", json={"llmid": T2V, "prompt": "x"})
    assert answer.json()["status"] == "CREATED"


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (json.dumps({"llmid": T2V, "prompt": "a cat"}), JSON),
        (json.dumps({"llmid": T2V, "prompt": "a cat"}), {"content-type": ""}),
        (f"llmid={T2V}&prompt=a+cat", FORM),
        (f"llmid={T2V}&prompt=a+cat", {"content-type": ""}),
        (MULTIPART, {"content-type": "multipart/form-data; boundary=b"}),
    ],
    ids=["json", "untyped json", "form", "untyped form", "multipart"],
)
async def test_a_request_may_be_written_in_any_form(platform, client, content, headers) -> None:
    answer = await client.post("/llmage/video", content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    assert platform.videos.tasks[0].request.prompt == "a cat"


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({}, 400, "Missing required parameter: llmid"),
        ({"prompt": "x"}, 400, "Missing required parameter: llmid"),
        ({"llmid": I2V}, 400, "Missing required parameter: prompt"),
        ({"llmid": T2V, "prompt": ""}, 400, "Missing required parameter: prompt"),
        ({"llmid": I2V, "prompt": "x"}, 400, "Missing required parameter: image1_file"),
        ({"llmid": "unknown", "prompt": "x"}, 400, "Unknown llmid"),
        ({"model": "unknown", "prompt": "x"}, 404, None),
    ],
    ids=["nothing", "no llmid", "no prompt", "empty prompt", "no picture", "unknown llmid", "unknown model"],
)
async def test_refusals_in_the_seeds_words(client, fields, status, text) -> None:
    answer = await client.post("/llmage/video", json=fields)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert isinstance(error, str)
    assert text in (None, error)


async def test_a_bad_value_names_its_parameter(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/llmage/video", json={"llmid": T2V, "prompt": "x", "duration": 99})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Invalid parameter: duration")


async def test_no_money_is_final(platform: Platform, client: httpx2.AsyncClient) -> None:
    platform.videos.failure = InsufficientFundsError("customer:c:available", 5)
    answer = await client.post("/llmage/video", json={"llmid": T2V, "prompt": "x"})
    assert (answer.status_code, answer.text) == (429, '{"error": "Insufficient balance"}')
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers


async def test_warnings_are_headers_of_printable_ascii(platform: Platform, client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        "/llmage/video",
        json={"llmid": T2V, "prompt": "x", "model": "another", "image1_file": "https://a.example/1.jpg"},
    )
    warnings = answer.headers.get_list("x-warning")
    assert len(warnings) == 2
    assert all(w.isascii() and w.isprintable() for w in warnings)
    assert any(I2V in w for w in warnings)
    assert any("another" in w for w in warnings)
    task = platform.videos.tasks[0]
    assert (task.offer_id, task.requested_offer_id) == (I2V, T2V)


async def test_the_keys_limit_of_requests_counts_before_the_body_is_read(platform: Platform) -> None:
    async with platform.client(parts=platform.changed(throttle=lambda key: 7 if key.name == "" else 0)) as client:
        for path in ("/llmage/video", "/llmage/v1/video/generations", "/llmage/v1/video/quotes", "/v1/videos"):
            answer = await client.post(path, content=b"{", headers=JSON)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert platform.videos.tasks == []


# how a task stands


ASKING = {
    "get": lambda c, i: c.get(f"/llmage/tasks?taskid={i}"),
    "post without a body": lambda c, i: c.post(f"/llmage/tasks?taskid={i}"),
    "json": lambda c, i: c.post("/llmage/tasks", json={"taskid": i}),
    "json number": lambda c, i: c.post("/llmage/tasks", json={"taskid": int(i)}),
    "form": lambda c, i: c.post("/llmage/tasks", data={"taskid": i}),
    "multipart": lambda c, i: c.post("/llmage/tasks", files={"taskid": (None, i)}),
    "get with a body": lambda c, i: c.request("GET", "/llmage/tasks", json={"taskid": i}),
    "query first": lambda c, i: c.post(f"/llmage/tasks?taskid={i}", json={"taskid": "other"}),
}


@pytest.mark.parametrize("way", ASKING)
async def test_a_task_can_be_asked_for_in_many_ways(client: httpx2.AsyncClient, way: str) -> None:
    task_id = await create(client)
    answer = await ASKING[way](client, task_id)
    assert answer.status_code == 200, answer.text
    assert answer.text == (
        f'{{"usage": null, "image": null, "video": null, "status": "CREATED", "taskid": "{task_id}"}}'
    )


async def test_without_an_id_no_task_is_meant(client: httpx2.AsyncClient) -> None:
    for call in (client.get("/llmage/tasks"), client.post("/llmage/tasks"), client.post("/llmage/tasks?taskid=")):
        answer = await call
        assert (answer.status_code, answer.text) == (400, '{"error": "Missing required parameter: taskid"}')


async def test_unknown_and_foreign_tasks_are_not_there(platform: Platform, client: httpx2.AsyncClient) -> None:
    task_id = await create(client)
    platform.videos.become(0, customer_id="cus_other")
    for found in ("123456789012345678", "x" * 5000, "../1", task_id):
        answer = await client.get("/llmage/tasks", params={"taskid": found})
        assert (answer.status_code, answer.text) == (404, '{"error": "Task not found"}')


@pytest.mark.parametrize(
    ("changes", "word", "status"),
    [
        ({}, "CREATED", "queued"),
        ({"accepted_at": 1.0}, "PENDING", "queued"),
        ({"accepted_at": 1.0, "state": TaskState.RUNNING}, "RUNNING", "in_progress"),
        ({"state": TaskState.SUCCEEDED, "usage": USAGE, "ended_at": 9.0}, "SUCCEEDED", "completed"),
        ({"state": TaskState.FAILED, "ended_at": 9.0}, "FAILED", "failed"),
        ({"state": TaskState.CANCELED, "ended_at": 9.0}, "FAILED", "failed"),
        ({"state": TaskState.EXPIRED, "ended_at": 9.0}, "FAILED", "failed"),
    ],
    ids=["new", "accepted", "running", "succeeded", "failed", "canceled", "expired"],
)
async def test_each_state_has_its_word_in_both_dialects(platform, client, changes, word, status) -> None:
    task_id = await create(client)
    platform.videos.become(0, **changes)
    found = (await client.get(f"/llmage/tasks?taskid={task_id}")).json()
    assert found["status"] == word
    assert ("error" in found) is (word == "FAILED")
    assert (found["usage"] is None) is (word != "SUCCEEDED")
    assert (await client.get(f"/v1/videos/{task_id}")).json()["status"] == status


async def test_a_finished_task_in_the_seeds_order(platform: Platform, client: httpx2.AsyncClient) -> None:
    task_id = await create(client)
    platform.videos.become(0, state=TaskState.SUCCEEDED, usage=USAGE)
    base = "https://ai.example.com/idfile?path=/tmp/1/2/3/4"
    assert (await client.get(f"/llmage/tasks?taskid={task_id}")).text == (
        '{"usage": {"action": "t2v", "credits": 10, "off_peak": false}, '
        f'"image": "{base}/{task_id}/cover.jpeg", "video": "{base}/{task_id}/video.mp4", '
        f'"status": "SUCCEEDED", "taskid": "{task_id}"}}'
    )


async def test_a_failed_task_says_why_and_only_what_customers_may_know(platform, client) -> None:
    task_id = await create(client)
    failure = Failure(kind=FailureKind.PROVIDER_BALANCE, text="Provider temporarily unavailable", detail="Arrearage")
    platform.videos.become(0, state=TaskState.FAILED, failure=failure)
    answer = await client.get(f"/llmage/tasks?taskid={task_id}")
    assert answer.json()["error"] == "Provider temporarily unavailable"
    for path in (f"/v1/videos/{task_id}", "/llmage/v1/tasks", "/v1/videos"):
        assert "Arrearage" not in (await client.get(path)).text


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("1.2.3.4:8080", "http://1.2.3.4:8080"),
        ("ai.example.com", "http://ai.example.com"),
        ("[::1]:8080", "http://[::1]:8080"),
        ('evil"><script>', "http://api.example"),
        ("a@b", "http://api.example"),
        ("a/b", "http://api.example"),
        ("-a", "http://api.example"),
    ],
    ids=["address", "name", "ipv6", "markup", "user", "path", "dash"],
)
async def test_links_begin_as_the_client_has_called_unless_that_is_no_host(platform, host, address) -> None:
    async with platform.client(parts=platform.changed(public_base_url="")) as client:
        task_id = await create(client)
        platform.videos.become(0, state=TaskState.SUCCEEDED)
        found = await client.get(f"/llmage/tasks?taskid={task_id}", headers={"host": host})
        assert found.json()["video"].partition("/idfile")[0] == address


# the original platform's later form


async def test_a_generation(platform: Platform, client: httpx2.AsyncClient) -> None:
    asked = {"model": "dream", "catelogid": "t2v", "prompt": "x", "duration": "4s", "n": 1, "transno": "7"}
    answer = await client.post("/llmage/v1/video/generations", json=asked)
    assert answer.text == (
        '{"id": "usage0000000000000000", "object": "video.generation", "model": "dream", "status": "submitted", '
        '"taskid": "900000000000000000", "created": 1793000000}'
    )
    assert platform.videos.tasks[0].request.duration_seconds == 4


async def test_a_quote_tells_the_most_that_the_same_request_would_cost(platform: Platform, client) -> None:
    asked = {"model": "dream", "prompt": "x", "image_url": "any text", "colour": "red"}
    answer = await client.post("/llmage/v1/video/quotes", json=asked)
    found = answer.json()
    (warning,) = found.pop("warnings")
    assert "colour" in warning
    assert found == {
        "object": "video.quote",
        "model": "dream",
        "llmid": I2V,
        "requested_llmid": I2V,
        "operation": "image_to_video",
        "ceiling": "3.00",
        "currency": "CNY",
        "price_id": "price_1",
    }
    assert "x-warning" not in answer.headers
    assert platform.videos.tasks == []
    refused = await client.post("/llmage/v1/video/quotes", json={"llmid": I2V, "prompt": "x"})
    assert (refused.status_code, refused.json()["error"]) == (400, "Missing required parameter: image1_file")


@pytest.mark.parametrize(
    ("asked", "llmid", "role"),
    [
        ({"model": "dream"}, T2V, None),
        ({"model": "dream", "catelogid": "文生视频"}, T2V, None),
        ({"model": "dream-alias", "catelogid": "i2v", "image_url": "https://a.example/1"}, I2V, "first_frame"),
        ({"model": "dream", "image_url": "https://a.example/1"}, I2V, "first_frame"),
        ({"model": "dream", "catelogid": "R2V", "image_url": "https://a.example/1"}, R2V, "reference_image"),
        ({"model": "horse", "catelogid": "ref2v", "image_files": ["https://a.example/1"]}, ONLY_R2V, "reference_image"),
        ({"model": I2V, "image_url": "https://a.example/1"}, I2V, "first_frame"),
        ({"llmid": R2V, "catelogid": "t2v", "image_files": "https://a.example/1"}, R2V, "reference_image"),
    ],
    ids=["model", "chinese", "category", "picture", "reference", "files", "llmid as model", "llmid"],
)
async def test_model_and_category_choose_the_offer(platform, client, asked, llmid, role) -> None:
    answer = await client.post("/llmage/v1/video/generations", json={"prompt": "x", **asked})
    assert answer.status_code == 200, answer.text
    (found,) = platform.videos.resolved
    assert found.offer.id == llmid
    assert [media.role.value for media in found.media] == ([role] if role else [])


@pytest.mark.parametrize(
    ("asked", "status", "text"),
    [
        ({}, 400, "Missing required parameter: model"),
        ({"model": "dream"}, 400, "Missing required parameter: prompt"),
        ({"model": "none", "prompt": "x"}, 404, "The model 'none' makes no videos"),
        ({"model": "dream", "prompt": "x", "catelogid": "t2i"}, 400, "Invalid parameter: catelogid; one of t2v"),
        ({"model": "horse", "prompt": "x", "catelogid": "t2v"}, 400, "Invalid parameter: catelogid; this model"),
        ({"model": "dream", "prompt": "x", "n": 2}, 400, "Invalid parameter: n"),
        ({"model": "dream", "prompt": "x", "n": 10**30}, 200, ""),
    ],
    ids=["nothing", "no prompt", "unknown", "category", "not its category", "two", "absurd"],
)
async def test_what_a_generation_refuses(client, asked, status, text) -> None:
    answer = await client.post("/llmage/v1/video/generations", json=asked)
    assert answer.status_code == status
    assert answer.json().get("error", "").startswith(text)


async def test_one_task_as_the_original_tells_it(platform: Platform, client: httpx2.AsyncClient) -> None:
    task_id = await create(client)
    platform.videos.become(0, state=TaskState.SUCCEEDED, usage=USAGE)
    seed = (await client.get(f"/llmage/tasks?taskid={task_id}")).json()
    answer = await client.get(f"/llmage/v1/tasks?taskid={task_id}")
    assert answer.json() == {"status": "ok", "data": {**seed, "output": [seed["video"]]}}


async def test_a_task_that_is_not_there_has_failed(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/llmage/v1/tasks?taskid=123456789012345678")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    data = answer.json()["data"]
    assert (data["status"], data["error"], data["output"]) == ("FAILED", "Task not found", [])


async def pages(client: httpx2.AsyncClient, **query: str) -> list[list[str]]:
    """The tasks of all pages."""
    found, cursor = [], ""
    while cursor is not None:
        page = (await client.get("/llmage/v1/tasks", params={**query, "cursor": cursor})).json()
        assert page["object"] == "list"
        found.append([item["taskid"] for item in page["data"]])
        cursor = page["next"]
    return found


async def test_the_list_of_ones_own_has_pages(platform: Platform, client: httpx2.AsyncClient) -> None:
    ids = [await create(client) for _ in range(5)]
    platform.videos.tasks.sort(key=lambda task: task.created_at)
    newest = ids[::-1]
    assert await pages(client, limit="2") == [newest[:2], newest[2:4], newest[4:]]
    assert await pages(client, limit="5") == [newest]
    assert await pages(client) == [newest]
    assert await pages(client, until=str(platform.videos.now + 1)) == [ids[:1]]
    assert await pages(client, **{"from": str(platform.videos.now + 3)}) == [newest[:2]]


async def test_the_list_filters(platform: Platform, client: httpx2.AsyncClient) -> None:
    ids = [await create(client) for _ in range(5)]
    platform.videos.become(1, accepted_at=1.0)
    for number, state in enumerate((TaskState.RUNNING, TaskState.SUCCEEDED, TaskState.EXPIRED), start=2):
        platform.videos.become(number, state=state)
    named = dict(zip(("CREATED", "PENDING", "RUNNING", "SUCCEEDED", "FAILED"), ids, strict=True))
    for word, task_id in named.items():
        for limit in ("1", "20"):
            assert list(chain.from_iterable(await pages(client, status=word, limit=limit))) == [task_id]
    await client.post("/llmage/video", json={"llmid": I2V, "prompt": "x", "image1_file": "https://a.example/1"})
    assert await pages(client, operation="image_to_video") == await pages(client, llmid=I2V) == [["900000000000000005"]]
    assert await pages(client, model="none") == [[]]
    assert len((await pages(client, model="dream"))[0]) == 6


async def test_a_line_of_the_list(platform: Platform, client: httpx2.AsyncClient) -> None:
    task_id = await create(client)
    platform.videos.become(0, state=TaskState.RUNNING)
    (item,) = (await client.get("/llmage/v1/tasks")).json()["data"]
    assert item == {
        "taskid": task_id,
        "status": "RUNNING",
        "progress": 0,
        "seconds_left": 40,
        "model": "dream",
        "llmid": T2V,
        "requested_llmid": T2V,
        "operation": "text_to_video",
        "created": 1_793_000_000,
        "ended": None,
        "quote": "3.00",
        "charge": "0.00",
        "currency": "CNY",
        "usage": None,
        "image": None,
        "video": None,
        "error": None,
    }
    platform.videos.become(0, state=TaskState.SUCCEEDED, charge_nanos=810_208_000, ended_at=1_793_000_060.5)
    (item,) = (await client.get("/llmage/v1/tasks")).json()["data"]
    assert Decimal(item["charge"]) == Decimal("0.810208")
    assert (item["ended"], item["progress"], item["seconds_left"]) == (1_793_000_060, 100, None)


@pytest.mark.parametrize(
    "query",
    ["status=done", "operation=chat2", "limit=0", "limit=101", "limit=x", "cursor=x", "from=x", "until=-1", "from=nan"],
)
async def test_what_the_list_refuses(client: httpx2.AsyncClient, query: str) -> None:
    answer = await client.get(f"/llmage/v1/tasks?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"Invalid parameter: {query.partition('=')[0]}")


async def test_empty_filters_are_not_given(client: httpx2.AsyncClient) -> None:
    await create(client)
    query = "taskid=&status=&model=&llmid=&operation=&from=&until=&cursor=&other=1"
    assert len((await client.get(f"/llmage/v1/tasks?{query}")).json()["data"]) == 1


async def test_the_list_of_models_counts_before_files_and_categories(platform: Platform) -> None:
    _, key = await platform.make_key(limits=KeyLimits(models=("qwen3-max",)))
    asked = {"model": "dream", "prompt": "x", "catelogid": "t2v", "input_reference": "https://a.example/1"}
    async with platform.client(key=key) as client:
        for path in ("/v1/videos", "/llmage/v1/video/generations"):
            answer = await client.post(path, json=asked)
            assert answer.status_code == 404  # of these use cases; the real ones know better, see tests/usecases


async def test_files_that_no_provider_can_be_given_are_refused_for_good(platform: Platform, client) -> None:
    """SDKs repeat a 503 by themselves, and every further try would fail like the first."""
    platform.videos.failure = UndeliverableFilesError()
    text = platform.videos.failure.message
    assert "public ones of your own" in text
    for path in ("/llmage/video", "/llmage/v1/video/generations", "/v1/videos"):
        answer = await client.post(path, json={"llmid": T2V, "model": "dream", "prompt": "a cat"})
        assert (answer.status_code, answer.headers["x-should-retry"]) == (400, "false")
        assert "retry-after" not in answer.headers
        error = answer.json()["error"]
        if path == "/v1/videos":
            assert (error["code"], error["type"]) == ("undeliverable_files", "invalid_request_error")
            error = error["message"]
        assert error == text
