"""The vendors' own SDKs against the sandbox, on a real port, with real files: they speak as the services do.

The SDKs live in an environment of their own, which `make test` makes.
"""

import base64
import http.server
import io
import json
import subprocess
import threading
from pathlib import Path

import av
import httpx2
import pytest
from tests.support.video_wire import picture

from yuanjing.sandbox.options import SandboxOptions

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-sdks" / "bin" / "python"
SCRIPTS = Path(__file__).parent / "sdks"
PICTURE = picture(640, 480)

pytestmark = [
    pytest.mark.skipif(not PYTHON.exists(), reason="the vendors' SDKs are not installed: make .venv-sdks/ok"),
    pytest.mark.timeout(120),
]


class Corner(http.server.BaseHTTPRequestHandler):
    """Gives the picture, keeps what is posted."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", str(len(PICTURE)))
        self.end_headers()
        self.wfile.write(PICTURE)

    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.posted.setdefault(self.path, []).append(told)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Be quiet."""


@pytest.fixture(scope="module")
def corner():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Corner) as server:
        server.posted = {}
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


ARKS = {
    "ark": ("volcenginesdkarkruntime", "/api/v3", "doubao-seedance-2-0-260128"),
    "byteplus": ("byteplussdkarkruntime", "/byteplus/api/v3", "dreamina-seedance-2-0-260128"),
}


