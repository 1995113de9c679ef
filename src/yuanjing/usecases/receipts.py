"""Signed receipts: making them of what the store has, and checking them without it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from yuanjing.domain.artifacts import Artifact
from yuanjing.domain.errors import InvalidInputError, NotFoundError, YuanjingError
from yuanjing.domain.receipts import RECEIPT_BYTES_MAX, ReceiptError, Recomputed, recompute, state_task, state_usage
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import VideoTask
from yuanjing.kit.canonicaljson import canonical_json, read_canonical
from yuanjing.kit.clock import Clock
from yuanjing.kit.signing import (
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    SigningKey,
    from_base64url,
    is_signed_by,
    key_id,
    to_base64url,
)
from yuanjing.ports.receipts import ReceiptKey
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.usages import UsageExplanation, explain_found

ALGORITHM = "Ed25519"
_KEYS_MAX = 10_000
_TASK_ID = re.compile(r"[0-9]{18}", re.ASCII)


class TaskNotEndedError(YuanjingError):
    """What a task will have cost is not known yet."""

    code = "video_not_ready"

    def __init__(self) -> None:
        super().__init__("The task has not ended yet; there is a receipt once it has", param="task_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipts:
    """What receipts are made with.

    Attributes:
        key: signs; its public half is in the store since `keep_key`.
    """

    store: Store
    clock: Clock
    key: SigningKey

    async def keep_key(self) -> None:
        """Put the public key where everybody can read it; before the first receipt is given out."""
        key = ReceiptKey(id=self.key.id, public_key=self.key.public_key, created_at=self.clock.unix())
        await self.store.write(lambda tx: tx.receipt_keys.add(key))

    async def of_usage(self, usage_id: str, *, customer_id: str | None = None) -> bytes:
        """The receipt of a usage record; with a customer, only of its own.

        Raises:
            NotFoundError: there is no such record.
            DamagedError: it, or its price, is not what it was when it was posted.
        """
        found = await self.store.read(lambda tx: explain_found(tx, usage_id, customer_id))
        return self._signed(state_usage(found.posted, found.price, found.charge))

    async def of_task(self, task_id: str, *, customer_id: str | None = None) -> bytes:
        """The receipt of a task that has ended; with a customer, only of its own.

        Raises:
            NotFoundError: there is no such task.
            TaskNotEndedError: it is under way.
            DamagedError: its usage record, or its price, is not what it was.
        """

        def work(tx: Tx) -> tuple[VideoTask, list[Artifact], UsageExplanation | None]:
            task = tx.tasks.get(task_id)
            if task is None or customer_id not in (None, task.customer_id) or _is_hidden(task, customer_id):
                raise NotFoundError(f"there is no task {task_id[:40]!r}", param="task_id")
            if not task.state.is_final:
                raise TaskNotEndedError
            ids = [id_ for id_ in (task.video_artifact_id, task.cover_artifact_id) if id_ is not None]
            files = [file for file in map(tx.artifacts.get, ids) if file is not None]
            used = explain_found(tx, task.usage_id, None) if task.state is TaskState.SUCCEEDED else None
            return task, files, used

        task, files, used = await self.store.read(work)
        charging = None if used is None else (used.posted, used.price, used.charge)
        return self._signed(state_task(task, [_file(file) for file in files], charging))

    async def public_keys(self) -> Sequence[ReceiptKey]:
        """All keys that receipts of this platform have been signed with, the newest first."""
        return await self.store.read(lambda tx: tx.receipt_keys.list())

    def _signed(self, statement: Mapping[str, object]) -> bytes:
        recompute(statement)  # what we would not accept ourselves is not signed
        signature = {
            "algorithm": ALGORITHM,
            "key_id": self.key.id,
            "value": to_base64url(self.key.sign(canonical_json(statement))),
        }
        return canonical_json({"receipt": dict(statement), "signature": signature})


async def receipt_of(receipts: Receipts, id_: str) -> bytes:
    """The receipt of a usage record, or of a task, which has another form of id; the key is published with it.

    Raises:
        NotFoundError, TaskNotEndedError, DamagedError: see `Receipts`.
    """
    made = await (receipts.of_task(id_) if _TASK_ID.fullmatch(id_) else receipts.of_usage(id_))
    await receipts.keep_key()
    return made


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedReceipt:
    """A true receipt.

    Attributes:
        key_id: whose signature it has.
        recomputed: its charge, from its own counts and rates.
    """

    statement: Mapping[str, object]
    key_id: str
    recomputed: Recomputed


def check_receipt(data: bytes, keys: Mapping[str, bytes]) -> CheckedReceipt:
    """Whether these bytes are a receipt that the owner of one of these public keys (by id) has signed.

    One line feed may follow. The charge is done again from the receipt's own counts and rates.

    Raises:
        ReceiptError: they are not, or its figures do not belong together.
    """
    if len(data) > RECEIPT_BYTES_MAX:
        raise ReceiptError(f"it is larger than {RECEIPT_BYTES_MAX} bytes, as no receipt is")
    try:
        whole = read_canonical(data.removesuffix(b"\n"))
    except ValueError as error:
        raise ReceiptError(f"it is no receipt: {error}") from None
    statement, signature = _parts(whole)
    signer = signature["key_id"]
    if signer not in keys:
        raise ReceiptError(f"it is signed by the key {signer[:40]!r}, which is none of those given")
    try:
        value = from_base64url(signature["value"], SIGNATURE_BYTES)
        is_true = is_signed_by(keys[signer], value, canonical_json(statement))
    except ValueError as error:
        raise ReceiptError(f"its signature cannot be checked: {error}") from None
    if not is_true:
        raise ReceiptError("its signature is wrong: something in it was changed, or another has made it")
    return CheckedReceipt(statement=statement, key_id=signer, recomputed=recompute(statement))


def _parts(whole: object) -> tuple[Mapping[str, object], Mapping[str, str]]:
    """The statement, and the fields of the signature."""
    found = _object(whole, "receipt", "signature")
    signature = _object(found["signature"], "algorithm", "key_id", "value")
    if not isinstance(found["receipt"], dict) or not all(isinstance(text, str) for text in signature.values()):
        raise _not_of_form()
    if signature["algorithm"] != ALGORITHM:
        raise ReceiptError(f"its signature is not made by {ALGORITHM}")
    return cast("Mapping[str, object]", found["receipt"]), cast("Mapping[str, str]", signature)


def _object(value: object, *names: str) -> Mapping[str, object]:
    """An object of exactly these names."""
    found = cast("Mapping[str, object]", value) if isinstance(value, dict) else None
    if found is None or set(found) != set(names):
        raise _not_of_form()
    return found


def _not_of_form() -> ReceiptError:
    return ReceiptError("it is no receipt: an object of receipt and signature")


def key_document(keys: Sequence[ReceiptKey]) -> dict[str, object]:
    """The public keys as a set of JSON Web Keys (RFC 7517, RFC 8037)."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": ALGORITHM,
                "alg": "EdDSA",
                "use": "sig",
                "kid": key.id,
                "x": to_base64url(key.public_key),
            }
            for key in keys
        ]
    }


