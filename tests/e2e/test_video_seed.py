"""The published API as printed: each of its examples, and each value of its field tables, down to the provider.

The provider is the sandbox, whose journal shows what it was asked. Values are tried with a prompt that the provider
accepts and fails, so that nothing is rendered or charged.
"""

import base64
import io
import itertools
import json
import socket
import wave
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from tests.support.platform import Platform
from tests.support.seed_tables import ROWS, flat, roles_in
from tests.support.video_api import Journal, VideoApi, clip_of, part, picture

pytestmark = pytest.mark.timeout(300)
FAILING = "sandbox:invalid-input"
FIRST, SECOND = picture("teal"), picture("navy")
URI = "data:image/jpeg;base64,"
OURS = {"safety_identifier", "callback_url", "execution_expires_after", "payload"}
"""What we add to a request for ourselves."""
_numbers = itertools.count()


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seed")
    with Platform(folder / "var", YUANJING_SANDBOX_TIME_SCALE="0") as running:
        running.run("customer", "grant", "+8613800138000", "--test", "20000")
        yield running
        assert running.verify() == []
        assert "Traceback" not in running.errors()
        assert running.stop() == 0


@pytest.fixture(scope="module")
def api(platform):
    with VideoApi(platform) as made:
        yield made


@pytest.fixture(scope="module")
def failing(api):
    """Tasks that are to fail; whether they have is asked at the end, as nothing depends on it before."""
    tasks: list[str] = []
    yield tasks
    assert {api.ended(task_id)["status"] for task_id in tasks} <= {"FAILED"}


@pytest.fixture(scope="module")
def journal(platform):
    with Journal(platform) as watching:
        yield watching


def files_of(row, names=None):
    return [part(name, picture()) for name in (row.files if names is None else names)]


def submitted(journal, prompt):
    """Path and body of the one submission with this prompt."""
    return journal.submissions([prompt])[prompt]


def without(body, names=OURS):
    return {name: value for name, value in body.items() if name not in names}


def with_files_named(value):
    """The same with each file's address replaced by what the file is."""
    if isinstance(value, dict):
        return {name: with_files_named(item) for name, item in value.items()}
    if isinstance(value, list):
        return [with_files_named(item) for item in value]
    if isinstance(value, str) and value.startswith(URI):
        return {FIRST: "first", SECOND: "second"}[base64.b64decode(value.removeprefix(URI))]
    return value


# the field tables


@pytest.fixture(scope="module")
def asked(api, journal, failing):  # noqa: ARG001  # the journal watches meanwhile
    """For each row the prompt, fields and expected body of all its cases; rows take turns, as providers have rates."""
    cases = {name: [] for name in ROWS}
    rows = [[(name, *case) for case in [({}, {}), *row.good]] for name, row in ROWS.items()]
    for name, fields, changes in filter(None, itertools.chain.from_iterable(itertools.zip_longest(*rows))):
        prompt, row = f"case {next(_numbers)}. {FAILING}", ROWS[name]
        failing.append(api.submit({"llmid": row.llmid, "prompt": prompt, **fields}, files_of(row)))
        cases[name].append((prompt, fields, {**row.defaults, **changes}))
    return cases


@pytest.mark.parametrize("name", ROWS)
def test_every_value_of_the_table_reaches_the_provider(journal, asked, name):
    row, cases = ROWS[name], asked[name]
    assert len(cases) > 5
    sent = journal.submissions(prompt for prompt, _, _ in cases)
    for prompt, fields, expected in cases:
        path, body = sent[prompt]
        assert path.endswith(row.path), fields
        assert flat(body) == expected, fields
        assert roles_in(body) == row.roles, fields


@pytest.mark.parametrize("name", ROWS)
def test_every_bad_value_is_refused_by_its_name(api, name):
    row = ROWS[name]
    for fields, param in row.bad:
        answer = api.post({"llmid": row.llmid, "prompt": "x", **fields}, files_of(row))
        assert answer.status_code == 400, fields
        assert answer.json()["error"].startswith(f"Invalid parameter: {param}"), fields


