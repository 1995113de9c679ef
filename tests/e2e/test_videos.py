"""Videos on the whole platform: submitted, polled, fetched and charged, in three published shapes and by an SDK."""

import io
import time
from decimal import Decimal

import httpx2
import openai
import pytest
from PIL import Image
from tests.support.load import wait_until
from tests.support.platform import Platform
from tests.support.video_api import VideoApi, clip_of, part, picture

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning"),  # the SDK's, about OpenAI's own service
]
SEEDANCE_15, HAPPYHORSE_I2V = "CrEMkFQfRCmbmopZsCqLj", "7y7kfYM0Xasizyi37WvAZ"


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    with Platform(folder / "var", YUANJING_SANDBOX_TIME_SCALE="0") as running:
        yield running
        assert running.verify() == []
        assert "Traceback" not in running.errors()
        assert running.stop() == 0


@pytest.fixture
def api(platform):
    with VideoApi(platform) as made:
        yield made


def test_from_a_prompt_to_a_video_and_an_exact_charge(platform, api):
    before = api.owned()
    answer = api.post(
        {"llmid": SEEDANCE_15, "prompt": "小猫在抓老鼠", "duration": 5, "ratio": "16:9", "resolution": "480p"}
    )
    task_id = answer.json()["taskid"]
    assert answer.text == f'{{"taskid": "{task_id}", "status": "created"}}'
    assert len(task_id) == 18
    assert task_id.isdigit()
    assert answer.headers.get_list("x-warning") == []
    done = api.ended(task_id)
    assert list(done) == ["usage", "image", "video", "status", "taskid"]
    assert (done["status"], done["taskid"]) == ("SUCCEEDED", task_id)
    usage = done["usage"]
    assert {name: usage[name] for name in ("action", "model", "resolution", "duration", "completion_tokens")} == {
        "action": "t2v",
        "model": "doubao-seedance-1-5-pro-251215",
        "resolution": "480p",
        "duration": 5,
        "completion_tokens": 50_638,
    }

    clip = clip_of(api.fetch(done["video"]))
    assert (clip.width, clip.height) == (864, 496)
    assert clip.seconds == pytest.approx(5, abs=0.1)
    assert Image.open(io.BytesIO(api.fetch(done["image"]))).size == (864, 496)
    ranged = httpx2.get(done["video"], headers={"range": "bytes=4-7"}, trust_env=False)
    assert (ranged.status_code, ranged.content) == (206, b"ftyp")
    content = f"/v1/videos/{task_id}/content"
    ranged = api.http.get(content, headers={"range": "bytes=4-7"})
    assert (ranged.status_code, ranged.content) == (206, b"ftyp")
    head = api.http.head(content)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(api.fetch(done["video"]))
    assert httpx2.get(platform.url + content, trust_env=False).status_code == 401

    charge = Decimal(50_638) * 16 / 1_000_000
    item = api.listed(task_id)
    assert (Decimal(item["charge"]), item["status"], item["progress"]) == (charge, "SUCCEEDED", 100)
    assert Decimal(item["quote"]) >= charge
    assert before - api.owned() == charge
    (record,) = platform.run("usage", "list", "--limit", "1")["usages"]
    assert Decimal(record["charge"]) == charge
    shown = platform.run("usage", "show", record["id"])
    assert shown["explanation"]["is_consistent"]
    assert Decimal(shown["explanation"]["total"]) == charge


def test_an_uploaded_picture_becomes_the_first_frame_of_the_offer_that_takes_it(api):
    fields = {"llmid": "o5vfXYD5BURJWRTWpopE5", "prompt": "一起来调科目三", "duration": 3, "resolution": "720P"}
    answer = api.post(fields, [part("image1_file", picture())])
    assert answer.status_code == 200, answer.text
    (warning,) = answer.headers.get_list("x-warning")
    assert HAPPYHORSE_I2V in warning
    done = api.ended(answer.json()["taskid"])
    assert done["status"] == "SUCCEEDED", done
    assert clip_of(api.fetch(done["video"])).seconds == pytest.approx(3, abs=0.1)
    item = api.listed(done["taskid"])
    assert (item["llmid"], item["requested_llmid"]) == (HAPPYHORSE_I2V, "o5vfXYD5BURJWRTWpopE5")
    assert Decimal(item["charge"]) == Decimal("2.70")


