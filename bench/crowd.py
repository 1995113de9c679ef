"""A database with a million keys of a hundred thousand customers, of whom a thousand call.

`python -m bench.crowd FOLDER` is run before a platform starts on the folder; prints the secrets of the keys that call,
a JSON list.
"""

import asyncio
import json
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.data.loading import load_sqlite
from bench.data.rows import Batch
from yuanjing.bootstrap.services import open_services
from yuanjing.domain.money import NANOS_PER_YUAN, Book
from yuanjing.kit.clock import SystemClock
from yuanjing.settings import Settings
from yuanjing.usecases.customers import grant_money
from yuanjing.usecases.keys import create_key

CUSTOMERS, KEYS_EACH, CALLERS = 100_000, 10, 1_000
_GRANT_NANOS = 100_000 * NANOS_PER_YUAN
_ROWS_EACH = 50_000


def people(customers: int, keys_each: int, at: float) -> Iterator[Batch]:
    """Customers with keys that nobody calls with, in the order of the tables' columns."""
    step = max(1, _ROWS_EACH // keys_each)
    for first in range(0, customers, step):
        numbers = range(first, min(first + step, customers))
        yield "customers", [(customer_id(n), f"+861{4_000_000_000 + n}", "", at) for n in numbers]
        keys = [(n, n * keys_each + k) for n in numbers for k in range(keys_each)]
        yield (
            "api_keys",
            [
                (f"key_{n:026d}", customer_id(owner), "live", "", f"{n:08d}", secrets.token_bytes(32), "{}", at)
                for owner, n in keys
            ],
        )
        yield "key_budgets", [(f"key_{n:026d}", 0.0, 0, 0) for _, n in keys]


def customer_id(number: int) -> str:
    """The id of a customer of the crowd."""
    return f"cus_{number:026d}"


async def gather(
    folder: Path, customers: int = CUSTOMERS, keys_each: int = KEYS_EACH, callers: int = CALLERS
) -> list[str]:
    """Fill the migrated database of a data folder; the secrets of the callers' keys, one customer each."""
    settings = Settings(data=folder)
    load_sqlite(folder / "yuanjing.db", people(customers, keys_each, SystemClock().unix()))
    texts: list[str] = []
    async with open_services(settings) as services:
        store, clock = services.store, services.clock
        for number in range(callers):
            its = customer_id(number * (customers // callers))
            await grant_money(store, clock, customer_id=its, book=Book.LIVE, amount_nanos=_GRANT_NANOS)
            _, text = await create_key(store, clock, services.pepper, customer_id=its, book=Book.LIVE)
            texts.append(text)
    return texts


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(gather(Path(sys.argv[1])))) + "\n")
