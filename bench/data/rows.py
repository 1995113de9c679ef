"""Invented rows of a platform that has run for a year: customers, keys, leases, usages, and the ledger of all that.

They are true to one another: `yuanjing verify` finds nothing wrong in them. A customer's requests come in bursts, each
of one key and model, under a lease of its own, as the gateway makes them; money comes in when it is needed.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from yuanjing.domain.days import day_of
from yuanjing.domain.ledger import GRANTS, REVENUE, Reason, available, held
from yuanjing.domain.money import NANOS_PER_YUAN
from yuanjing.domain.statements import month_of

MODELS = ("qwen3-max", "qwen-plus", "qwen-flash", "deepseek-v4-pro", "kimi-k2.6", "gpt-5.6-terra")
"""The last one is seldom used."""
NANOS_PER_TOKEN = {model: (500 * (number + 1), 2_000 * (number + 1)) for number, model in enumerate(MODELS)}
"""In and out."""
KEYS_EACH = 3
"""Of each customer; the last one is of the test book."""
BURST = 10
SETTLES = 2
"""Postings of a burst; each settles five usages, as one pass of the poster does."""
SPAN_SECONDS = 365 * 86_400.0
LARGEST_SHARE = 0.05
"""Of all usage is that of the first customer."""
SELDOM_SHARE = 0.01
CODES_PER_DAY = 4_000
CODE_DAYS = 30
_GRANT_NANOS = 100 * NANOS_PER_YUAN
_DAY, _LASTS, _MANY = 86_400.0, 2.0, 10**9

_CHANCE = random.Random(0)  # noqa: S311  # no secret
_TOKENS = [(_CHANCE.randrange(20, 3_000), _CHANCE.randrange(10, 1_500)) for _ in range(10_007)]
"""In and out of one request each, to be drawn from."""

Batch = tuple[str, list[tuple[Any, ...]]]
"""A table and rows for it, in the order of `COLUMNS`."""
COLUMNS: dict[str, tuple[str, ...]] = {
    "customers": ("id", "mobile", "name", "created_at"),
    "api_keys": ("id", "customer_id", "book", "name", "public_id", "digest", "limits", "created_at"),
    "key_budgets": ("key_id", "period_start", "spent_nanos", "held_nanos"),
    "sessions": (
        *("id", "customer_id", "digest", "address", "agent", "created_at", "seen_at", "idle_seconds", "ends_at"),
        "confirmed_at",
    ),
    "challenges": (
        *("id", "mobile", "purpose", "browser_digest", "code_digest", "receipt", "address", "cost_nanos"),
        *("created_at", "expires_at", "attempts", "ended_at"),
    ),
    "holds": (
        *("id", "book", "customer_id", "purpose", "amount_nanos", "settled_nanos", "released_nanos", "owner_node"),
        *("owner_incarnation", "is_closing", "parts", "created_at", "expires_at", "closed_at"),
    ),
    "transfers": ("seq", "id", "book", "reason", "amount_nanos", "debit", "credit", "hold_id", "note", "created_at"),
    "entries": (
        *("book", "account", "version", "transfer_id", "amount_nanos", "balance_before_nanos"),
        "balance_after_nanos",
    ),
    "usages": (
        *("id", "book", "customer_id", "key_id", "offer_id", "model", "operation", "channel_id", "hold_id"),
        *("price_id", "meters", "ceiling_nanos", "charge_nanos", "overrun_nanos", "is_estimated", "is_stream"),
        *("status", "request_id", "upstream_request_id", "upstream_model", "attempts", "started_at"),
        *("first_byte_ms", "duration_ms", "extra", "settle_transfer_id", "late_shortfall_nanos", "posted_at"),
    ),
    "usage_days": (
        *("customer_id", "book", "day", "key_id", "model", "requests", "input_tokens", "output_tokens"),
        "charge_nanos",
    ),
    "account_months": (
        *("book", "account", "month", "reason", "entries", "amount_nanos", "first_version", "last_version"),
    ),
    "accounts": ("book", "name", "balance_nanos", "version", "may_go_negative"),
}


def customer_id(number: int) -> str:
    return f"cus_{number:026d}"


def mobile(number: int) -> str:
    return f"+861{3_000_000_000 + number}"


def key_id(customer: int, number: int) -> str:
    return f"key_{customer:023d}{number:03d}"


@dataclass(slots=True)
class _Burst:
    """Requests at one time."""

    hold: str
    book: str
    customer: str
    key: str
    model: str
    at: float
    month: int


@dataclass
class Invented:
    """The rows, in the order of time.

    Attributes:
        until: when the last usage is posted, Unix seconds.
        prices: for each model the ids of its offer and its price.
    """

    usages: int
    customers: int
    until: float
    prices: dict[str, tuple[str, str]]
    seed: int = 0
    _states: dict[tuple[str, str], list[int]] = field(default_factory=dict[tuple[str, str], list[int]])
    _days: dict[tuple[Any, ...], list[int]] = field(default_factory=dict[tuple[Any, ...], list[int]])
    _months: dict[tuple[Any, ...], list[int]] = field(default_factory=dict[tuple[Any, ...], list[int]])
    _out: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict[str, list[tuple[Any, ...]]])
    _seq: int = 0
    _ids: int = 0

    def batches(self, rows_each: int = 20_000) -> Iterator[Batch]:
        """All rows; those that others refer to before them, or at least before the end."""
        for table in COLUMNS:
            self._out[table] = []
        yield from self._people(rows_each)
        chance = random.Random(self.seed)  # noqa: S311  # no secret
        bursts = self.usages // BURST
        began = self.until - SPAN_SECONDS
        day, month = day_of(began), month_of(began)
        for number in range(bursts):
            at = began + SPAN_SECONDS * number / bursts
            if day_of(at + _LASTS) != day_of(at):
                at -= _LASTS  # a burst is within one day
            if day_of(at) != day:
                self._close(self._days, "usage_days")
                day = day_of(at)
                if month_of(at) != month:
                    self._close(self._months, "account_months")
                    month = month_of(at)
            self._burst(chance, at, month)
            if len(self._out["usages"]) >= rows_each:
                yield from self._flush()
        self._close(self._days, "usage_days")
        self._close(self._months, "account_months")
        self._out["accounts"] = [
            (book, name, balance, version, not name.startswith("customer:"))
            for (book, name), (balance, version) in sorted(self._states.items())
        ]
        yield from self._flush()

    def _flush(self) -> Iterator[Batch]:
        for table, rows in self._out.items():
            if rows:
                yield table, rows
                self._out[table] = []

    def _people(self, rows_each: int) -> Iterator[Batch]:
        """Customers with keys and a session, and the codes of the last weeks."""
        began = self.until - SPAN_SECONDS
        for number in range(self.customers):
            id_ = customer_id(number)
            self._out["customers"].append((id_, mobile(number), "", began))
            for which in range(KEYS_EACH):
                key, serial = key_id(number, which), number * KEYS_EACH + which
                book = "test" if which == KEYS_EACH - 1 else "live"
                digest = serial.to_bytes(32, "big")
                self._out["api_keys"].append((key, id_, book, "", f"{serial:08d}", digest, "{}", began))
                self._out["key_budgets"].append((key, 0.0, 0, 0))
            seen, ends = self.until - number % 1000, self.until + 86_400.0 + number
            token = number.to_bytes(32, "little")
            self._out["sessions"].append(
                (f"ses_{number:026d}", id_, token, "192.0.2.1", "a browser", seen, seen, 1e6, ends, seen)
            )
            if len(self._out["api_keys"]) >= rows_each:
                yield from self._flush()
        for number in range(min(CODES_PER_DAY * CODE_DAYS, self.customers)):
            at = self.until - _DAY * CODE_DAYS + number * _DAY / CODES_PER_DAY
            digest = number.to_bytes(32, "big")
            address = f"198.51.{number // 250 % 250}.{number % 250}"
            self._out["challenges"].append(
                (f"chl_{number:026d}", mobile(number), "sign-in", digest, digest, "", address, 0, at, at + 300, 0, at)
            )
        yield from self._flush()

    def _burst(self, chance: random.Random, at: float, month: int) -> None:
        """Requests of one key for one model, under one lease."""
        burst = self._next(chance, at, month)
        place = int(chance.random() * (len(_TOKENS) - BURST))
        tokens = _TOKENS[place : place + BURST]
        rate_in, rate_out = NANOS_PER_TOKEN[burst.model]
        charges = [count_in * rate_in + count_out * rate_out for count_in, count_out in tokens]
        total = sum(charges)
        amount, hold = total * 3 // 2, burst.hold
        free, kept = available(burst.customer), held(burst.customer)
        if self._states.get((burst.book, free), (0, 0))[0] < amount:
            self._transfer(burst, f"grant:g{self._ids}", Reason.GRANT, _GRANT_NANOS, (GRANTS, free), at)
        self._transfer(burst, f"hold:{hold}:1", Reason.HOLD, amount, (free, kept), at)
        step = BURST // SETTLES
        for number in range(SETTLES):
            posted, settle = at + 0.2 * (number + 1), f"settle:b{self._ids}-{number}:{hold}"
            part = range(number * step, number * step + step)
            paid = sum(charges[one] for one in part)
            self._transfer(burst, settle, Reason.SETTLE, paid, (kept, REVENUE), posted)
            for one in part:
                self._usage(burst, one, tokens[one], charges[one], settle, posted)
        ended = at + _LASTS
        self._transfer(burst, f"release:{hold}:2", Reason.RELEASE, amount - total, (kept, free), ended)
        self._out["holds"].append(
            (
                *(hold, burst.book, burst.customer, "lease", amount, total, amount - total, "bench-g0", 1, True),
                *(SETTLES + 2, at, at + 30, ended),
            )
        )
        sums = self._days.setdefault((burst.customer, burst.book, day_of(at), burst.key, burst.model), [0, 0, 0, 0])
        counts = (BURST, sum(one[0] for one in tokens), sum(one[1] for one in tokens), total)
        for column, value in enumerate(counts):
            sums[column] += value

    def _next(self, chance: random.Random, at: float, month: int) -> "_Burst":
        """Whose turn it is."""
        draw = chance.random()
        customer = 0 if draw < LARGEST_SHARE else int(draw * _MANY) % self.customers
        which, model = int(chance.random() * KEYS_EACH), MODELS[int(chance.random() * (len(MODELS) - 1))]
        self._ids += 1
        return _Burst(
            hold=f"hold_{self._ids:026d}",
            book="test" if which == KEYS_EACH - 1 else "live",
            customer=customer_id(customer),
            key=key_id(customer, which),
            model=MODELS[-1] if chance.random() < SELDOM_SHARE else model,
            at=at,
            month=month,
        )

    def _usage(
        self, burst: "_Burst", number: int, tokens: tuple[int, int], charge: int, settle: str, posted: float
    ) -> None:
        id_ = f"{self._ids:019d}{number:02d}"
        model, (offer, price) = burst.model, self.prices[burst.model]
        meters = f'{{"input_tokens":{tokens[0]},"output_tokens":{tokens[1]}}}'
        self._out["usages"].append(
            (
                *(id_, burst.book, burst.customer, burst.key, offer, model, "chat", "ch_bench", burst.hold, price),
                *(meters, charge * 2, charge, 0, False, number % 2 == 0, "completed", f"req_{id_}"),
                *(f"chatcmpl-{id_}", model, 1, posted - 1.5, 180, 1_400, "{}", settle, 0, posted),
            )
        )

    def _transfer(
        self, burst: "_Burst", id_: str, reason: Reason, amount: int, sides: tuple[str, str], at: float
    ) -> None:
        """With both of its entries; money comes in without a hold."""
        self._seq += 1
        book, hold = burst.book, None if reason is Reason.GRANT else burst.hold
        self._out["transfers"].append((self._seq, id_, book, reason.value, amount, *sides, hold, "", at))
        for account, moved in zip(sides, (-amount, amount), strict=True):
            state = self._states.setdefault((book, account), [0, 0])
            before, state[0], state[1] = state[0], state[0] + moved, state[1] + 1
            self._out["entries"].append((book, account, state[1], id_, moved, before, state[0]))
            if account.startswith("customer:"):
                sums = self._months.setdefault((book, account, burst.month, reason.value), [0, 0, state[1], 0])
                sums[0], sums[1], sums[3] = sums[0] + 1, sums[1] + moved, state[1]

    def _close(self, sums: dict[tuple[Any, ...], list[int]], table: str) -> None:
        """Write what a period has come to."""
        self._out[table] += [(*place, *values) for place, values in sorted(sums.items())]
        sums.clear()


def picked(customers: int, count: int, seed: int = 1) -> Sequence[int]:
    """Some customers by chance, the largest not among them."""
    return random.Random(seed).sample(range(1, customers), min(count, customers - 1))  # noqa: S311  # no secret