@pytest.mark.parametrize("word", ["moderation", "invalid-input", "result-404", "truncated-file", "redirected-file"])
def test_a_failed_task_costs_nothing(api, word):
    before = api.owned()
    task_id = api.submit({"llmid": SEEDANCE_15, "prompt": f"a cat sandbox:{word}", "duration": 4, "resolution": "480p"})
    done = api.ended(task_id, 120)
    assert list(done) == ["usage", "image", "video", "status", "taskid", "error"]
    assert (done["status"], done["usage"], done["image"], done["video"]) == ("FAILED", None, None, None)
    assert done["error"]
    assert api.owned() == before
    item = api.listed(task_id)
    assert (item["charge"], item["error"]) == ("0.00", done["error"])
    video = api.http.get(f"/v1/videos/{task_id}").json()
    assert (video["status"], video["error"]["message"]) == ("failed", done["error"])
    assert api.http.get(f"/v1/videos/{task_id}/content").status_code == 404


def test_whoever_cannot_pay_is_refused_before_anything_is_made(platform):
    customer = platform.new_customer("+8613800138555")
    with VideoApi(platform, platform.new_key(customer)) as api:
        costly = {"llmid": "dmPXF65TD1riKj9KaxLmg", "prompt": "sandbox:stuck", "duration": 12, "resolution": "1080p"}
        files = [part("image_files", picture())]
        assert [api.post(costly, files).status_code for _ in range(3)] == [200] * 3
        refused = api.post(costly, files)
        assert (refused.status_code, refused.text) == (429, '{"error": "Insufficient balance"}')
        assert refused.headers["x-should-retry"] == "false"
        tasks = api.http.get("/llmage/v1/tasks").json()["data"]
        assert len(tasks) == 3
        held = sum(Decimal(task["quote"]) for task in tasks)
        assert Decimal(api.http.get("/llmage/v1/balance").json()["held"]) == held
        for task in tasks:  # they would hold their money for hours, and keep the platform's channels busy
            assert api.http.delete(f"/v1/videos/{task['taskid']}").json()["deleted"] is True


def test_another_customers_tasks_and_files_are_not_there(platform, api):
    task_id = api.submit({"llmid": SEEDANCE_15, "prompt": "mine", "duration": 4, "resolution": "480p"})
    with VideoApi(platform, platform.new_key(platform.new_customer("+8613800138556"))) as other:
        for path in (f"/llmage/tasks?taskid={task_id}", f"/v1/videos/{task_id}", f"/v1/videos/{task_id}/content"):
            assert other.http.get(path).status_code == 404
        assert other.http.delete(f"/v1/videos/{task_id}").status_code == 404
        assert other.http.get(f"/v1/videos?after={task_id}").status_code == 404
        foreign = other.http.get(f"/llmage/v1/tasks?taskid={task_id}").json()
        unknown = other.http.get("/llmage/v1/tasks?taskid=123456789012345678").json()
        assert foreign["data"]["status"] == unknown["data"]["status"] == "FAILED"
        assert foreign["data"]["error"] == unknown["data"]["error"] == "Task not found"
        assert other.http.get("/v1/videos").json()["data"] == []
        assert other.http.get("/llmage/v1/tasks").json()["data"] == []
    assert api.ended(task_id)["status"] == "SUCCEEDED"


def test_a_generation_in_the_original_platforms_form(api):
    asked = {
        "model": "doubao-seedance-1-5-pro-251215",
        "catelogid": "t2v",
        "prompt": "A sunset",
        "duration": "4s",
        "resolution": "480p",
    }
    made = api.http.post("/llmage/v1/video/generations", json=asked).json()
    assert list(made) == ["id", "object", "model", "status", "taskid", "created"]
    assert (made["object"], made["status"], made["model"]) == ("video.generation", "submitted", asked["model"])
    done = api.ended(made["taskid"])
    one = api.http.get("/llmage/v1/tasks", params={"taskid": made["taskid"]}).json()
    assert one == {"status": "ok", "data": {**done, "output": [done["video"]]}}
    assert done["usage"]["duration"] == 4


def offers_of(api, *operations):
    """The video offers with these operations: llmid, operation, and what the shortest and smallest video is."""
    found = api.http.get("/llmage/v1/models").json()["data"]
    wanted = [one for one in found if one["operation"] in operations]
    return [(one["llmid"], one["operation"], *least(one["parameters"]["properties"])) for one in wanted]


def least(properties):
    """The least seconds, and the smallest size in OpenAI's words, or else the lowest tier."""
    seconds = properties["duration"]
    shortest = seconds["minimum"] if "minimum" in seconds else min(n for n in seconds["enum"] if n > 0)
    if "size" in properties:
        return shortest, {"size": "1280x720"}
    return shortest, {"extra_body": {"resolution": properties["resolution"]["enum"][0]}}


