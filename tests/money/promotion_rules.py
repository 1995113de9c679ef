"""Promotion money in the machine of `test_state_machine`: it is given, spent first, and collected when it expires."""

from collections import defaultdict

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from yuanjing.domain.money import Book
from yuanjing.domain.promotions import Lot, attribute
from yuanjing.usecases.promotions import Gift, expire_promotions, give_promotion


class PromotionRules(RuleBasedStateMachine):
    """Rules that the money machine has too; `run`, `start`, `do`, `world`, `clock` and `granted` are its own."""

    @rule(
        customer=st.sampled_from(["cus_a", "cus_a", "cus_b"]),
        amount=st.sampled_from([1, 300_000, 5_000_000]),
        seconds=st.sampled_from([None, 1, 30, 2000, 200_000]),
    )
    def give(self, customer, amount, seconds) -> None:
        if self.broken:
            return
        gift = Gift(
            customer_id=customer,
            book=Book.LIVE,
            amount_nanos=amount,
            expires_at=None if seconds is None else self.clock.unix() + seconds,
            cause=f"promo{next(self.world.numbers)}",
        )
        lot, is_new = self.run(self.world.store.write(lambda tx: give_promotion(tx, gift, self.clock.unix())))
        assert is_new
        assert lot.left_nanos == amount
        self.granted[Book.LIVE, customer] += amount

    @rule(steps=st.sampled_from([99, 99, 0, 1, 2]))
    def collect(self, steps) -> None:
        self.start(expire_promotions(self.world.store, self.clock), steps)

    def collected(self) -> dict[tuple[Book, str], int]:
        """What has expired of each customer's promotion money; also that lots and money agree to the nano-yuan."""
        expired: defaultdict[tuple[Book, str], int] = defaultdict(int)
        lots: defaultdict[tuple[Book, str], list[Lot]] = defaultdict(list)
        for lot in self.do(self.world.store.read(lambda tx: list(tx.promotions.scan()))):
            expired[lot.book, lot.customer_id] += lot.expired_nanos
            lots[lot.book, lot.customer_id].append(lot)
        for (book, customer), its in lots.items():
            total = self.do(self.world.store.read(lambda tx, of=(book, customer): _total(tx, *of)))
            assert sum(lot.left_nanos for lot in attribute(its, total)) == total
        return expired


def _total(tx, book: Book, customer: str) -> int:
    held = sum(hold.promotion_nanos for hold in tx.holds.open_of_customer(book, customer))
    return tx.ledger.balances(book, customer).promotion_nanos + held