@pytest.mark.parametrize("name", ROWS)
def test_what_is_missing_is_told_in_order(api, name):
    row = ROWS[name]
    for prompt in ("", " "):
        answer = api.post({"llmid": row.llmid, "prompt": prompt})
        assert (answer.status_code, answer.text) == (400, '{"error": "Missing required parameter: prompt"}')
    if row.missing:
        answer = api.post({"llmid": row.llmid, "prompt": "x"})
        assert (answer.status_code, answer.json()["error"]) == (400, f"Missing required parameter: {row.missing}")


def test_all_fifteen_are_here(api):
    listed = {model["llmid"] for model in api.http.get("/llmage/v1/models").json()["data"]}
    assert len(ROWS) == 15
    assert {row.llmid for row in ROWS.values()} <= listed


# files: how many, and which


@pytest.mark.parametrize(
    "case",
    [
        ("seedance 2.0 i2v", {}, ["image1_file"], ("/tasks", ("first_frame",))),
        ("seedance 2.0 i2v", {}, ["image1_file", "image1_file"], ("/tasks", ("first_frame", "last_frame"))),
        ("seedance 2.0 i2v", {}, [], ("/tasks", ())),
        ("seedance 1.5 i2v", {}, ["image1_file", "image2_file"], ("/tasks", ("first_frame", "last_frame"))),
        ("seedance 1.5 t2v", {}, ["image_file1"], ("/tasks", ("first_frame",))),
        ("seedance 2.0 t2v", {}, ["image_files", "image_files"], ("/tasks", ("reference_image",) * 2)),
        ("seedance 2.0 r2v", {}, ["image_files[]"] * 9, ("/tasks", ("reference_image",) * 9)),
        ("happyhorse r2v", {}, ["image_files"] * 9, ("/video-synthesis", ("reference_image",) * 9)),
        ("happyhorse t2v", {}, ["images"], ("/video-synthesis", ("reference_image",))),
        ("wan i2v", {}, ["image1_file"], ("/video-synthesis", ("reference",))),
        ("vidu i2v", {}, ["image1_file"], ("/img2video", ("image",))),
        ("vidu i2v", {}, [], ("/text2video", ())),
        ("vidu i2v", {"model": "viduq2-turbo"}, ["image1_file"], ("/img2video", ("image",))),
        ("vidu t2v", {}, ["image1_file", "image2_file"], ("/start-end2video", ("image", "image"))),
    ],
)
def test_files_decide_what_is_made(api, journal, failing, case):
    name, fields, given, expected = case
    prompt = f"case {next(_numbers)}. {FAILING}"
    fields = {"llmid": ROWS[name].llmid, "prompt": prompt, **fields}
    failing.append(api.submit(fields, files_of(ROWS[name], given)))
    sent_path, body = submitted(journal, prompt)
    assert sent_path.endswith(expected[0])
    assert roles_in(body) == expected[1]


@pytest.mark.parametrize(
    ("name", "fields", "given", "error"),
    [
        ("happyhorse i2v", {}, ["image1_file", "image2_file"], "Unsupported parameter: image2_file"),
        ("happyhorse r2v", {}, ["image_files"] * 10, "Invalid parameter: image_files"),
        ("seedance 2.0 r2v", {}, ["image_files"] * 10, "Invalid parameter: image_files"),
        ("seedance 2.0 i2v", {}, ["image2_file"], "Missing required parameter: image1_file"),
        ("seedance 2.0 r2v", {}, ["image1_file", "image_files"], "Unsupported parameter: image1_file"),
        ("vidu i2v", {"model": "viduq2-turbo"}, [], "Missing required parameter: image_file1"),
    ],
)
def test_files_that_do_not_fit_are_refused(api, name, fields, given, error):
    answer = api.post({"llmid": ROWS[name].llmid, "prompt": "x", **fields}, files_of(ROWS[name], given))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)


# the examples as printed


