"""The console beside the API: its types are those of the API as it is, and it has words for all refusals."""

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import pytest
from tests.support.console_schema import SCHEMA, make_types

from yuanjing.domain.dialects import ERRORS
from yuanjing.domain.parameters.spec import table_in
from yuanjing.domain.parameters.values import advice
from yuanjing.domain.tasks import TaskState
from yuanjing.edge.videos_llmage import FAILURE_REASONS
from yuanjing.usecases.catalog_documents import shipped_documents

AREA = SCHEMA.parents[1] / "i18n" / "areas" / "errors.ts"
REASONS = SCHEMA.parents[1] / "i18n" / "areas" / "reasons.ts"
_REASON = re.compile(r'^  \["(.+)", "(.+)"\],$', re.MULTILINE)
_PART = re.compile(r"\{\{\w+\}\}")
_TEXT = re.compile(r'^  "?([\w:]+)"?: \["(.+)", "(.+)"\],$', re.MULTILINE)


def test_the_console_knows_the_api_as_it_is():
    """If not: `.venv/bin/python -m tests.support.console_schema` writes it again."""
    assert SCHEMA.read_text(encoding="utf-8") == make_types()


def test_the_console_has_words_for_every_error_in_both_languages():
    """Where one is missing a Chinese page would show the API's English."""
    texts = {name: (zh, en) for name, zh, en in _TEXT.findall(AREA.read_text(encoding="utf-8"))}
    codes = {*ERRORS, *(row.openai_code for row in ERRORS.values() if row.openai_code)}
    assert codes - set(texts) == set()
    plain = {name for name in texts if ":" not in name} - {"because", "unanswered", "unknown", "original"}
    assert plain - codes == set()
    ends = {TaskState.FAILED, TaskState.CANCELED, TaskState.EXPIRED}
    tasks = {f"task:{code}" for code in (*FAILURE_REASONS, *ends)}
    assert {name for name in texts if name.startswith("task:")} == tasks
    assert [name for name, (zh, en) in texts.items() if not re.search(r"[\u4e00-\u9fff]", zh) or zh == en] == []


CODE = Path(__file__).parents[2] / "src" / "yuanjing"
SAYERS = (
    "domain/parameters",
    "usecases/artifacts",
    "usecases/account.py",
    "usecases/keys.py",
    "usecases/usage_pages.py",
    "usecases/entries.py",
    "usecases/pages.py",
    "usecases/topups/orders.py",
    "usecases/signin/mobiles.py",
    "adapters/media",
    "adapters/fetch",
    "edge/console",
)
"""Where it is said why a customer's value is not taken."""
REFUSALS = {
    "invalid": 1,
    "InvalidFieldError": 1,
    "InvalidInputError": 0,
    "NotMediaError": 0,
    "BrokenFileError": 0,
    "FetchRefusedError": 0,
    "FetchFailedError": 0,
    "Finding": -1,
}
"""The calls that take the reason, and at which place; -1 is by the name `problem`."""
SAMPLE = "7"
"""Stands for what differs."""
MADE_OF_PARTS = ("at most 1 file", "at most 9 files", "the picture is 9 × 9 pixels", "the video is 9 × 9 pixels")  # noqa: RUF001  # the sign of multiplication is meant
"""Reasons whose words are chosen where they are said."""


def said_in(node: ast.expr | None, known: Mapping[str, str]) -> str | None:
    """A text of the program with samples in it; None of what is made elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(one.value if isinstance(one, ast.Constant) else SAMPLE for one in node.values)  # type: ignore[misc]
    return known.get(node.id) if isinstance(node, ast.Name) else None


def reasons_in(source: str, *, with_returned: bool = False) -> Iterator[str]:
    """The reasons that a module tells, without the names of parameters before them; also those that it returns."""
    tree = ast.parse(source)
    known: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = said_in(node.value, known)
            known |= {node.targets[0].id: text} if text else {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.JoinedStr) and with_returned:
            yield said_in(node.value, known) or ""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in REFUSALS:
            continue
        place = REFUSALS[node.func.id]
        given = (
            [one.value for one in node.keywords if one.arg == "problem"] if place < 0 else node.args[place : place + 1]
        )
        for text in filter(None, (said_in(one, known) for one in given)):
            yield re.sub(rf"^(\w+|{SAMPLE}): (?=.)", "", text) if node.func.id == "InvalidInputError" else text


def modules() -> Iterator[Path]:
    for name in SAYERS:
        yield from sorted((CODE / name).glob("*.py")) if not name.endswith(".py") else [CODE / name]


def reasons_of(path: Path) -> Iterator[str]:
    return reasons_in(path.read_text(encoding="utf-8"), with_returned=path.name == "limits.py")


def told_reasons() -> list[tuple[re.Pattern[str], str]]:
    found = _REASON.findall(REASONS.read_text(encoding="utf-8"))
    return [(re.compile(".+?".join(map(re.escape, _PART.split(en)))), zh) for zh, en in found]


def schema_reasons() -> Iterator[str]:
    """What is said of values that a model's schema does not allow."""
    for document in shipped_documents():
        for draft in document.offers:
            for keywords in table_in(draft.offer.parameters.get("properties")).values():
                yield advice(table_in(keywords))


def test_the_console_has_chinese_words_for_every_reason():
    """Where one is missing a Chinese page says only that a value is wrong, or shows the API's English."""
    told = told_reasons()
    said = sorted({*MADE_OF_PARTS, *chain.from_iterable(map(reasons_of, modules())), *schema_reasons()})
    assert len(said) > 60
    assert [one for one in said if not any(pattern.fullmatch(one) for pattern, _ in told)] == []
    assert [zh for _, zh in told if not re.search(r"[\u4e00-\u9fff]", zh)] == []
    unused = [pattern.pattern for pattern, _ in told if not any(pattern.fullmatch(one) for one in said)]
    assert unused == []


@pytest.mark.parametrize(
    "source", ["raise invalid(name, 'of no such kind')", "X = 'a'\nraise InvalidInputError(f'{a}: of {b}')"]
)
def test_reasons_are_found_in_a_program(source: str):
    (found,) = reasons_in(source)
    assert found in ("of no such kind", "of 7")
