# ruff: noqa: S108  # the seed has paths that begin with /tmp; they are no paths of a disk
"""`/idfile`: whole files and parts of them, to whom they belong and for how long, in memory, in a folder and in S3."""

import asyncio
import hashlib
import re
from dataclasses import replace

import httpx2
import pytest
from structlog.testing import capture_logs
from tests.adapters.artifacts.conftest import blobs, bucket_options, s3  # noqa: F401  # fixtures of that folder
from tests.edge.platform import PEPPER, Platform

from yuanjing.domain.artifacts import Artifact, ArtifactKind, MediaFacts
from yuanjing.edge.file_answers import FileServing, file_answer
from yuanjing.usecases.artifacts.links import ArtifactLinks, new_path

DATA = bytes(range(256)) * 1024
SIZE = len(DATA)
SHA256 = hashlib.sha256(DATA).hexdigest()
TAG = f'"{SHA256[:32]}"'
CREATED = "Sun, 01 Nov 2026 00:00:00 GMT"
FACTS = MediaFacts(media_type="video/mp4", size_bytes=SIZE)
TASK = "1" * 18


@pytest.fixture
async def served(platform: Platform, blobs, tmp_path):  # noqa: F811  # it is the fixture
    """A platform that keeps one video, by its row."""
    (tmp_path / "v").write_bytes(DATA)
    await blobs.put_file("1/1/video", tmp_path / "v", "video/mp4")
    links = ArtifactLinks(PEPPER, platform.clock, is_signed=False, seconds=3600)
    platform.parts = replace(platform.parts, files=FileServing(blobs=blobs, links=links))
    await add(platform, new_path("video.mp4"))
    return platform


def artifact(platform: Platform, path: str, **changes: object) -> Artifact:
    now = platform.clock.unix()
    values: dict[str, object] = {
        "id": "art_1",
        "path": path,
        "blob": "1/1/video",
        "kind": ArtifactKind.VIDEO,
        "customer_id": platform.customer.id,
        "task_id": TASK,
        "facts": FACTS,
        "sha256": SHA256,
        "created_at": now,
        "expires_at": now + 7 * 86_400,
    }
    return Artifact(**(values | changes))  # type: ignore[arg-type]


async def add(platform: Platform, path: str, **changes: object) -> None:
    made = artifact(platform, path, **changes)
    await platform.store.write(lambda tx: tx.artifacts.add(made))
    platform.artifact = made  # type: ignore[attr-defined]


async def get(served: Platform, *, method: str = "GET", target: str = "", **headers: str) -> httpx2.Response:
    names = {name.replace("_", "-"): value.encode() for name, value in headers.items()}
    async with served.client(key=None) as client:
        return await client.request(method, target or served.parts.files.links.target(served.artifact), headers=names)


def test_paths_look_like_the_seeds_and_cannot_be_guessed():
    made = {new_path("cover.jpeg") for _ in range(100)}
    assert len(made) == 100
    for path in made:
        assert re.fullmatch(r"/tmp/\d{1,3}/\d{1,3}/\d{1,3}/\d{1,2}/[0-9A-Za-z]{22}/cover\.jpeg", path)


async def test_a_whole_file(served):
    target = served.parts.files.links.target(served.artifact)
    assert re.fullmatch(r"/idfile\?path=/tmp/\d+/\d+/\d+/\d+/\w{22}/video\.mp4", target)
    answer = await get(served)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert {name: answer.headers[name] for name in (
        "content-type", "content-length", "content-disposition", "accept-ranges", "etag", "last-modified",
        "x-content-type-options", "content-security-policy", "cache-control",
    )} == {
        "content-type": "video/mp4",
        "content-length": str(SIZE),
        "content-disposition": 'inline; filename="video.mp4"',
        "accept-ranges": "bytes",
        "etag": TAG,
        "last-modified": CREATED,
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "cache-control": "private, max-age=3600",
    }  # fmt: skip


@pytest.mark.parametrize("asked", [None, "bytes=5-9", "bytes=0-1,4-5", f"bytes={SIZE}-"])
async def test_head_has_the_same_headers_and_reads_no_byte(served, asked, monkeypatch):
    headers = {} if asked is None else {"range": asked}
    whole = await get(served)  # parts are for GET only
    monkeypatch.setattr(type(served.parts.files.blobs), "open", lambda *_: pytest.fail("opened"))
    head = await get(served, method="HEAD", **headers)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    ours = "x-request-id"
    assert {k: v for k, v in head.headers.items() if k != ours} == {k: v for k, v in whole.headers.items() if k != ours}


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=65535-65536", 65_535, 65_537),
        ("bytes=1000-", 1000, SIZE),
        ("bytes=-10", SIZE - 10, SIZE),
        ("bytes=-99999999", 0, SIZE),
        ("bytes=5-99999999", 5, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("Bytes = 1-2", 1, 3),
        ("bytes=0-0, 99999999-", 0, 1),
    ],
)
async def test_one_range(served, asked, start, end):
    answer = await get(served, range=asked)
    assert (answer.status_code, answer.content) == (206, DATA[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.headers["etag"] == TAG


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=9-2", "bytes=-", "bytes=", "bytes=a-b", "items=0-1", "bytes 0-1", "bytes=0-1,x", "bytes=0--1", "",
        "bytes=1",        "bytes=" + ",".join(["0-0"] * 17), "bytes=0-,0-", f"bytes={'9' * 20}-", "bytes=٣-٤",
    ],
)  # fmt: skip
async def test_a_range_that_nobody_understands_gets_all(served, asked):
    answer = await get(served, range=asked)
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0", "bytes=9999999-,-0"])
async def test_a_range_that_is_not_there(served, asked):
    answer = await get(served, range=asked)
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{SIZE}")
    assert answer.json()["error"]["code"] == "range_not_satisfiable"


