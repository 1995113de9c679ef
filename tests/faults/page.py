"""Writes docs/concepts/faults.md from the table: `.venv/bin/python -m tests.faults.page`."""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.faults.model import SHUT, WELL, Fault, Outcome, Play
from tests.faults.rows import FIRST_ROWS
from tests.faults.rows_bytes import LAST_ROWS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "concepts" / "faults.md"
TABLE = FIRST_ROWS + LAST_ROWS
_HEAD = """\
# Faults

What comes of everything that a provider can do wrong: what the client is told, what is charged, and what is thought of
the channel. The table is the one that the tests play, over real sockets, each row with streams and plain answers, in
both dialects, with and without another channel beside the first; `.venv/bin/python -m tests.faults.page` writes this
page from it.

Of all of it this is true:

- The client's HTTP is whole, and its error has the form of its dialect ([errors](../reference/errors.md)). An error
  within a stream is an event, and `[DONE]` is not said.
- An answer is over a second after its time limit at the latest: that for a connection, for the first byte of a stream,
  between its bytes, for a plain answer, or for all ([settings](../reference/settings.md)).
- Nothing is charged of what came to nothing. A whole answer is charged by the provider's usage if that can be believed;
  else, and for a stream that broke, by our count, which the table says: bytes of UTF-8 in and out, three for a token.
  The text of an error is never counted.
- *Retried*: the request goes to the next channel where there is one ([routing](routing.md)), and the client sees
  nothing of the first. Where something has gone to the client already, nothing is retried.
- No more than some megabytes are read of what has no end.
- The channel is *shut* at once, or its failure is *counted*, or nothing is held against it.
"""
_OTHERS_HEAD = """
## What is not the provider's answer

| Fault | What comes of it | Shown by |
|---|---|---|
"""


@dataclass(frozen=True, kw_only=True)
class Other:
    """A fault that is not in the provider's answer, and the test that shows what comes of it."""

    name: str
    result: str
    test: str


OTHERS = (
    Other(
        name="a client that sends its head or body slowly",
        result="408, then closed",
        test="gateway/test_timeouts.py::test_a_slow_body_is_a_408",
    ),
    Other(
        name="a client that does not read",
        result="the provider is held back; the client is dropped after `YUANJING_CLIENT_WRITE_SECONDS`",
        test="gateway/test_traps.py::test_a_client_that_does_not_read_is_dropped_after_the_write_timeout",
    ),
    Other(
        name="a client that leaves at any byte, where the provider stops at once (`cancel`)",
        result="what the provider had sent is charged, by our count; nothing before it has accepted",
        test="faults/test_disconnects.py::test_a_client_that_leaves_at_any_byte_pays_the_right_bill",
    ),
    Other(
        name="a client that leaves at any byte, where the provider goes on (`drain`)",
        result="read to the end, at most `YUANJING_DRAIN_SECONDS`; its usage is charged",
        test="faults/test_disconnects.py::test_a_client_that_leaves_at_any_byte_pays_the_right_bill",
    ),
    Other(
        name="SIGTERM",
        result="what runs may end within `YUANJING_SHUTDOWN_DRAIN_SECONDS`; then an error, and what came is charged",
        test="gateway/test_drain.py::test_a_stream_that_takes_longer_is_cut_with_an_error_event_and_settled",
    ),
    Other(
        name="prices and channels change under load",
        result="no error; each request has one version of the price, from its beginning to its bill",
        test="faults/test_ourselves.py::test_changes_under_load_break_nothing_and_each_bill_has_one_price",
    ),
    Other(
        name="three answers of ten fail",
        result="99 of a hundred requests and more succeed where there is a second channel",
        test="faults/test_providers.py::test_three_failures_of_ten_cost_few_an_answer",
    ),
    Other(
        name="a dead provider",
        result="shut within five seconds; the others are as fast as before",
        test="faults/test_providers.py::test_a_dead_provider_is_shut_and_slows_nobody_down",
    ),
    Other(
        name="too much to do",
        result="503 `overloaded` with `Retry-After`, before any work",
        test="faults/test_ourselves.py::test_more_than_may_be_in_work_is_refused_before_the_work",
    ),
)


def faults_page() -> str:
    """The page as it must be."""
    parts = [_HEAD]
    for group, rows in groupby(TABLE, key=lambda fault: fault.group):
        parts.append(f"\n## {group}\n\n| Fault | Stream | Plain answer | Channel |\n|---|---|---|---|\n")
        parts += [_row(fault) for fault in rows]
    parts.append(_OTHERS_HEAD)
    parts += [f"| {row.name} | {row.result} | `tests/{row.test.replace('::', '` `')}` |\n" for row in OTHERS]
    return "".join(parts)


def _row(fault: Fault) -> str:
    plays = [play for play in (fault.stream, fault.plain) if play is not None]
    channel = {WELL: "", SHUT: "shut"}.get(plays[0].outcome.channel, "counted")
    return f"| {fault.name} | {_cell(fault.stream)} | {_cell(fault.plain)} | {channel} |\n"


def _cell(play: Play | None) -> str:
    if play is None:
        return "cannot be"
    outcome = play.outcome
    parts = [_answer(outcome)]
    if outcome.tokens is not None and outcome.is_estimated:
        parts.append("our count")
    if outcome.is_retried:
        parts.append("retried")
    return ", ".join(parts)


def _answer(outcome: Outcome) -> str:
    if not outcome.code:
        return "whole"
    wait = (
        f", `Retry-After: {outcome.retry_after}`" if outcome.retry_after is not None and outcome.retry_after > 1 else ""
    )
    return f"event `{outcome.code}`" if outcome.status == 200 else f"{outcome.status} `{outcome.code}`{wait}"


if __name__ == "__main__":
    PAGE.write_text(faults_page(), encoding="utf-8")
