"""Sealing small secrets at rest: an AES-256-GCM envelope with a key of its own for every record.

Each record is encrypted under a random data key, and the data key under a key-encryption key (KEK). The
caller's context (which row, whose, where it may be used) is authenticated with both layers, so a sealed
secret that is copied to another row does not open there. Several KEKs make rotation possible: the first
seals, all of them open. Where they come from may change while a process runs: it asks there again before it
seals, and when it meets a KEK that it does not know.

Format 1: version (1 byte), KEK id (8), nonce (12), wrapped data key (48), nonce (12), ciphertext and tag.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEK_BYTES = 32
_VERSION = b"\x01"
_ID_BYTES, _NONCE_BYTES, _DATA_KEY_BYTES, _TAG_BYTES = 8, 12, 32, 16
_WRAP_AT = len(_VERSION) + _ID_BYTES
_DATA_AT = _WRAP_AT + _NONCE_BYTES + _DATA_KEY_BYTES + _TAG_BYTES
_SEALED_BYTES_MIN = _DATA_AT + _NONCE_BYTES + _TAG_BYTES


class SecretBoxError(Exception):
    """The sealed bytes cannot be opened: damaged, of another context, or sealed by a key that is not here."""


def _derive(kek: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=b"yuanjing secretbox " + purpose).derive(kek)


@dataclass(frozen=True, slots=True)
class _Ring:
    """The keys of one moment, by their ids; the first one seals."""

    keks: tuple[bytes, ...]
    wraps: Mapping[bytes, AESGCM]

    @property
    def current(self) -> bytes:
        return next(iter(self.wraps))


def _ring(keks: Sequence[bytes]) -> _Ring:
    if not keks or any(len(kek) != KEK_BYTES for kek in keks):
        raise ValueError(f"a secret box needs at least one key, each of {KEK_BYTES} bytes")
    wraps = {_derive(kek, b"id", _ID_BYTES): AESGCM(_derive(kek, b"wrap", KEK_BYTES)) for kek in keks}
    return _Ring(tuple(keks), wraps)


class SecretBox:
    """Seals and opens secrets under one or more key-encryption keys of 32 bytes; the first one seals.

    `reread` gives the keys of now, if they may change; what it raises becomes a `SecretBoxError`.
    """

    def __init__(self, keks: Sequence[bytes], *, reread: Callable[[], Sequence[bytes]] | None = None) -> None:
        self._ring = _ring(keks)
        self._reread = reread

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Public names of the keys of now, in hexadecimal digits; the first one seals.

        Raises:
            SecretBoxError: they cannot be read.
        """
        return tuple(id_.hex() for id_ in self._refreshed().wraps)

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Encrypt; only `open` with the same context gives it back.

        Raises:
            SecretBoxError: the keys of now cannot be read; under those of before it might never open again.
        """
        ring = self._refreshed()
        data_key, header = secrets.token_bytes(_DATA_KEY_BYTES), _VERSION + ring.current
        wrap_nonce, data_nonce = secrets.token_bytes(_NONCE_BYTES), secrets.token_bytes(_NONCE_BYTES)
        wrapped = ring.wraps[ring.current].encrypt(wrap_nonce, data_key, header + context)
        sealed = AESGCM(data_key).encrypt(data_nonce, plain, header + context)
        return header + wrap_nonce + wrapped + data_nonce + sealed

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt what `seal` made with this context.

        Raises:
            SecretBoxError: see the class; the message never holds any of the content.
        """
        if len(sealed) < _SEALED_BYTES_MIN or not sealed.startswith(_VERSION):
            raise SecretBoxError("not a sealed secret of a known format")
        header = sealed[:_WRAP_AT]
        wrap = self._ring.wraps.get(header[len(_VERSION) :]) or self._refreshed().wraps.get(header[len(_VERSION) :])
        if wrap is None:
            raise SecretBoxError("sealed by a key-encryption key that is not configured")
        wrap_nonce, wrapped = (
            sealed[_WRAP_AT : _WRAP_AT + _NONCE_BYTES],
            sealed[_WRAP_AT + _NONCE_BYTES : _DATA_AT],
        )
        data_nonce, body = sealed[_DATA_AT : _DATA_AT + _NONCE_BYTES], sealed[_DATA_AT + _NONCE_BYTES :]
        try:
            data_key = wrap.decrypt(wrap_nonce, wrapped, header + context)
            return AESGCM(data_key).decrypt(data_nonce, body, header + context)
        except InvalidTag as error:
            raise SecretBoxError("damaged, or sealed for another place") from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether it was sealed by the first key; if not, `seal(open(…))` moves it there."""
        return sealed[:_WRAP_AT] == _VERSION + self._ring.current

    def _refreshed(self) -> _Ring:
        """The keys of now."""
        if self._reread is not None:
            try:
                keks = tuple(self._reread())
                if keks != self._ring.keks:
                    self._ring = _ring(keks)
            except Exception as error:
                raise SecretBoxError(f"the key-encryption keys cannot be read again: {error}") from error
        return self._ring


def key_id_of(sealed: bytes) -> str:
    """The public name of the key that it was sealed by, in hexadecimal digits; empty if it is no sealed secret."""
    return sealed[len(_VERSION) : _WRAP_AT].hex() if sealed.startswith(_VERSION) else ""
