"""docs/operations/failures.md: what it names is in the code. Metrics, settings and links are checked on every page."""

import ast
import re
import textwrap

import pytest
from tests.house import tidy

PAGE = (tidy.ROOT / "docs" / "operations" / "failures.md").read_text(encoding="utf-8")
_SCRIPTS = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")


def texts_of(module: str) -> set[str]:
    """Every text in a module's code but docstrings; of one with values in it the parts between them."""
    tree = ast.parse(module)
    plain = {node.value.value for node in ast.walk(tree) if _is_alone(node)}
    return {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    } - plain


def _is_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@pytest.fixture(scope="module")
def texts() -> set[str]:
    source = tidy.ROOT / "src" / "yuanjing"
    return {text for path in source.rglob("*.py") for text in texts_of(path.read_text(encoding="utf-8"))}


def named(page: str, label: str) -> set[str]:
    """What stands in code in the items of lists that begin so."""
    items = re.findall(rf"^- {re.escape(label)}: (.*?)(?=^- |^$)", page, re.MULTILINE | re.DOTALL)
    assert items, label
    found = {" ".join(word.split()) for item in items for word in _CODE.findall(item)}
    return {word for word in found if not word.startswith("YUANJING_")}


def test_log_events_are_written_by_the_code(texts: set[str]):
    events = named(PAGE, "Log")
    assert len(events) > 40
    assert events - texts == set()


def test_reasons_of_readyz_are_given(texts: set[str]):
    assert named(PAGE, "`/readyz`") - texts == set()


def test_words_of_verify_are_said(texts: set[str]):
    everything = "\n".join(texts)
    assert {words for words in named(PAGE, "`verify`") if words not in everything} == set()
    checks = set(_CODE.findall("\n".join(re.findall(r"^[345]\. (.*?):", PAGE, re.MULTILINE | re.DOTALL))))
    assert len(checks) > 14
    assert checks - texts == set()


def test_commands_exist_with_their_options():
    manual = (tidy.ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (yuanjing [\w -]+)\n(.*?)(?=^##|\Z)", manual, re.MULTILINE | re.DOTALL))
    code = _CODE.findall(_SCRIPTS.sub("", PAGE)) + "\n".join(_SCRIPTS.findall(PAGE)).splitlines()
    lines = [line for line in code if line.startswith("yuanjing ")]
    assert len(lines) > 15
    for line in lines:
        (command,) = [name for name in sections if re.match(rf"{name}(?![\w-])", line)]
        for option in re.findall(r"--[\w-]+", line):
            assert option in sections[command] or option == "--json", line


def test_kinds_of_failed_tries_are_those_of_the_reference():
    metrics = (tidy.ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| [^|]+ \| ((?:`\w+`,? ?)+)\|", PAGE, re.MULTILINE)
    kinds = set(_CODE.findall("".join(table)))
    assert len(kinds) > 7
    assert {kind for kind in kinds if f"`{kind}`" not in metrics} == set()


def test_what_is_not_there_is_found():
    module = textwrap.dedent('''
        """Not this."""
        log.info("said")
        text = f"one {two} three"
    ''')
    assert texts_of(module) == {"said", "one ", " three"}
    assert named("- Log: `a b`, then `c\nd`.\n- Do: `e`.\n", "Log") == {"a b", "c d"}
