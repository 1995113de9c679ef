"""Video through a real server: from a request to a file that plays, and the faults that reach below HTTP."""

import io
import time

import av
import httpx2
import pytest
from tests.support.web import Web

from yuanjing.sandbox.options import SandboxOptions

TOKEN = {"authorization": "Token sandbox-key"}
SMALL = {"model": "viduq3-pro", "duration": 2, "resolution": "540p", "aspect_ratio": "1:1", "audio": False}


def submit(box, prompt, **fields):
    body = SMALL | {"prompt": prompt} | fields
    return box.client.post("/ent/v2/text2video", json=body, headers=TOKEN)


def done(box, task):
    for _ in range(2000):
        told = box.client.get(f"/ent/v2/tasks/{task}/creations", headers=TOKEN).json()
        if told["state"] not in {"created", "queueing", "processing"}:
            return told
        time.sleep(0.01)
    raise AssertionError(told)


def shape(data):
    with av.open(io.BytesIO(data)) as file:
        video = file.streams.video[0]
        count = sum(1 for _ in file.decode(video))
        return video.width, video.height, count / float(video.average_rate)


def test_from_a_request_to_a_file_that_plays(box):
    answer = submit(box, "一只小猫 a kitten")
    assert answer.status_code == 200
    told = done(box, answer.json()["task_id"])
    assert told["state"] == "success"
    video = box.client.get(told["creations"][0]["url"])
    assert shape(video.content) == (540, 540, 2.0)
    assert video.headers["content-type"] == "video/mp4"
    cover = box.client.get(told["creations"][0]["cover_url"])
    assert (cover.headers["content-type"], cover.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    entry = next(one for one in box.journal(bodies=1) if one["path"] == "/ent/v2/text2video")
    assert (entry["flavour"], entry["task_id"], entry["status"], entry["ended"]) == ("vidu", told["id"], 200, True)
    assert "kitten" in entry["body"]


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("shorter", (540, 540, 1.0)),
        ("wrong-resolution", (270, 270, 2.0)),
        ("large-file=2", (540, 540, 2.0)),
        ("truncated-file", None),
    ],
)
def test_files_that_are_not_as_asked(box, word, wanted):
    told = done(box, submit(box, f"a cat sandbox:{word}").json()["task_id"])
    data = box.client.get(told["creations"][0]["url"])
    assert data.status_code == 200
    if wanted:
        assert shape(data.content) == wanted
        return
    assert len(data.content) == int(data.headers["content-length"])
    with pytest.raises(av.FFmpegError):
        shape(data.content)


def test_a_lost_reply_leaves_a_task(box):
    with pytest.raises(httpx2.RemoteProtocolError):
        submit(box, "lost once sandbox:lost-reply")
    told = box.client.get("/ent/v2/tasks", headers=TOKEN).json()
    [task] = [row for row in told["tasks"] if row["prompt"].startswith("lost once")]
    assert done(box, task["id"])["state"] == "success"
    entry = next(one for one in box.journal() if one["fault"] and one["task_id"] == task["id"])
    assert (entry["fault"], entry["status"], entry["client_left"]) == ("lost-reply", 0, False)


async def test_callbacks_of_a_server(box):
    async with Web({"/hook": (200, {}, b"")}) as web, httpx2.AsyncClient(base_url=box.url, trust_env=False) as client:
        body = SMALL | {"prompt": "a", "callback_url": f"{web.url}/hook"}
        assert (await client.post("/ent/v2/text2video", json=body, headers=TOKEN)).status_code == 200
        seen = await web.wait_for(2)
        assert [b'"processing"' in seen[0].body, b'"success"' in seen[1].body] == [True, True]
        assert "x-hmac-signature" in seen[1].headers


def test_bodies_may_be_larger_than_chat_s(serve):
    small = serve(SandboxOptions(time_scale=0, body_bytes_max=1000, video_body_bytes_max=3000))
    assert submit(small, "a" * 2000).status_code == 200
    assert submit(small, "a" * 3000).json()["message"] == "the request is too large"
    answer = small.post("openai", {"model": "m", "messages": [{"role": "user", "content": "a" * 2000}]})
    assert answer.status_code == 413


def test_chat_has_its_paths_beside_video(box):
    for flavour in ("ark", "dashscope"):
        assert "sandbox" in box.ask(flavour, "hello")["choices"][0]["message"]["content"]
    assert box.client.get("/api/v3/models", headers={"authorization": "Bearer sandbox-key"}).status_code == 200


def test_the_index_lists_video(box):
    told = box.client.get("/sandbox").json()
    assert "sandbox:stuck=SECONDS" in told["video_magic_words"]
    assert told["video_bases"]["vidu"] == "/ent/v2"
    page = box.client.get("/sandbox", headers={"accept": "text/html"}).text
    assert "sandbox:callback-forged" in page
    assert "/ent/v2" in page
