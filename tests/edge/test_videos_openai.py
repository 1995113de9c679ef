"""Video calls in OpenAI's shape, read with its SDK where that matters."""

import inspect
from dataclasses import replace

import httpx2
import pytest
from openai.types import Video
from tests.edge.platform import Platform
from tests.edge.videos import I2V, ONLY_R2V, R2V, T2V, FakeVideos

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import InsufficientFundsError
from yuanjing.domain.parameters.values import invalid
from yuanjing.domain.tasks import PROVIDER_CHOOSES, Failure, FailureKind, Size, TaskState
from yuanjing.usecases.videos import Videos

DREAM = {"model": "dream", "prompt": "x"}
URL = "https://a.example/1.jpg"
PNG = ("a.png", b"\x89PNG\r\n\x1a\n", "image/png")


async def create(client: httpx2.AsyncClient, **fields: object) -> dict:
    answer = await client.post("/v1/videos", json={"model": T2V, "prompt": "a cat", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_new_video_has_openais_keys_and_ours(platform: Platform, client: httpx2.AsyncClient) -> None:
    answer = await client.post("/v1/videos", json={"model": T2V, "prompt": "a cat", "seconds": "4", "colour": "blue"})
    made = answer.json()
    assert set(Video.model_fields) <= set(made)
    assert list(made)[-1] == "yuanjing"
    parsed = Video.construct(**made)  # as the SDK does, which does not insist on its own list of sizes
    assert (parsed.status, parsed.seconds, parsed.progress, parsed.prompt) == ("queued", "4", 0, "a cat")
    assert (parsed.model, parsed.size, parsed.error, parsed.completed_at) == ("dream", "720p", None, None)
    assert made["yuanjing"] == {
        "llmid": T2V,
        "requested_llmid": T2V,
        "operation": "text_to_video",
        "currency": "CNY",
        "ceiling": "3.00",
        "charge": "0.00",
        "warnings": ["ignored: colour"],
        "seconds_left": 40,
        "usage": None,
        "video_url": None,
        "thumbnail_url": None,
    }
    assert answer.headers["x-warning"] == "ignored: colour"
    assert answer.headers["openai-poll-after-ms"] == "10000"
    assert platform.videos.tasks[0].dialect is Dialect.OPENAI


@pytest.mark.parametrize(
    ("asked", "files", "llmid", "roles"),
    [
        ({"model": T2V}, {}, T2V, []),
        ({"model": "dream"}, {}, T2V, []),
        ({"model": "dream", "input_reference": ""}, {}, T2V, []),
        ({"model": "dream"}, {"input_reference": PNG}, I2V, ["first_frame"]),
        ({"model": "dream-alias"}, {"input_reference": PNG}, I2V, ["first_frame"]),
        ({"model": "dream-fast"}, {"input_reference": PNG}, I2V, ["first_frame"]),
        ({"model": R2V}, {"input_reference": PNG}, R2V, ["reference_image"]),
        ({"model": "horse"}, {"input_reference": PNG}, ONLY_R2V, ["reference_image"]),
        ({"model": "horse", "input_reference[image_url]": URL}, {}, ONLY_R2V, ["reference_image"]),
        ({"model": "dream", "image1_file": URL}, {}, I2V, ["first_frame"]),
        ({"model": "ignored", "llmid": I2V, "input_reference": URL}, {}, I2V, ["first_frame"]),
    ],
)
async def test_a_form_says_which_offer_and_what_its_reference_is_for(
    platform, client, asked, files, llmid, roles
) -> None:
    answer = await client.post("/v1/videos", data={"prompt": "x", **asked}, files=files or {"nothing": (None, "")})
    assert answer.status_code == 200, answer.text
    (found,) = platform.videos.resolved
    assert found.offer.id == llmid
    assert [media.role.value for media in found.media] == roles


async def test_a_reference_by_address_in_json(platform: Platform, client: httpx2.AsyncClient) -> None:
    await create(client, model="dream", input_reference={"image_url": URL})
    (media,) = platform.videos.resolved[0].media
    assert (media.role.value, media.value) == ("first_frame", URL)


@pytest.mark.parametrize(
    ("asked", "status", "code", "param"),
    [
        ({"prompt": "x"}, 400, "missing_required_parameter", "model"),
        ({"model": "dream"}, 400, "missing_required_parameter", "prompt"),
        ({"model": "none", "prompt": "x"}, 404, "model_not_found", "model"),
        ({"model": ["x"] * 3, "prompt": "x"}, 404, "model_not_found", "model"),
        ({"model": {"a": 1}, "prompt": "x"}, 400, "missing_required_parameter", "model"),
        ({**DREAM, "seconds": "99"}, 400, "invalid_parameter", "seconds"),
        ({**DREAM, "input_reference": {"file_id": "f"}}, 400, "invalid_parameter", "input_reference"),
        ({**DREAM, "input_reference": 5}, 400, "invalid_parameter", "input_reference"),
        ({**DREAM, "image1_file": 5}, 400, "invalid_parameter", "image1_file"),
        ({**DREAM, "model": I2V}, 400, "missing_required_parameter", "input_reference"),
        ({**DREAM, "model": R2V}, 400, "missing_required_parameter", "input_reference"),
    ],
)
async def test_refusals_are_objects(client, asked, status, code, param) -> None:
    answer = await client.post("/v1/videos", json=asked)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("fields", "field", "param"),
    [
        ({"input_reference": URL}, "image1_file", "input_reference"),
        ({"input_reference[image_url]": URL}, "image_file1", "input_reference"),
        ({"input_reference": URL}, "image_files", "input_reference"),
        ({"input_reference": URL, "image_files": URL}, "image_files", "image_files"),
        ({"image": URL}, "image1_file", "image1_file"),
        ({"input_reference": URL}, "audio_files", "audio_files"),
        ({"input_reference": URL}, "seconds", "seconds"),
    ],
)
async def test_an_error_about_a_reference_calls_it_so(platform, client, fields, field, param) -> None:
    platform.videos.failure = invalid(field, "too small")
    answer = await client.post("/v1/videos", json={**DREAM, **fields})
    error = answer.json()["error"]
    assert (error["param"], error["message"]) == (param, f"Invalid parameter: {param}; too small")


@pytest.mark.parametrize("name", ["file_id", "url", "image_url][0"])
async def test_a_reference_of_another_kind_is_not_passed_over(platform, client, name) -> None:
    """A video from text alone would be made, and paid."""
    fields = {"model": "dream", "prompt": "x", f"input_reference[{name}]": "file_1"}
    answer = await client.post("/v1/videos", data=fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_parameter", "input_reference")
    assert platform.videos.tasks == []
    empty = {name: value.replace("file_1", "") for name, value in fields.items()}
    assert (await client.post("/v1/videos", data=empty)).status_code == 200


async def test_no_money_is_quota(platform: Platform, client: httpx2.AsyncClient) -> None:
    platform.videos.failure = InsufficientFundsError("customer:c:available", 5)
    answer = await client.post("/v1/videos", json={"model": "dream", "prompt": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "insufficient_quota")
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(("left", "wait"), [(None, "3000"), (0, "1000"), (8, "2000"), (3600, "10000")])
async def test_when_to_ask_again(platform: Platform, client: httpx2.AsyncClient, left, wait) -> None:
    platform.videos.seconds_left = left
    made = await create(client)
    assert (await client.get(f"/v1/videos/{made['id']}")).headers["openai-poll-after-ms"] == wait
    platform.videos.become(0, state=TaskState.FAILED)
    assert "openai-poll-after-ms" not in (await client.get(f"/v1/videos/{made['id']}")).headers


async def test_a_completed_video(platform: Platform, client: httpx2.AsyncClient) -> None:
    made = await create(client)
    ended = {"ended_at": 1_793_000_060.5, "charge_nanos": 810_208_000, "usage": {"a": 1}}
    platform.videos.become(0, state=TaskState.SUCCEEDED, **ended)
    done = (await client.get(f"/v1/videos/{made['id']}")).json()
    assert (done["status"], done["progress"], done["seconds"], done["size"]) == ("completed", 100, "5", "864x496")
    assert (done["completed_at"], done["expires_at"]) == (1_793_000_060, 1_793_001_000)
    ours = done["yuanjing"]
    assert (ours["charge"], ours["usage"], ours["seconds_left"], ours["warnings"]) == ("0.810208", {"a": 1}, None, [])
    assert ours["video_url"].endswith(f"/{made['id']}/video.mp4")
    assert ours["thumbnail_url"].endswith(f"/{made['id']}/cover.jpeg")


@pytest.mark.parametrize(
    ("changes", "seconds", "size"),
    [
        ({"duration_seconds": PROVIDER_CHOOSES}, "auto", "720p"),
        ({"duration_seconds": None, "resolution": None}, "auto", "auto"),
        ({"size": Size(width=1280, height=720)}, "5", "1280x720"),
        ({"ratio": "16:9"}, "5", "1280x720"),
        ({"ratio": "9:16"}, "5", "720p"),
    ],
)
async def test_length_and_size_before_there_is_a_file(platform, client, changes, seconds, size) -> None:
    made = await create(client)
    task = platform.videos.tasks[0]
    platform.videos.become(0, request=replace(task.request, **changes))
    found = (await client.get(f"/v1/videos/{made['id']}")).json()
    assert (found["seconds"], found["size"]) == (seconds, size)


@pytest.mark.parametrize(
    ("state", "kind", "code"),
    [
        (TaskState.FAILED, FailureKind.INVALID_INPUT, "invalid_request"),
        (TaskState.FAILED, FailureKind.MODERATED, "content_policy_violation"),
        (TaskState.FAILED, FailureKind.PROVIDER_BALANCE, "provider_unavailable"),
        (TaskState.FAILED, None, "failed"),
        (TaskState.CANCELED, FailureKind.UNAVAILABLE, "canceled"),
        (TaskState.EXPIRED, None, "expired"),
    ],
)
async def test_why_there_is_no_video(platform, client, state, kind, code) -> None:
    made = await create(client)
    failure = Failure(kind=kind, text="why", code="Vendor.Code", detail="vendor's words") if kind else None
    platform.videos.become(0, state=state, failure=failure)
    answer = await client.get(f"/v1/videos/{made['id']}")
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert "endor" not in answer.text
    content = await client.get(f"/v1/videos/{made['id']}/content")
    assert (content.status_code, content.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("state", [TaskState.QUEUED, TaskState.RUNNING])
async def test_the_file_of_a_video_under_way_is_not_ready(platform, client, state) -> None:
    made = await create(client)
    platform.videos.become(0, state=state)
    answer = await client.get(f"/v1/videos/{made['id']}/content")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "video_not_ready")
    assert answer.headers["retry-after"] == "2"


async def test_there_are_no_sprite_sheets(client: httpx2.AsyncClient) -> None:
    made = await create(client)
    answer = await client.get(f"/v1/videos/{made['id']}/content?variant=spritesheet")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "variant")


async def test_the_list_has_openais_pages(client: httpx2.AsyncClient) -> None:
    ids = [(await create(client))["id"] for _ in range(3)]
    first = (await client.get("/v1/videos?limit=2")).json()
    assert [video["id"] for video in first["data"]] == ids[:0:-1]
    assert (first["object"], first["first_id"], first["last_id"], first["has_more"]) == ("list", ids[2], ids[1], True)
    rest = (await client.get(f"/v1/videos?limit=2&after={ids[1]}")).json()
    assert ([video["id"] for video in rest["data"]], rest["has_more"]) == (ids[:1], False)
    rising = (await client.get(f"/v1/videos?order=asc&after={ids[0]}")).json()
    assert [video["id"] for video in rising["data"]] == ids[1:]
    empty = (await client.get(f"/v1/videos?after={ids[0]}")).json()
    assert (empty["data"], empty["first_id"], empty["last_id"], empty["has_more"]) == ([], None, None, False)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "order=up", f"after={'9' * 300}"])
