"""The console beside the API: its types are those of the API as it is, and it has words for all refusals."""

import re

from tests.support.console_schema import SCHEMA, make_types

from yuanjing.domain.dialects import ERRORS
from yuanjing.domain.tasks import TaskState
from yuanjing.edge.videos_llmage import FAILURE_REASONS

AREA = SCHEMA.parents[1] / "i18n" / "areas" / "errors.ts"
_TEXT = re.compile(r'^  "?([\w:]+)"?: \["(.+)", "(.+)"\],$', re.MULTILINE)


def test_the_console_knows_the_api_as_it_is():
    """If not: `.venv/bin/python -m tests.support.console_schema` writes it again."""
    assert SCHEMA.read_text(encoding="utf-8") == make_types()


def test_the_console_has_words_for_every_error_in_both_languages():
    """Where one is missing a Chinese page would show the API's English."""
    texts = {name: (zh, en) for name, zh, en in _TEXT.findall(AREA.read_text(encoding="utf-8"))}
    codes = {*ERRORS, *(row.openai_code for row in ERRORS.values() if row.openai_code)}
    assert codes - set(texts) == set()
    plain = {name for name in texts if ":" not in name} - {"unknown", "original"}
    assert plain - codes == set()
    ends = {TaskState.FAILED, TaskState.CANCELED, TaskState.EXPIRED}
    tasks = {f"task:{code}" for code in (*FAILURE_REASONS, *ends)}
    assert {name for name in texts if name.startswith("task:")} == tasks
    assert [name for name, (zh, en) in texts.items() if not re.search(r"[\u4e00-\u9fff]", zh) or zh == en] == []
