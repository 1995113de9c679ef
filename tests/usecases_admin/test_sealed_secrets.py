"""Secrets are sealed anew under another key: all of them, and nothing else changes."""

from dataclasses import replace

import pytest

from yuanjing.domain.money import Book
from yuanjing.domain.signin import Factors
from yuanjing.kit.secretbox import SecretBox, SecretBoxError
from yuanjing.usecases.channels import ChannelChange, ChannelDraft, add_channel, list_channels, update_channel
from yuanjing.usecases.sealed_secrets import reseal_secrets, survey_secrets

OLD, NEW = b"o" * 32, b"n" * 32
PEOPLE = 450
"""More than two pages."""


@pytest.fixture
def old():
    return SecretBox([OLD])


@pytest.fixture
async def full_store(catalog_store, clock, old):
    """Channels with and without credentials, and customers with authenticators."""
    for n in range(3):
        draft = ChannelDraft(provider_id="dashscope", book=Book.LIVE, name=f"n{n}")
        await add_channel(catalog_store, clock, old, draft, credential=f"sk-{n}")
    local = ChannelDraft(provider_id="ollama", book=Book.LIVE, base_url="http://127.0.0.1:11434/v1")
    await add_channel(catalog_store, clock, old, local, credential="")

    def work(tx):
        for n in range(PEOPLE):
            one = Factors(customer_id=f"cus_{n:04}", password_hash="$argon2id$…")
            seal = old.seal(f"totp-{n}".encode(), one.totp_context)
            pending = old.seal(b"pending", one.totp_context) if n % 3 == 0 else None
            tx.factors.save(replace(one, totp_secret=seal if n % 2 else None, totp_pending=pending))

    await catalog_store.write(work)
    return catalog_store


async def plain(store, box):
    """Everything that is kept, with its secrets opened."""
    channels = await list_channels(store)
    people = await store.read(lambda tx: tx.factors.with_secrets("", 10_000))

    def opened(sealed, context):
        return None if sealed is None else box.open(sealed, context)

    return (
        [replace(one, credential=box.open(one.credential, one.credential_context)) for one in channels],
        [
            replace(
                one,
                totp_secret=opened(one.totp_secret, one.totp_context),
                totp_pending=opened(one.totp_pending, one.totp_context),
            )
            for one in people
        ],
    )


async def test_everything_moves_under_the_new_key_and_stays_what_it_was(full_store, old, signals):
    before, told = await plain(full_store, old), await signals()
    total = 4 + PEOPLE // 2 + PEOPLE // 3
    both = SecretBox([NEW, OLD])
    report = await survey_secrets(full_store, both)
    assert (list(report.counts.values()), report.unopened, report.is_all_current) == ([0, total], (), False)
    report = await reseal_secrets(full_store, both)
    assert (report.moved, list(report.counts.values()), report.is_all_current) == (total, [total, 0], True)
    assert await plain(full_store, SecretBox([NEW])) == before
    with pytest.raises(SecretBoxError):
        await plain(full_store, old)
    assert await signals() == told, "nobody's credential has changed, so nobody reads the catalogue again"
    assert (await reseal_secrets(full_store, both)).moved == 0


async def test_what_opens_by_no_key_is_named_and_stays(full_store, clock, old):
    lost = await add_channel(
        full_store,
        clock,
        SecretBox([b"x" * 32]),
        ChannelDraft(provider_id="dashscope", book=Book.TEST),
        credential="sk-lost",
    )
    stolen = Factors(customer_id="cus_9999", totp_secret=old.seal(b"s", b"totp:cus_0001"))
    await full_store.write(lambda tx: tx.factors.save(stolen))
    report = await reseal_secrets(full_store, SecretBox([NEW, OLD]))
    assert report.unopened == (lost.id, "cus_9999")
    assert not report.is_all_current
    assert lost in await list_channels(full_store)
    assert await full_store.read(lambda tx: tx.factors.lock("cus_9999")) == stolen


async def test_a_change_meanwhile_wins(full_store, clock, old, monkeypatch):
    """A credential that is given while the old one is sealed anew is not overwritten by it."""
    both, (first, *_) = SecretBox([NEW, OLD]), await list_channels(full_store)
    changed = await update_channel(full_store, clock, old, first.id, ChannelChange(), credential="sk-newest")
    table = await full_store.read(lambda tx: type(tx.catalog))
    real = table.channels

    def stale(self):
        monkeypatch.setattr(table, "channels", real)
        return [first if one.id == first.id else one for one in real(self)]

    monkeypatch.setattr(table, "channels", stale)
    assert (await reseal_secrets(full_store, both)).is_all_current
    found = next(one for one in await list_channels(full_store) if one.id == changed.id)
    assert SecretBox([NEW]).open(found.credential, found.credential_context) == b"sk-newest"
