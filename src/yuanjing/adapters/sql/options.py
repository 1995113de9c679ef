"""How a store treats its database."""

from dataclasses import dataclass, field
from typing import Literal

Synchronous = Literal["off", "normal", "full", "extra"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreOptions:
    """Limits of a store. Durations are seconds.

    Attributes:
        synchronous: SQLite: when a commit is on the disk; `full` survives power loss, `off` is for tests.
        readers: SQLite: how many threads read.
        busy_seconds: SQLite: how long to wait for another process's transaction, per try.
        wal_bytes_max: SQLite: the size from which the write-ahead log is cut back, even if readers must wait.
        pool_size: PostgreSQL: connections at most.
        pool_seconds: PostgreSQL: how long to wait for a free connection.
        connect_seconds: PostgreSQL: how long to try to connect.
        lock_seconds: PostgreSQL: how long one statement waits for a lock.
        statement_seconds: PostgreSQL: how long one statement runs.
        idle_seconds: PostgreSQL: how long a transaction may stand idle before the server ends it.
        tries: how often a unit of work is run at most when the database asks for a repetition.
        audit_key: seals the audit log; without one everybody can make its seals.
    """

    synchronous: Synchronous = "full"
    readers: int = 2
    busy_seconds: float = 3.0
    wal_bytes_max: int = 64 * 2**20
    pool_size: int = 8
    pool_seconds: float = 5.0
    connect_seconds: float = 2.0
    lock_seconds: float = 2.0
    statement_seconds: float = 10.0
    idle_seconds: float = 30.0
    tries: int = 5
    audit_key: bytes = field(default=b"", repr=False)