@pytest.fixture(scope="module")
def seen(serve, corner, tmp_path_factory):
    """What each SDK saw; they run at the same time, since they wait more than they work."""
    url = serve(SandboxOptions(time_scale=0)).url
    folder = tmp_path_factory.mktemp("sdks")
    path = folder / "图 1.png"
    path.write_bytes(PICTURE)
    uri = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
    orders = {"dashscope": ("dashscope_video.py", url, str(path), f"{corner.url}/a.png")}
    for name, (module, base, model) in ARKS.items():
        orders[name] = ("ark.py", module, url + base, model, uri, f"{corner.url}/{name}")
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1"}
    started = {
        name: subprocess.Popen(  # noqa: S603  # our own scripts
            [PYTHON, SCRIPTS / script, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, (script, *arguments) in orders.items()
    }
    ended = {name: process.communicate(timeout=110) for name, process in started.items()}
    for name, process in started.items():
        assert process.returncode == 0, ended[name][1]
    return {name: json.loads(told.splitlines()[-1]) for name, (told, _) in ended.items()}


@pytest.fixture(params=ARKS)
def ark(request, seen, corner):
    name = request.param
    return seen[name] | {"model_name": ARKS[name][2], "posted": corner.posted[f"/{name}"]}


@pytest.fixture
def dash(seen):
    return seen["dashscope"]


def probe(url):
    """Width, height, frames and kinds of streams of the file; the URL is used as it was told."""
    answer = httpx2.get(url, trust_env=False)
    assert answer.status_code == 200, answer.text
    with av.open(io.BytesIO(answer.content)) as container:
        kinds = sorted(stream.type for stream in container.streams)
        video = container.streams.video[0]
        frames = sum(1 for _ in container.decode(video))
        assert container.format.name.startswith("mov,mp4")
        return video.width, video.height, frames, kinds


def test_ark_from_create_to_the_file(ark):
    told = ark["text"]
    assert (told["model"], told["status"], told["resolution"], told["ratio"]) == (
        ark["model_name"],
        "succeeded",
        "480p",
        "16:9",
    )
    assert told["usage"] == {"completion_tokens": 40_594, "total_tokens": 40_594}
    assert (told["duration"], told["framespersecond"], told["generate_audio"]) == (4, 24, True)
    assert probe(told["content"]["video_url"]) == (864, 496, 96, ["audio", "video"])
    assert httpx2.get(told["content"]["last_frame_url"], trust_env=False).content.startswith(b"\x89PNG")


def test_ark_with_a_picture(ark):
    told = ark["frame"]
    assert (told["ratio"], told["generate_audio"]) == ("4:3", False)
    assert probe(told["content"]["video_url"]) == (752, 560, 96, ["video"])


def test_ark_states_and_failures(ark):
    assert (ark["queued"]["status"], ark["running"]["status"]) == ("queued", "running")
    assert ark["moderated"]["status"] == "failed"
    assert ark["moderated"]["error"]["code"] == "OutputVideoSensitiveContentDetected"
    assert "usage" not in ark["moderated"]


def test_ark_lists(ark):
    assert ark["listed"] == {"total": 1, "ids": [ark["listed"]["first"]], "first": ark["text"]["id"]}
    assert ark["all"] == 5


def test_ark_deletion(ark):
    assert ark["cancel_queued"] is None
    assert ark["cancelled"]["status"] == "cancelled"
    assert (ark["cancel_running"]["class"], ark["cancel_running"]["code"]) == (
        "ArkConflictError",
        "TaskRunningCannotCancel",
    )
    assert ark["cancel_cancelled"]["class"] == "ArkBadRequestError"
    assert ark["delete_done"] is None
    assert ark["deleted"]["class"] == "ArkNotFoundError"


@pytest.mark.parametrize(
    ("step", "kind", "code"),
    [
        ("ratio", "ArkBadRequestError", "InvalidParameter"),
        ("model", "ArkNotFoundError", "InvalidEndpointOrModel.NotFound"),
        ("key", "ArkAuthenticationError", "AuthenticationError"),
        ("rate", "ArkRateLimitError", "RateLimitExceeded.EndpointRPMExceeded"),
        ("money", "ArkPermissionDeniedError", "AccountOverdueError"),
        ("error", "ArkInternalServerError", "InternalServiceError"),
        ("lost", "ArkAPIConnectionError", None),
    ],
)
def test_ark_refusals(ark, step, kind, code):
    assert (ark[step]["class"], ark[step]["code"]) == (kind, code)
    if step == "ratio":
        assert (ark[step]["param"], ark[step]["type"]) == ("ratio", "BadRequest")
        assert "Request id: 021" in ark[step]["message"]


def test_ark_calls_back_at_each_change(ark):
    assert [told["status"] for told in ark["posted"]] == ["queued", "running", "succeeded"]
    assert ark["posted"][-1] == ark["text"]


def test_dashscope_from_submit_to_the_file(dash):
    assert dash["accepted"]["output"] | {"task_status": "PENDING"} == dash["accepted"]["output"]
    told = dash["text"]
    assert (told["status"], told["output"]["task_status"]) == (200, "SUCCEEDED")
    assert told["output"]["orig_prompt"] == "你好 a cat"
    usage = {"duration": 3, "input_video_duration": 0, "output_video_duration": 3, "video_count": 1, "SR": 720}
    assert told["usage"] == told["usage"] | usage | {"ratio": "16:9"}
    assert probe(told["output"]["video_url"]) == (1280, 720, 72, ["audio", "video"])
    assert dash["fetched"]["output"] == told["output"]


def test_dashscope_uploads_a_local_picture(dash):
    told = dash["upload"]
    assert told["output"]["task_status"] == "SUCCEEDED", told
    assert probe(told["output"]["video_url"])[:3] == (1108, 832, 72)


def test_dashscope_with_references(dash):
    told = dash["references"]
    assert told["output"]["task_status"] == "SUCCEEDED", told
    assert (told["usage"]["size"], told["usage"]["SR"]) == ("1280*720", 720)


def test_dashscope_cancels_and_lists(dash):
    assert dash["queued"]["output"]["task_status"] == "PENDING"
    assert dash["running"]["output"]["task_status"] == "RUNNING"
    assert dash["listed"] == {"ids": [dash["listed"]["running"]], "running": dash["listed"]["running"]}
    assert dash["cancel_queued"]["status"] == 200
    assert dash["canceled"]["output"]["task_status"] == "CANCELED"
    assert (dash["cancel_running"]["status"], dash["cancel_running"]["code"]) == (400, "UnsupportedOperation")


def test_dashscope_failures(dash):
    for step, code in (("moderated", "DataInspectionFailed"), ("invalid", "InvalidParameter")):
        output = dash[step]["output"]
        assert (dash[step]["status"], output["task_status"], output["code"]) == (200, "FAILED", code)
    assert dash["unknown"]["output"]["task_status"] == "UNKNOWN"


@pytest.mark.parametrize(
    ("step", "status", "code"),
    [
        ("model", 400, "InvalidParameter"),
        ("rate", 429, "Throttling.RateQuota"),
        ("money", 400, "Arrearage"),
        ("error", 500, "InternalError"),
        ("key", 401, "InvalidApiKey"),
    ],
)
def test_dashscope_refusals(dash, step, status, code):
    assert (dash[step]["status"], dash[step]["code"], dash[step]["output"]) == (status, code, None)
