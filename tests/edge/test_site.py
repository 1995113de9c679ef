"""The console's files as they are served: what browsers may do with them, and that nothing else is."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from tests.edge.platform import Platform

from yuanjing.edge import errors, site
from yuanjing.edge.app import create_app
from yuanjing.edge.site import PLACES, STATIC, is_built, missing_page, site_router

PATHS = Path(__file__).parents[2] / "console" / "src" / "paths.ts"
PAGE = "<!doctype html><title>页</title>" + "x" * 500
SCRIPT = "export const text = 'ü';\n" * 50
PICTURE = bytes(range(256))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "static"
    (made / "assets").mkdir(parents=True)
    (made / "index.html").write_text(PAGE, encoding="utf-8")
    (made / "assets" / "index-Ab_1.js").write_text(SCRIPT, encoding="utf-8")
    (made / "assets" / "mark-x.svg").write_text("<svg/>", encoding="utf-8")
    (made / "assets" / "font-x.woff2").write_bytes(PICTURE)
    (tmp_path / "secret.txt").write_text("not to be served", encoding="utf-8")
    return made


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI(redirect_slashes=False)
    errors.install(app, missing_page(folder))
    app.include_router(site_router(folder))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as made:
        yield made


@pytest.mark.parametrize("path", ["/", *(f"/{place}" for place in PLACES), "/finance/orders/top_1", "/models/x%2Fy"])
async def test_every_place_is_the_page_with_its_policy(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.text) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = dict(one.strip().split(" ", 1) for one in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == ("'none'", "'none'", "'self'")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["permissions-policy"].startswith("camera=()")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("index-Ab_1.js", "text/javascript; charset=utf-8"),
        ("mark-x.svg", "image/svg+xml; charset=utf-8"),
        ("font-x.woff2", "font/woff2"),
    ],
)
async def test_a_file_with_a_hash_in_its_name_is_kept_for_ever(
    client: httpx2.AsyncClient, folder: Path, name: str, media_type: str
) -> None:
    answer = await client.get(f"/assets/{name}")
    assert answer.content == (folder / "assets" / name).read_bytes()
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_what_becomes_shorter_is_packed_for_who_can_unpack_it(client: httpx2.AsyncClient) -> None:
    packed = await client.get("/assets/index-Ab_1.js", headers={"accept-encoding": "br, gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == SCRIPT
    assert int(packed.headers["content-length"]) == len(gzip.compress(SCRIPT.encode(), mtime=0)) < len(SCRIPT)
    plain = await client.get("/assets/index-Ab_1.js", headers={"accept-encoding": "identity"})
    assert ("content-encoding" in plain.headers, plain.text) == (False, SCRIPT)
    random = await client.get("/assets/font-x.woff2", headers={"accept-encoding": "gzip"})
    assert ("content-encoding" in random.headers, random.content) == (False, PICTURE)
    assert {one.headers["vary"] for one in (packed, plain, random)} == {"accept-encoding"}


@pytest.mark.parametrize("refuses", ["gzip;q=0", "gzip; q=0.0, identity", "GZIP;q=0", "br"])
async def test_who_refuses_gzip_gets_it_plain(client: httpx2.AsyncClient, refuses: str) -> None:
    answer = await client.get("/", headers={"accept-encoding": refuses})
    assert "content-encoding" not in answer.headers
    assert answer.text == PAGE


async def test_what_a_browser_has_already_is_not_sent_again(client: httpx2.AsyncClient) -> None:
    first = await client.get("/")
    tag = first.headers["etag"]
    assert re.fullmatch(r'W/"[0-9a-f]{32}"', tag)
    for given in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
        again = await client.get("/keys", headers={"if-none-match": given})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert (await client.get("/", headers={"if-none-match": '"other"'})).status_code == 200


async def test_head_tells_what_get_would(client: httpx2.AsyncClient) -> None:
    for path in ("/", "/keys", "/assets/index-Ab_1.js"):
        got, told = await client.get(path), await client.head(path)
        assert (told.status_code, told.content) == (200, b"")
        assert dict(told.headers) == dict(got.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_pages_are_only_read(client: httpx2.AsyncClient, method: str) -> None:
    assert (await client.request(method, "/keys")).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/assets/none.js",
        "/assets/",
        "/assets",
        "/assets/index.html",
        "/assets/%2e%2e",
        "/assets/%2e%2e%2findex.html",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/....//secret.txt",
        "/assets/%5c..%5csecret.txt",
        "/assets/index-Ab_1.js%00.svg",
        "/assets/INDEX-AB_1.JS",
        "/assets//index-Ab_1.js",
        "/index.html",
        "/static/index.html",
        "/keysx",
        "/secret.txt",
        "//evil.example/keys",
    ],
)
async def test_nothing_else_is_there(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(httpx2.URL("http://127.0.0.1").copy_with(raw_path=path.encode()))
    assert answer.status_code == 404
    assert "not to be served" not in answer.text
    assert PAGE not in answer.text


@pytest.mark.parametrize(
    ("path", "accept", "is_page"),
    [
        ("/nope", "text/html,*/*;q=0.8", True),
        ("/nope/deep", "text/html", True),
        ("/nope", "*/*", False),
        ("/nope", "application/json", False),
        ("/api/nope", "text/html", False),
        ("/v1/nope", "text/html", False),
        ("/llmage/nope", "text/html", False),
        ("/assets/none.js", "text/html", False),
    ],
)
async def test_a_browser_at_an_address_of_nothing_sees_a_page(
    client: httpx2.AsyncClient, path: str, accept: str, *, is_page: bool
) -> None:
    for method in ("GET", "HEAD"):
        answer = await client.request(method, path, headers={"accept": accept})
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html" if is_page else "application/json")
        assert ("content-security-policy" in answer.headers) is is_page
    assert (PAGE in (await client.get(path, headers={"accept": accept})).text) is is_page
    assert (await client.post("/nope", headers={"accept": "text/html"})).headers["content-type"] == "application/json"


def test_places_are_those_of_the_console() -> None:
    found = set(re.findall(r'["`]/([a-z-]+)', PATHS.read_text(encoding="utf-8")))
    assert found == set(PLACES)


def test_the_console_is_built_and_part_of_the_package() -> None:
    """`make test` and `make run` build it; the wheel holds it."""
    assert is_built()
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []
    assert re.findall(r"\sstyle=|\son\w+=", page) == []
    assert {name.split("/")[0] for name in re.findall(r'(?:src|href)="/?([^"]+)"', page)} == {"assets"}


async def test_where_it_is_not_built_the_home_page_says_what_there_is(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not is_built(tmp_path)
    monkeypatch.setattr(site, "is_built", lambda: False)
    transport = httpx2.ASGITransport(app=create_app(platform.parts))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as made:
        home = await made.get("/")
        assert (home.status_code, "content-security-policy" in home.headers) == (200, True)
        assert (await made.get("/keys")).status_code == 404
