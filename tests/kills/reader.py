"""Reading the tables as they are, with no code of the product in between; every value as text, nothing for NULL."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pysqlite3
from tests.support.postgres import PostgresServer

Rows = Iterable[list[str]]


class Reader:
    """Runs one SELECT at a time."""

    def __init__(self, read: Callable[[str], Rows], hex_of: str) -> None:
        self.rows = read
        self.hex_of = hex_of
        """A column of bytes as hexadecimal digits in lower case; `%s` stands for its name."""

    def numbers(self, statement: str) -> list[int]:
        """The first row's columns."""
        return [int(value or 0) for value in next(iter(self.rows(statement)))]


def sqlite_reader(path: Path) -> Reader:
    """Of a SQLite file that others write."""

    def read(statement: str) -> Iterator[list[str]]:
        with contextlib.closing(pysqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            for row in connection.execute(statement):
                yield ["" if one is None else str(one) for one in row]

    return Reader(read, "lower(hex(%s))")


def postgres_reader(server: PostgresServer, database: str) -> Reader:
    """Of a database of our own server."""

    def read(statement: str) -> Rows:
        return (line.split("|") for line in server.sql(statement, database).splitlines())

    return Reader(read, "encode(%s, 'hex')")
