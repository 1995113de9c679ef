"""Money that goes back to the payer.

It leaves the customer's balance before the payment method is asked: nobody can spend it meanwhile. If the method says
that it will not move, it comes back. One process at a time asks: who asks claims the refund for longer than that takes.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from yuanjing.domain import ledger
from yuanjing.domain.audit import SYSTEM, Action, Actor
from yuanjing.domain.errors import InsufficientFundsError, InvalidInputError
from yuanjing.domain.money import format_amount
from yuanjing.domain.topups import FEN_NANOS, Refund, RefundState, TopUp
from yuanjing.kit.ids import sortable_id
from yuanjing.ports.payments import PaymentMethod, PaymentRefusedError, PaymentUnavailableError
from yuanjing.ports.store import Topic, Tx
from yuanjing.usecases.audit import record
from yuanjing.usecases.topups.parts import TopUpParts, each
from yuanjing.usecases.topups.reports import find

_MOVED_LATE = "moved after it had failed"


class Refunds:
    """Gives money of top-ups back, all of it or a part."""

    def __init__(self, parts: TopUpParts, on_late_move: Callable[[TopUp, Refund], None] | None = None) -> None:
        """`on_late_move` is told of refunds that moved though they had failed; their top-ups are flagged besides."""
        self._parts = parts
        self._on_late_move = on_late_move

    async def start(self, name: str, amount_nanos: int | None, note: str, *, by: Actor = SYSTEM) -> Refund:
        """Take the money out of the balance, then ask the payment method to move it; the sweep asks again if need be.

        `name` is the top-up's id or number; without an amount all goes back that still can. `by` is who is recorded as
        having asked for it.

        Raises:
            NotFoundError: no such top-up.
            InvalidInputError: more than can still go back, or no whole fen.
            InsufficientFundsError: the customer has spent it.
        """
        now = self._parts.clock.unix()
        topup = await self._parts.store.read(lambda tx: find(tx, name))
        refund = Refund(
            id=sortable_id("ref"),
            topup_id=topup.id,
            number=sortable_id("R").replace("_", ""),
            amount_nanos=topup.refundable_nanos if amount_nanos is None else amount_nanos,
            state=RefundState.REQUESTED,
            created_at=now,
            next_at=now + self._parts.policy.refund_claim_seconds,
            note=note,
        )
        await self._parts.store.write(lambda tx: _take_out(tx, refund, by))
        return await self._advance(refund, is_first=True)

    async def sweep(self, limit: int = 100) -> int:
        """Go on with refunds whose end is not known; how many were looked at."""
        due = await self._parts.store.read(lambda tx: tx.topups.due_refunds(self._parts.clock.unix(), limit))
        await each(due, self._go_on, self._parts.policy.asked_at_once)
        return len(due)

    async def _go_on(self, refund: Refund) -> None:
        at = self._parts.clock.unix()
        until = at + self._parts.policy.refund_claim_seconds
        claimed = await self._parts.store.write(lambda tx: _claim(tx, refund, at, until))
        if claimed is not None:
            await self._advance(claimed, is_first=False)

    async def _advance(self, refund: Refund, *, is_first: bool) -> Refund:
        topup = await self._parts.store.read(lambda tx: tx.topups.get(refund.topup_id))
        assert topup is not None, refund
        method = self._parts.methods.get(topup.method)
        state, refusal = RefundState.REQUESTED, ""
        if method is not None:
            state, refusal = await self._ask(method, topup, refund, is_first=is_first)
        at = self._parts.clock.unix()
        try:
            done = await self._parts.store.write(lambda tx: self._settle(tx, refund, state, refusal, at))
        except InsufficientFundsError:
            done = await self._parts.store.write(lambda tx: _moved_late(tx, refund, at, can_take=False))
        if state is RefundState.DONE and _MOVED_LATE in done.note and self._on_late_move is not None:
            self._on_late_move(topup, done)
        return done

    async def _ask(
        self, method: PaymentMethod, topup: TopUp, refund: Refund, *, is_first: bool
    ) -> tuple[RefundState, str]:
        """Where the refund stands, and why it is refused.

        An earlier attempt may have moved it, whatever is refused to this one: then only a refusal counts that speaks of
        the payment.
        """
        try:
            async with asyncio.timeout(self._parts.policy.refund_seconds):
                try:
                    has_moved = await method.refund(topup.number, refund.number, refund.amount_nanos, refund.note)
                except PaymentRefusedError as error:
                    if is_first or error.is_of_payment:
                        return RefundState.FAILED, error.message
                    return RefundState.REQUESTED, ""
                has_moved = has_moved or await method.find_refund(topup.number, refund.number)
        except (PaymentUnavailableError, PaymentRefusedError, TimeoutError):
            return RefundState.REQUESTED, ""  # whether it has moved is not known: the same number is asked for again
        return RefundState.DONE if has_moved else RefundState.REQUESTED, ""

    def _settle(self, tx: Tx, refund: Refund, state: RefundState, refusal: str, at: float) -> Refund:
        topup = _locked(tx, refund.topup_id)
        now = tx.topups.lock_refund(refund.id)
        assert now is not None, refund
        if now.state is RefundState.FAILED and state is RefundState.DONE:
            return _moved_late(tx, now, at, can_take=True)
        if now.state is not RefundState.REQUESTED:
            return now
        if state is RefundState.REQUESTED:
            pause = self._parts.policy.pause_seconds(now.checks)
            done = replace(now, checks=now.checks + 1, next_at=at + pause)
        else:
            done = replace(now, state=state, ended_at=at, next_at=None, note=_joined(now.note, refusal))
        tx.topups.save_refund(done)
        if state is RefundState.FAILED:
            tx.topups.save(replace(topup, refunded_nanos=topup.refunded_nanos - now.amount_nanos))
            tx.ledger.post(
                [ledger.return_refund(topup.book, topup.customer_id, now.amount_nanos, method=topup.method, id_=now.id)]
            )
            tx.signals.emit(Topic.FUNDS, f"{topup.book}:{topup.customer_id}", at)
        return done


def _claim(tx: Tx, refund: Refund, at: float, until: float) -> Refund | None:
    """The refund, if nobody else asks about it; nobody else will until then."""
    now = tx.topups.lock_refund(refund.id)
    if now is None or now.next_at is None or now.next_at > at:
        return None
    claimed = replace(now, next_at=until)
    tx.topups.save_refund(claimed)
    return claimed


def _moved_late(tx: Tx, refund: Refund, at: float, *, can_take: bool) -> Refund:
    """A refund has moved whose money was given back to the balance: operators are told, and it is taken again.

    Raises:
        InsufficientFundsError: the balance has it no more, and `can_take`.
    """
    topup = _locked(tx, refund.topup_id)
    now = tx.topups.lock_refund(refund.id)
    assert now is not None, refund
    if now.state is not RefundState.FAILED:
        return now
    amount = now.amount_nanos
    is_taken = can_take and amount <= topup.refundable_nanos
    end = "the money was taken again" if is_taken else "the money is still to be taken"
    done = replace(now, note=_joined(now.note, f"{_MOVED_LATE}; {end}"))
    topup = replace(topup, flag=_joined(topup.flag, f"refund {now.number} {_MOVED_LATE}; {end}"))
    if is_taken:
        done = replace(done, state=RefundState.DONE, ended_at=at)
        topup = replace(topup, refunded_nanos=topup.refunded_nanos + amount)
        tx.ledger.post([ledger.retake_refund(topup.book, topup.customer_id, amount, method=topup.method, id_=now.id)])
        tx.signals.emit(Topic.FUNDS, f"{topup.book}:{topup.customer_id}", at)
    tx.topups.save_refund(done)
    tx.topups.save(topup)
    return done


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _take_out(tx: Tx, refund: Refund, by: Actor) -> None:
    topup = _locked(tx, refund.topup_id)
    amount = refund.amount_nanos
    if amount <= 0 or amount % FEN_NANOS or amount > topup.refundable_nanos:
        most = format_amount(topup.refundable_nanos)
        raise InvalidInputError(f"amount: whole fen, more than zero, at most {most} CNY", param="amount")
    tx.topups.add_refund(refund)
    tx.topups.save(replace(topup, refunded_nanos=topup.refunded_nanos + amount))
    tx.ledger.post([ledger.refund(topup.book, topup.customer_id, amount, method=topup.method, id_=refund.id)])
    details = {"refund": refund.id, "amount": format_amount(amount), "method": topup.method}
    customer_id = topup.customer_id
    record(tx, refund.created_at, by, Action.REFUND_ASKED, topup.id, customer_id=customer_id, details=details)


def _locked(tx: Tx, topup_id: str) -> TopUp:
    topup = tx.topups.lock(find(tx, topup_id).number)
    assert topup is not None, topup_id
    return topup
