"""What the books say after a loss of power, against what clients had been told before it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.power.recovery import Books


def audit(books: Books, told: Sequence[Mapping[str, Any]], last: Books) -> list[str]:
    """All that is wrong, in words.

    Args:
        books: after the start.
        told: what clients had been told before the loss; see `workload`.
        last: at the end of the whole run, in which everything was answered: what each usage costs.
    """
    return [
        *books.wrong,
        *(line for one in told for line in _missing(books, one)),
        *(_secrets(books, last) if told else ()),
        *_charges(books, last),
        *_sums(books),
    ]


def _missing(books: Books, one: Mapping[str, Any]) -> Iterable[str]:
    """What somebody relies on, and is not there."""
    match one["what"]:
        case "chat":
            yield from _missing_chat(books, one)
        case "task":
            state, usage_id = books.tasks.get(one["task"], (None, None))
            if state is None or (one["state"] and one["state"] != state):
                yield f"task {one['task']} was told to be {one['state'] or 'there'}, and is {state}"
            if one["state"] and usage_id not in books.usages:
                yield f"task {one['task']} is not charged"
        case "topup":
            state, _, nanos = books.topups.get(one["topup"], (None, None, None))
            if (state, nanos) != ("credited", one["nanos"]):
                yield f"top-up {one['topup']} was told to be credited, and is {state}"
        case other:
            assert other == "grant"
            if books.grants.get(f"grant:{one['cause']}") != ("test", one["nanos"]):
                yield f"grant {one['cause']} is gone"


def _missing_chat(books: Books, one: Mapping[str, Any]) -> Iterable[str]:
    charged = books.usages.get(one["usage"], (None, None))[1]
    if charged != one["nanos"]:
        yield f"chat {one['usage']} was told to cost {one['nanos']}, and is charged {charged}"
    if one["name"] is None:
        return
    kept = books.answers.get(hashlib.sha256(one["name"].encode()).digest())
    if kept is None or kept.decode() != one["answer"]:
        yield f"the answer of {one['name']} is {'lost' if kept is None else 'another one'}"


def _secrets(books: Books, last: Books) -> Iterable[str]:
    for name, text in last.secrets.items():
        if books.secrets[name] != text:
            yield f"{name} is another one: keys and credentials are worth nothing"


def _charges(books: Books, last: Books) -> Iterable[str]:
    """Each usage is one of those that there were, at the price that it had."""
    for id_, charge in books.usages.items():
        if last.usages.get(id_) != charge:
            yield f"usage {id_} is charged {charge}, and was {last.usages.get(id_)}"


def _sums(books: Books) -> Iterable[str]:
    """What customers own is what came in less what was charged; nobody is below zero."""
    for book in ("live", "test"):
        charged = sum(nanos for where, nanos in books.usages.values() if where == book)
        came = sum(nanos for where, nanos in books.grants.values() if where == book)
        came += sum(nanos for state, where, nanos in books.topups.values() if where == book and state == "credited")
        owned = [nanos for where, name, nanos in books.accounts if where == book and name.startswith("customer:")]
        if sum(owned) != came - charged:
            yield f"customers own {sum(owned)} in the {book} book: {came} came in, {charged} was charged"
        if min(owned, default=0) < 0:
            yield f"somebody owns less than nothing in the {book} book"
