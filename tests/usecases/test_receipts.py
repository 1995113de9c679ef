"""Receipts: whoever has the public key can check them, and nothing in them can be changed."""

import dataclasses
import json
from base64 import urlsafe_b64decode
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.platform import offer
from tests.support.usages import COUNTS, PRICE, posted_usage
from tests.usecases.video_market import PRICE_NANOS, Market, price_of

from yuanjing.adapters.memory import MemoryStore
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.money import format_amount
from yuanjing.domain.pricing import ChatPrice, ChatTier, explain
from yuanjing.domain.receipts import ReceiptError, Recomputed, recompute, state_usage
from yuanjing.domain.tasks import VideoMeter
from yuanjing.domain.usage import ChatUsage, split_charge
from yuanjing.domain.video_pricing import VideoRate, conditions_to_text, explain_video
from yuanjing.domain.videos import RateConditions
from yuanjing.kit.canonicaljson import canonical_json
from yuanjing.kit.clock import ManualClock
from yuanjing.kit.signing import SigningKey, to_base64url
from yuanjing.ports.damage import DamagedError
from yuanjing.ports.receipts import ReceiptKey
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.receipts import Receipts, TaskNotEndedError, check_receipt, key_document, read_key_document

SEED = bytes(range(32))
KEY = SigningKey(SEED)
KEYS = {KEY.id: KEY.public_key}
VECTOR = (
    b'{"receipt":{"book":"live","charging":{"ceiling":"1.00","charge":"0.0008672","counted_by":"provider","lines":'
    b'[{"meter":"input_tokens","per":1000000,"quantity":31,"rate":"3.20"},{"meter":"output_tokens","per":1000000,'
    b'"quantity":60,"rate":"12.80"}],"meters":{"cache_read_tokens":0,"cache_write_tokens":0,"input_tokens":31,'
    b'"output_tokens":60,"reasoning_tokens":0},"price":{"effective_from":"2026-01-01T00:00:00+00:00","id":"price_1",'
    b'"version":7},"total":"0.0008672","uncollected":"0.00"},"currency":"CNY","customer_id":"cus_1","format":'
    b'"yuanjing-receipt-1","key_id":"key_1","kind":"usage","model":"qwen3-max","offer_id":"VaKNrpZ37Ybrg5DWGio6b",'
    b'"operation":"chat","posted_at_ms":1000,"request_id":"","started_at_ms":0,"status":"completed","usage_id":'
    b'"uuuuuuuuuuuuuuuuuuuuu"},"signature":{"algorithm":"Ed25519","key_id":"rk_56475aa75463474c","value":"'
    b"fxcn8WklK6rGjnWHfnIFM9B_KTorURQ6-FPTew1Jbs4vnf0_OvZaKPp8BHMFrmxc8M-k5KEaXioT9I2jHncLDg"
    b'"}}'
)
"""A receipt under the key whose seed is the bytes 0 to 31."""


def signed(statement: dict[str, Any], key: SigningKey = KEY, **signature: str) -> bytes:
    value = to_base64url(key.sign(canonical_json(statement)))
    fields = {"algorithm": "Ed25519", "key_id": key.id, "value": value} | signature
    return canonical_json({"receipt": statement, "signature": fields})


async def receipts(store: Store | None = None, posted=None, *, price: ChatPrice = PRICE) -> Receipts:
    clock = ManualClock()
    made = Receipts(store=store or MemoryStore(clock=clock), clock=clock, key=KEY)
    if posted is not None:

        def fill(tx: Tx) -> None:
            tx.catalog.save_offer(offer(posted.record.offer_id, posted.record.model))
            tx.catalog.add_price(price)
            tx.usages.add_new([posted])

        await made.store.write(fill)
    return made