async def test_several_ranges(served):
    answer = await get(served, range="bytes=0-4,100-149,-3")
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert (answer.status_code, kind) == (206, "multipart/byteranges")
    assert answer.headers["content-length"] == str(len(answer.content))
    expected = b"".join(
        f"\r\n--{boundary}\r\ncontent-type: video/mp4\r\ncontent-range: bytes {a}-{b - 1}/{SIZE}\r\n\r\n".encode()
        + DATA[a:b]
        for a, b in ((0, 5), (100, 150), (SIZE - 3, SIZE))
    )
    assert answer.content == expected + f"\r\n--{boundary}--\r\n".encode()


@pytest.mark.parametrize(
    ("if_range", "status"),
    [(TAG, 206), (CREATED, 206), ('"other"', 200), (f"W/{TAG}", 200), ("Sun, 01 Nov 2026 00:00:01 GMT", 200)],
)
async def test_a_range_only_of_the_same_file(served, if_range, status):
    answer = await get(served, range="bytes=0-4", if_range=if_range)
    assert (answer.status_code, answer.content) == (status, DATA[:5] if status == 206 else DATA)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_none_match": TAG}, 304),
        ({"if_none_match": f'"a", W/{TAG}'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"a", "b"'}, 200),
        ({"if_none_match": TAG[1:-1]}, 200),
        ({"if_modified_since": CREATED}, 304),
        ({"if_modified_since": "Mon, 02 Nov 2026 00:00:00 GMT"}, 304),
        ({"if_modified_since": "Sat, 31 Oct 2026 23:59:59 GMT"}, 200),
        ({"if_modified_since": "yesterday"}, 200),
        ({"if_modified_since": CREATED, "if_none_match": '"a"'}, 200),
    ],
)
async def test_what_the_client_has_is_not_sent_again(served, headers, status):
    answer = await get(served, **headers)
    assert (answer.status_code, answer.content) == (status, b"" if status == 304 else DATA)
    assert answer.headers["etag"] == TAG
    assert answer.headers["cache-control"] == "private, max-age=3600"


@pytest.mark.parametrize("word", ["1", "true", "Yes"])
async def test_a_download_is_saved(served, word):
    target = served.parts.files.links.target(served.artifact)
    answer = await get(served, target=f"{target}&download={word}")
    assert answer.headers["content-disposition"] == 'attachment; filename="video.mp4"'
    assert answer.content == DATA
    answer = await get(served, target=f"{target}&download=0")
    assert answer.headers["content-disposition"].startswith("inline")


@pytest.mark.parametrize("media_type", ["image/svg+xml", "text/html", "application/xml", "image/tiff", "image/heic"])
async def test_only_what_is_harmless_is_shown(platform, tmp_path, media_type):
    (tmp_path / "v").write_bytes(b"<svg>")
    await platform.parts.files.blobs.put_file("1/1/video", tmp_path / "v", media_type)
    facts = MediaFacts(media_type=media_type, size_bytes=5)
    await add(platform, new_path("input1.jpeg"), facts=facts)
    answer = await get(platform)
    assert answer.headers["content-disposition"] == 'attachment; filename="input1.jpeg"'
    assert answer.headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize(
    "path",
    [
        "/tmp/1/2/3/4/AAAAAAAAAAAAAAAAAAAAAA/video.mp4", "/etc/passwd", "../../etc/passwd", "/tmp/../../etc/passwd",
        "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "1/1/video", "/1/1/video", "\\..\\x", "/tmp/\0", "图",
    ],
)  # fmt: skip
async def test_a_path_is_looked_up_and_nothing_else(served, path):
    async with served.client(key=None) as client:
        for target in (httpx2.URL("/idfile", params={"path": path}), f"/idfile?path={path}".replace("\0", "%00")):
            answer = await client.get(target)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "missing_required_parameter"),
        ("?path=", "missing_required_parameter"),
        (f"?path={'x' * 201}", "invalid_parameter"),
    ],
)
async def test_a_path_is_needed(platform, query, code):
    answer = await get(platform, target=f"/idfile{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


async def test_what_has_expired_is_gone_whether_it_was_swept_or_not(served):
    served.clock.advance(7 * 86_400)
    answer = await get(served)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "file_expired")
    await served.store.write(lambda tx: tx.artifacts.mark_removed("art_1", served.clock.unix()))
    assert (await get(served, method="HEAD")).status_code == 410


