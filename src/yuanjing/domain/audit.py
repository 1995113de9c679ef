"""The audit log: who has changed what, chained by hashes, so that whatever is changed afterwards is seen.

The log is a fixed number of **streams**. In each one every row carries a hash over itself and the hash of the row
before; the **head** of a stream says where it begins and ends, under a seal that only the platform's secret makes.
A changed, removed, added or moved row does not fit its neighbours, and a stream that was made again from some row on,
or cut at its end, does not fit its head. All events of one customer are in one stream, in the order of their commits.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from yuanjing.kit.canonicaljson import canonical_json
from yuanjing.kit.digest import keyed_digest

STREAMS = 8
"""Whoever records waits for others who record in the same stream, until these have committed."""
NO_HASH = bytes(32)
"""What the first row of a stream carries as the hash before it."""
NO_SEAL = b""
"""Of a head that did not hold when it was extended: what was broken once must not look whole again."""
TEXT_LENGTH_MAX = 200
"""The longest text in the details of an event."""
_NO_KEY = b"no key"


class ActorKind(StrEnum):
    """Who acts."""

    OPERATOR = "operator"
    CUSTOMER = "customer"
    VISITOR = "visitor"
    SYSTEM = "system"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who acts, and from where.

    Attributes:
        id: of an operator the user of the machine, of a customer its id; empty for others.
        address: of a customer or visitor the IP address, of an operator the machine; empty if there is none.
    """

    kind: ActorKind
    id: str = ""
    address: str = ""


SYSTEM = Actor(kind=ActorKind.SYSTEM)
"""The platform by itself."""


class Action(StrEnum):
    """What was done; the list is closed."""

    CUSTOMER_CREATED = "customer.created"
    CUSTOMER_DISABLED = "customer.disabled"
    CUSTOMER_ENABLED = "customer.enabled"
    CUSTOMER_UNLOCKED = "customer.unlocked"
    MONEY_GRANTED = "money.granted"
    SESSION_BEGUN = "session.begun"
    SIGN_IN_FAILED = "sign_in.failed"
    SESSIONS_ENDED = "sessions.ended"
    PASSWORD_SET = "password.set"  # noqa: S105  # no password
    PASSWORD_REMOVED = "password.removed"  # noqa: S105  # no password
    TOTP_ADDED = "totp.added"
    TOTP_REMOVED = "totp.removed"
    RECOVERY_CODES_RENEWED = "recovery_codes.renewed"
    MOBILE_CHANGED = "mobile.changed"
    KEY_CREATED = "key.created"
    KEY_CHANGED = "key.changed"
    KEY_REVOKED = "key.revoked"
    CODES_CREATED = "redeem_codes.created"
    CODES_REVOKED = "redeem_codes.revoked"
    PROVIDER_CHANGED = "provider.changed"
    OFFER_CHANGED = "offer.changed"
    PRICE_SET = "price.set"
    CHANNEL_ADDED = "channel.added"
    CHANNEL_CHANGED = "channel.changed"
    SEALING_KEY_ROTATED = "sealing_key.rotated"
    SEALING_KEYS_RETIRED = "sealing_keys.retired"
    TASK_CANCEL_ASKED = "task.cancel_asked"
    TOPUP_CONFIRMED = "topup.confirmed"
    REFUND_ASKED = "refund.asked"
    BILL_COMPARED = "bill.compared"
    SCHEMA_MIGRATED = "schema.migrated"
    LOG_PURGED = "audit.purged"


