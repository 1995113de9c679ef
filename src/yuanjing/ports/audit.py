"""The rows of the audit log."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

from yuanjing.domain.audit import Action, AuditEvent, AuditHead, AuditRow
from yuanjing.ports.damage import Damaged


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """Which events are wanted, newest first; None does not restrict.

    Attributes:
        actor: a kind of actor, or an actor's id.
        actions: only these; none for all.
        since: Unix time, from which on.
        before: only those below this id.
    """

    limit: int
    actor: str | None = None
    actions: Collection[Action] = ()
    subject: str | None = None
    customer_id: str | None = None
    since: float | None = None
    before: str | None = None


class AuditTable(Protocol):
    """Events, and the chains that they are in; append-only.

    The store has the key that heads are sealed with.
    """

    def append(self, event: AuditEvent) -> None:
        """Record what this unit of work does.

        It is written when the unit of work ends, as its last step: the lock of its stream's head, for which others
        who record wait, is so never held for long, and never while another lock is waited for.
        """
        ...

    def list(self, where: AuditFilter) -> list[AuditEvent]:
        """Events, newest first.

        Raises:
            DamagedError: one cannot be read.
        """
        ...

    def count(self, customer_id: str, action: Action, *, since: float) -> int:
        """How many such events of a customer there are from then on."""
        ...

    def heads(self) -> "list[AuditHead | Damaged]":
        """The heads in the order of their streams; none before the first event of all."""
        ...

    def is_sealed(self, head: AuditHead) -> bool:
        """Whether the head has the seal of this store's key."""
        ...

    def hash_of(self, stream: int, number: int) -> bytes | None:
        """The hash that this row carries; None if there is none."""
        ...

    def scan(self) -> Iterator[AuditRow | Damaged]:
        """Every row by stream and number, streamed; for `verify`."""
        ...

    def purge(self, before: float, limit: int) -> int:
        """Remove the oldest rows of each stream that are all older, at most so many of each; how many.

        The head keeps the hash of the last one that was removed, so what is left still fits. Of a stream whose head is
        not sealed nothing is removed.
        """
        ...
