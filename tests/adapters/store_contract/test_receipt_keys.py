from yuanjing.ports.receipts import ReceiptKey
from yuanjing.ports.store import Store


async def test_keys_are_kept_as_they_were_first_added(store: Store):
    old = ReceiptKey(id="rk_1", public_key=bytes(range(32)), created_at=5.25)
    new = ReceiptKey(id="rk_0", public_key=b"\xff" * 32, created_at=6.5)
    assert list(await store.read(lambda tx: tx.receipt_keys.list())) == []
    await store.write(lambda tx: tx.receipt_keys.add(old))
    await store.write(lambda tx: (tx.receipt_keys.add(new), tx.receipt_keys.add(new)))
    await store.write(lambda tx: tx.receipt_keys.add(ReceiptKey(id="rk_1", public_key=b"x" * 32, created_at=9.0)))
    assert list(await store.read(lambda tx: tx.receipt_keys.list())) == [new, old]
