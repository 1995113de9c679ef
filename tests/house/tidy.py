"""The house rules that no tool knows: each check takes text and gives back what is wrong, with its line."""

import ast
import io
import itertools
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500

_SKIPPED_FOLDERS = frozenset({
    ".git", ".hypothesis", ".import_linter_cache", ".node", ".pytest_cache", ".ruff_cache", ".venv", ".venv-sdks",
    "__pycache__", "build", "dist", "node_modules", "results", "static", "var",
})  # fmt: skip
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

_HOSTS = ("pypi" + ".org", "files.python" + "hosted.org", "registry.npm" + "js.org", "registry.yarn" + "pkg.com")
_FORBIDDEN = (
    ("a path of one machine", re.compile(r"(?<![\w.~-])/(?:home|root|Users|work)/\w")),
    ("a package registry's host", re.compile("|".join(re.escape(host) for host in _HOSTS))),
    (
        "an e-mail address",
        re.compile(r"[\w.+-]+@(?!example\.)(?:[\w-]+\.)+(?!example\b)[a-z]{2,}\b(?!\()", re.IGNORECASE),
    ),
)
_LEFTOVER = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")
_IGNORE = re.compile(
    r"#\s*(?:(?:ruff: )?noqa(?P<noqa>:\s*[A-Z0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)?|pyright: ignore(?P<pyright>\[[\w, ]+\])?"
    r"|ty: ignore\S*|pragma: no \w+)"
)
_REASON = re.compile(r"\w\w+\W+\w\w+")
_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)


def files(*suffixes: str, folders: Iterable[str] = (".",)) -> Iterator[Path]:
    """The files of the project with these suffixes (none: all), without what tools and installations make."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            parts = path.relative_to(ROOT).parts
            if _SKIPPED_FOLDERS.isdisjoint(parts) and path.is_file() and (not suffixes or path.suffix in suffixes):
                yield path


def name_of(path: Path) -> str:
    """The path within the project."""
    return path.relative_to(ROOT).as_posix()


def long_functions(source: str) -> dict[str, int]:
    """Functions with more lines than allowed, by their qualified name."""
    found: dict[str, int] = {}

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = f"{prefix}{child.name}" if isinstance(child, (*_FUNCTIONS, ast.ClassDef)) else prefix
            if isinstance(child, _FUNCTIONS):
                lines = (child.end_lineno or child.lineno) - child.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    found[name] = lines
            walk(child, f"{name}." if name != prefix else prefix)

    walk(ast.parse(source), "")
    return found


def floats(source: str) -> list[str]:
    """Where binary fractions come into a module of money; a point in time (`at`, `…_at`) may be one."""
    tree = ast.parse(source)
    allowed: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, annotation = node.target.id, node.annotation
        elif isinstance(node, ast.arg) and node.annotation is not None:
            name, annotation = node.arg, node.annotation
        else:
            continue
        if name == "at" or name.endswith("_at"):
            allowed.update(ast.walk(annotation))
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            found.append((node.lineno, f"the literal {node.value!r}"))
        elif isinstance(node, ast.Name) and node.id in ("float", "complex", "round") and node not in allowed:
            found.append((node.lineno, f"the name {node.id}"))
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            found.append((node.lineno, "a division with /"))
    return [f"line {line}: {what}" for line, what in sorted(found)]


def forbidden_names(text: str) -> list[str]:
    """Names of machines, registries and people."""
    return [
        f"line {number}: {what}: {match[0]}"
        for number, line in enumerate(text.splitlines(), 1)
        for what, pattern in _FORBIDDEN
        if (match := pattern.search(line))
    ]


def leftovers(text: str) -> list[str]:
    """Notes to oneself that should have become work or words."""
    return [f"line {n}: {m[0]}" for n, line in enumerate(text.splitlines(), 1) if (m := _LEFTOVER.search(line))]


def unexplained_ignores(source: str) -> list[str]:
    """Ignores of tools without codes, or without a reason on their line or in a comment right above."""
    lines = source.splitlines()
    comments = (t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type == tokenize.COMMENT)
    found: list[str] = []
    for comment in comments:
        match, row = _IGNORE.search(comment.string), comment.start[0]
        if match is None:
            continue
        above = lines[row - 2].strip() if row > 1 else ""
        is_explained = _REASON.search(_IGNORE.sub("", comment.string)) or (above[:1] == "#" and _REASON.search(above))
        if ("noqa" in match[0] and not match["noqa"]) or ("pyright" in match[0] and not match["pyright"]):
            found.append(f"line {row}: {match[0]}: say which rule")
        elif not is_explained:
            found.append(f"line {row}: {match[0]}: say why")
    return found


def heading_problems(text: str) -> list[str]:
    """A Markdown file begins with its only first-level heading."""
    prose = _FENCE.sub("", text)
    headings = re.findall(r"^# .+$", prose, re.MULTILINE)
    if len(headings) != 1:
        return [f"{len(headings)} first-level headings"]
    return [] if prose.lstrip().startswith(headings[0]) else ["it does not begin with its heading"]


def anchors(text: str) -> set[str]:
    """The anchors of a Markdown file's headings, as hosting platforms make them."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", _FENCE.sub("", text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower()).replace(" ", "-")
        found.add(next(name for name in _numbered(slug) if name not in found))
    return found


def _numbered(slug: str) -> Iterator[str]:
    yield slug
    for number in itertools.count(1):
        yield f"{slug}-{number}"


def links(text: str) -> list[str]:
    """The targets of a Markdown file's links and pictures."""
    prose = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))
    return [target.split(" ")[0] for target in re.findall(r"\]\(([^)]+)\)", prose)]


def broken_links(path: Path, text: str) -> list[str]:
    """Links from a Markdown file to files or headings that are not there."""
    found: list[str] = []
    for target in links(text):
        if re.match(r"[a-z][a-z+.-]*:", target):
            continue
        where, _, anchor = target.partition("#")
        other = (path.parent / where).resolve() if where else path
        if not other.exists():
            found.append(f"{target}: no such file")
        elif anchor and other.suffix == ".md" and anchor not in anchors(other.read_text(encoding="utf-8")):
            found.append(f"{target}: no such heading")
    return found
