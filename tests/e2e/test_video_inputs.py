"""What customers give with a video, and where it is kept: on a whole platform."""

import base64
import io
import itertools
import json
import os
import shutil
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from PIL import Image
from tests.support import media
from tests.support.load import chat_body, wait_until
from tests.support.platform import Platform
from tests.support.video_api import Journal, VideoApi, clip_of, part, picture

import yuanjing

pytestmark = pytest.mark.timeout(300)
SEEDANCE_15, SEEDANCE_20_I2V, HAPPYHORSE_I2V = "CrEMkFQfRCmbmopZsCqLj", "UeYax4591ytnPcr9eumry", "7y7kfYM0Xasizyi37WvAZ"
SEEDANCE_20_R2V, WETOKEN_I2V, VIDU_I2V = "dmPXF65TD1riKj9KaxLmg", "tb0VSY6WeyGbzaolU1_qE", "FK_h7FLYnosv2TkMN4ATC"
SMALL = {"duration": 4, "resolution": "480p"}
MODERATED = "The input was refused by the provider's content moderation"
GIB = 1024**3
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with Platform(tmp_path_factory.mktemp("inputs") / "var", YUANJING_SANDBOX_TIME_SCALE="0") as running:
        yield running
        assert running.verify() == []
        assert "Traceback" not in running.errors()
        assert running.stop() == 0


@pytest.fixture
def api(platform):
    with VideoApi(platform) as made:
        yield made


def prompt_of(text):
    """A prompt that no other task of the module has: the journal takes two equal ones for one that was sent twice."""
    return f"{text}, number {next(NUMBERS)}"


def sandbox_of(platform):
    return json.loads((platform.data / "address.json").read_text())["sandbox"]


