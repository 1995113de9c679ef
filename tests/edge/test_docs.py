"""What is not documented does not exist: every route, field, status and error code is in the reference."""

import re
from pathlib import Path

import pytest
from tests.edge.platform import described, make_platform

from yuanjing.domain.dialects import ERRORS, error_headers
from yuanjing.edge.errors import error_answer

DOCS = Path(__file__).parents[2] / "docs" / "reference"
PAGES = ("http-api.md", "console-api.md")
_OF_ALL = {"Origin", "X-CSRF-Token"}
"""What changes anything under `/api` wants these; the head of the page tells it."""
Json = dict


@pytest.fixture
async def document() -> Json:
    return described((await make_platform()).parts)


@pytest.fixture
def sections() -> dict[str, str]:
    """The reference's sections by their heading."""
    found: dict[str, str] = {}
    for page in PAGES:
        parts = re.split(r"^### `(.*)`$", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
        found |= zip(parts[1::2], parts[2::2], strict=True)
    return found


def test_every_route_has_a_section(document: Json, sections: dict[str, str]) -> None:
    routes = [f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item]
    assert sorted(sections) == sorted(routes)


def test_every_status_is_documented(document: Json, sections: dict[str, str]) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            line = re.search(r"^Statuses: (.*)\.$", sections[f"{method.upper()} {path}"], re.MULTILINE)
            assert line is not None, path
            assert line[1].split(", ") == sorted(operation["responses"]), path


def test_every_parameter_and_field_is_documented(document: Json, sections: dict[str, str]) -> None:
    whole = "".join(sections.values())
    count = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            names = {parameter["name"] for parameter in operation.get("parameters", [])} - _OF_ALL
            for body in (operation.get("requestBody", {}), operation["responses"].get("200", {})):
                for media in body.get("content", {}).values():
                    names |= _fields(document, media["schema"])
            section = sections[f"{method.upper()} {path}"]
            for name in names:
                count += 1
                assert f"`{name}`" in section or f"{{{name}}}" in path, f"{name} of {method} {path}"
    assert count > 60
    assert all(f"`{name}`" in (DOCS / "console-api.md").read_text(encoding="utf-8") for name in _OF_ALL)
    for component in document["components"]["schemas"].values():
        for name in component.get("properties", {}):
            if name != "error":
                assert f"`{name}`" in whole or f'"{name}"' in whole, name


def test_every_header_is_documented(document: Json) -> None:
    text = "".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)
    for item in document["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                for name in response.get("headers", {}):
                    assert f"`{name}" in text


def _fields(document: Json, schema: Json) -> set[str]:
    """The names of an object's properties, one level deep, through references."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return set(schema.get("properties", {}))


def test_every_error_code_is_documented_as_the_table_has_it() -> None:
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if re.match(r"\| `\w+` \| \d", line)
    ]
    expected = []
    for code, row in ERRORS.items():
        headers = dict(error_headers(code))
        again = "no" if "x-should-retry" in headers else headers.get("retry-after", "")
        llmage = row.llmage or "*message*"
        expected.append([f"`{code}`", str(row.status), f"`{row.type}`", f"`{row.openai_code or code}`", llmage, again])
    assert [cells[:6] for cells in rows] == expected
    assert all(cells[6] for cells in rows)


@pytest.mark.parametrize("code", list(ERRORS))
def test_every_error_code_makes_an_answer(code: str) -> None:
    row = ERRORS[code]
    openai, llmage = (error_answer(path, code, "the message", param="p") for path in ("/v1/x", "/llmage/x"))
    assert openai.status_code == llmage.status_code == row.status
    assert openai.headers["content-type"] == "application/json"
    text = row.llmage or "the message"
    assert bytes(llmage.body).decode() == f'{{"error": "{text}"}}'
    assert f'"type": "{row.type}", "param": "p"' in bytes(openai.body).decode()
    for name in ("retry-after", "x-should-retry"):
        assert openai.headers.get(name) == dict(error_headers(code)).get(name)
