"""The console beside the API: its types are those of the API as it is."""

from tests.support.console_schema import SCHEMA, make_types


def test_the_console_knows_the_api_as_it_is():
    """If not: `.venv/bin/python -m tests.support.console_schema` writes it again."""
    assert SCHEMA.read_text(encoding="utf-8") == make_types()
