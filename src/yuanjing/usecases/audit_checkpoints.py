"""Signed checkpoints of the audit log, to be kept where nobody who reaches the database reaches them.

Whoever can write to the database and has once kept an old head of a stream can put it back, and cut off what came
after it. A checkpoint says how far the streams had come at some time, so it shows that too.
"""

from collections.abc import Mapping
from typing import cast

from yuanjing.domain.audit import AuditHead
from yuanjing.domain.errors import InvalidInputError
from yuanjing.kit.canonicaljson import canonical_json, read_canonical
from yuanjing.kit.clock import Clock
from yuanjing.kit.signing import SIGNATURE_BYTES, from_base64url, is_signed_by, to_base64url
from yuanjing.ports.damage import Damaged
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.breaches import Findings
from yuanjing.usecases.receipts import ALGORITHM, Receipts
from yuanjing.usecases.verify import VerifyReport
from yuanjing.usecases.verify_audit import CHECK, check_audit

_KIND = "yuanjing.audit.checkpoint.v1"
CHECKPOINT_BYTES_MAX = 64 * 1024


async def make_checkpoint(receipts: Receipts) -> bytes:
    """How far the streams have come, signed by the key of receipts, whose public half is published with it."""
    await receipts.keep_key()
    heads = await receipts.store.read(_heads)
    statement = {
        "kind": _KIND,
        "at": str(int(receipts.clock.unix())),
        "streams": [
            {"stream": str(head.stream), "number": str(head.number), "hash": head.hash.hex()} for head in heads
        ],
    }
    signature = {
        "algorithm": ALGORITHM,
        "key_id": receipts.key.id,
        "value": to_base64url(receipts.key.sign(canonical_json(statement))),
    }
    return canonical_json({"checkpoint": statement, "signature": signature})


async def verify_audit(store: Store, clock: Clock, *, checkpoint: bytes | None = None) -> VerifyReport:
    """Check the audit log alone, and whether it still is what a checkpoint says that it was.

    Raises:
        InvalidInputError: that is no checkpoint, or no key of this platform has signed it.
    """

    def work(tx: Tx) -> Findings:
        findings = Findings()
        check_audit(tx, findings)
        if checkpoint is not None:
            _check_against(tx, findings, _places(tx, checkpoint))
        return findings

    findings = await store.read(work)
    return VerifyReport(
        checked=dict(findings.checked),
        breaches=findings.breaches,
        breaches_total=findings.total,
        checked_at=clock.unix(),
    )


def _heads(tx: Tx) -> list[AuditHead]:
    return [head for head in tx.audit.heads() if isinstance(head, AuditHead)]


def _check_against(tx: Tx, findings: Findings, places: Mapping[int, tuple[int, bytes]]) -> None:
    heads = {head.stream: head for head in tx.audit.heads() if not isinstance(head, Damaged)}
    for stream, (number, expected) in places.items():
        findings.count("audit checkpoint")
        head = heads.get(stream)
        if number == 0 or (head is not None and number < head.base_number):
            continue  # nothing was there, or it was removed when its time was over
        is_base = head is not None and number == head.base_number
        found = head.base_hash if head is not None and is_base else tx.audit.hash_of(stream, number)
        if found != expected:
            message = f"row {number} is gone, or another than when the checkpoint was made"
            findings.add(CHECK, f"stream {stream}", message)


def _places(tx: Tx, data: bytes) -> dict[int, tuple[int, bytes]]:
    """The last row of each stream, by a checkpoint that is true."""
    keys = {key.id: key.public_key for key in tx.receipt_keys.list()}
    try:
        whole = cast("Mapping[str, Mapping[str, object]]", read_canonical(data.removesuffix(b"\n")))
        statement, signature = whole["checkpoint"], cast("Mapping[str, str]", whole["signature"])
        value = from_base64url(signature["value"], SIGNATURE_BYTES)
        is_true = is_signed_by(keys[signature["key_id"]], value, canonical_json(statement))
        streams = cast("list[Mapping[str, str]]", statement["streams"])
        places = {int(one["stream"]): (int(one["number"]), bytes.fromhex(one["hash"])) for one in streams}
    except (ValueError, TypeError, LookupError, AttributeError):
        is_true, statement, places = False, {}, {}
    if not is_true or statement["kind"] != _KIND:
        message = "it is no checkpoint, something in it was changed, or no key of this platform has signed it"
        raise InvalidInputError(f"checkpoint: {message}", param="checkpoint")
    return places
