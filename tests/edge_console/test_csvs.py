"""Files: what a spreadsheet must not run, and that no more is held than one page."""

from collections.abc import AsyncGenerator, Iterable
from typing import cast

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.edge import csvs


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_text_that_looks_like_a_formula_is_a_text(start: str) -> None:
    assert csvs.text_cell(f"{start}1+1") == f"'{start}1+1"


@given(st.text())
def test_no_text_begins_as_a_formula_does(text: str) -> None:
    made = csvs.text_cell(text)
    assert made.removeprefix("'") == text.removeprefix("'")
    assert not made.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_times_are_of_utc_plus_8() -> None:
    assert csvs.time_cell(1_793_491_199.9) == "2026-11-01 07:59:59"


class Pages:
    """Pages that count how many were asked for, and whether somebody has closed them."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_closed = False

    async def __call__(self) -> AsyncGenerator[Iterable[csvs.Row]]:
        try:
            for number in range(100):
                self.asked += 1
                yield [(f"{number}", 'a "quoted", text\nof two lines')]
        finally:
            self.is_closed = True


async def test_a_page_is_read_when_the_one_before_has_gone_out() -> None:
    """And a client that leaves ends the reading."""
    pages = Pages()
    request = Request({"type": "http", "headers": [], "method": "GET", "path": "/api/entries"})
    answer = await csvs.csv_answer(request, "x", ("number", "text"), pages())
    assert pages.asked == 1
    body = cast("AsyncGenerator[bytes]", answer.body_iterator)
    first = await anext(body)
    assert first == b'\xef\xbb\xbfnumber,text\r\n0,"a ""quoted"", text\nof two lines"\r\n'
    assert pages.asked == 1
    assert await anext(body) == b'1,"a ""quoted"", text\nof two lines"\r\n'
    assert pages.asked == 2
    await body.aclose()
    assert (pages.asked, pages.is_closed) == (2, True)


async def no_pages() -> AsyncGenerator[Iterable[csvs.Row]]:
    for page in ():
        yield page


async def test_a_file_without_a_page_has_its_header() -> None:
    request = Request({"type": "http", "headers": [], "method": "GET", "path": "/api/entries"})
    answer = await csvs.csv_answer(request, "x", ("number", "text"), no_pages())
    parts = [part async for part in cast("AsyncGenerator[bytes]", answer.body_iterator)]
    assert parts == [b"\xef\xbb\xbfnumber,text\r\n"]
