"""What the documents say is there: files, headings, commands, dependencies, decisions, licence."""

import hashlib
import json
import re
import tomllib

import pytest
from tests.house import tidy

MARKDOWN = {tidy.name_of(path): path.read_text(encoding="utf-8") for path in tidy.files(".md")}
DOCS = tidy.ROOT / "docs"
LICENCE_SHA256 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""Of the text that the Apache Software Foundation publishes."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@pytest.mark.parametrize("name", sorted(MARKDOWN))
def test_links_lead_somewhere(name):
    assert tidy.broken_links(tidy.ROOT / name, MARKDOWN[name]) == []


def test_broken_links_are_found(tmp_path):
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# Other\n\n## A `b` & c\n\n## Twice\n\n## Twice\n")
    good = "[a](other.md) [b](other.md#a-b--c) [c](#here) [d](https://example.com) [e](other.md#twice-1) `[x](no.md)`"
    page.write_text(f"# Page\n\n## Here\n\n{good}\n\n```\n[y](no.md)\n```\n")
    assert tidy.broken_links(page, page.read_text()) == []
    bad = "# Page\n[a](none.md) [b](other.md#none) [c](#none)\n"
    page.write_text(bad)
    assert tidy.broken_links(page, bad) == [
        "none.md: no such file",
        "other.md#none: no such heading",
        "#none: no such heading",
    ]


def test_the_index_leads_to_every_page():
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in tidy.links(MARKDOWN["docs/README.md"])}
    assert [
        tidy.name_of(page) for page in sorted(DOCS.rglob("*.md")) if page not in linked | {DOCS / "README.md"}
    ] == []


def test_the_make_commands_that_are_named_exist():
    targets = set(re.findall(r"^([a-z]+):", (tidy.ROOT / "Makefile").read_text(), re.MULTILINE))
    for name, text in MARKDOWN.items():
        code = "\n".join(
            re.findall(r"`([^`\n]+)`", text) + re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        )
        unknown = set(re.findall(r"(?:^|[\s;(])make ([a-z]+)", code)) - targets
        assert not unknown, f"{name}: {unknown}"
    assert {"run", "test", "check", "bench", "soak", "help"} <= targets


def test_the_settings_that_are_named_exist():
    known = set(re.findall(r"`(YUANJING_\w+)`", MARKDOWN["docs/reference/settings.md"]))
    for name, text in MARKDOWN.items():
        unknown = set(re.findall(r"\bYUANJING_[A-Z_]*[A-Z]\b", text)) - known
        assert not unknown, f"{name}: {unknown}"


def test_the_metrics_that_are_named_exist():
    known = {
        name.removesuffix("_total") for name in re.findall(r"`(yuanjing_\w+)`", MARKDOWN["docs/reference/metrics.md"])
    }
    for name, text in MARKDOWN.items():
        unknown = {word.removesuffix("_total") for word in re.findall(r"`(yuanjing_\w+)`", text)} - known
        assert not unknown, f"{name}: {unknown}"


def test_the_files_that_contributing_names_exist():
    text = MARKDOWN["CONTRIBUTING.md"]
    for name in re.findall(r"`((?:src|tests|docs|requirements)/[\w./*-]+)`", text):
        assert list(tidy.ROOT.glob(name.rstrip("/"))), name
    rows = re.findall(r"^\| ((?:`[\w/.]+`,? ?)+)\|", text, re.MULTILINE)
    for name in re.findall(r"`([\w/.]+)`", "".join(rows)):
        assert (tidy.ROOT / "src" / "yuanjing" / name).exists(), name


def test_the_page_about_the_hot_path_names_every_file_of_it():
    folder = tidy.ROOT / "src" / "yuanjing" / "gateway"
    rows = re.findall(r"^\| ((?:`[\w/.]+`,? ?)+)\|", MARKDOWN["docs/concepts/hot-path.md"], re.MULTILINE)
    named = set(re.findall(r"`([\w/.]+)`", "".join(rows)))
    there = {path.name for path in folder.glob("*.py")} - {"__init__.py", "options.py"}
    assert named == there | {"translate/"}


def declared_dependencies():
    """The names in pyproject.toml, in the files that pins are resolved from, in the Makefile, and of the console."""
    project = tomllib.loads((tidy.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = [*project["project"]["dependencies"], *project["build-system"]["requires"], "uv"]
    for path in sorted((tidy.ROOT / "requirements").glob("*.in")):
        lines += [line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] not in "#-"]
    console = json.loads((tidy.ROOT / "console" / "package.json").read_text(encoding="utf-8"))
    return {match[0] for line in lines if (match := _NAME.match(line))} | {
        *console["dependencies"],
        *console["devDependencies"],
    }


def test_each_dependency_has_its_reason():
    page = MARKDOWN["docs/decisions/0003-dependencies.md"]
    reasons = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", page, re.MULTILINE))
    assert set(reasons) == declared_dependencies()
    assert all(len(reason.split()) >= 3 for reason in reasons.values())


def test_decisions_have_one_form():
    pages = sorted((DOCS / "decisions").glob("*.md"))
    for number, page in enumerate(pages, 1):
        text = MARKDOWN[tidy.name_of(page)]
        assert page.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number:04d}: ")
        assert re.search(r"^Date: \d{4}-\d\d-\d\d\. Status: \w+", text, re.MULTILINE), page.name
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], page.name
    assert len(pages) >= 7


def test_the_changelog_has_one_unreleased_part():
    text = MARKDOWN["CHANGELOG.md"]
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])


def test_the_licence_is_whole():
    text = (tidy.ROOT / "LICENSE").read_text(encoding="utf-8")
    mine = "Copyright 2026 The Yuanjing authors"
    assert text.count(mine) == 1
    original = text.replace(mine, "Copyright [yyyy] [name of copyright owner]")
    assert hashlib.sha256(original.encode()).hexdigest() == LICENCE_SHA256
