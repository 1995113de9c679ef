"""Accounts, transfers and entries in SQL."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from yuanjing.adapters.sql.bulk import Bulk, by_dialect
from yuanjing.adapters.sql.months import add_months, read_months, scan_months
from yuanjing.adapters.sql.tables import accounts, entries, transfers
from yuanjing.adapters.sql.work import Work, dump, insert, lockable
from yuanjing.domain.errors import AlreadyExistsError, InsufficientFundsError, InvalidInputError
from yuanjing.domain.ledger import (
    Balances,
    Entry,
    Reason,
    Transfer,
    accounts_of,
    available,
    held,
    may_go_negative,
    promotion,
)
from yuanjing.domain.money import Book
from yuanjing.domain.statements import AccountMonth, by_month, month_of
from yuanjing.ports.damage import Damaged, readable

_BALANCE_MAX = 2**63 - 1

_STATES = by_dialect(
    lambda among: lockable(
        sa.select(accounts.c.name, accounts.c.balance_nanos, accounts.c.version)
        .where(accounts.c.book == sa.bindparam("book"))
        .where(among(accounts.c.name))
        .order_by(accounts.c.name)
    ),
    "names",
)
_OPEN_ACCOUNT = insert(accounts).on_conflict_do_nothing()
_BALANCES = (
    sa.select(accounts.c.name, accounts.c.balance_nanos)
    .where(accounts.c.book == sa.bindparam("book"))
    .where(accounts.c.version > 0)
    .order_by(accounts.c.name)
)
_UNLIMITED = sa.select(accounts.c.name).where(accounts.c.book == sa.bindparam("book"), accounts.c.may_go_negative)
_TRANSFERS = by_dialect(lambda among: sa.select(transfers).where(among(transfers.c.id)), "ids")
_ALL_TRANSFERS = sa.select(transfers).order_by(transfers.c.seq)
_ADD_TRANSFER = Bulk(transfers)
_ADD_ENTRY = Bulk(entries)

# The limit is part of the statement that moves the money; a row that would break it is not returned.
_MOVE = """
UPDATE accounts SET balance_nanos = accounts.balance_nanos + m.delta, version = accounts.version + m.steps
FROM ({moves}) AS m
WHERE accounts.book = :book AND accounts.name = m.name
  AND (accounts.may_go_negative OR accounts.balance_nanos + m.delta >= 0)
RETURNING accounts.name, accounts.balance_nanos, accounts.version
"""
_MOVES = {
    "sqlite": sa.text(
        _MOVE.format(
            moves="SELECT value ->> 0 AS name, value ->> 1 AS delta, value ->> 2 AS steps FROM json_each(:moves)"
        )
    ),
    "postgresql": sa.text(
        _MOVE.format(
            moves="SELECT e ->> 0 AS name, (e ->> 1)::bigint AS delta, (e ->> 2)::bigint AS steps "
            "FROM json_array_elements(CAST(:moves AS json)) AS e"
        )
    ),
}

_ENTRY_COLUMNS = sa.select(
    entries,
    transfers.c.reason,
    transfers.c.created_at,
    transfers.c.hold_id,
    transfers.c.note,
).join(transfers, transfers.c.id == entries.c.transfer_id)
_ENTRIES_OF_ACCOUNT = (
    _ENTRY_COLUMNS.where(entries.c.book == sa.bindparam("book"))
    .where(entries.c.account == sa.bindparam("account"))
    .where(entries.c.version < sa.bindparam("below"))
    .order_by(entries.c.version.desc())
    .limit(sa.bindparam("limit"))
)
_ALL_ENTRIES = _ENTRY_COLUMNS.order_by(entries.c.book, entries.c.account, entries.c.version)

_State = tuple[int, int]
"""An account's balance and version."""


