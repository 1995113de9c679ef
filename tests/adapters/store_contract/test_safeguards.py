"""What databases themselves refuse, so that a mistake in the code above is an error and no wrong balance."""

import pytest
import sqlalchemy as sa
from tests.adapters.store_contract.builders import TEST, grant, place

from yuanjing.adapters.sql import ledger as sql_ledger
from yuanjing.domain import ledger
from yuanjing.domain.errors import InsufficientFundsError, StoreUnavailableError
from yuanjing.ports.store import Store, Tx


async def test_the_statement_that_moves_money_keeps_the_limit(sql_store: Store, monkeypatch: pytest.MonkeyPatch):
    """Also where nobody has looked before."""
    await sql_store.write(lambda tx: tx.ledger.post([grant(amount=100), place(amount=1, hold="hold_0")]))
    monkeypatch.setattr(sql_ledger, "may_go_negative", lambda _: True)
    with pytest.raises(InsufficientFundsError):
        await sql_store.write(lambda tx: tx.ledger.post([place(amount=100, hold="hold_1")]))
    balances = await sql_store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))
    assert (balances.available_nanos, balances.held_nanos) == (99, 1)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts SET balance_nanos = -1 WHERE name = :account",
        (
            "INSERT INTO transfers (id, book, reason, amount_nanos, debit, credit, note, created_at)"
            " SELECT id, book, reason, amount_nanos, debit, credit, note, created_at FROM transfers"
        ),
        "UPDATE entries SET balance_after_nanos = balance_after_nanos + 1 WHERE account = :account",
        "UPDATE transfers SET amount_nanos = 0",
        "UPDATE transfers SET credit = debit",
        "DELETE FROM transfers",
    ],
    ids=["below zero", "an id twice", "a sum", "no amount", "one account", "entries without a transfer"],
)
async def test_no_statement_breaks_the_ledger(sql_store: Store, statement: str):
    await sql_store.write(lambda tx: tx.ledger.post([grant(amount=100)]))

    def work(tx: Tx) -> None:
        tx.ledger._work.conn.execute(sa.text(statement), {"account": ledger.available("cus_a")})  # type: ignore[attr-defined]

    with pytest.raises((sa.exc.IntegrityError, StoreUnavailableError)):  # an id twice is first tried again
        await sql_store.write(work)
    assert (await sql_store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 100