def sides(image):
    """Whether each half is more red than blue."""
    width, height = image.size
    halves = (image.getpixel((at * width // 4, height // 8)) for at in (1, 3))
    return [red > blue for red, _, blue in halves]


def test_a_picture_as_iphones_take_it_becomes_the_first_frame(platform, api):
    heic = media.picture(480, 360, "HEIF")
    prompt = prompt_of("HEIC from a phone")
    with Journal(platform) as journal:
        file = ("image1_file", ("IMG_0001.HEIC", heic, "image/heic"))
        fields = {"llmid": HAPPYHORSE_I2V, "prompt": prompt, "duration": 3, "resolution": "720P"}
        task_id = api.submit(fields, [file])
        _, body = journal.submissions([prompt])[prompt]
    [item] = body["input"]["media"]
    head, _, data = item["url"].partition(",")
    assert (item["type"], head) == ("first_frame", "data:image/jpeg;base64")
    with Image.open(io.BytesIO(base64.b64decode(data))) as sent:
        assert (sent.format, sent.size, sides(sent)) == ("JPEG", (480, 360), [True, False])
    done = api.ended(task_id)
    assert done["status"] == "SUCCEEDED", done
    clip = clip_of(api.fetch(done["video"]))
    assert clip.width / clip.height == pytest.approx(480 / 360, abs=0.01)
    with Image.open(io.BytesIO(api.fetch(done["image"]))) as cover:  # of the video: its first frame is what was given
        assert sides(cover.convert("RGB")) == [True, False]


@pytest.mark.parametrize("llmid", [SEEDANCE_20_I2V, WETOKEN_I2V])
def test_a_real_persons_picture_is_refused_in_every_dialect_and_costs_nothing(api, llmid):
    before = api.owned()
    task_id = api.submit(
        {"llmid": llmid, "prompt": prompt_of("sandbox:real-face"), **SMALL}, [part("image1_file", picture())]
    )
    done = api.ended(task_id)
    assert (done["status"], done["error"], done["video"], done["usage"]) == ("FAILED", MODERATED, None, None)
    sent = {"model": llmid, "prompt": prompt_of("sandbox:real-face"), "seconds": "4"}
    made = api.http.post("/v1/videos", data=sent, files=[part("input_reference", picture())])
    assert made.status_code == 200, made.text
    api.ended(made.json()["id"])
    told = api.http.get(f"/v1/videos/{made.json()['id']}").json()
    assert (told["status"], told["error"]) == ("failed", {"code": "content_policy_violation", "message": MODERATED})
    given = base64.b64encode(picture()).decode()
    asked = {"llmid": llmid, "prompt": prompt_of("sandbox:real-face"), "image1_file": given, **SMALL}
    made = api.http.post("/llmage/v1/video/generations", json=asked)
    assert made.status_code == 200, made.text
    api.ended(made.json()["taskid"])
    one = api.http.get("/llmage/v1/tasks", params={"taskid": made.json()["taskid"]}).json()["data"]
    assert (one["status"], one["error"], one["output"]) == ("FAILED", MODERATED, [])
    assert api.owned() == before
    assert Decimal(api.http.get("/llmage/v1/balance").json()["held"]) == 0
    assert api.listed(task_id)["charge"] == "0.00"


def test_where_no_protocol_refuses_faces_the_word_does_nothing(api):
    task_id = api.submit(
        {"llmid": VIDU_I2V, "prompt": prompt_of("sandbox:real-face"), "duration": 1, "resolution": "540p"},
        [part("image1_file", picture())],
    )
    assert api.ended(task_id)["status"] == "SUCCEEDED"


@pytest.fixture
def offer_with_assets(platform, tmp_path):
    """An operator's own file of the shipped offer for references, with the one line that takes assets."""
    shipped = Path(yuanjing.__file__).parent / "catalog" / "offers" / "doubao-seedance-2.0-r2v.toml"
    text = shipped.read_text(encoding="utf-8")
    changed = tmp_path / "assets.toml"
    changed.write_text(text.replace('like = "ark_image"', 'like = "ark_image"\ntakes_assets = true'), encoding="utf-8")
    platform.run("offer", "import", str(changed))
    yield
    platform.run("offer", "import", str(shipped))


def asset_of(platform, data):
    """What an operator does in the provider's console."""
    url = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    answer = httpx2.post(
        f"{sandbox_of(platform)}/sandbox/video/assets",
        json={"type": "image", "url": url},
        headers={"authorization": "Bearer sandbox-key"},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["url"]


def is_taken(api, fields, tried):
    answer = api.post(fields | {"prompt": prompt_of("a cat")})
    if answer.status_code == 200:
        tried.append(answer.json()["taskid"])
    return answer.status_code == 200


@pytest.mark.usefixtures("offer_with_assets")
def test_the_name_of_an_asset_goes_through_untouched(platform, api):
    asset, before = asset_of(platform, picture()), api.owned()
    fields = {"llmid": SEEDANCE_20_R2V, "image_files": [asset], "ratio": "1:1", **SMALL}
    tried = []
    wait_until(lambda: is_taken(api, fields, tried), 30, pause=0.5)  # an import is taken in at the next refresh
    with Journal(platform) as journal:
        prompt = prompt_of("sandbox:real-face")
        task_id = api.submit(fields | {"prompt": prompt})
        _, body = journal.submissions([prompt])[prompt]
    assert body["content"][1] == {"type": "image_url", "image_url": {"url": asset}, "role": "reference_image"}
    assert api.ended(task_id)["status"] == "SUCCEEDED"
    assert api.ended(tried[-1])["status"] == "SUCCEEDED"
    charge = Decimal(api.listed(task_id)["charge"])
    assert before - api.owned() == 2 * charge > 0
    before = api.owned()
    unknown = api.submit(fields | {"prompt": prompt_of("a cat"), "image_files": [f"{asset}0"]})
    done = api.ended(unknown)
    assert (done["status"], done["error"]) == ("FAILED", "The provider refused the request's parameters")
    assert api.owned() == before


def test_the_name_of_an_asset_is_refused_where_the_offer_takes_none(api):
    refused = api.post({"llmid": SEEDANCE_20_I2V, "prompt": "a cat", "image1_file": "asset://asset-1", **SMALL})
    assert (refused.status_code, "image1_file" in refused.json()["error"]) == (400, True)


def test_an_operator_lets_dashscope_tell_when_videos_have_ended(platform, api):
    channels = platform.run("channel", "list")["channels"]
    channel = next(one for one in channels if one["provider"] == "dashscope-video")
    path = platform.run("channel", "callback", channel["id"])["callback"]["path"]
    headers, events = {"authorization": "Bearer sandbox-key"}, f"{sandbox_of(platform)}/sandbox/video/events"
    address = {"url": platform.url + path}
    assert httpx2.put(events, json=address, headers=headers, trust_env=False).status_code == 200
    horse = {"llmid": "o5vfXYD5BURJWRTWpopE5", "duration": 3, "resolution": "720p"}
    ids = [api.submit(horse | {"prompt": f"a horse sandbox:callback-{word}"}) for word in ("twice", "forged", "lost")]
    assert [api.ended(task_id)["status"] for task_id in ids] == ["SUCCEEDED"] * 3
    event = {"type": "dashscope:System:AsyncTaskFinish", "data": {"task_id": "nobody's", "task_status": "SUCCEEDED"}}
    assert httpx2.post(address["url"], json=event, trust_env=False).status_code == 200
    assert httpx2.post(address["url"], json={"type": event["type"]}, trust_env=False).status_code == 403
    assert httpx2.post(address["url"][:-1], json=event, trust_env=False).status_code == 404
    assert httpx2.delete(events, headers=headers, trust_env=False).json() == address
    charged = {api.listed(task_id)["charge"] for task_id in ids}
    assert len(charged) == 1
    assert Decimal(api.http.get("/llmage/v1/balance").json()["held"]) == 0


def changed(link, **values):
    """The link with other values in its query; None takes one out."""
    parts = urlsplit(link)
    query = {name: found[0] for name, found in parse_qs(parts.query).items()} | values
    kept = {name: value for name, value in query.items() if value is not None}
    return f"{parts.scheme}://{parts.netloc}{parts.path}?{urlencode(kept, safe='/')}"


def test_strict_links_open_only_as_they_were_signed(tmp_path):
    settings = {"YUANJING_SANDBOX_TIME_SCALE": "0", "YUANJING_IDFILE_SIGNED": "true"}
    with Platform(tmp_path / "var", **settings) as platform, VideoApi(platform) as api:
        clip = media.clip(tmp_path / "a.mp4", seconds=2.0, rate=24, width=320, height=320).read_bytes()
        file = ("video_files", ("a.mp4", clip, "video/mp4"))  # Ark fetches clips: from a signed link of ours
        task_id = api.submit({"llmid": SEEDANCE_20_R2V, "prompt": "a cat", "ratio": "1:1", **SMALL}, [file])
        done = api.ended(task_id)
        assert done["status"] == "SUCCEEDED", done
        link, cover = done["video"], done["image"]
        assert api.fetch(link)[4:8] == b"ftyp"
        query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
        assert set(query) == {"path", "expires", "signature"}

        def status(address, **more):
            return httpx2.get(address, trust_env=False, **more).status_code

        assert status(link + "&download=1") == 200
        assert status(link, headers={"range": "bytes=4-7"}) == 206
        assert httpx2.head(link, trust_env=False).status_code == 200
        other = parse_qs(urlsplit(cover).query)
        for wrong in (
            changed(link, signature=None, expires=None),
            changed(link, signature=None),
            changed(link, signature=query["signature"][:-1] + ("0" if query["signature"][-1] != "0" else "1")),
            changed(link, expires=str(int(query["expires"]) + 1)),
            changed(link, path=other["path"][0]),
            changed(link, signature=other["signature"][0]),
        ):
            assert status(wrong) == 403, wrong
        owner = {"authorization": f"Bearer {api.key}"}
        assert status(changed(link, signature=None), headers=owner) == 403
        assert api.http.get(f"/v1/videos/{task_id}/content").content == api.fetch(link)
        assert api.http.delete(f"/v1/videos/{task_id}").json()["deleted"] is True
        assert status(link) == 410
        assert platform.verify() == []


def fill(place, size):
    """Take room on the disk at once."""
    with place.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def test_a_full_disk_takes_no_video_and_loses_none(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    settings = {"YUANJING_SANDBOX_TIME_SCALE": "0", "YUANJING_DISK_RESERVE_BYTES": str(free - 2 * GIB)}
    filling = tmp_path / "filling"
    with Platform(tmp_path / "var", **settings) as platform, VideoApi(platform) as api:
        before = api.owned()
        small = {"llmid": SEEDANCE_15, "ratio": "16:9", **SMALL}
        task_id = api.submit(small | {"prompt": "made while there was room sandbox:long-queue=2"})
        held = Decimal(api.http.get("/llmage/v1/balance").json()["held"])
        fill(filling, 4 * GIB)
        try:
            wait_until(lambda: api.post(small | {"prompt": "a cat"}).status_code == 503, 10, pause=0.3)  # see below
            refused = api.post(small | {"prompt": "a cat"})
            assert (refused.status_code, refused.text) == (503, '{"error": "Storage is full"}')
            assert int(refused.headers["retry-after"]) > 0
            refused = api.post({"llmid": SEEDANCE_20_I2V, "prompt": "a cat"}, [part("image1_file", picture())])
            assert (refused.status_code, refused.text) == (503, '{"error": "Storage is full"}')
            refused = api.http.post("/v1/videos", json={"model": SEEDANCE_15, "prompt": "a cat", "seconds": "4"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "storage_full")
            refused = api.http.post("/llmage/v1/video/generations", json={"model": SEEDANCE_15, "prompt": "a cat"})
            assert refused.status_code == 503
            assert api.http.post("/v1/chat/completions", json=chat_body(max_tokens=4)).status_code == 200
            wait_until(lambda: "no room" in history(platform, task_id), 60)
            assert api.task(task_id)["status"] == "RUNNING"
        finally:
            filling.unlink()
        done = api.ended(task_id, 120)
        assert done["status"] == "SUCCEEDED", done
        assert clip_of(api.fetch(done["video"])).seconds == pytest.approx(4, abs=0.1)
        tasks = api.http.get("/llmage/v1/tasks", params={"limit": "100"}).json()["data"]
        assert held >= Decimal(api.listed(task_id)["charge"]) > 0
        for task in tasks:
            api.ended(task["taskid"])
        wait_until(lambda: Decimal(api.http.get("/llmage/v1/balance").json()["held"]) == 0, 20)
        spent = sum(Decimal(usage["charge"]) for usage in platform.usages().values())
        assert before - api.owned() == spent
        assert (
            len(platform.usages()) == len(tasks) + 1
        )  # that there was room is believed for a second, so there are some
        assert api.post(small | {"prompt": "a dog"}).status_code == 200
        assert platform.verify() == []


def history(platform, task_id):
    return json.dumps(platform.run("task", "show", task_id))
