"""Redeem codes: made by operators, redeemed by customers, each once."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from yuanjing.domain.audit import SYSTEM, Action, Actor
from yuanjing.domain.errors import InvalidInputError, NotFoundError, YuanjingError
from yuanjing.domain.money import AMOUNT_NANOS_MAX, Book, format_amount
from yuanjing.domain.promotions import Lot
from yuanjing.domain.redemptions import (
    ALPHABET,
    BODY_LENGTH,
    RedeemCode,
    RedeemCodeLimitError,
    WrongRedeemCodeError,
    make_code,
    read_code,
)
from yuanjing.kit.clock import Clock
from yuanjing.kit.digest import keyed_digest
from yuanjing.kit.ids import sortable_id
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.audit import record
from yuanjing.usecases.pages import page_size
from yuanjing.usecases.promotions import Gift, give_promotion, lots_now
from yuanjing.usecases.signin.failures import AddressFailures

BATCH_MAX = 10_000
DAYS_MAX = 36_500
NOTE_LENGTH_MAX = 200
_DAY_SECONDS = 86_400
_PURPOSE = "redeem"


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeWish:
    """What codes an operator wants; see `RedeemCode`."""

    amount_nanos: int
    count: int = 1
    expires_at: float | None = None
    money_days: int | None = None
    customer_max: int | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Redemption:
    """A code that a customer has redeemed, and the lot that it became, as it stands now."""

    code: RedeemCode
    lot: Lot


@dataclass(frozen=True, kw_only=True, slots=True)
class Redemptions:
    """What redeeming needs. Wrong codes are counted by customer and by address, in each process."""

    store: Store
    clock: Clock
    pepper: bytes = field(repr=False)
    of_customers: AddressFailures
    of_addresses: AddressFailures

    async def redeem(self, customer_id: str, address: str, text: str) -> Redemption:
        """Turn a code into promotion money of the live book; the same customer may do so again, to the same effect.

        Raises:
            MistypedRedeemCodeError: it is no code.
            WrongRedeemCodeError: it does not count.
            RedeemCodeLimitError: the customer has redeemed as many of its batch as one may.
            TooManyAttemptsError: the customer, or the address, has tried too many that do not count.
        """
        digest = _digest(self.pepper, read_code(text))
        self.of_customers.check(customer_id)
        self.of_addresses.check(address)
        try:
            return await self.store.write(lambda tx: _redeem(tx, digest, customer_id, self.clock.unix()))
        except WrongRedeemCodeError:
            self.of_customers.add(customer_id)
            self.of_addresses.add(address)
            raise

    async def list(self, customer_id: str, *, before: str | None = None, limit: int = 50) -> list[Redemption]:
        """What the customer has redeemed, newest first, below the code of this id.

        Raises:
            NotFoundError: the customer has redeemed no such code.
            InvalidInputError: the page is too large.
        """

        def work(tx: Tx) -> list[Redemption]:
            last = None
            if before is not None:
                code = tx.redeem_codes.get(before)
                if code is None or code.customer_id != customer_id or code.redeemed_at is None:
                    raise NotFoundError(f"there is no redemption {before[:40]!r}", param="before")
                last = (code.redeemed_at, code.id)
            codes = tx.redeem_codes.redeemed(customer_id, before=last, limit=page_size(limit))
            lots = lots_now(tx, Book.LIVE, customer_id, tx.ledger.balances(Book.LIVE, customer_id))
            return [Redemption(code=code, lot=_lot_of(tx, code, lots)) for code in codes]

        return await self.store.read(work)


def _redeem(tx: Tx, digest: bytes, customer_id: str, at: float) -> Redemption:
    code = tx.redeem_codes.lock(digest)
    if code is not None and code.customer_id == customer_id:
        balances = tx.ledger.lock_balances(Book.LIVE, [customer_id])[customer_id]
        return Redemption(code=code, lot=_lot_of(tx, code, lots_now(tx, Book.LIVE, customer_id, balances)))
    if code is None or not code.is_redeemable(at):
        raise WrongRedeemCodeError
    if code.customer_max is not None:
        tx.ledger.lock_balances(Book.LIVE, [customer_id], is_to_open=True)  # so that nobody else counts meanwhile
        if tx.redeem_codes.count_redeemed(code.batch_id, customer_id) >= code.customer_max:
            raise RedeemCodeLimitError(code.customer_max)
    expires_at = None if code.money_days is None else at + code.money_days * _DAY_SECONDS
    gift = Gift(
        customer_id=customer_id,
        book=Book.LIVE,
        amount_nanos=code.amount_nanos,
        expires_at=expires_at,
        cause=code.cause,
        note=code.note,
    )
    lot, _ = give_promotion(tx, gift, at)
    redeemed = replace(code, customer_id=customer_id, redeemed_at=at)
    tx.redeem_codes.save(redeemed)
    return Redemption(code=redeemed, lot=lot)


def _lot_of(tx: Tx, code: RedeemCode, now: Mapping[str, Lot]) -> Lot:
    lot = tx.promotions.by_cause(code.cause)
    assert lot is not None, f"the lot of {code.id}, which is redeemed, is not there"
    return now.get(lot.id, lot)


async def create_codes(
    store: Store, clock: Clock, pepper: bytes, wish: CodeWish, *, by: Actor = SYSTEM
) -> list[tuple[RedeemCode, str]]:
    """Make a batch of codes. The texts are with them: the only time that anyone sees these.

    Here and below `by` is who is recorded as having done it.

    Raises:
        InvalidInputError: something of it cannot be.
    """
    now = clock.unix()
    _check_wish(wish, now)
    batch_id = sortable_id("batch")
    made: list[tuple[RedeemCode, str]] = []
    for _ in range(wish.count):
        text = make_code("".join(secrets.choice(ALPHABET) for _ in range(BODY_LENGTH)))
        code = RedeemCode(
            id=sortable_id("code"),
            batch_id=batch_id,
            digest=_digest(pepper, read_code(text)),
            hint=text.partition("-")[0],
            amount_nanos=wish.amount_nanos,
            money_days=wish.money_days,
            customer_max=wish.customer_max,
            expires_at=wish.expires_at,
            note=wish.note.strip(),
            created_at=now,
        )
        made.append((code, text))

    def work(tx: Tx) -> None:
        tx.redeem_codes.add(*(code for code, _ in made))
        details = {"codes": len(made), "amount_each": format_amount(wish.amount_nanos)}
        record(tx, now, by, Action.CODES_CREATED, batch_id, details=details)

    await store.write(work)
    return made


async def list_codes(
    store: Store, *, batch_id: str | None = None, before: str | None = None, limit: int = 100
) -> list[RedeemCode]:
    """Codes, newest first, below the id `before`; only those of a batch if one is given.

    Raises:
        InvalidInputError: the page is too large.
    """
    return await store.read(lambda tx: tx.redeem_codes.list(batch_id=batch_id, before=before, limit=page_size(limit)))


async def find_code(store: Store, pepper: bytes, name: str) -> RedeemCode:
    """One code by its id or its text.

    Raises:
        NotFoundError: there is none.
    """

    def work(tx: Tx) -> RedeemCode:
        if name.startswith("code_"):
            found = tx.redeem_codes.get(name)
        else:
            try:
                found = tx.redeem_codes.lock(_digest(pepper, read_code(name)))
            except YuanjingError:
                found = None
        if found is None:
            raise NotFoundError("there is no such code", param="code")
        return found

    return await store.read(work)


async def revoke_codes(store: Store, clock: Clock, name: str, *, by: Actor = SYSTEM) -> int:
    """End codes that nobody has redeemed, by the id of one or of a batch; how many it ended.

    Raises:
        NotFoundError: there is no such code or batch.
    """

    def work(tx: Tx) -> int:
        if not tx.redeem_codes.list(batch_id=name, before=None, limit=1) and tx.redeem_codes.get(name) is None:
            raise NotFoundError(f"there is no code or batch {name[:40]!r}", param="code")
        now = clock.unix()
        revoked = tx.redeem_codes.revoke(name, now)
        if revoked:
            record(tx, now, by, Action.CODES_REVOKED, name, details={"codes": revoked})
        return revoked

    return await store.write(work)


def _digest(pepper: bytes, plain: str) -> bytes:
    return keyed_digest(pepper, f"{_PURPOSE}\0{plain}")


def _check_wish(wish: CodeWish, now: float) -> None:
    if not 0 < wish.amount_nanos <= AMOUNT_NANOS_MAX:
        raise InvalidInputError("the amount must be more than zero", param="amount")
    _check_range("count", wish.count, BATCH_MAX)
    _check_range("money_valid_days", wish.money_days, DAYS_MAX)
    _check_range("max_per_customer", wish.customer_max, BATCH_MAX)
    if wish.expires_at is not None and wish.expires_at <= now:
        raise InvalidInputError("the codes would have expired already", param="expires_at")
    if len(wish.note.strip()) > NOTE_LENGTH_MAX or not wish.note.strip().isprintable():
        raise InvalidInputError(f"note: at most {NOTE_LENGTH_MAX} printable characters", param="note")


def _check_range(name: str, value: int | None, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        raise InvalidInputError(f"{name}: from 1 to {most}", param=name)