def test_the_example_of_seedance_15_from_text(api, journal):
    fields = {
        "llmid": "CrEMkFQfRCmbmopZsCqLj",
        "prompt": "小猫在抓老鼠",
        "duration": 5,
        "ratio": "16:9",
        "resolution": "480p",
    }
    done = api.ended(api.submit(fields))
    _, body = submitted(journal, "小猫在抓老鼠")
    assert without(body) == {
        "model": "doubao-seedance-1-5-pro-251215",
        "content": [{"type": "text", "text": "小猫在抓老鼠"}],
        "resolution": "480p",
        "ratio": "16:9",
        "duration": 5,
        "generate_audio": True,
        "watermark": False,
    }
    assert done["usage"]["completion_tokens"] == 50_638
    assert Decimal(api.listed(done["taskid"])["charge"]) == Decimal("0.810208")


def test_the_example_of_happyhorse_from_a_picture(api, journal):
    fields = {"llmid": "o5vfXYD5BURJWRTWpopE5", "prompt": "一起来调科目三", "duration": "15", "resolution": "720P"}
    done = api.ended(api.submit(fields, [part("image1_file", FIRST, "02.jpg")]), 120)
    _, body = submitted(journal, "一起来调科目三")
    assert with_files_named(body) == {
        "model": "happyhorse-1.0-i2v",
        "input": {"prompt": "一起来调科目三", "media": [{"type": "first_frame", "url": "first"}]},
        "parameters": {"resolution": "720P", "duration": 15, "watermark": False},
    }
    usage = {"duration": 15, "input_video_duration": 0, "output_video_duration": 15, "video_count": 1, "SR": 720}
    assert usage.items() <= done["usage"].items()
    assert clip_of(api.fetch(done["video"])).seconds == pytest.approx(15, abs=0.2)
    assert Decimal(api.listed(done["taskid"])["charge"]) == Decimal("13.50")


def test_the_example_of_seedance_15_from_two_pictures(api, journal):
    fields = {
        "model": "dreamina-seedance-2-0-260128",
        "llmid": "CrEMkFQfRCmbmopZsCqLj",
        "prompt": "从图片1到图片2丝滑转换",
        "duration": "5",
        "ratio": "16:9",
        "resolution": "480p",
    }
    answer = api.post(fields, [part("image1_file", FIRST, "myimg1.jpg"), part("image1_file", SECOND, "myimg2.jpg")])
    warnings = " ".join(answer.headers.get_list("x-warning"))
    assert "7RTOJD6K8A7RXCMG4GnQ9" in warnings
    assert "dreamina-seedance-2-0-260128" in warnings
    done = api.ended(answer.json()["taskid"])
    _, body = submitted(journal, "从图片1到图片2丝滑转换")
    assert with_files_named(without(body)) == {
        "model": "doubao-seedance-1-5-pro-251215",
        "content": [
            {"type": "text", "text": "从图片1到图片2丝滑转换"},
            {"type": "image_url", "image_url": {"url": "first"}, "role": "first_frame"},
            {"type": "image_url", "image_url": {"url": "second"}, "role": "last_frame"},
        ],
        "resolution": "480p",
        "ratio": "16:9",
        "duration": 5,
        "generate_audio": True,
        "watermark": False,
    }
    assert (done["status"], done["usage"]["action"]) == ("SUCCEEDED", "i2v")


def test_the_example_of_seedance_20_from_references(api, journal):
    fields = {
        "llmid": "dmPXF65TD1riKj9KaxLmg",
        "model": "doubao-seedance-2-0-260128",
        "prompt": "平滑过度从第一张图片到第二张图片",
        "ratio": "4:3",
        "resolution": "720p",
        "duration": "4",
    }
    done = api.ended(api.submit(fields, [part("image_files", FIRST, "1.jpg"), part("image_files", SECOND, "2.jpg")]))
    _, body = submitted(journal, "平滑过度从第一张图片到第二张图片")
    assert with_files_named(without(body)) == {
        "model": "doubao-seedance-2-0-260128",
        "content": [
            {"type": "text", "text": "平滑过度从第一张图片到第二张图片"},
            {"type": "image_url", "image_url": {"url": "first"}, "role": "reference_image"},
            {"type": "image_url", "image_url": {"url": "second"}, "role": "reference_image"},
        ],
        "resolution": "720p",
        "ratio": "4:3",
        "duration": 4,
        "generate_audio": True,
        "watermark": False,
    }
    assert (done["usage"]["action"], done["usage"]["completion_tokens"]) == ("r2v", 87_850)
    clip = clip_of(api.fetch(done["video"]))
    assert (clip.width, clip.height) == (1112, 834)
    assert Decimal(api.listed(done["taskid"])["charge"]) == Decimal(87_850) * 46 / 1_000_000