def by_hand(receipt: bytes, public_key: bytes) -> Decimal:
    """What anybody can do with a few lines: check the signature, and add up what the charge is made of."""
    document = json.loads(receipt)
    signature = document["signature"]["value"]
    text = json.dumps(document["receipt"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    Ed25519PublicKey.from_public_bytes(public_key).verify(urlsafe_b64decode(signature + "=="), text.encode())
    charging = document["receipt"]["charging"]
    total = sum(Decimal(line["rate"]) * line["quantity"] / line["per"] for line in charging["lines"])
    return min(total.quantize(Decimal(10) ** -9, ROUND_CEILING), Decimal(charging["ceiling"]))


async def test_a_receipt_is_checked_by_hand():
    made = await receipts(posted=posted_usage())
    receipt = await made.of_usage("u" * 21)
    assert receipt == await made.of_usage("u" * 21, customer_id="cus_1")
    assert by_hand(receipt, KEY.public_key) == Decimal("0.0008672")
    with pytest.raises(InvalidSignature):
        by_hand(receipt.replace(b'"quantity":31', b'"quantity":30'), KEY.public_key)
    checked = check_receipt(receipt, KEYS)
    assert checked.key_id == KEY.id
    assert checked.recomputed.charge_nanos == 867_200
    assert checked.statement["usage_id"] == "u" * 21
    assert check_receipt(receipt + b"\n", KEYS) == checked


async def test_the_vector():
    made = await receipts(posted=posted_usage())
    receipt = await made.of_usage("u" * 21)
    assert receipt == VECTOR
    assert check_receipt(VECTOR, KEYS).recomputed.charge_nanos == 867_200


@given(st.integers(0, len(VECTOR) - 1), st.integers(0, 255), st.sampled_from(["change", "insert", "remove"]))
def test_any_changed_byte_is_seen(place: int, byte: int, way: str):
    """Also in blanks, in the order of names and in how the signature is written: there is one form only."""
    middle = {"change": bytes([byte]), "insert": bytes([byte]) + VECTOR[place : place + 1], "remove": b""}[way]
    changed = VECTOR[:place] + middle + VECTOR[place + 1 :]
    if changed == VECTOR:
        return
    with pytest.raises(ReceiptError):
        check_receipt(changed, KEYS)


@given(st.binary(max_size=300))
def test_nonsense_is_refused(data: bytes):
    with pytest.raises(ReceiptError):
        check_receipt(data, KEYS)


@given(
    st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**6),
    st.lists(st.integers(0, 10**13), min_size=4, max_size=4), st.integers(0, 10**12),
)  # fmt: skip
def test_every_charge_is_recomputed(plain: int, output: int, read: int, write: int, rates: list[int], ceiling: int):
    usage = ChatUsage(
        input_tokens=plain + read + write, output_tokens=output, cache_read_tokens=read, cache_write_tokens=write
    )
    tier = ChatTier(
        input_up_to=None,
        input_nanos=rates[0],
        output_nanos=rates[1],
        cache_read_nanos=rates[2],
        cache_write_nanos=rates[3],
    )
    price = dataclasses.replace(PRICE, tiers=(tier,))
    charge = explain(price, usage)
    paid, overrun = split_charge(charge.total_nanos, ceiling)
    posted = posted_usage(usage, price=price, ceiling=ceiling, charge=paid, overrun=overrun)
    statement = state_usage(posted, price, charge)
    found = recompute(statement)
    assert (found.total_nanos, found.charge_nanos) == (charge.total_nanos, paid)
    assert recompute(check_receipt(signed(statement), KEYS).statement) == found


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**12), st.integers(1, 10**9)), min_size=3, max_size=3),
    st.integers(0, 10**13),
)
def test_every_charge_of_a_video_is_recomputed(parts: list[tuple[int, int, int]], ceiling: int):
    """Whatever units a rate is for: the sum of fractions that never end is rounded once."""
    meters = {meter: quantity for meter, (quantity, _, _) in zip(VideoMeter, parts, strict=True)}
    rates = tuple(
        VideoRate(meter=meter, amount_nanos=amount, per=per)
        for meter, (_, amount, per) in zip(VideoMeter, parts, strict=True)
    )
    price = price_of("VaKNrpZ37Ybrg5DWGio6b", rates=rates)
    conditions = RateConditions(
        model="wan", resolution="720p", has_audio=False, is_off_peak=False, has_video_input=False
    )
    charge = explain_video(price, conditions, meters)
    paid, overrun = split_charge(charge.total_nanos, ceiling)
    posted = posted_usage(ceiling=ceiling, charge=paid, overrun=overrun)
    texts = conditions_to_text(conditions) | {"share_video_seconds": "1/3", "measured_seconds": "2.5", "secret": "x"}
    record = dataclasses.replace(posted.record, meters={str(m): count for m, count in meters.items()}, extra=texts)
    statement: Any = state_usage(dataclasses.replace(posted, record=record), price, charge)
    assert recompute(statement) == Recomputed(total_nanos=charge.total_nanos, charge_nanos=paid)
    assert statement["charging"]["delivery"] == {"share_video_seconds": "1/3", "measured_seconds": "2.5"}
    assert check_receipt(signed(statement), KEYS).recomputed.charge_nanos == paid


