"""Audit logs to be tampered with: events, and what somebody with the database file could do to them."""

import math
import random
import struct
from dataclasses import dataclass, field

import pysqlite3

from yuanjing.domain.audit import Action, Actor, ActorKind, AuditEvent, details_of
from yuanjing.kit.ids import sortable_id
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.breaches import Findings
from yuanjing.usecases.verify_audit import check_audit

KEY = b"a key of the audit log, 32 bytes"
KINDS = list(ActorKind)
ACTIONS = list(Action)


def event(n: int, **changes: object) -> AuditEvent:
    """One of many that differ in everything."""
    values: dict[str, object] = {
        "id": sortable_id("aud"),
        "at": 1_800_000_000.0 + n / 3,
        "actor": Actor(kind=KINDS[n % 4], id=f"user {n % 7}", address=f"192.0.2.{n % 200}"),
        "action": ACTIONS[n % len(ACTIONS)],
        "subject": f"key_{n % 90}",
        "customer_id": f"cus_{n % 31}" if n % 3 else None,
        "details": details_of({"n": n, "note": "第一" * (n % 3)}),
    }
    return AuditEvent(**(values | changes))  # type: ignore[arg-type]


async def write_events(store: Store, count: int, *, batch: int = 200) -> None:
    """So many events, in units of work of `batch`."""
    for start in range(0, count, batch):

        def work(tx: Tx, numbers: range = range(start, min(start + batch, count))) -> None:
            for n in numbers:
                tx.audit.append(event(n))

        await store.write(work)


@dataclass(kw_only=True)
class AllFindings(Findings):
    """Keeps every breach."""

    told: list[tuple[str, str]] = field(default_factory=list)

    def add(self, check: str, subject: str, message: str) -> None:
        assert check == "audit"
        self.told.append((subject, message))

    @property
    def rows(self) -> set[str]:
        """The places of rows that something is wrong with."""
        return {subject.partition(" ")[0] for subject, _ in self.told if not subject.startswith("stream ")}


async def found_in(store: Store) -> AllFindings:
    """What verification finds in the log."""

    def work(tx: Tx) -> AllFindings:
        findings = AllFindings()
        check_audit(tx, findings)
        return findings

    return await store.read(work)


class Vandal:
    """Changes bytes in a SQLite file behind the program's back."""

    def __init__(self, path: object, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # no secret
        self.connection = pysqlite3.connect(str(path), isolation_level=None)
        self.connection.execute("PRAGMA ignore_check_constraints = on")
        self.connection.execute("PRAGMA synchronous = off")

    def close(self) -> None:
        self.connection.close()

    def columns(self, table: str) -> list[str]:
        return [row[1] for row in self.connection.execute(f"PRAGMA table_info({table})")]

    def change_a_byte(self, table: str, rowid: int, column: str) -> bool:
        """One byte of one value becomes another one; False if there is none, or no such row could be."""
        query = f"SELECT {column}, typeof({column}) FROM {table} WHERE rowid = ?"  # noqa: S608  # our own names
        value, kind = self.connection.execute(query.replace(column, f"CAST({column} AS BLOB)", 1), (rowid,)).fetchone()
        if kind in ("integer", "real"):
            (number,) = self.connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()  # noqa: S608  # the same
            form = "<q" if kind == "integer" else "<d"
            (after,) = struct.unpack(form, self._flipped(struct.pack(form, number)))
            if isinstance(after, float) and math.isnan(after):  # what SQLite keeps as NULL
                return False
            cast = "?"
        elif value:
            after, cast = self._flipped(value), "CAST(? AS TEXT)" if kind == "text" else "?"
        else:
            return False
        try:
            changed = self.connection.execute(f"UPDATE {table} SET {column} = {cast} WHERE rowid = ?", (after, rowid))  # noqa: S608  # the same
        except (pysqlite3.IntegrityError, OverflowError):
            return False
        return changed.rowcount == 1

    def _flipped(self, data: bytes) -> bytes:
        place = self.random.randrange(len(data))
        return data[:place] + bytes([data[place] ^ self.random.randrange(1, 256)]) + data[place + 1 :]
