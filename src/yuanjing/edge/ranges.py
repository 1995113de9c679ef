"""Which parts of a file a request asks for, and whether it has the file already (RFC 9110, sections 13 and 14)."""

import re
from collections.abc import Sequence
from email.utils import formatdate, parsedate_to_datetime

_RANGES_MAX = 16
"""A request for more parts gets the whole file."""
_DIGITS_MAX = 15
_RANGE = re.compile(rf"([0-9]{{0,{_DIGITS_MAX}}})-([0-9]{{0,{_DIGITS_MAX}}})", re.ASCII)
_TAG = re.compile(r'(?:W/)?("[^"]*")')

Span = tuple[int, int]
"""The first byte and the one after the last."""


def find_spans(header: str | None, size: int) -> Sequence[Span] | None:
    """What a `Range` header asks for of a file of this size; None if the whole file is to be sent.

    A header that nobody can understand, or that asks for more than all, counts as not sent. An empty answer means that
    nothing of what it asks for is there.
    """
    unit, _, text = (header or "").partition("=")
    parts = text.split(",")
    if unit.strip().lower() != "bytes" or len(parts) > _RANGES_MAX:
        return None
    spans: list[Span] = []
    for part in parts:
        found = _RANGE.fullmatch(part.strip())
        if found is None or found[0] == "-":
            return None
        first, last = found[1], found[2]
        if first and last and int(last) < int(first):
            return None
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last) + 1, size) if first and last else size
        if start < end:
            spans.append((start, end))
    return None if sum(end - start for start, end in spans) > size else spans


def http_date(at: float) -> str:
    """A Unix time as HTTP writes it."""
    return formatdate(int(at), usegmt=True)


def is_same_file(if_range: str | None, tag: str, modified_at: float) -> bool:
    """Whether a range may be answered with a range: the client's other parts are of the same file."""
    return if_range is None or if_range.strip() in (tag, http_date(modified_at))


def has_it(if_none_match: str | None, if_modified_since: str | None, tag: str, modified_at: float) -> bool:
    """Whether the client has the file as it is."""
    if if_none_match is not None:
        return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)
    if if_modified_since is None:
        return False
    try:
        return int(modified_at) <= parsedate_to_datetime(if_modified_since).timestamp()
    except (ValueError, OverflowError):
        return False
