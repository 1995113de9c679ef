"""What must be true in the end, worked out from what customers and providers have seen.

Nothing of the program's arithmetic is used: prices are recomputed with fractions, balances by replaying every transfer.
`verify` is asked besides, and must find nothing.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction

from tests.simulation.goods import CUSTOMERS, INPUT_NANOS, METHOD, OUTPUT_NANOS, SECOND_NANOS
from tests.simulation.people import Chat, People
from tests.simulation.processes import GatewaySlot, Place, Surroundings
from tests.simulation.provider import Provider, Served

from yuanjing.domain.tasks import TaskState
from yuanjing.domain.usage import PostedUsage, UsageStatus
from yuanjing.domain.videos import TaskStep
from yuanjing.ports.store import Tx
from yuanjing.usecases.verify import verify

_OVERHEAD_TOKENS = 64 + 16
_THOUSAND = 1000


def price(input_tokens: int, output_tokens: int) -> int:
    """What so many tokens cost in nano-yuan."""
    return math.ceil(Fraction(input_tokens * INPUT_NANOS + output_tokens * OUTPUT_NANOS, _THOUSAND))


class Audit:
    """Looks at one simulation that has come to rest."""

    def __init__(
        self, around: Surroundings, people: People, provider: Provider, places: list[Place], gateways: list[GatewaySlot]
    ) -> None:
        self._around = around
        self._people = people
        self._provider = provider
        self._places = places
        self._late = {life for slot in gateways for life in slot.late}

    def findings(self) -> list[str]:
        """What is wrong, in sentences; empty if all is well."""
        around = self._around
        found = [*around.bugs, *around.loop.errors]
        found += around.database.do(lambda tx: [*self._checks(tx)], may_write=False)
        found += self._verified()
        found += [
            f"the spool of {reader.node_id} {reader.incarnation} is still there"
            for place in self._places
            for reader in place.spools.readers()
        ]
        return found

    def _verified(self) -> Iterator[str]:
        database, loop = self._around.database, self._around.loop
        done = loop.create_task(verify(database.store, self._places[0].spools, self._around.clock))
        loop.run(loop.time() + 1)
        for breach in done.result().breaches:
            yield f"verify: {breach.check}: {breach.subject}: {breach.message}"

    def _checks(self, tx: Tx) -> Iterator[str]:
        usages = [one for one in tx.usages.scan() if isinstance(one, PostedUsage)]
        yield from self._check_accounts(tx)
        yield from self._check_answers({one.record.id: one for one in usages})
        yield from self._check_charges(usages)
        yield from self._check_names(usages)
        yield from self._check_lateness(tx, usages)
        yield from self._check_tasks(tx, usages)
        yield from self._check_holds(tx)
        yield from self._check_budgets(usages)
        yield from self._check_owners(tx, usages)

    def _check_accounts(self, tx: Tx) -> Iterator[str]:
        """Replay every transfer: no customer is ever below zero, and each book sums to zero."""
        balances: defaultdict[tuple[str, str], int] = defaultdict(int)
        for one in tx.ledger.scan_transfers():
            balances[one.book, one.debit] -= one.amount_nanos
            balances[one.book, one.credit] += one.amount_nanos
            if one.debit.startswith("customer:") and balances[one.book, one.debit] < 0:
                yield f"{one.debit} is below zero after {one.id}"
        for book in {book for book, _ in balances}:
            told = tx.ledger.account_balances(book)
            if sum(told.values()):
                yield f"{book} does not sum to zero"
            for account, amount in told.items():
                if balances[book, account] != amount:
                    yield f"{account} has {amount}, its transfers make {balances[book, account]}"

    def _check_answers(self, usages: dict[str, PostedUsage]) -> Iterator[str]:
        """Every whole answer is charged, once and exactly, and is one provider's answer from its start to its end."""
        for chat in self._people.chats:
            served = self._served(chat)
            if chat.pieces and not any(chat.pieces == one.pieces[: len(chat.pieces)] for one in served):
                yield f"chat {chat.number} has pieces of several answers: {chat.pieces}"
            if not chat.is_whole:
                continue
            usage = usages.get(chat.usage_id or "")
            if usage is None:
                yield f"chat {chat.number} was answered and not charged"
                continue
            record, wanted = usage.record, [one for one in served if one.id == usage.record.upstream_request_id]
            if len(wanted) != 1 or record.status is not UsageStatus.COMPLETED:
                yield f"chat {chat.number} is charged for another answer: {record}"
            elif chat.pieces != wanted[0].pieces:
                yield f"chat {chat.number} got {chat.pieces} of {wanted[0].pieces}"
            elif wanted[0].is_counted:
                full = price(wanted[0].input_tokens, wanted[0].output_tokens)
                if record.charge_nanos + record.overrun_nanos != full or record.charge_nanos > _ceiling(chat):
                    yield f"chat {chat.number} should cost {full}: {record}"
                if record.overrun_nanos and wanted[0].output_tokens <= chat.max_tokens:
                    yield f"chat {chat.number} did not exceed its ceiling: {record}"

    def _served(self, chat: Chat) -> list[Served]:
        return [one for one in self._provider.served.values() if one.request == chat.number]

    def _check_charges(self, usages: list[PostedUsage]) -> Iterator[str]:
        """Nothing is charged that no provider worked for, none twice, and none for more than had left the provider."""
        chats = {chat.number: chat for chat in self._people.chats}
        charged: Counter[int] = Counter()
        named = {number for number, chat in chats.items() if chat.name is not None}
        for usage in usages:
            record = usage.record
            served = self._provider.served.get(record.upstream_request_id)
            if record.operation != "chat" or served is None:
                continue
            chat = chats[served.request]
            charged[chat.number] += 1
            if record.charge_nanos > _ceiling(chat) or record.ceiling_nanos > _ceiling(chat):
                yield f"chat {chat.number} is charged above its ceiling: {record}"
            told = price(served.input_tokens, served.output_tokens) if served.is_counted and served.is_whole else 0
            seen = price(len(chat.body) + _OVERHEAD_TOKENS, sum(map(len, served.pieces[: served.sent])))
            if record.charge_nanos > max(told, seen):
                yield f"chat {chat.number} is charged for more than it got: {record}"
            if record.key_id != chat.key.row.id or record.book is not chat.key.book:
                yield f"chat {chat.number} is charged to another key: {record}"
        for number, count in charged.items():
            if count > 1 and number not in named:
                yield f"chat {number} is charged {count} times"

    def _check_names(self, usages: list[PostedUsage]) -> Iterator[str]:
        """Whatever is sent under one name, and wherever, is answered whole once, and charged for that once.

        What broke is charged for its part and frees its name, so such charges come on top: one for each try at most.
        """
        tries: defaultdict[int, list[Chat]] = defaultdict(list)
        for chat in self._people.chats:
            if chat.name is not None:
                tries[chat.number].append(chat)
        whole, parts = Counter[int](), Counter[int]()
        for usage in usages:
            served = self._provider.served.get(usage.record.upstream_request_id)
            if usage.record.operation == "chat" and served is not None:
                (whole if usage.record.status is UsageStatus.COMPLETED else parts)[served.request] += 1
        for number, its in tries.items():
            answers = {(chat.usage_id, *chat.pieces) for chat in its if chat.is_whole}
            if whole[number] > 1:
                yield f"chat {number} is charged {whole[number]} times under one name"
            if len(answers) > 1:
                yield f"chat {number} has several answers under one name: {answers}"
            if whole[number] + parts[number] > len(its):
                yield f"chat {number} was sent {len(its)} times and charged {whole[number]} + {parts[number]} times"

    def _check_lateness(self, tx: Tx, usages: list[PostedUsage]) -> Iterator[str]:
        """A charge comes out of its own hold, but for processes that were taken over while they went on."""
        holds = {hold.id: hold for hold in tx.holds.scan()}
        for usage in usages:
            hold = holds[usage.record.hold_id]
            is_late = ":late:" in (usage.settle_transfer_id or "") or usage.late_shortfall_nanos
            if is_late and (hold.owner_node, hold.owner_incarnation) not in self._late:
                yield f"{usage.record.id} was charged late, but its process was never taken over while it lived"

    def _check_tasks(self, tx: Tx, usages: list[PostedUsage]) -> Iterator[str]:
        """Each task has ended once: charged exactly if it has succeeded, else not at all; and was sent once."""
        by_id = {one.record.id: one for one in usages}
        holds = {hold.id: hold for hold in tx.holds.scan()}
        for task in tx.tasks.scan():
            usage, hold = by_id.get(task.usage_id), holds[task.hold_id]
            full = SECOND_NANOS * (task.request.duration_seconds or 0)
            is_success = task.state is TaskState.SUCCEEDED
            if task.step is not TaskStep.DONE or not task.state.is_final:
                yield f"task {task.id} has not ended: {task.step} {task.state}"
            elif is_success != (usage is not None):
                yield f"task {task.id} is {task.state}, and charged: {usage is not None}"
            elif hold.settled_nanos != (full if is_success else 0) or hold.amount_nanos != full:
                yield f"task {task.id} is {task.state} and costs {full}: {hold}"
            if self._around.studio.accepted[task.id] > 1:
                yield f"task {task.id} was taken {self._around.studio.accepted[task.id]} times by its provider"

    def _check_holds(self, tx: Tx) -> Iterator[str]:
        for hold in tx.holds.scan():
            if hold.closed_at is None:
                yield f"{hold.id} is still open: {hold}"

    def _check_budgets(self, usages: list[PostedUsage]) -> Iterator[str]:
        spent: Counter[str] = Counter()
        for usage in usages:
            if ":late:" not in (usage.settle_transfer_id or ""):
                spent[usage.record.key_id] += usage.record.charge_nanos - usage.late_shortfall_nanos
        for key_id, limit in self._people.limits.items():
            if limit and spent[key_id] > limit:
                yield f"{key_id} has spent {spent[key_id]} of a budget of {limit}"

    def _check_owners(self, tx: Tx, usages: list[PostedUsage]) -> Iterator[str]:
        """What came in, what went out, and what is left, for each customer; each payment is credited once."""
        credited = Counter(one.id for one in tx.ledger.scan_transfers() if one.id.startswith("topup:"))
        wanted = Counter(f"topup:{order.number}" for order in self._people.paid)
        if credited != wanted:
            yield f"paid, but not credited once: {wanted - credited}; not paid: {credited - wanted}"
        came = Counter({one.customer_id: 0 for one in self._people.paid})
        for order in self._people.paid:
            came[order.customer_id] += order.amount_nanos
        numbers = {order.number: order.customer_id for order in self._people.paid}
        for (number, _), amount in self._around.method.refunds.items():
            came[numbers[number]] -= amount
        for book in {usage.record.book for usage in usages}:
            for customer in CUSTOMERS:
                paid = sum(
                    one.record.charge_nanos - one.late_shortfall_nanos
                    for one in usages
                    if (one.record.customer_id, one.record.book) == (customer.id, book)
                )
                opening = tx.ledger.transfer(f"grant:opening:{book}:{customer.id}")
                assert opening is not None, customer
                left = opening.amount_nanos - paid + (came[customer.id] if book == "live" else 0)
                owned = tx.ledger.owned(book, [customer.id])[customer.id]
                if owned != left:
                    yield f"{customer.id} owns {owned} in {book} and should own {left}"


def _ceiling(chat: Chat) -> int:
    """The most that a request can cost, by the documentation: tokens never outnumber bytes."""
    return price(len(chat.body) + _OVERHEAD_TOKENS, chat.max_tokens)


__all__ = ["METHOD", "Audit", "price"]