SECURITY_ACTIONS = (
    Action.CUSTOMER_CREATED,
    Action.CUSTOMER_DISABLED,
    Action.CUSTOMER_ENABLED,
    Action.CUSTOMER_UNLOCKED,
    Action.SESSION_BEGUN,
    Action.SIGN_IN_FAILED,
    Action.SESSIONS_ENDED,
    Action.PASSWORD_SET,
    Action.PASSWORD_REMOVED,
    Action.TOTP_ADDED,
    Action.TOTP_REMOVED,
    Action.RECOVERY_CODES_RENEWED,
    Action.MOBILE_CHANGED,
    Action.KEY_CREATED,
    Action.KEY_CHANGED,
    Action.KEY_REVOKED,
    Action.REFUND_ASKED,
)
"""What customers see of themselves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEvent:
    """One thing that was done.

    Attributes:
        at: Unix time.
        subject: the id of what it was done to.
        customer_id: whom it concerns, if it concerns one.
        details: a small object in canonical JSON; no secret, no whole mobile number, nobody's content.
    """

    id: str
    at: float
    actor: Actor
    action: Action
    subject: str
    customer_id: str | None
    details: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRow:
    """An event in its place; `hash` is over it and the hash of the row before."""

    stream: int
    number: int
    hash: bytes
    event: AuditEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditHead:
    """Where a stream begins and ends.

    Attributes:
        base_number, base_hash: the last row that was removed when its time was over; 0 and zeros if none was.
        number, hash: the last row; those of the base if there is none.
        seal: keyed digest of all the others.
    """

    stream: int
    base_number: int = 0
    base_hash: bytes = NO_HASH
    number: int = 0
    hash: bytes = NO_HASH
    seal: bytes = NO_SEAL


def details_of(values: Mapping[str, str | int | Sequence[str]]) -> str:
    """Details as they are kept; long texts are cut."""
    return canonical_json({name: _short(value) for name, value in values.items()}).decode()


def stream_of(event: AuditEvent) -> int:
    """Where an event belongs: with those of its customer, else with those of its subject."""
    return hashlib.sha256((event.customer_id or event.subject).encode()).digest()[0] % STREAMS


def chained(before: bytes, stream: int, number: int, event: AuditEvent) -> bytes:
    """The hash of the row that has this event in this place: SHA-256 over the canonical JSON of everything in it.

    Raises:
        ValueError: it cannot be an event of ours.
    """
    content = {
        "before": before.hex(),
        "stream": str(stream),
        "number": str(number),
        "id": event.id,
        "at": repr(event.at),
        "actor": [event.actor.kind.value, event.actor.id, event.actor.address],
        "action": event.action.value,
        "subject": event.subject,
        "customer": [] if event.customer_id is None else [event.customer_id],
        "details": event.details,
    }
    return hashlib.sha256(canonical_json(content)).digest()


def first_heads(key: bytes) -> list[AuditHead]:
    """The heads of all streams, before the first event of all."""
    return [_sealed(key, AuditHead(stream=stream)) for stream in range(STREAMS)]


def is_sealed(key: bytes, head: AuditHead) -> bool:
    """Whether it was the owner of the key who wrote this head."""
    return head.seal == _seal(key, head)


def extended(key: bytes, head: AuditHead, events: Sequence[AuditEvent]) -> tuple[AuditHead, list[AuditRow]]:
    """The head after these events of its stream, and their rows."""
    rows: list[AuditRow] = []
    number, before = head.number, head.hash
    for event in events:
        number += 1
        before = chained(before, head.stream, number, event)
        rows.append(AuditRow(stream=head.stream, number=number, hash=before, event=event))
    return _resealed(key, head, replace(head, number=number, hash=before)), rows


def shortened(key: bytes, head: AuditHead, last_removed: AuditRow) -> AuditHead:
    """The head after the rows up to this one have been removed."""
    return _resealed(key, head, replace(head, base_number=last_removed.number, base_hash=last_removed.hash))


def _resealed(key: bytes, head: AuditHead, after: AuditHead) -> AuditHead:
    return _sealed(key, after) if is_sealed(key, head) else replace(after, seal=NO_SEAL)


def _sealed(key: bytes, head: AuditHead) -> AuditHead:
    return replace(head, seal=_seal(key, head))


def _seal(key: bytes, head: AuditHead) -> bytes:
    content = {
        "stream": str(head.stream),
        "base": [str(head.base_number), head.base_hash.hex()],
        "last": [str(head.number), head.hash.hex()],
    }
    return keyed_digest(key or _NO_KEY, canonical_json(content))


def _short(value: str | int | Sequence[str]) -> object:
    if isinstance(value, int):
        return str(value) if isinstance(value, bool) else value
    if isinstance(value, str):
        return value[:TEXT_LENGTH_MAX]
    return [one[:TEXT_LENGTH_MAX] for one in value]