def test_references_of_every_kind_reach_the_provider(platform, api, journal):
    """A clip of our own is fetched from us, a sound comes along; the price is that of a video as input."""
    clip = {"llmid": "CrEMkFQfRCmbmopZsCqLj", "prompt": "a", "duration": 4, "resolution": "480p"}
    first = api.ended(api.submit(clip))
    fields = {
        "llmid": "dmPXF65TD1riKj9KaxLmg",
        "prompt": "像视频1那样",
        "ratio": "16:9",
        "resolution": "480p",
        "duration": 4,
        "video_files": [first["video"]],
        "image_files": [URI + base64.b64encode(FIRST).decode()],
        "audio_files": ["data:audio/wav;base64," + base64.b64encode(sound(2)).decode()],
    }
    done = api.ended(api.submit(fields))
    assert done["status"] == "SUCCEEDED", done
    _, body = submitted(journal, "像视频1那样")
    assert roles_in(body) == ("reference_image", "reference_video", "reference_audio")
    (address,) = [item["video_url"]["url"] for item in body["content"] if item.get("role") == "reference_video"]
    assert address.startswith(f"{platform.url}/idfile?path=")
    tokens = done["usage"]["completion_tokens"]
    assert Decimal(api.listed(done["taskid"])["charge"]) == Decimal(tokens) * 28 / 1_000_000


def sound(seconds):
    """Silence as WAV."""
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(bytes(2 * 8000 * seconds))
    return out.getvalue()


def test_the_sample_of_a_vidu_answer(platform, api, journal):
    fields = {"llmid": "r0ill7L0s6PtBS8mkmg-7", "prompt": "海边日落", "duration": 1, "resolution": "540p"}
    task_id = api.submit(fields)
    api.ended(task_id)
    _, body = submitted(journal, "海边日落")
    assert without(body) == {
        "model": "viduq3-pro",
        "prompt": "海边日落",
        "duration": 1,
        "aspect_ratio": "16:9",
        "resolution": "540p",
        "off_peak": False,
    }
    status, head, answer = posted_without_a_body(platform, f"/llmage/tasks?taskid={task_id}")
    assert (status, head["content-type"]) == (200, "application/json")
    done = json.loads(answer)
    assert done["usage"] == {
        "action": "t2v",
        "credits": 10,
        "type": "text2video",
        "model": "viduq3-pro",
        "resolution": "540p",
        "off_peak": False,
        "duration": 1,
    }
    assert list(done) == ["usage", "image", "video", "status", "taskid"]
    for address in (done["image"], done["video"]):
        assert address.startswith(f"{platform.url}/idfile?path=/tmp/")


def posted_without_a_body(platform, target):
    """What the seed's `curl -X POST` gets: no body, no content type, no length."""
    place = urlsplit(platform.url)
    head = f"POST {target} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {platform.key}\r\n"
    with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
        connection.sendall(f"{head}Accept: */*\r\nConnection: close\r\n\r\n".encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    lines, _, body = received.partition(b"\r\n\r\n")
    status, *headers = lines.decode().split("\r\n")
    return int(status.split()[1]), {k.lower(): v.strip() for k, _, v in (h.partition(":") for h in headers)}, body


def test_errors_as_printed(platform, api):
    with VideoApi(platform, "yj_test_wrong") as stranger:
        answer = stranger.post({"llmid": "CrEMkFQfRCmbmopZsCqLj", "prompt": "x"})
        assert (answer.status_code, answer.text) == (401, '{"error": "Invalid API Key"}')
    answer = api.post({"llmid": "CrEMkFQfRCmbmopZsCqLj"})
    assert (answer.status_code, answer.text) == (400, '{"error": "Missing required parameter: prompt"}')
    with VideoApi(platform, f"<{platform.key}") as copied:  # the closing bracket is missing in the examples too
        assert copied.post({}).json()["error"] == "Missing required parameter: llmid"
