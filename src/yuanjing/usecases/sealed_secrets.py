"""What the platform keeps sealed: channels' credentials and customers' one-time password secrets, under which keys."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from yuanjing.domain.catalog import Channel
from yuanjing.domain.signin import Factors
from yuanjing.kit.secretbox import SecretBox, SecretBoxError, key_id_of
from yuanjing.ports.store import Store, Tx

_PAGE = 200
_ROUNDS_MAX = 2
"""What somebody changes while it is sealed anew is left as it is and looked at again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedReport:
    """What is sealed, and how.

    Attributes:
        current: the id of the key that seals.
        counts: how many secrets each key has sealed, by its id; those of configured keys first, with 0 too.
        moved: how many were sealed anew under the current key.
        unopened: ids of the channels and customers whose secret no configured key opens.
    """

    current: str
    counts: Mapping[str, int]
    moved: int = 0
    unopened: tuple[str, ...] = ()

    @property
    def is_all_current(self) -> bool:
        """Whether the current key alone opens everything."""
        return not self.unopened and all(id_ == self.current or not count for id_, count in self.counts.items())


async def survey_secrets(store: Store, box: SecretBox) -> SealedReport:
    """Count them; each is opened, to see that it can be, and nothing is changed.

    Raises:
        SecretBoxError: the keys cannot be read.
    """
    counts: Counter[str] = Counter()
    unopened: list[str] = []
    key_ids = box.key_ids
    for owner, sealed, context in await _all(store):
        counts[key_id_of(sealed)] += 1
        if not _opens(box, sealed, context) and owner not in unopened:
            unopened.append(owner)
    return SealedReport(
        current=key_ids[0],
        counts={id_: counts[id_] for id_ in dict.fromkeys((*key_ids, *counts))},
        unopened=tuple(unopened),
    )


async def reseal_secrets(store: Store, box: SecretBox) -> SealedReport:
    """Seal anew, under the current key, whatever another one has sealed. What cannot be opened stays as it is.

    Requests that run are not disturbed, since nobody's credential changes; a change of one meanwhile wins.

    Raises:
        SecretBoxError: the keys cannot be read.
    """
    moved = await _reseal_all(store, box)
    report = await survey_secrets(store, box)
    for _ in range(_ROUNDS_MAX):
        if report.is_all_current or report.unopened:
            break
        moved += await _reseal_all(store, box)
        report = await survey_secrets(store, box)
    return replace(report, moved=moved)


async def _reseal_all(store: Store, box: SecretBox) -> int:
    moved = await store.write(lambda tx: _reseal_channels(tx, box))
    after = ""
    while page := await store.read(lambda tx, last=after: tx.factors.with_secrets(last, _PAGE)):
        after = page[-1].customer_id
        moved += await store.write(lambda tx, them=page: _reseal_factors(tx, box, them))
    return moved


async def _all(store: Store) -> list[tuple[str, bytes, bytes]]:
    """Whose it is, what is sealed, and its context."""
    channels = await store.read(lambda tx: tx.catalog.channels())
    found = [(one.id, one.credential, one.credential_context) for one in channels if one.credential]
    after = ""
    while page := await store.read(lambda tx, last=after: tx.factors.with_secrets(last, _PAGE)):
        after = page[-1].customer_id
        found += [(one.customer_id, sealed, one.totp_context) for one in page for sealed in _sealed(one)]
    return found


def _sealed(factors: Factors) -> Iterable[bytes]:
    return (sealed for sealed in (factors.totp_secret, factors.totp_pending) if sealed is not None)


def _opens(box: SecretBox, sealed: bytes, context: bytes) -> bool:
    try:
        box.open(sealed, context)
    except SecretBoxError:
        return False
    return True


def _reseal_channels(tx: Tx, box: SecretBox) -> int:
    return sum(_reseal_channel(tx, box, channel) for channel in tx.catalog.channels() if channel.credential)


def _reseal_channel(tx: Tx, box: SecretBox, channel: Channel) -> bool:
    sealed = _resealed(box, channel.credential, channel.credential_context)
    if sealed is None or sealed == channel.credential:
        return False
    return tx.catalog.replace_credential(channel.id, channel.credential, sealed)


def _reseal_factors(tx: Tx, box: SecretBox, page: Iterable[Factors]) -> int:
    moved = 0
    for one in page:
        if all(box.is_current(sealed) for sealed in _sealed(one)):
            continue
        factors = tx.factors.lock(one.customer_id)
        changed = replace(
            factors,
            totp_secret=_resealed(box, factors.totp_secret, factors.totp_context),
            totp_pending=_resealed(box, factors.totp_pending, factors.totp_context),
        )
        if changed != factors:
            tx.factors.save(changed)
            moved += sum(old != new for old, new in zip(_sealed(factors), _sealed(changed), strict=True))
    return moved


def _resealed(box: SecretBox, sealed: bytes | None, context: bytes) -> bytes | None:
    """The same secret under the current key; what is under it already, or opens by no key, stays."""
    if sealed is None or box.is_current(sealed):
        return sealed
    try:
        return box.seal(box.open(sealed, context), context)
    except SecretBoxError:
        return sealed
