"""Result files: signed-looking URLs, ranges, expiry, faults."""

from urllib.parse import parse_qsl, unquote, urlencode

import httpx2
import pytest
from tests.support.video_wire import Wire

from yuanjing.sandbox.video import magic

DATA = bytes(range(256)) * 4
UNTIL = 600


class Files:
    def __init__(self, folder):
        self.wire = Wire()
        self.folder = folder
        self.results = self.wire.simulator._results

    def share(self, words="", suffix=".mp4", style="vidu"):
        path = self.folder / f"f{suffix}"
        path.write_bytes(DATA)
        until = self.wire.clock.unix() + UNTIL
        asked = magic.parse(words)
        return self.results.url_of(path, style=style, base_url="http://box", until=until, asked=asked)

    async def get(self, url, method="GET", **headers):
        return await self.wire.call(method, url.removeprefix("http://box"), headers=headers)


@pytest.fixture
def files(tmp_path):
    one = Files(tmp_path)
    yield one
    one.wire.close()


@pytest.mark.parametrize(("suffix", "kind"), [(".mp4", "video/mp4"), (".jpg", "image/jpeg"), (".png", "image/png")])
async def test_whole(files, suffix, kind):
    answer = await files.get(files.share(suffix=suffix))
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-length"] == "1024"
    assert answer.headers["accept-ranges"] == "bytes"
    head = await files.get(files.share(suffix=suffix), "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "1024")


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        ("bytes=0-9", 206, 0, 9),
        ("bytes=1000-", 206, 1000, 1023),
        ("bytes=-10", 206, 1014, 1023),
        ("bytes=0-99999", 206, 0, 1023),
        ("bytes=-99999", 206, 0, 1023),
        ("bytes=9-2", 206, 0, 1023),
    ],
)
async def test_ranges(files, asked, status, first, last):
    answer = await files.get(files.share(), range=asked)
    assert (answer.status, answer.body) == (status, DATA[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/1024"
    assert answer.headers["content-length"] == str(last - first + 1)


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=-0"])
async def test_ranges_outside(files, asked):
    answer = await files.get(files.share(), range=asked)
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */1024")
    assert b"InvalidRange" in answer.body


@pytest.mark.parametrize("style", ["vidu", "ark", "dashscope"])
async def test_the_url_answers_as_told_and_no_other_way(files, style):
    url = files.share(style=style)
    assert "%2B" in url
    assert (await files.get(url)).status == 200
    where, _, query = url.partition("?")
    changes = [unquote(query), query + "&x=1", ""]
    if style != "dashscope":
        changes.append(urlencode(parse_qsl(query)))
    for changed in changes:
        answer = await files.get(f"{where}?{changed}")
        assert answer.status == 403
        assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body
    assert httpx2.URL(url).raw_path.decode() == url.removeprefix("http://box")


async def test_expired(files):
    url = files.share()
    files.wire.pass_by(UNTIL - 1)
    assert (await files.get(url)).status == 200
    files.wire.pass_by(1)
    answer = await files.get(url)
    assert (answer.status, answer.headers["content-type"]) == (403, "application/xml")
    assert b"<Code>AccessDenied</Code><Message>Request has expired.</Message>" in answer.body
    assert b"<Expires>2026-11-01T00:10:00.000Z</Expires>" in answer.body


async def test_missing(files):
    for url in (files.share("sandbox:result-404"), "/results/vidu/nothing.mp4"):
        answer = await files.get(url)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/xml")
        assert b"<Code>NoSuchKey</Code>" in answer.body
    url = files.share()
    (files.folder / "f.mp4").unlink()
    assert (await files.get(url)).status == 404
    assert (await files.get(files.share(), "POST")).status == 405


async def test_filled_up(files):
    url = files.share("sandbox:large-file=1")
    answer = await files.get(url)
    assert (len(answer.body), answer.body[:1024]) == (1_000_000, DATA)
    assert answer.body[1024:] == (1_000_000 - 1024).to_bytes(4, "big") + b"free" + bytes(1_000_000 - 1032)
    for first, last in ((1020, 1030), (1024, 1025), (1027, 2000), (5000, 5000), (999_999, 2_000_000), (0, 400_000)):
        part = await files.get(url, range=f"bytes={first}-{last}")
        assert part.body == answer.body[first : last + 1]
    assert (await files.get(files.share("sandbox:large-file=1", ".jpg"))).body == DATA
    assert (await files.get(files.share("sandbox:large-file=0"))).body == DATA


async def test_slow(files, monkeypatch):
    waits = []

    async def wait(seconds):
        waits.append(seconds)

    monkeypatch.setattr(files.results, "_sleep", wait)
    assert (await files.get(files.share("sandbox:slow-file=2.5"))).body == DATA
    assert (await files.get(files.share("sandbox:slow-file=9999"), range="bytes=0-9")).body == DATA[:10]
    assert (await files.get(files.share("sandbox:slow-file=9999"), range="bytes=0-0")).body == DATA[:1]
    assert (await files.get(files.share("sandbox:slow-file", ".jpg"))).body == DATA
    assert (await files.get(files.share("sandbox:slow-file"), "HEAD")).status == 200
    assert waits == [2.5, 600.0]


async def test_redirected(files):
    answer = await files.get(files.share("sandbox:redirected-file"))
    assert (answer.status, answer.body) == (302, b"")
    assert answer.headers["location"] == "http://169.254.169.254/latest/meta-data/"
    assert (await files.get(files.share("sandbox:redirected-file", ".jpg"))).body == DATA


async def test_truncated(files):
    answer = await files.get(files.share("sandbox:truncated-file"))
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, DATA[:512], "512")
    assert (await files.get(files.share("sandbox:truncated-file", ".jpg"))).body == DATA
