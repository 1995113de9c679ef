"""The whole project keeps the house rules, and each check finds what it is there to find."""

import re

import pytest
from tests.house import tidy

PYTHON = {tidy.name_of(path): path for path in tidy.files(".py", ".pyi", folders=("src", "tests", "bench", "typings"))}
MARKDOWN = {tidy.name_of(path): path for path in tidy.files(".md")}
TEXTS = {
    tidy.name_of(path): path
    for path in tidy.files()
    if path.suffix
    in (".py", ".pyi", ".md", ".toml", ".in", ".txt", ".mako", ".yml", ".yaml", ".json", ".sh", ".svg", "")
}
MONEY = tuple(f"src/yuanjing/domain/{name}.py" for name in ("money", "ledger", "pricing", "holds"))

LONG_FILES: dict[str, int] = {}
"""Files that were too long when the rule came, with their lines: they may shrink, never grow."""
LONG_FUNCTIONS: dict[str, int] = {}
"""The same for functions, as `path:qualified.name`."""


def read(path):
    return path.read_text(encoding="utf-8")


def problems(paths, check):
    return [f"{name}: {problem}" for name, path in paths.items() for problem in check(read(path))]


def expect_none(found):
    """Fail with the whole list, one line for each."""
    if found:
        pytest.fail("\n" + "\n".join(found), pytrace=False)


def over(found, allowed):
    """What is longer than its budget, or than its entry in the ratchet; and entries that are not needed any more."""
    grown = [f"{name}: {lines} lines" for name, lines in found.items() if lines > allowed.get(name, 0)]
    return grown + [
        f"{name}: take it out of the ratchet, it keeps the rule now" for name in allowed if name not in found
    ]


def test_there_is_something_to_look_at():
    assert {"src/yuanjing/domain/money.py", "tests/run.py", "bench/load.py"} <= set(PYTHON)
    assert "README.md" in MARKDOWN
    assert {"Makefile", "LICENSE", ".ci/run", "pyproject.toml", "requirements/main.txt"} <= set(TEXTS)
    assert set(MONEY) <= set(PYTHON)
    assert not [name for name in TEXTS if name.startswith((".venv", "var/"))]


def test_files_are_short():
    lines = {name: len(read(path).splitlines()) for name, path in PYTHON.items()}
    expect_none(over({name: n for name, n in lines.items() if n > tidy.FILE_LINES_MAX}, LONG_FILES))


def test_functions_are_short():
    found = {f"{name}:{f}": n for name, path in PYTHON.items() for f, n in tidy.long_functions(read(path)).items()}
    expect_none(over(found, LONG_FUNCTIONS))


def test_the_ratchet_holds():
    assert over({"a": 501}, {}) == ["a: 501 lines"]
    assert over({"a": 600}, {"a": 599}) == ["a: 600 lines"]
    assert over({"a": 599}, {"a": 599}) == []
    assert over({}, {"a": 599}) == ["a: take it out of the ratchet, it keeps the rule now"]


def test_a_long_function_is_found_wherever_it_is():
    body = "\n".join(["        pass"] * tidy.FUNCTION_LINES_MAX)
    source = f"class A:\n    async def f(self):\n{body}\n    def g(self):\n        pass\n"
    assert tidy.long_functions(source) == {"A.f": tidy.FUNCTION_LINES_MAX + 1}
    assert tidy.long_functions("def f():\n" + "\n".join(["    pass"] * (tidy.FUNCTION_LINES_MAX - 1))) == {}


@pytest.mark.parametrize("name", MONEY)
def test_money_is_made_of_integers(name):
    assert tidy.floats(read(PYTHON[name])) == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("x = 1.5", "the literal 1.5"),
        ("x = 1e9", "the literal 1000000000.0"),
        ("def f(x: float): ...", "the name float"),
        ("amount = float(text)", "the name float"),
        ("x: float = 1", "the name float"),
        ("y = round(x)", "the name round"),
        ("x = a / b", "a division with /"),
        ("x /= 2", "a division with /"),
    ],
)
def test_binary_fractions_are_found(source, what):
    assert tidy.floats(source) == [f"line 1: {what}"]