class SqlLedger:
    """See `yuanjing.ports.store.LedgerTable`.

    What accounts have is remembered from when they are locked: nobody else moves it until the unit of work ends.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._locked: dict[tuple[str, str], _State] = {}

    def post(self, transfers: Sequence[Transfer]) -> list[bool]:
        """See the port.

        The accounts are locked before the ids are looked up, so that two units of work that post the same transfer
        wait for each other.
        """
        states = self._lock_accounts(transfers)
        fresh, is_new = self._sort_out(transfers)
        if not fresh:
            return is_new
        lines = _entries_for(fresh, states)
        now = self._work.clock.unix()
        _ADD_TRANSFER.add(self._work, [_to_row_transfer(transfer, now) for transfer in fresh])
        _ADD_ENTRY.add(self._work, lines)
        self._move(lines)
        add_months(self._work, _months(fresh, lines, now))
        self._locked |= {(line["book"], line["account"]): _state_after(line) for line in lines}
        return is_new

    def lock_balances(
        self, book: Book, customer_ids: Collection[str], *, is_to_open: bool = False
    ) -> Mapping[str, Balances]:
        """See the port."""
        names = {name for id_ in customer_ids for name in accounts_of(id_)}
        states = self._lock(book.value, names)
        missing = names - states.keys()
        if missing and is_to_open:
            states |= self._open(book.value, missing)
        return {id_: _to_balances({name: state[0] for name, state in states.items()}, id_) for id_ in customer_ids}

    def _lock_accounts(self, transfers: Sequence[Transfer]) -> dict[tuple[str, str], _State]:
        """Open the accounts that are missing and lock all of them, in sorted order."""
        names: dict[str, set[str]] = {}
        for transfer in transfers:
            names.setdefault(transfer.book.value, set()).update((transfer.debit, transfer.credit))
        for book in sorted(names):
            wanted = {name for name in names[book] if (book, name) not in self._locked}
            missing = wanted - self._lock(book, wanted).keys()
            if missing:
                self._open(book, missing)
        return {(book, name): self._locked[book, name] for book in names for name in names[book]}

    def _open(self, book: str, names: Collection[str]) -> dict[str, _State]:
        """Open accounts and lock them, those too that somebody else has opened meanwhile."""
        self._work.do_many(_OPEN_ACCOUNT, [_new_account(book, name) for name in sorted(names)])
        return self._lock(book, names)

    def _lock(self, book: str, names: Collection[str]) -> dict[str, _State]:
        """Lock those of the accounts that exist, in sorted order, and remember what they have."""
        if not names:
            return {}
        rows = self._work.locked(_STATES[self._work.dialect], book=book, names=sorted(names))
        states: dict[str, _State] = {row.name: (row.balance_nanos, row.version) for row in rows}
        self._locked |= {(book, name): state for name, state in states.items()}
        return states

    def _sort_out(self, transfers: Sequence[Transfer]) -> tuple[list[Transfer], list[bool]]:
        """The transfers that are new, and for each given one whether it was."""
        known = self._transfers([transfer.id for transfer in transfers])
        fresh: list[Transfer] = []
        is_new: list[bool] = []
        for transfer in transfers:
            other = known.get(transfer.id)
            if other is None:
                known[transfer.id] = transfer
                fresh.append(transfer)
            elif other != transfer:
                raise AlreadyExistsError(f"transfer {transfer.id} exists with other content")
            is_new.append(other is None)
        return fresh, is_new

    def _move(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Bring the accounts to where their last entries say they are."""
        moves: dict[str, dict[str, list[int]]] = {}
        for line in lines:
            move = moves.setdefault(line["book"], {}).setdefault(line["account"], [0, 0, 0])
            move[0] += line["amount_nanos"]
            move[1] += 1
            move[2] = line["balance_after_nanos"]
        statement = _MOVES[self._work.conn.dialect.name]
        for book, of_book in moves.items():
            packed = dump([(name, move[0], move[1]) for name, move in of_book.items()])
            moved = {row.name: row.balance_nanos for row in self._work.rows(statement, book=book, moves=packed)}
            for name, move in of_book.items():
                if name not in moved:
                    raise InsufficientFundsError(name, -move[0])
                assert moved[name] == move[2], f"account {name} moved while it was locked"

    def _transfers(self, ids: Sequence[str]) -> dict[str, Transfer]:
        if not ids:
            return {}
        return {row.id: _from_row_transfer(row) for row in self._work.rows(_TRANSFERS[self._work.dialect], ids=ids)}

    def balances(self, book: Book, customer_id: str) -> Balances:
        """See the port."""
        names = accounts_of(customer_id)
        rows = self._work.rows(_STATES[self._work.dialect].plain, book=book.value, names=names)
        return _to_balances({row.name: row.balance_nanos for row in rows}, customer_id)

    def owned(self, book: Book, customer_ids: Collection[str]) -> Mapping[str, int]:
        """See the port."""
        names = {name: id_ for id_ in customer_ids for name in accounts_of(id_)}
        sums = dict.fromkeys(customer_ids, 0)
        for row in self._work.rows(_STATES[self._work.dialect].plain, book=book.value, names=sorted(names)):
            sums[names[row.name]] += row.balance_nanos
        return sums

    def account_balances(self, book: Book) -> Mapping[str, int]:
        """See the port."""
        return {row.name: row.balance_nanos for row in self._work.rows(_BALANCES, book=book.value)}

    def unlimited(self, book: Book) -> set[str]:
        """See the port."""
        return {row.name for row in self._work.rows(_UNLIMITED, book=book.value)}

    def entries(self, book: Book, account: str, *, before_version: int | None, limit: int) -> list[Entry]:
        """See the port."""
        below = _BALANCE_MAX if before_version is None else before_version
        rows = self._work.rows(_ENTRIES_OF_ACCOUNT, book=book.value, account=account, below=below, limit=limit)
        return [_from_row_entry(row) for row in rows]

    def months(self, book: Book, accounts: Collection[str], *, last: int) -> list[AccountMonth]:
        """See the port."""
        return read_months(self._work, book, accounts, last)

    def transfer(self, transfer_id: str) -> Transfer | None:
        """See the port."""
        return self._transfers([transfer_id]).get(transfer_id)

    def scan_entries(self) -> Iterator[Entry | Damaged]:
        """See the port."""
        for row in self._work.stream(_ALL_ENTRIES):
            yield readable(f"{row.book} {row.account} {row.version}", partial(_from_row_entry, row))

    def scan_months(self) -> Iterator[AccountMonth | Damaged]:
        """See the port."""
        yield from scan_months(self._work)

    def scan_transfers(self) -> Iterator[Transfer | Damaged]:
        """See the port."""
        for row in self._work.stream(_ALL_TRANSFERS):
            yield readable(row.id, partial(_from_row_transfer, row))