async def test_bytes_that_are_lost_are_not_found_and_the_operator_is_told(served):
    await served.parts.files.blobs.remove("1/1/video")
    with capture_logs() as lines:
        assert (await get(served)).status_code == 404
    assert [(line["event"], line["artifact"]) for line in lines] == [("files.missing", "art_1")]


async def test_a_file_that_is_removed_during_a_download_is_read_to_its_end(served):
    answer = await file_answer(served.parts.files, asked_for("/idfile"), served.artifact, as_attachment=False)
    pieces: list[bytes] = []

    async def send(message):
        if message["type"] == "http.response.body":
            if not pieces and served.parts.files.blobs.local_path("1/1/video") is not None:
                await served.parts.files.blobs.remove("1/1/video")
            pieces.append(message["body"])

    await answer(asked_for("/idfile").scope, never, send)
    assert b"".join(pieces) == DATA


async def test_a_client_that_leaves_is_read_for_no_more(served):
    answer = await file_answer(served.parts.files, asked_for("/idfile"), served.artifact, as_attachment=False)
    sent = asyncio.Event()

    async def send(message):
        if message["type"] == "http.response.body":
            sent.set()
            await asyncio.sleep(30)

    async def receive():
        await sent.wait()
        return {"type": "http.disconnect"}

    async with asyncio.timeout(10):
        await answer(asked_for("/idfile").scope, receive, send)
    assert await served.parts.files.blobs.size("1/1/video") == SIZE


def asked_for(path: str):
    from starlette.requests import Request  # noqa: PLC0415  # the one place that makes one by hand

    return Request({"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""})


async def never():
    await asyncio.Event().wait()


# signed links


@pytest.fixture
def signed(served):
    links = ArtifactLinks(PEPPER, served.clock, is_signed=True, seconds=3600)
    served.parts = replace(served.parts, files=replace(served.parts.files, links=links))
    return served


@pytest.mark.parametrize("blobs", ["memory"], indirect=True)
class TestSigned:
    async def test_a_signed_link_lives_for_its_time(self, signed):
        target = signed.parts.files.links.target(signed.artifact)
        assert (await get(signed, target=target)).content == DATA
        assert (await get(signed, target=target + "&download=1")).status_code == 200
        signed.clock.advance(3599)
        assert (await get(signed, target=target)).status_code == 200
        signed.clock.advance(1)
        answer = await get(signed, target=target)
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "file_expired")

    async def test_it_never_outlives_its_file(self, signed):
        signed.clock.advance(7 * 86_400 - 60)
        target = signed.parts.files.links.target(signed.artifact)
        assert f"expires={int(signed.artifact.expires_at)}" in target

    @pytest.mark.parametrize(
        ("pattern", "new"),
        [
            (r"&expires=.*", ""),
            (r"&signature=.*", ""),
            (r"signature=(.)", lambda m: f"signature={'1' if m[1] == '0' else '0'}"),
            (r"expires=\d+", "expires=99999999999"),
            (r"expires=", "expires=0"),
            (r"expires=", "expires=%2B"),
            (r"expires=\d+", "expires=٣"),
            (r"signature=\w+", "signature=é"),
        ],
    )
    async def test_a_link_that_was_tampered_with_is_refused(self, signed, pattern, new):
        target = re.sub(pattern, new, signed.parts.files.links.target(signed.artifact))
        answer = await get(signed, target=target)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "link_invalid")

    async def test_another_files_signature_is_of_no_use(self, signed):
        await add(signed, new_path("cover.jpeg"), id="art_2")
        other = signed.parts.files.links.target(signed.artifact).partition("&")[2]
        target = signed.parts.files.links.target(artifact(signed, new_path("video.mp4"))).partition("&")[0]
        assert (await get(signed, target=f"{target}&{other}")).status_code == 403

    async def test_another_installations_signature_is_of_no_use(self, signed):
        other = ArtifactLinks(b"another pepper", signed.clock, is_signed=True, seconds=3600)
        assert (await get(signed, target=other.target(signed.artifact))).status_code == 403


@pytest.mark.parametrize("blobs", ["bucket", "folder"], indirect=True)
async def test_s3_gives_files_out_itself_if_it_may(served):
    served.parts = replace(served.parts, files=replace(served.parts.files, redirects=True))
    answer = await get(served, range="bytes=0-4")
    if served.parts.files.blobs.local_path("1/1/video") is not None:
        assert answer.content == DATA[:5]
        return
    assert answer.status_code == 307
    async with httpx2.AsyncClient() as client:
        assert (await client.get(answer.headers["location"])).content == DATA
    saved = await get(served, target=served.parts.files.links.target(served.artifact) + "&download=1")
    assert (saved.status_code, saved.content) == (200, DATA)
    shown = await get(served, **{"sec-fetch-site": "same-origin"})
    assert (shown.status_code, shown.content) == (200, DATA)
