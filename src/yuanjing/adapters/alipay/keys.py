"""Keys in the forms in which people hold them, and the serial numbers of certificates.

No error of this module repeats anything of a key.
"""

import base64
import binascii
import contextlib
import hashlib
import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from yuanjing.domain.errors import YuanjingError

KEY_BITS_MIN = 2048
"""RSA2 asks for at least that (https://opendocs.alipay.com/common/02kipk)."""

_PEM_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_RSA_SIGNED = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_MD5,
        SignatureAlgorithmOID.RSA_WITH_SHA1,
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
    }
)
"""The others among Alipay's root certificates are of the Chinese SM2, and do not count."""


class AlipayKeyError(YuanjingError):
    """A key or certificate cannot be used; says which one."""

    code = "invalid_input"


def read_private_key(text: str) -> RSAPrivateKey:
    """The application's private key: PKCS#1 or PKCS#8, as PEM or in bare base64.

    Raises:
        AlipayKeyError: it is none, has a password, or is too short.
    """
    try:
        if "-----BEGIN" in text:
            key = load_pem_private_key(_tidy(text), None)
        else:
            key = load_der_private_key(_bare(text), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise AlipayKeyError("The application's private key at Alipay cannot be read") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
        raise AlipayKeyError("The application's private key at Alipay must be RSA of at least 2048 bits")
    return key


def read_public_key(text: str) -> RSAPublicKey:
    """Alipay's public key, as PEM or in bare base64.

    Raises:
        AlipayKeyError: it is none, or too short.
    """
    try:
        key = load_pem_public_key(_tidy(text)) if "-----BEGIN" in text else load_der_public_key(_bare(text))
    except (ValueError, UnsupportedAlgorithm):
        raise AlipayKeyError("Alipay's public key cannot be read") from None
    return _checked(key)


def read_certificate_key(text: str) -> RSAPublicKey:
    """The public key of Alipay's certificate.

    Raises:
        AlipayKeyError: it is none, or too short.
    """
    try:
        key = _certificate(text).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise AlipayKeyError("Alipay's certificate cannot be read") from None
    return _checked(key)


def certificate_number(text: str) -> str:
    """The serial number by which Alipay names a certificate: MD5 of its issuer's name and its number.

    Source: https://opendocs.alipay.com/common/02kdnc; the order of the name's parts as in Alipay's Java SDK.

    Raises:
        AlipayKeyError: it is no certificate.
    """
    return _number(_certificate(text))


def root_number(text: str) -> str:
    """The number of the root certificates: those of all that are signed with RSA.

    What cannot be read is passed over with the other algorithms: Alipay's file mixes them.

    Raises:
        AlipayKeyError: none is there.
    """
    readable: list[x509.Certificate] = []
    for one in _pem_certificates(text):
        with contextlib.suppress(ValueError):
            readable.append(x509.load_pem_x509_certificate(one))
    numbers = [_number(one) for one in readable if one.signature_algorithm_oid in _RSA_SIGNED]
    if not numbers:
        raise AlipayKeyError("Alipay's root certificates hold none of RSA")
    return "_".join(numbers)


def _checked(key: object) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise AlipayKeyError("Alipay's public key must be RSA of at least 2048 bits")
    return key


def _bare(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _tidy(text: str) -> bytes:
    """PEM as files have it: settings often carry backslash-n for the ends of lines."""
    return text.replace("\\n", "\n").strip().encode()


def _pem_certificates(text: str) -> list[bytes]:
    return [str(one).encode() for one in _PEM_CERTIFICATE.findall(text.replace("\\n", "\n"))]


def _certificate(text: str) -> x509.Certificate:
    """The first one."""
    found = _pem_certificates(text)
    if not found:
        raise AlipayKeyError("A certificate of Alipay is missing")
    try:
        return x509.load_pem_x509_certificate(found[0])
    except ValueError:
        raise AlipayKeyError("A certificate of Alipay cannot be read") from None


def _number(certificate: x509.Certificate) -> str:
    parts = (
        ("CN", NameOID.COMMON_NAME),
        ("OU", NameOID.ORGANIZATIONAL_UNIT_NAME),
        ("O", NameOID.ORGANIZATION_NAME),
        ("C", NameOID.COUNTRY_NAME),
    )
    named = ((name, certificate.issuer.get_attributes_for_oid(oid)) for name, oid in parts)
    issuer = ",".join(f"{name}={found[0].value if found else None}" for name, found in named)
    digest = hashlib.md5(f"{issuer}{certificate.serial_number}".encode(), usedforsecurity=False)
    return digest.hexdigest()