def stated() -> dict[str, Any]:
    return state_usage(posted_usage(), PRICE, explain(PRICE, COUNTS))


WRONG = {
    "a higher charge": lambda s: s["charging"].update(charge="0.0008673", total="0.0008673"),
    "a lower ceiling": lambda s: s["charging"].update(ceiling="0.0008"),
    "a line less": lambda s: s["charging"].update(
        lines=s["charging"]["lines"][:1], total="0.0000992", charge="0.0000992"
    ),
    "a line twice": lambda s: s["charging"]["lines"].append(s["charging"]["lines"][0]),
    "another quantity": lambda s: s["charging"]["lines"][0].update(quantity=30),
    "a quantity below zero": lambda s: s["charging"]["lines"][0].update(quantity=-1),
    "a rate for nothing": lambda s: s["charging"]["lines"][0].update(per=0),
    "a rate in another form": lambda s: s["charging"]["lines"][0].update(rate="3.2"),
    "a rate that is a number": lambda s: s["charging"]["lines"][0].update(rate=3),
    "a rate below zero": lambda s: s["charging"]["lines"][0].update(rate="-3.20"),
    "a meter that is not counted": lambda s: s["charging"]["lines"][0].update(meter="video_seconds"),
    "more uncollected than charged": lambda s: s["charging"].update(uncollected="1.00"),
    "no lines": lambda s: s["charging"].pop("lines"),
    "no arithmetic": lambda s: s.pop("charging"),
    "another format": lambda s: s.update(format="yuanjing-receipt-2"),
    "another kind": lambda s: s.update(kind="gift"),
    "a task that is none": lambda s: s.update(kind="task"),
    "a task with another charge": lambda s: s.update(kind="task", state="succeeded", charge="0.0008673"),
    "a failed task with a charge": lambda s: s.update(kind="task", state="failed", charge="0.00"),
}


@pytest.mark.parametrize("name", WRONG)
def test_figures_that_do_not_belong_together_are_refused_though_they_are_signed(name: str):
    statement = stated()
    assert check_receipt(signed(statement), KEYS)
    WRONG[name](statement)
    with pytest.raises(ReceiptError):
        check_receipt(signed(statement), KEYS)


def test_a_signature_of_another_is_refused():
    other = SigningKey(b"x" * 32)
    for receipt in (
        signed(stated(), other),
        signed(stated(), other, key_id=KEY.id),
        signed(stated(), algorithm="none"),
        signed(stated(), value=""),
        canonical_json({"receipt": stated()}),
        canonical_json({"receipt": stated(), "signature": {"algorithm": "Ed25519", "key_id": KEY.id}}),
        canonical_json([stated()]),
        b" " * 70_000,
    ):
        with pytest.raises(ReceiptError):
            check_receipt(receipt, KEYS)
    assert check_receipt(signed(stated(), other), KEYS | {other.id: other.public_key}).key_id == other.id


async def test_old_keys_stay_public_after_a_rotation():
    old = await receipts()
    await old.keep_key()
    await old.keep_key()
    new = dataclasses.replace(old, key=SigningKey(b"n" * 32))
    new.clock.advance(60)  # type: ignore[attr-defined]
    await new.keep_key()
    keys = await new.public_keys()
    assert [key.id for key in keys] == [new.key.id, old.key.id]
    document = json.loads(json.dumps(key_document(keys)))
    assert read_key_document(document) == {new.key.id: new.key.public_key, old.key.id: old.key.public_key}
    assert SEED.hex() not in repr(old)


@pytest.mark.parametrize(
    "document",
    [
        None, [], {}, {"keys": []}, {"keys": None}, {"keys": [{}]}, {"keys": [{"kty": "RSA"}]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": KEY.id, "x": "AA"}]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": KEY.id, "x": to_base64url(bytes(32))}]},
    ],
)  # fmt: skip
def test_what_are_no_keys(document: object):
    with pytest.raises(InvalidInputError):
        read_key_document(document)