def read_key_document(document: object) -> dict[str, bytes]:
    """The way back, by id; keys of another kind are passed over.

    Raises:
        InvalidInputError: it is no such set, or a key's id is not made of the key.
    """
    found: dict[str, bytes] = {}
    try:
        for key in cast("Sequence[Mapping[str, str]]", cast("Mapping[str, object]", document)["keys"])[:_KEYS_MAX]:
            if (key["kty"], key.get("crv")) == ("OKP", ALGORITHM):
                found[key["kid"]] = from_base64url(key["x"], PUBLIC_KEY_BYTES)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise InvalidInputError("the public keys are not a set of JSON Web Keys", param="public_key") from None
    if any(id_ != key_id(public_key) for id_, public_key in found.items()):
        raise InvalidInputError("the id of a public key is not made of that key", param="public_key")
    if not found:
        raise InvalidInputError("there is no public key of Ed25519 among those given", param="public_key")
    return found


def _is_hidden(task: VideoTask, customer_id: str | None) -> bool:
    return customer_id is not None and task.deleted_at is not None


def _file(artifact: Artifact) -> Mapping[str, object]:
    facts = artifact.facts
    return {
        "kind": artifact.kind.value,
        "media_type": facts.media_type,
        "size_bytes": facts.size_bytes,
        "sha256": artifact.sha256,
    }
