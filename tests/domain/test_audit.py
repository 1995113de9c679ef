"""Chains of the audit log, without a store."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain.audit import (
    NO_HASH,
    NO_SEAL,
    SECURITY_ACTIONS,
    STREAMS,
    SYSTEM,
    Action,
    Actor,
    ActorKind,
    AuditEvent,
    AuditHead,
    chained,
    details_of,
    extended,
    first_heads,
    is_sealed,
    shortened,
    stream_of,
)

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
EVENT = AuditEvent(
    id="aud_1",
    at=1.5,
    actor=Actor(kind=ActorKind.OPERATOR, id="alice", address="m1"),
    action=Action.KEY_REVOKED,
    subject="key_1",
    customer_id="cus_a",
    details='{"n":1}',
)
OTHERS: dict[str, list[Any]] = {
    "id": ["aud_2", ""],
    "at": [1.5000000000000002, 2.5],
    "actor": [
        replace(EVENT.actor, **change) for change in ({"kind": ActorKind.SYSTEM}, {"id": "bob"}, {"address": ""})
    ],
    "action": [Action.KEY_CREATED],
    "subject": ["key_2", "key_1 "],
    "customer_id": ["cus_b", "", None],
    "details": ['{"n":2}', "{}"],
}


def test_every_field_has_another_value_here():
    assert set(OTHERS) == {field.name for field in fields(AuditEvent)}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in OTHERS.items() for value in values])
def test_the_hash_is_over_every_field(name: str, value: Any):
    assert chained(NO_HASH, 0, 1, replace(EVENT, **{name: value})) != chained(NO_HASH, 0, 1, EVENT)


def test_the_hash_is_over_the_place_and_the_row_before():
    hashes = {
        chained(*place, EVENT) for place in ((NO_HASH, 0, 1), (b"\1" * 32, 0, 1), (NO_HASH, 1, 1), (NO_HASH, 0, 2))
    }
    assert len(hashes) == 4


def test_texts_that_run_together_are_told_apart():
    one = replace(EVENT, actor=replace(EVENT.actor, id="ab", address="c"))
    other = replace(EVENT, actor=replace(EVENT.actor, id="a", address="bc"))
    assert chained(NO_HASH, 0, 1, one) != chained(NO_HASH, 0, 1, other)


def test_a_head_is_sealed_by_one_key_over_all_of_it():
    head, _ = extended(KEY, first_heads(KEY)[3], [EVENT])
    assert is_sealed(KEY, head)
    assert not is_sealed(OTHER_KEY, head)
    assert not is_sealed(b"", head)
    changes: list[dict[str, Any]] = [
        {"stream": 4},
        {"base_number": 1},
        {"base_hash": b"\1" * 32},
        {"number": 2},
        {"hash": NO_HASH},
        {"seal": NO_SEAL},
        {"seal": bytes(32)},
    ]
    assert {name for change in changes for name in change} == {field.name for field in fields(AuditHead)}
    assert not any(is_sealed(KEY, replace(head, **change)) for change in changes)


@pytest.mark.parametrize("key", [KEY, b""])
def test_what_was_broken_once_does_not_look_whole_again(key: bytes):
    head, _ = extended(key, first_heads(key)[0], [EVENT, EVENT])
    forged = replace(head, number=1)
    after, rows = extended(key, forged, [EVENT])
    assert not is_sealed(key, after)
    assert not is_sealed(key, shortened(key, after, rows[0]))


@given(st.lists(st.integers(min_value=0, max_value=5), max_size=6))
def test_a_chain_is_the_same_however_it_was_written(sizes: list[int]):
    events = [replace(EVENT, id=f"aud_{n}") for n in range(sum(sizes))]
    at_once = extended(KEY, first_heads(KEY)[1], events)
    head, rows, start = first_heads(KEY)[1], [], 0
    for size in sizes:
        head, more = extended(KEY, head, events[start : start + size])
        rows += more
        start += size
    assert (head, rows) == at_once
    assert [row.number for row in rows] == list(range(1, len(events) + 1))


def test_a_customers_events_are_in_one_stream_and_subjects_in_all():
    ours = {stream_of(replace(EVENT, subject=f"key_{n}")) for n in range(50)}
    assert len(ours) == 1
    all_ = {stream_of(replace(EVENT, customer_id=None, subject=f"ch_{n}")) for n in range(300)}
    assert all_ == set(range(STREAMS))


def test_details_are_small_and_canonical():
    assert details_of({"b": 1, "a": "x" * 500, "c": ["y" * 500]}) == f'{{"a":"{"x" * 200}","b":1,"c":["{"y" * 200}"]}}'
    assert details_of({}) == "{}"


def test_what_customers_see_is_about_them():
    assert Action.MONEY_GRANTED not in SECURITY_ACTIONS
    assert {Action.KEY_CREATED, Action.SIGN_IN_FAILED, Action.MOBILE_CHANGED} <= set(SECURITY_ACTIONS)
    assert SYSTEM.id == ""