def _to_balances(found: Mapping[str, int], customer_id: str) -> Balances:
    """What a customer has; an account that is not there has nothing."""
    return Balances(
        available_nanos=found.get(available(customer_id), 0),
        held_nanos=found.get(held(customer_id), 0),
        promotion_nanos=found.get(promotion(customer_id), 0),
    )


def _entries_for(transfers: Sequence[Transfer], states: Mapping[tuple[str, str], _State]) -> list[dict[str, Any]]:
    """Both sides of each transfer, in order, as rows; refused as a whole if a limit would be broken."""
    current = dict(states)
    lines: list[dict[str, Any]] = []
    for transfer in transfers:
        book = transfer.book.value
        for account, amount in (
            (transfer.debit, -transfer.amount_nanos),
            (transfer.credit, transfer.amount_nanos),
        ):
            before, version = current[book, account]
            after = before + amount
            if after < 0 and not may_go_negative(account):
                raise InsufficientFundsError(account, transfer.amount_nanos)
            if abs(after) > _BALANCE_MAX:
                raise InvalidInputError(f"the balance of {account} would leave its range")
            current[book, account] = (after, version + 1)
            lines.append(
                {
                    "book": book,
                    "account": account,
                    "version": version + 1,
                    "transfer_id": transfer.id,
                    "amount_nanos": amount,
                    "balance_before_nanos": before,
                    "balance_after_nanos": after,
                }
            )
    return lines


def _months(transfers: Sequence[Transfer], lines: Sequence[Mapping[str, Any]], at: float) -> list[AccountMonth]:
    """What the lines, two of each transfer, add to the months of customers' accounts."""
    reasons = {transfer.id: transfer.reason for transfer in transfers}
    return by_month(
        (
            (Book(line["book"]), line["account"], reasons[line["transfer_id"]], line["amount_nanos"], line["version"])
            for line in lines
        ),
        month_of(at),
    )


def _state_after(line: Mapping[str, Any]) -> _State:
    return line["balance_after_nanos"], line["version"]


def _new_account(book: str, name: str) -> dict[str, Any]:
    return {
        "book": book,
        "name": name,
        "balance_nanos": 0,
        "version": 0,
        "may_go_negative": may_go_negative(name),
    }


def _to_row_transfer(transfer: Transfer, now: float) -> dict[str, Any]:
    return {
        "id": transfer.id,
        "book": transfer.book.value,
        "reason": transfer.reason.value,
        "amount_nanos": transfer.amount_nanos,
        "debit": transfer.debit,
        "credit": transfer.credit,
        "hold_id": transfer.hold_id,
        "corrects": transfer.corrects,
        "note": transfer.note,
        "created_at": now,
    }


def _from_row_transfer(row: sa.Row[Any]) -> Transfer:
    return Transfer(
        id=row.id,
        book=Book(row.book),
        reason=Reason(row.reason),
        amount_nanos=row.amount_nanos,
        debit=row.debit,
        credit=row.credit,
        hold_id=row.hold_id,
        corrects=row.corrects,
        note=row.note,
    )


def _from_row_entry(row: sa.Row[Any]) -> Entry:
    return Entry(
        transfer_id=row.transfer_id,
        book=Book(row.book),
        account=row.account,
        reason=Reason(row.reason),
        amount_nanos=row.amount_nanos,
        balance_before_nanos=row.balance_before_nanos,
        balance_after_nanos=row.balance_after_nanos,
        version=row.version,
        created_at=row.created_at,
        hold_id=row.hold_id,
        note=row.note,
    )
