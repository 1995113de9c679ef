"""What payment methods tell of payments by themselves, and what operators confirm."""

from collections import deque
from dataclasses import replace

from yuanjing.domain.audit import SYSTEM, Action, Actor
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.money import format_amount
from yuanjing.domain.topups import KeptNotification, TopUp, TopUpState, Verdict
from yuanjing.kit.ids import sortable_id
from yuanjing.ports.payments import NotificationRefusedError, Payment, PaymentState
from yuanjing.ports.store import Tx
from yuanjing.usecases.audit import record
from yuanjing.usecases.topups.crediting import credit
from yuanjing.usecases.topups.parts import TopUpParts
from yuanjing.usecases.topups.reports import find

DEALT_WITH = frozenset({Verdict.CREDITED, Verdict.REPEATED, Verdict.IGNORED})
"""Telling it again would change nothing."""

EVIDENCE_LENGTH_MAX = 500
_NUMBER_LENGTH_MAX = 64
_HOUR_SECONDS = 3600.0


class Notifications:
    """Takes what is told of payments; every notification is kept with its verdict.

    Anybody can send forged ones, so of those only so many are kept.
    """

    def __init__(self, parts: TopUpParts) -> None:
        self._parts = parts
        self._forged: deque[float] = deque(maxlen=parts.policy.forged_per_hour)

    def acknowledgement(self, method_name: str) -> bytes:
        """The answer to a notification that was dealt with.

        Raises:
            NotFoundError: no such method, or it tells nothing.
        """
        method = self._parts.methods.get(method_name)
        if method is None or not method.accepts_notifications:
            raise NotFoundError("there is no such payment method")
        return method.acknowledgement

    async def take(self, method_name: str, raw: bytes) -> tuple[Verdict, str]:
        """Take what a payment method says of itself; what became of it, and why.

        Raises:
            NotFoundError: no such method, or it tells nothing.
            StoreUnavailableError: it could not be written; the method must tell it again.
        """
        method = self._parts.methods.get(method_name)
        if method is None or not method.accepts_notifications:
            raise NotFoundError("there is no such payment method")
        at = self._parts.clock.unix()
        try:
            payment = method.read_notification(raw)
        except NotificationRefusedError as error:
            if error.verdict is not Verdict.FORGED or self._has_room(at):
                kept = _kept(method_name, raw, error.number, error.verdict, error.message, at)
                await self._parts.store.write(lambda tx: tx.topups.keep(kept))
            return error.verdict, error.message
        return await self._parts.store.write(lambda tx: _take(tx, method_name, raw, payment, at))

    def _has_room(self, at: float) -> bool:
        """Whether one more forged notification may be kept."""
        forged = self._forged
        if len(forged) == forged.maxlen and at - forged[0] < _HOUR_SECONDS:
            return False
        forged.append(at)
        return True

    async def confirm(
        self, topup_id: str, evidence: str, *, amount_nanos: int | None = None, by: Actor = SYSTEM
    ) -> TopUp:
        """An operator has seen the money of an order (by id or number); repeating it changes nothing.

        `by` is who is recorded as having seen it.

        Raises:
            NotFoundError: there is no such order.
            InvalidInputError: no evidence, or the payment method sees its payments itself.
            PaymentMismatchError: see `credited`; the order is flagged.
        """
        if not evidence.strip() or len(evidence) > EVIDENCE_LENGTH_MAX:
            raise InvalidInputError(
                f"evidence: what shows the payment, at most {EVIDENCE_LENGTH_MAX} characters", param="evidence"
            )
        at = self._parts.clock.unix()

        def work(tx: Tx) -> TopUp:
            return self._confirm(tx, topup_id, evidence.strip(), amount_nanos, at, by)

        return await self._parts.store.write(work)

    def _confirm(self, tx: Tx, topup_id: str, evidence: str, amount_nanos: int | None, at: float, by: Actor) -> TopUp:
        topup = tx.topups.lock(find(tx, topup_id).number)
        assert topup is not None, topup_id
        method = self._parts.methods.get(topup.method)
        if method is None or not method.is_confirmed_by_hand:
            raise InvalidInputError(f"{topup.method} sees its payments itself; nobody may confirm them", param="topup")
        if amount_nanos not in (None, topup.amount_nanos):
            raise InvalidInputError("amount: it was ordered for another one", param="amount")
        if topup.state is TopUpState.CREDITED:
            return topup
        payment = Payment(
            number=topup.number,
            state=PaymentState.PAID,
            amount_nanos=topup.amount_nanos,
            upstream_id=topup.number,
        )
        verdict, reason = credit(tx, payment, topup.method, at)
        assert verdict is Verdict.CREDITED, reason
        tx.topups.keep(_kept(topup.method, evidence.encode(), topup.number, verdict, reason, at))
        done = tx.topups.lock(topup.number)
        assert done is not None, topup
        tx.topups.save(replace(done, note=evidence))
        details = {"amount": format_amount(done.amount_nanos), "method": done.method}
        record(tx, at, by, Action.TOPUP_CONFIRMED, done.id, customer_id=done.customer_id, details=details)
        return replace(done, note=evidence)

    async def prune(self, limit: int = 1000) -> int:
        """Forget old forged ones; how many."""
        before = self._parts.clock.unix() - self._parts.policy.forged_seconds
        return await self._parts.store.write(lambda tx: tx.topups.prune(Verdict.FORGED, before, limit))


def _take(tx: Tx, method_name: str, raw: bytes, payment: Payment, at: float) -> tuple[Verdict, str]:
    if payment.state is PaymentState.PAID:
        verdict, reason = credit(tx, payment, method_name, at)
    else:
        verdict, reason = Verdict.IGNORED, f"it says {payment.state}"
    tx.topups.keep(_kept(method_name, raw, payment.number, verdict, reason, at))
    return verdict, reason


def _kept(method: str, raw: bytes, number: str, verdict: Verdict, reason: str, at: float) -> KeptNotification:
    return KeptNotification(
        id=sortable_id("not"),
        method=method,
        raw=raw,
        number=number[:_NUMBER_LENGTH_MAX],
        verdict=verdict,
        reason=reason,
        received_at=at,
    )
