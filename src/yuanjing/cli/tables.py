"""Text for people: tables, amounts and local times."""

import datetime as dt
import sys
from collections.abc import Iterable, Sequence

from yuanjing.domain.money import format_amount

CURRENCY = "CNY"
_WIDTH = 10_000
"""Nothing is cut off: ids must be whole to be of use, and pipes have no width."""


def write(*lines: str) -> None:
    """Print lines."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print a table; columns whose name ends in `#` are numbers. Without rows, print `empty`."""
    found = list(rows)
    if not found:
        write(empty)
        return
    from rich.console import Console  # noqa: PLC0415  # `serve` prints no table
    from rich.table import Table  # noqa: PLC0415  # the same

    view = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        view.add_column(column.rstrip("#"), justify="right" if column.endswith("#") else "left", no_wrap=True)
    for row in found:
        view.add_row(*row)
    console = Console(width=_WIDTH, highlight=False, markup=False, emoji=False)
    console.print(view, crop=False)


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line; empty values are left out."""
    kept = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in kept), default=0)
    write(*(f"{name:<{width}}  {value}" for name, value in kept))


def amount(nanos: int) -> str:
    """`12.50 CNY`."""
    return f"{format_amount(nanos)} {CURRENCY}"


def plain_amount(nanos: int) -> str:
    """`12.50`, for JSON."""
    return format_amount(nanos)


def local_time(at: float | dt.datetime | None) -> str:
    """A time on this machine's clock, ISO 8601; empty for None."""
    if at is None:
        return ""
    moment = at if isinstance(at, dt.datetime) else dt.datetime.fromtimestamp(at, dt.UTC)
    return moment.astimezone().isoformat(timespec="seconds")


def api_time(at: float | dt.datetime | None) -> str | None:
    """A time in UTC as RFC 3339, for JSON."""
    if at is None:
        return None
    moment = at if isinstance(at, dt.datetime) else dt.datetime.fromtimestamp(at, dt.UTC)
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
