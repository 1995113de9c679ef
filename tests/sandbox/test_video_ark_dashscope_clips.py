"""Videos and sounds as input: fetched, measured, limited, and counted in usage."""

import base64
import http.server
import io
import threading
import wave
from fractions import Fraction

import av
import pytest
from PIL import Image
from tests.support.video_wire import Wire, picture

ARK_URL = "/api/v3/contents/generations/tasks"
DASH_URL = "/api/v1/services/aigc/video-generation/video-synthesis"
ASYNC = {"x-dashscope-async": "enable"}


def clip(frames, fps=24):
    """An MP4 of that many frames."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_image(Image.new("RGB", (64, 48), "teal"))
        for index in range(frames):
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def sound(seconds):
    """A silent WAV."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16_000 * seconds))
    return out.getvalue()


FILES = {
    "/4.mp4": clip(96),
    "/8.mp4": clip(192),
    "/short.mp4": clip(24),
    "/slow.mp4": clip(48, 12),
    "/what": clip(97),
    "/3.wav": sound(3),
    "/1.wav": sound(1),
    "/31.wav": sound(31),
    "/a.png": picture(640, 480),
    "/page.mp4": b"<html>not a video</html>",
}


class Files(http.server.BaseHTTPRequestHandler):
    """Gives the files."""

    def do_GET(self):
        data = FILES.get(self.path)
        self.send_response(200 if data else 404)
        self.send_header("content-length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_):
        """Be quiet."""


@pytest.fixture(scope="module")
def web():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def wire():
    one = Wire()
    yield one
    one.close()


async def ark(wire, web, *paths, **fields):
    kinds = {".mp4": "video", ".wav": "audio", ".png": "image"}
    content = [{"type": "text", "text": "p"}]
    for path in paths:
        kind = kinds.get(path[-4:], "video")
        content.append({"type": f"{kind}_url", f"{kind}_url": {"url": web + path}, "role": f"reference_{kind}"})
    body = {"model": "doubao-seedance-2-0-260128", "content": content, "ratio": "16:9", **fields}
    return await wire.call("POST", ARK_URL, body)


async def dash(wire, model, inputs, **parameters):
    body = {"model": model, "input": {"prompt": "character1", **inputs}, "parameters": parameters}
    task = (await wire.call("POST", DASH_URL, body, headers=ASYNC)).json["output"]["task_id"]
    wire.pass_by(9)
    return (await wire.call("GET", f"/api/v1/tasks/{task}")).json


async def test_ark_counts_the_seconds_of_input_videos(wire, web):
    async def tokens(*paths):
        answer = await ark(wire, web, *paths, duration=4)
        assert answer.status == 200, answer.body
        wire.pass_by(9)
        return (await wire.call("GET", f"{ARK_URL}/{answer.json['id']}")).json["usage"]["completion_tokens"]

    assert await tokens("/4.mp4") == 173_700
    assert await tokens("/4.mp4", "/8.mp4") == 1280 * 720 * (24 * 16 + 1) // 1024
    assert await tokens("/what") == 174_600
    assert await tokens("/a.png", "/3.wav") == 87_300


async def test_ark_takes_the_ratio_of_a_video(wire, web):
    await ark(wire, web, "/4.mp4", ratio="adaptive")
    assert (wire.rendered[0][0].width, wire.rendered[0][0].height) == (1112, 834)


@pytest.mark.parametrize(
    ("paths", "param"),
    [
        (("/short.mp4",), "content[1].video_url.url"),
        (("/slow.mp4",), "content[1].video_url.url"),
        (("/page.mp4",), "content[1].video_url.url"),
        (("/none.mp4",), "content[1].video_url.url"),
        (("/a.png", "/1.wav"), "content[2].audio_url.url"),
        (("/a.png", "/31.wav"), "content[2].audio_url.url"),
        (("/8.mp4", "/8.mp4"), "content"),
        (("/a.png", *["/3.wav"] * 3), None),
    ],
)
async def test_ark_limits_clips(wire, web, paths, param):
    answer = await ark(wire, web, *paths)
    assert answer.status == (400 if param else 200)
    assert param is None or (answer.json["error"]["code"], answer.json["error"]["param"]) == ("InvalidParameter", param)


async def test_ark_takes_sound_as_data(wire, web):
    uri = "data:audio/wav;base64," + base64.b64encode(FILES["/3.wav"]).decode()
    content = [
        {"type": "image_url", "image_url": {"url": f"{web}/a.png"}, "role": "reference_image"},
        {"type": "audio_url", "audio_url": {"url": uri}, "role": "reference_audio"},
    ]
    answer = await wire.call("POST", ARK_URL, {"model": "doubao-seedance-2-0-fast-260128", "content": content})
    assert answer.status == 200, answer.body


async def test_dashscope_bills_input_videos(wire, web):
    told = await dash(wire, "wan2.6-r2v", {"reference_urls": [f"{web}/a.png", f"{web}/4.mp4"]}, duration=10)
    assert told["usage"] == {
        "duration": 14,
        "size": "1920*1080",
        "input_video_duration": 4,
        "output_video_duration": 10,
        "video_count": 1,
        "SR": 1080,
    }
    told = await dash(wire, "wan2.6-r2v", {"reference_urls": [f"{web}/what"]})  # a video by its bytes, not by its name
    assert told["usage"]["input_video_duration"] == 4.04
    assert [piece.role for piece in wire.rendered[-1][1]] == ["reference_video"]


@pytest.mark.parametrize(
    ("model", "inputs", "text"),
    [
        ("wan2.6-r2v", {"reference_urls": ["/page.mp4"]}, "decoded"),
        ("wan2.6-r2v", {"reference_urls": ["/3.wav"]}, "decoded"),
        ("wan2.6-r2v", {"reference_urls": ["/what"] * 4}, "at most 3 videos"),
        ("wan2.6-t2v", {"audio_url": "/1.wav"}, "The audio duration is not valid 1.0"),
        ("wan2.6-t2v", {"audio_url": "/31.wav"}, "The audio duration is not valid 31.0"),
        ("wan2.6-t2v", {"audio_url": "/none.wav"}, "404"),
        ("wan2.6-t2v", {"audio_url": "/a.png"}, "decoded"),
        ("wan2.6-t2v", {"audio_url": "/3.wav"}, None),
        ("happyhorse-1.0-r2v", {"media": [{"type": "reference_image", "url": "/4.mp4"}]}, "takes no video"),
    ],
)
async def test_dashscope_limits_clips(wire, web, model, inputs, text):
    def full(value):
        if isinstance(value, list):
            return [full(one) for one in value]
        return value | {"url": web + value["url"]} if isinstance(value, dict) else web + value

    given = {name: full(value) for name, value in inputs.items()}
    output = (await dash(wire, model, given))["output"]
    assert output["task_status"] == ("FAILED" if text else "SUCCEEDED")
    assert text is None or text in output["message"]