def test_times_may_be_binary_fractions():
    assert tidy.floats("created_at: float\nclosed_at: float | None = None\ndef f(*, at: float): ...\nx = 7 // 2") == []


def test_no_forbidden_names():
    expect_none(problems(TEXTS, tidy.forbidden_names))


@pytest.mark.parametrize(
    "text",
    [
        "cd /" + "home/someone/yuanjing",
        "PATH=/" + "root/bin",
        "see /" + "work/notes.md",
        "--index-url https://pypi" + ".org/simple",
        "https://registry.npm" + "js.org/left-pad",
        "write to someone" + "@company.com",
    ],
)
def test_forbidden_names_are_found(text):
    assert len(tidy.forbidden_names(f"a line\n{text}\n")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user:password@host/name",
        "someone@example.com",
        "user@a.example",
        "/workers/1",
        "~/work/x",
        "@app.get(x)",
        "a@b",
    ],
)
def test_other_names_are_not_forbidden(text):
    assert tidy.forbidden_names(text) == []


def test_no_leftovers():
    expect_none(problems(TEXTS, tidy.leftovers))


def test_leftovers_are_found():
    assert tidy.leftovers("x = 1  # TO" + "DO later\n# FIX" + "ME\n") == ["line 1: TO" + "DO", "line 2: FIX" + "ME"]
    assert tidy.leftovers("METHOD, fixmeup") == []


def test_each_ignore_has_its_rule_and_its_reason():
    mine = {"tests/house/tidy.py", "tests/house/test_tidy.py"}  # which have to write them down to look for them
    expect_none(problems({n: p for n, p in PYTHON.items() if n not in mine}, tidy.unexplained_ignores))


@pytest.mark.parametrize(
    ("line", "is_good"),
    [
        ("import x  # noqa: F401  # kept for its side effects", True),
        ("import x  # kept for its side effects  # noqa: F401", True),
        ("# It is kept for its side effects.\nimport x  # noqa: F401", True),
        ("f(x)  # pyright: ignore[reportArgumentType]  # a narrower name", True),
        ("# ruff: noqa: RUF001  # Chinese has its own punctuation", True),
        ("import x  # noqa: F401", False),
        ("import x  # noqa", False),
        ("import x  # noqa  # kept for its side effects", False),
        ("f(x)  # pyright: ignore[reportArgumentType]", False),
        ("f(x)  # pyright: ignore  # a narrower name", False),
        ("f(x)  # ty: ignore[invalid-argument-type]", False),
        ("# ruff: noqa", False),
        ("if x:  # pragma: no cover", False),
    ],
)
def test_unexplained_ignores_are_found(line, is_good):
    assert bool(tidy.unexplained_ignores(line)) is not is_good


def test_each_markdown_file_begins_with_its_only_heading():
    expect_none(problems(MARKDOWN, tidy.heading_problems))


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        ("# One\n\n## Two\n", True),
        ("# One\n\n```sh\n# a comment\n```\n", True),
        ("## Two\n", False),
        ("# One\n\n# Another\n", False),
        ("Before.\n\n# One\n", False),
        ("", False),
    ],
)
def test_wrong_headings_are_found(text, is_good):
    assert (tidy.heading_problems(text) == []) is is_good


def test_the_tools_exceptions_have_reasons():
    """In pyproject.toml, each entry of ruff's ignore lists has a comment behind it."""
    text = read(TEXTS["pyproject.toml"])
    block = re.search(r"^ignore = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    assert [line for line in block[1].splitlines() if not re.search(r"#\s*\w+\W+\w+", line)] == []


def test_a_payment_methods_name_stays_in_its_adapter():
    """Everything else has it as data."""
    may = ("adapters/alipay/", "sandbox/", "settings/payments.py", "bootstrap/")
    folder = "src/yuanjing/"
    others = [
        name for name in PYTHON if name.startswith(folder) and not name.startswith(tuple(folder + m for m in may))
    ]
    assert len(others) > 300
    expect_none([name for name in others if "alipay" in read(PYTHON[name]).lower()])