async def test_anothers_usage_has_no_receipt():
    made = await receipts(posted=posted_usage())
    for usage_id, customer_id in (("u" * 21, "cus_2"), ("v" * 21, None), ("\0", None)):
        with pytest.raises(NotFoundError):
            await made.of_usage(usage_id, customer_id=customer_id)


async def test_what_is_wrong_is_not_signed():
    wrong = await receipts(posted=posted_usage(charge=867_199))
    with pytest.raises(ReceiptError):
        await wrong.of_usage("u" * 21)
    damaged = posted_usage()
    damaged = dataclasses.replace(damaged, record=dataclasses.replace(damaged.record, meters={"input_tokens": -1}))
    made = await receipts(posted=damaged)
    with pytest.raises(DamagedError):
        await made.of_usage("u" * 21)


async def test_a_video_that_was_cut_short_shows_its_share(market: Market):
    done = await market.succeed(await market.claim(await market.submit(duration="7")))
    made = await receipts(market.store)
    receipt = await made.of_task(done.id, customer_id="cus_a")
    assert by_hand(receipt, KEY.public_key) == Decimal(format_amount(5 * PRICE_NANOS))
    checked = check_receipt(receipt, KEYS)
    assert checked.recomputed.charge_nanos == done.charge_nanos == 5 * PRICE_NANOS
    statement: Any = checked.statement
    assert statement["charge"] == format_amount(done.charge_nanos)
    assert statement["charging"]["conditions"]["resolution"] == "720p"
    assert statement["charging"]["delivery"]["asked_seconds"] == "7"
    assert {file["kind"] for file in statement["files"]} >= {"video"}
    assert all(set(file) == {"kind", "media_type", "size_bytes", "sha256"} for file in statement["files"])
    of_usage: Any = check_receipt(await made.of_usage(done.usage_id), KEYS).statement
    assert of_usage["charging"] == statement["charging"]
    assert "ch_live" not in receipt.decode()


async def test_a_task_that_failed_has_a_receipt_of_nothing(market: Market):
    submitted = await market.submit()
    made = await receipts(market.store)
    with pytest.raises(TaskNotEndedError):
        await made.of_task(submitted.task.id)
    done = await market.fail(await market.claim(submitted))
    checked = check_receipt(await made.of_task(done.id), KEYS)
    assert checked.recomputed.charge_nanos == 0
    assert (checked.statement["state"], checked.statement["charge"]) == ("failed", "0.00")
    for task_id, customer_id in ((done.id, "cus_b"), ("1", None)):
        with pytest.raises(NotFoundError):
            await made.of_task(task_id, customer_id=customer_id)
    await market.videos.delete(market.caller(), done.id)
    with pytest.raises(NotFoundError):
        await made.of_task(done.id, customer_id="cus_a")
    assert await made.of_task(done.id)


def test_a_key_of_the_store_holds_no_secret():
    assert {one.name for one in dataclasses.fields(ReceiptKey)} == {"id", "public_key", "created_at"}


async def test_the_pages_own_program_checks_a_receipt(market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of a request, of a video, and of a task that has failed."""
    page = (Path(__file__).parents[2] / "docs" / "concepts" / "receipts.md").read_text(encoding="utf-8")
    program = page.partition("```python\n")[2].partition("```")[0]
    made, of_market = await receipts(posted=posted_usage()), await receipts(market.store)
    await made.keep_key()
    done = await market.succeed(await market.claim(await market.submit()))
    failed = await market.fail(await market.claim(await market.submit()))
    receipt = await made.of_usage("u" * 21)
    of_tasks = [await of_market.of_task(task.id) for task in (done, failed)]
    (tmp_path / "keys.json").write_text(json.dumps(key_document(await made.public_keys())))
    monkeypatch.chdir(tmp_path)
    forged = [receipt.replace(b"cus_1", b"cus_2"), of_tasks[1].replace(b'"0.00"', b'"0.01"')]
    cases = [(one, True) for one in (receipt, *of_tasks)] + [(one, False) for one in forged]
    for told, is_true in cases:
        (tmp_path / "receipt.json").write_bytes(told)
        if is_true:
            exec(program, {})  # noqa: S102  # our own words
        else:
            with pytest.raises(InvalidSignature):
                exec(program, {})  # noqa: S102  # the same