def test_openais_sdk_makes_and_fetches_a_video_of_every_offer(platform, api):
    offers = offers_of(api, "text_to_video", "image_to_video")
    assert len(offers) >= 12
    platform.run("customer", "grant", "+8613800138000", "--test", "200")
    client = openai.OpenAI(base_url=f"{platform.url}/v1", api_key=platform.key, max_retries=0)
    videos = {}
    for llmid, operation, seconds, smallest in offers:
        extra = {"input_reference": ("a.jpg", picture(), "image/jpeg")} if operation == "image_to_video" else {}
        videos[llmid] = client.videos.create(model=llmid, prompt="海边", seconds=str(seconds), **smallest, **extra)
        assert videos[llmid].status in {"queued", "in_progress"}
    for llmid, _, seconds, _ in offers:
        done = client.videos.poll(videos[llmid].id, poll_interval_ms=200)
        assert (done.status, done.seconds) == ("completed", str(seconds)), (llmid, done)
        clip = clip_of(client.videos.download_content(done.id).read())
        assert f"{clip.width}x{clip.height}" == done.size
        assert clip.seconds == pytest.approx(seconds, abs=0.2)
        cover = client.videos.download_content(done.id, variant="thumbnail").read()
        assert Image.open(io.BytesIO(cover)).format == "JPEG"
        assert Decimal(done.model_extra["yuanjing"]["charge"]) > 0
    client.close()


def test_openais_sdk_polls_lists_and_deletes(platform):
    with openai.OpenAI(base_url=f"{platform.url}/v1", api_key=platform.key, max_retries=0) as client:
        older = client.videos.create_and_poll(model="doubao-seedance-1-5-pro-251215", prompt="山上", seconds="4")
        done = client.videos.create_and_poll(
            model="doubao-seedance-1-5-pro-251215", prompt="海边", seconds="4", size="864x496"
        )
        assert (done.status, done.progress, done.size) == ("completed", 100, "864x496")
        assert client.videos.retrieve(done.id).prompt == "海边"
        listed = [video.id for video in client.videos.list(limit=2)]  # the SDK turns the pages
        assert listed[:2] == [done.id, older.id]
        assert listed == [video.id for video in client.videos.list(limit=100)]
        assert listed[::-1] == [video.id for video in client.videos.list(order="asc", limit=3)]
        task = httpx2.get(
            f"{platform.url}/llmage/tasks?taskid={done.id}",
            headers={"authorization": f"Bearer {platform.key}"},
            trust_env=False,
        ).json()
        links = [task["video"], task["image"]]
        assert [httpx2.get(link, trust_env=False).status_code for link in links] == [200, 200]
        gone = client.videos.delete(done.id)
        assert [httpx2.get(link, trust_env=False).status_code for link in links] == [410, 410]
        assert (gone.id, gone.object, gone.deleted) == (done.id, "video.deleted", True)
        with pytest.raises(openai.NotFoundError):
            client.videos.retrieve(done.id)
        for refused in (
            lambda: client.videos.remix(older.id, prompt="again"),
            lambda: client.videos.edit(prompt="again", video=("a.mp4", b"x")),
            lambda: client.videos.extend(prompt="again", seconds="4", video=("a.mp4", b"x")),
            lambda: client.videos.create_character(name="Tom", video=("a.mp4", b"x")),
            lambda: client.videos.get_character("char_1"),
        ):
            with pytest.raises(openai.NotFoundError) as caught:
                refused()
            assert caught.value.code == "unsupported_operation"


def test_a_video_under_way_has_no_file_yet_and_can_be_canceled(api):
    before = api.owned()
    made = api.http.post(
        "/v1/videos",
        json={"model": "doubao-seedance-1-5-pro-251215", "prompt": "sandbox:long-queue=3600", "seconds": "4"},
    )
    task_id = made.json()["id"]
    assert int(made.headers["openai-poll-after-ms"]) >= 1000
    early = api.http.get(f"/v1/videos/{task_id}/content")
    assert (early.status_code, early.json()["error"]["code"]) == (409, "video_not_ready")
    wait_until(lambda: api.task(task_id)["status"] == "PENDING")
    gone = api.http.delete(f"/v1/videos/{task_id}").json()
    assert gone == {"id": task_id, "object": "video.deleted", "deleted": True}
    until = time.monotonic() + 30
    while api.owned() != before or Decimal(api.http.get("/llmage/v1/balance").json()["held"]):
        assert time.monotonic() < until, "the hold of a canceled task was not released"
        time.sleep(0.1)
