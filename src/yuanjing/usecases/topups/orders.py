"""Top-ups from the order to the balance: begun, asked for, closed. What is told of them is in `notifications`."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import replace

from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.money import Book, format_amount
from yuanjing.domain.topups import FEN_NANOS, PayWay, TopUp, TopUpState, closed
from yuanjing.kit.ids import BASE62, sortable_id
from yuanjing.ports.payments import (
    Payment,
    PaymentMethod,
    PaymentOrder,
    PaymentRefusedError,
    PaymentStart,
    PaymentState,
    PaymentUnavailableError,
)
from yuanjing.ports.store import Tx
from yuanjing.ports.topups import TopUpFilter
from yuanjing.usecases.topups.crediting import credit
from yuanjing.usecases.topups.parts import TopUpParts, each

_NUMBER_LENGTH = 28
_SPOKEN = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SPOKEN_LENGTH = 10
_LIST_MAX = 200
_HOUR_SECONDS = 3600.0


class TooManyOrdersError(InvalidInputError):
    """The customer has too many orders that are not paid, or has made too many within an hour."""

    code = "rate_limit_exceeded"

    def __init__(self, message: str, retry_after_seconds: float = 60.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TopUps:
    """What customers and time do with top-ups."""

    def __init__(self, parts: TopUpParts) -> None:
        self._parts = parts

    @property
    def methods(self) -> Mapping[str, PaymentMethod]:
        """The payment methods that are set up, by name."""
        return self._parts.methods

    @property
    def amounts_nanos(self) -> tuple[int, int]:
        """The least and the most of one top-up."""
        return self._parts.policy.amount_min_nanos, self._parts.policy.amount_max_nanos

    async def start(
        self, customer_id: str, method_name: str, way: PayWay, amount_nanos: int, *, client_address: str = ""
    ) -> tuple[TopUp, PaymentStart]:
        """Order a top-up. The order is there before the payment method hears of it; what fails then closes it.

        Raises:
            NotFoundError: no such customer or payment method.
            InvalidInputError: the way or the amount cannot be used.
            TooManyOrdersError: too many are open, or were ordered within the last hour.
            PaymentRefusedError, PaymentUnavailableError: the payment method does not begin it.
        """
        parts, now = self._parts, self._parts.clock.unix()
        method = parts.methods.get(method_name)
        if method is None:
            raise NotFoundError(f"there is no payment method {method_name[:40]!r}", param="method")
        if way not in method.ways:
            raise InvalidInputError(f"way: {method_name} knows {', '.join(sorted(method.ways))}", param="way")
        self._check_amount(amount_nanos)
        seconds = method.order_seconds or parts.policy.order_seconds
        topup = TopUp(
            id=sortable_id("top"),
            number=_new_number(way),
            book=Book.LIVE,
            customer_id=customer_id,
            method=method_name,
            way=way,
            amount_nanos=amount_nanos,
            state=TopUpState.CREATED,
            created_at=now,
            expires_at=now + seconds,
            next_at=now + (seconds if method.is_confirmed_by_hand else parts.policy.first_check_seconds),
        )
        await parts.store.write(lambda tx: self._add(tx, topup))
        try:
            begun = await method.start(self._order(topup, client_address))
        except PaymentRefusedError:  # nobody can pay it
            await parts.store.write(lambda tx: _close(tx, topup.number, parts.clock.unix()))
            raise
        return topup, begun

    def _check_amount(self, amount_nanos: int) -> None:
        policy = self._parts.policy
        if amount_nanos % FEN_NANOS:
            raise InvalidInputError("amount: payments have whole fen, at most two decimals", param="amount")
        if not policy.amount_min_nanos <= amount_nanos <= policy.amount_max_nanos:
            low, high = format_amount(policy.amount_min_nanos), format_amount(policy.amount_max_nanos)
            raise InvalidInputError(f"amount: from {low} to {high} CNY", param="amount")

    def _add(self, tx: Tx, topup: TopUp) -> None:
        if tx.customers.lock(topup.customer_id) is None:  # or several at once would each find room for one
            raise NotFoundError(f"there is no customer {topup.customer_id[:40]!r}", param="customer")
        most = self._parts.policy.open_max
        where = TopUpFilter(customer_id=topup.customer_id, state=TopUpState.CREATED, limit=most)
        if len(tx.topups.list(where)) >= most:
            raise TooManyOrdersError(f"pay or close one of the {most} top-ups that are open first")
        lately = tx.topups.list(TopUpFilter(customer_id=topup.customer_id, limit=self._parts.policy.per_hour))
        if len(lately) == self._parts.policy.per_hour:
            wait = min(one.created_at for one in lately) + _HOUR_SECONDS - topup.created_at
            if wait > 0:
                raise TooManyOrdersError(f"at most {len(lately)} top-ups can be ordered within an hour", wait)
        tx.topups.add(topup)

    def _order(self, topup: TopUp, client_address: str) -> PaymentOrder:
        parts = self._parts
        return PaymentOrder(
            number=topup.number,
            way=topup.way,
            amount_nanos=topup.amount_nanos,
            subject=parts.subject,
            expires_at=topup.expires_at,
            return_url=parts.return_url(topup.id),
            notify_url=parts.notify_url(topup.method),
            client_address=client_address,
        )

    async def list(self, customer_id: str, *, before: str | None = None, limit: int = 50) -> list[TopUp]:
        """A customer's top-ups, newest first; those before the one with the id `before`, if it is given.

        Raises:
            InvalidInputError: the limit is out of bounds.
        """
        if not 1 <= limit <= _LIST_MAX:
            raise InvalidInputError(f"limit: from 1 to {_LIST_MAX}", param="limit")
        where = TopUpFilter(customer_id=customer_id, before=before, limit=limit)
        return await self._parts.store.read(lambda tx: tx.topups.list(where))

    async def show(self, customer_id: str, topup_id: str, *, ask: bool = False) -> TopUp:
        """One of a customer's top-ups; with `ask` the payment method is asked first, as while the page is open.

        It is asked as often as the policy allows, by all processes together, and not waited for any longer.

        Raises:
            NotFoundError: there is none.
        """
        topup = await self._own(customer_id, topup_id)
        now = self._parts.clock.unix()
        if not ask or not self._may_ask(topup, now):
            return topup
        claimed = await self._parts.store.write(lambda tx: self._claim(tx, topup.number, now))
        if claimed is None:
            return await self._own(customer_id, topup_id)
        try:
            async with asyncio.timeout(self._parts.policy.ask_wait_seconds):
                payment = await self._ask(claimed, now)
        except TimeoutError:
            payment = None
        return await self._write(claimed, payment, is_sweep=False)

    async def close(self, customer_id: str, topup_id: str) -> TopUp:
        """End an order that the customer does not want to pay any more; a payment that is there counts.

        Where the payment method cannot say that nobody will pay it, it is looked at once more after its expiry.

        Raises:
            NotFoundError: there is none.
            PaymentUnavailableError, PaymentRefusedError: the method does not close it.
        """
        topup = await self._own(customer_id, topup_id)
        if topup.state is not TopUpState.CREATED:
            return topup
        method = self._parts.methods.get(topup.method)
        if method is None:
            raise PaymentUnavailableError(f"there is no payment method {topup.method!r} any more")
        payment = await method.close(topup.number)
        at = self._parts.clock.unix()
        return await self._parts.store.write(lambda tx: self._end(tx, topup, payment, at))

    def _end(self, tx: Tx, topup: TopUp, payment: Payment, at: float) -> TopUp:
        if payment.state is PaymentState.PAID:
            credit(tx, payment, topup.method, at)
        now = _locked(tx, topup)
        if now.state is TopUpState.CREATED:
            now = closed(now, at)
            if payment.state is not PaymentState.CLOSED:
                now = replace(now, next_at=now.expires_at + self._parts.policy.late_seconds)
            tx.topups.save(now)
        return now

    async def sweep(self, limit: int = 100) -> int:
        """Ask for orders that are due, and close those that nobody has paid; how many were looked at."""
        due = await self._parts.store.read(lambda tx: tx.topups.due(self._parts.clock.unix(), limit))
        await each(due, self._look, self._parts.policy.asked_at_once)
        return len(due)

    async def _look(self, topup: TopUp) -> None:
        payment = await self._ask(topup, self._parts.clock.unix())
        await self._write(topup, payment, is_sweep=True)

    async def _own(self, customer_id: str, topup_id: str) -> TopUp:
        topup = await self._parts.store.read(lambda tx: tx.topups.get(topup_id))
        if topup is None or topup.customer_id != customer_id:
            raise NotFoundError("There is no such top-up", param="topup")
        return topup

    def _may_ask(self, topup: TopUp, now: float) -> bool:
        method = self._parts.methods.get(topup.method)
        if method is None or method.is_confirmed_by_hand or topup.state is not TopUpState.CREATED:
            return False
        return topup.asked_at is None or not 0 <= now - topup.asked_at < self._parts.policy.ask_seconds

    def _claim(self, tx: Tx, number: str, now: float) -> TopUp | None:
        """The order, if it is this caller's turn to ask for it."""
        topup = tx.topups.lock(number)
        if topup is None or not self._may_ask(topup, now):
            return None
        claimed = replace(topup, asked_at=now)
        tx.topups.save(claimed)
        return claimed

    async def _ask(self, topup: TopUp, now: float) -> Payment | None:
        """What the payment method says of an order; None if it cannot be asked.

        After its expiry an order is closed where it was made, so that nobody can pay it any more.
        """
        method = self._parts.methods.get(topup.method)
        if method is None:
            return None
        try:
            return await (method.close if now >= topup.expires_at else method.query)(topup.number)
        except (PaymentUnavailableError, PaymentRefusedError):
            return None

    async def _write(self, topup: TopUp, payment: Payment | None, *, is_sweep: bool) -> TopUp:
        at = self._parts.clock.unix()
        return await self._parts.store.write(lambda tx: self._settle(tx, topup, payment, at, is_sweep=is_sweep))

    def _settle(self, tx: Tx, topup: TopUp, payment: Payment | None, at: float, *, is_sweep: bool) -> TopUp:
        """Write what the payment method has said; only the sweep decides when it is asked again."""
        policy = self._parts.policy
        if payment is not None and payment.state is PaymentState.PAID:
            credit(tx, payment, topup.method, at)
        now = _locked(tx, topup)
        is_closed = payment is not None and payment.state is PaymentState.CLOSED
        is_over = payment is not None and at >= now.expires_at + policy.late_seconds
        if now.state is TopUpState.CREATED and (is_closed or is_over):
            now = closed(now, at)
            tx.topups.save(now)
        elif is_sweep and now.next_at is not None:
            is_done = now.state is not TopUpState.CREATED and (is_closed or is_over)
            pause = None if is_done else at + policy.pause_seconds(now.checks)
            now = replace(now, checks=now.checks + 1, next_at=pause)
            tx.topups.save(now)
        return now


def _locked(tx: Tx, topup: TopUp) -> TopUp:
    now = tx.topups.lock(topup.number)
    assert now is not None, topup
    return now


def _close(tx: Tx, number: str, at: float) -> None:
    topup = tx.topups.lock(number)
    if topup is not None:
        tx.topups.save(closed(topup, at))


def _new_number(way: PayWay) -> str:
    """Long enough that nobody guesses one; for a transfer, short enough that people can copy it by hand."""
    alphabet, length = (_SPOKEN, _SPOKEN_LENGTH) if way is PayWay.TRANSFER else (BASE62, _NUMBER_LENGTH)
    return "YJ" + "".join(secrets.choice(alphabet) for _ in range(length))