async def test_what_the_list_refuses(client: httpx2.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/videos?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, query.partition("=")[0])


async def test_deleting(platform: Platform, client: httpx2.AsyncClient) -> None:
    made = await create(client)
    answer = await client.delete(f"/v1/videos/{made['id']}")
    assert answer.json() == {"id": made["id"], "object": "video.deleted", "deleted": True}
    assert platform.videos.deleted == [made["id"]]


async def test_foreign_and_unknown_videos_are_not_there(platform: Platform, client: httpx2.AsyncClient) -> None:
    made = await create(client)
    platform.videos.become(0, customer_id="cus_other")
    for video_id in (made["id"], "video_123"):
        calls = [client.get(f"/v1/videos/{video_id}"), client.get(f"/v1/videos/{video_id}/content")]
        calls += [client.delete(f"/v1/videos/{video_id}"), client.get(f"/v1/videos?after={video_id}")]
        for call in calls:
            answer = await call
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
            assert answer.json()["error"]["message"] == "Task not found"
    assert platform.videos.deleted == []


@pytest.mark.parametrize(
    ("method", "path", "word"),
    [
        ("POST", "/v1/videos/video_1/remix", "video_files"),
        ("POST", "/v1/videos/edits", "video_files"),
        ("POST", "/v1/videos/extensions", "input_reference"),
        ("POST", "/v1/videos/characters", "image_files"),
        ("GET", "/v1/videos/characters/char_1", "image_files"),
    ],
)
async def test_what_there_is_not_says_what_to_use_instead(platform, client, method, path, word) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unsupported_operation")
    assert word in answer.json()["error"]["message"]
    async with platform.client(key=None) as nobody:
        assert (await nobody.request(method, path)).status_code == 401


def test_the_fake_speaks_as_the_use_cases_do() -> None:
    """What routes call is there in both, so that a change of the one does not pass unseen."""
    for name in ("offers", "submit", "find", "list", "delete"):
        ours, theirs = (inspect.signature(getattr(one, name)) for one in (FakeVideos, Videos))
        assert list(ours.parameters) == list(theirs.parameters), name
