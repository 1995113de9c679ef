"""Keys and signatures of the simulated Alipay."""

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class Seal:
    """Signs for Alipay, and checks what the merchant signed."""

    def __init__(self, merchant_public_key: str, private_key: str) -> None:
        merchant = serialization.load_pem_public_key(_pem(merchant_public_key))
        own = serialization.load_pem_private_key(private_key.encode(), None) if private_key else _new_key()
        if not isinstance(merchant, rsa.RSAPublicKey) or not isinstance(own, rsa.RSAPrivateKey):
            raise TypeError("The sandbox's Alipay needs RSA keys.")
        self._merchant = merchant
        self._own = own
        self._foreign: rsa.RSAPrivateKey | None = None

    @property
    def public_key(self) -> str:
        """What the merchant checks our signatures with, in bare base64 as Alipay's console shows it."""
        key = self._own.public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return base64.b64encode(key.public_bytes(serialization.Encoding.DER, form)).decode()

    def sign(self, text: str) -> str:
        """SHA256withRSA."""
        return base64.b64encode(self._own.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()

    def sign_weakly(self, text: str) -> str:
        """SHA1withRSA, as the old RSA sign type has it."""
        signature = self._own.sign(text.encode(), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  # a fault on purpose
        return base64.b64encode(signature).decode()

    def sign_falsely(self, text: str) -> str:
        """SHA256withRSA by a key that is not Alipay's."""
        if self._foreign is None:
            self._foreign = _new_key()
        return base64.b64encode(self._foreign.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()

    def is_merchants(self, text: str, signature: str) -> bool:
        """Whether the merchant signed that with SHA256withRSA."""
        try:
            raw = base64.b64decode(signature, validate=True)
            self._merchant.verify(raw, text.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error):
            return False
        return True


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(text: str) -> bytes:
    if "BEGIN" in text:
        return text.encode()
    return f"-----BEGIN PUBLIC KEY-----\n{''.join(text.split())}\n-----END PUBLIC KEY-----\n".encode()
