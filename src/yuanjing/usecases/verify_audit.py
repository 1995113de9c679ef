"""Check of the audit log: every row fits the one before, every stream fits its head, and no head was forged."""

from dataclasses import dataclass

from yuanjing.domain.audit import STREAMS, AuditHead, AuditRow, chained
from yuanjing.ports.damage import Damaged
from yuanjing.ports.store import Tx
from yuanjing.usecases.breaches import Findings

CHECK = "audit"


@dataclass(kw_only=True, slots=True)
class _Place:
    """How far a stream was read."""

    number: int
    hash: bytes


def check_audit(tx: Tx, findings: Findings) -> None:
    """Go through the whole log, which is streamed."""
    heads = _heads(tx, findings)
    places: dict[int, _Place] = {}
    for row in findings.sound(CHECK, tx.audit.scan()):
        findings.count(CHECK)
        head = heads.get(row.stream)
        if head is None:
            findings.add(CHECK, _name(row), "its stream has no head")
            continue
        place = places.setdefault(row.stream, _Place(number=head.base_number, hash=head.base_hash))
        _check_row(findings, place, row)
    for stream, head in heads.items():
        place = places.get(stream, _Place(number=head.base_number, hash=head.base_hash))
        if (place.number, place.hash) != (head.number, head.hash):
            message = f"its head says that it ends with row {head.number}, but it ends otherwise, with {place.number}"
            findings.add(CHECK, f"stream {stream}", message)


def _heads(tx: Tx, findings: Findings) -> dict[int, AuditHead]:
    heads: dict[int, AuditHead] = {}
    rows = tx.audit.heads()
    for head in rows:
        if isinstance(head, Damaged):
            findings.add(CHECK, head.id, f"its head cannot be read: {head.message}")
            continue
        heads[head.stream] = head
        if not tx.audit.is_sealed(head):
            message = "its head was not written by this platform, or with another key; see docs/operations/audit.md"
            findings.add(CHECK, f"stream {head.stream}", message)
    if rows and len(rows) != STREAMS:
        findings.add(CHECK, "heads", f"there are {len(rows)}, not {STREAMS}")
    return heads


def _check_row(findings: Findings, place: _Place, row: AuditRow) -> None:
    """Look at a row, and go on from it as it is, so that what is wrong is told once."""
    try:
        expected = chained(place.hash, row.stream, row.number, row.event)
    except ValueError as error:
        expected = str(error).encode()
    if row.number != place.number + 1:
        findings.add(CHECK, _name(row), f"the row before it is {place.number}: rows were removed, added or moved")
    elif row.hash != expected:
        findings.add(CHECK, _name(row), "it, or the row before it, is not what was recorded")
    place.number, place.hash = row.number, row.hash


def _name(row: AuditRow) -> str:
    return f"{row.stream}/{row.number} {row.event.id}"
