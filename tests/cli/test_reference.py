"""docs/reference/cli.md describes every command and option, and the command line starts quickly."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.main import get_command

from yuanjing.cli.app import build_app
from yuanjing.cli.runtime import ExitCode
from yuanjing.cli.views import to_json_customer
from yuanjing.domain.identity import Customer

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")


def commands():
    found = {}

    def walk(command, path):
        children = getattr(command, "commands", None)
        if children is None:
            found[" ".join(path)] = command
        else:
            for name, child in children.items():
                walk(child, [*path, name])

    walk(get_command(build_app()), ["yuanjing"])
    return found


COMMANDS = commands()


def section(name):
    """The text under a command's heading, up to the next heading."""
    _, found, rest = PAGE.partition(f"\n### {name}\n")
    assert found, f"docs/reference/cli.md has no heading '### {name}'"
    return rest.partition("\n### ")[0].partition("\n## ")[0]


def test_the_promised_commands_are_there():
    nouns = {
        "customer": "create list show grant balance entries unlock disable enable sessions end-sessions",
        "key": "create list revoke",
        "code": "create list show revoke",
        "offer": "list show import",
        "price": "list set",
        "channel": "add list update enable disable test callback",
        "task": "list show cancel",
        "usage": "list show",
        "receipt": "show verify",
        "secret": "list rotate retire",
        "topup": "list show confirm refund bill",
        "audit": "list verify checkpoint",
        "outbox": "last",
    }
    promised = {f"yuanjing {noun} {verb}" for noun, verbs in nouns.items() for verb in verbs.split()}
    promised |= {f"yuanjing {verb}" for verb in ("serve", "demo", "migrate", "verify", "backup")}
    assert set(COMMANDS) == promised


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_and_its_options_are_documented(name):
    text = section(name)
    options = [parameter for parameter in COMMANDS[name].params if parameter.param_type_name == "option"]
    for option in options:
        for word in option.opts:
            if word not in ("--help", "--json"):
                assert f"`{word}`" in text or f"`{word} " in text, f"{name}: {word}"
    assert any("--json" in option.opts for option in options)
    assert not any(getattr(option, "hidden", False) for option in options)
    assert "`--json`" in text
    assert COMMANDS[name].help


def test_there_is_no_heading_without_a_command():
    headings = {line.removeprefix("### ") for line in PAGE.splitlines() if line.startswith("### ")}
    assert headings == set(COMMANDS)


def test_every_exit_code_is_documented():
    for code in ExitCode:
        assert f"\n| {code.value} | " in PAGE


def test_the_documented_shape_of_a_customer_is_the_real_one():
    customer = Customer(id="cus_1", mobile="+8613800138000", name="", created_at=0.0)
    assert "{" + ", ".join(f'"{key}"' for key in to_json_customer(customer)) + "}" in PAGE


def test_help_does_not_load_what_it_does_not_need():
    script = (
        "import sys; from yuanjing.cli.app import main; code = main(['--help']);"
        "heavy = {'sqlalchemy', 'pydantic', 'httpx2', 'alembic', 'fastapi', 'uvicorn'} & set(sys.modules);"
        "sys.exit(code or f'loaded {heavy}' if heavy else code)"
    )
    started = time.perf_counter()
    found = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env={"PYTHONPATH": "src"}
    )
    seconds = time.perf_counter() - started
    assert found.returncode == 0, found.stderr
    assert "Commands:" in found.stdout
    assert seconds < 5, "0.3 s on a quiet machine"
