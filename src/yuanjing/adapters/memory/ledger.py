"""The ledger in memory."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from yuanjing.adapters.memory.journal import Journal
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
from yuanjing.kit.clock import Clock

_BALANCE_MAX = 2**63 - 1


class MemoryLedger:
    """See `yuanjing.ports.store.LedgerTable`."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._transfers: dict[str, Transfer] = {}
        self._entries: dict[tuple[Book, str], list[Entry]] = {}
        self._months: dict[tuple[Book, str, int, Reason], AccountMonth] = {}
        self._newest: dict[tuple[Book, str], int] = {}

    def post(self, transfers: Sequence[Transfer]) -> list[bool]:
        """See the port."""
        fresh: dict[str, Transfer] = {}
        is_new: list[bool] = []
        for transfer in transfers:
            known = self._transfers.get(transfer.id) or fresh.get(transfer.id)
            if known is None:
                fresh[transfer.id] = transfer
            elif known != transfer:
                raise AlreadyExistsError(f"transfer {transfer.id} exists with other content")
            is_new.append(known is None)
        entries = self._entries_for(list(fresh.values()))
        for transfer in fresh.values():
            self._journal.put(self._transfers, transfer.id, transfer)
        for entry in entries:
            key = (entry.book, entry.account)
            if key not in self._entries:
                self._journal.put(self._entries, key, [])
            self._journal.append(self._entries[key], entry)
        self._add_months(entries)
        return is_new

    def _add_months(self, entries: Sequence[Entry]) -> None:
        """An account's months never go back."""
        lines = ((one.book, one.account, one.reason, one.amount_nanos, one.version) for one in entries)
        for added in by_month(lines, month_of(self._clock.unix())):
            account = (added.book, added.account)
            month = max(added.month, self._newest.get(account, 0))
            self._journal.put(self._newest, account, month)
            key = (*account, month, added.reason)
            moved = replace(added, month=month)
            known = self._months.get(key)
            self._journal.put(self._months, key, moved if known is None else known.joined(moved))

    def _entries_for(self, transfers: Sequence[Transfer]) -> list[Entry]:
        """Both sides of each transfer, in order; refused as a whole if a limit would be broken."""
        now = self._clock.unix()
        state: dict[tuple[Book, str], tuple[int, int]] = {}
        entries: list[Entry] = []
        for transfer in transfers:
            for account, amount in (
                (transfer.debit, -transfer.amount_nanos),
                (transfer.credit, transfer.amount_nanos),
            ):
                before, version = state.get((transfer.book, account)) or self._state(transfer.book, account)
                after = before + amount
                if after < 0 and not may_go_negative(account):
                    raise InsufficientFundsError(account, transfer.amount_nanos)
                if abs(after) > _BALANCE_MAX:
                    raise InvalidInputError(f"the balance of {account} would leave its range")
                state[transfer.book, account] = (after, version + 1)
                entries.append(
                    Entry(
                        transfer_id=transfer.id,
                        book=transfer.book,
                        account=account,
                        reason=transfer.reason,
                        amount_nanos=amount,
                        balance_before_nanos=before,
                        balance_after_nanos=after,
                        version=version + 1,
                        created_at=now,
                        hold_id=transfer.hold_id,
                        note=transfer.note,
                    )
                )
        return entries

    def _state(self, book: Book, account: str) -> tuple[int, int]:
        rows = self._entries.get((book, account))
        return (rows[-1].balance_after_nanos, rows[-1].version) if rows else (0, 0)

    def lock_balances(
        self,
        book: Book,
        customer_ids: Collection[str],
        *,
        is_to_open: bool = False,  # noqa: ARG002  # units of work never overlap, so there is nothing to lock
    ) -> Mapping[str, Balances]:
        """See the port."""
        return {customer_id: self.balances(book, customer_id) for customer_id in customer_ids}

    def balances(self, book: Book, customer_id: str) -> Balances:
        """See the port."""
        return Balances(
            available_nanos=self._state(book, available(customer_id))[0],
            held_nanos=self._state(book, held(customer_id))[0],
            promotion_nanos=self._state(book, promotion(customer_id))[0],
        )

    def owned(self, book: Book, customer_ids: Collection[str]) -> Mapping[str, int]:
        """See the port."""
        return {id_: sum(self._state(book, name)[0] for name in accounts_of(id_)) for id_ in customer_ids}

    def account_balances(self, book: Book) -> Mapping[str, int]:
        """See the port."""
        return {account: self._state(book, account)[0] for its, account in sorted(self._entries) if its == book}

    def unlimited(self, book: Book) -> set[str]:
        """See the port."""
        return {account for its, account in self._entries if its == book and may_go_negative(account)}

    def entries(self, book: Book, account: str, *, before_version: int | None, limit: int) -> list[Entry]:
        """See the port."""
        rows = self._entries.get((book, account), [])
        if before_version is not None:
            rows = rows[: max(before_version - 1, 0)]
        return rows[::-1][:limit]

    def months(self, book: Book, accounts: Collection[str], *, last: int) -> list[AccountMonth]:
        """See the port."""
        return [one for one in self.scan_months() if one.book == book and one.account in accounts and one.month <= last]

    def transfer(self, transfer_id: str) -> Transfer | None:
        """See the port."""
        return self._transfers.get(transfer_id)

    def scan_entries(self) -> Iterator[Entry]:
        """See the port."""
        for key in sorted(self._entries):
            yield from list(self._entries[key])

    def scan_months(self) -> Iterator[AccountMonth]:
        """See the port."""
        yield from [self._months[key] for key in sorted(self._months)]

    def scan_transfers(self) -> Iterator[Transfer]:
        """See the port."""
        yield from list(self._transfers.values())
