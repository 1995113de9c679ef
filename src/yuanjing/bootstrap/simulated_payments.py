"""The keys of the simulated Alipay: who has which, for the sandbox and for whoever pays there.

They are made at the first start of a development installation, while it is prepared, and kept in the data folder; who
needs them and does not find them makes them too. The sandbox is given nothing secret of the merchant's, and the adapter
nothing secret of Alipay's.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from yuanjing.adapters.alipay.options import AlipayOptions
from yuanjing.bootstrap.payment_choice import SECRETS_FOLDER
from yuanjing.kit.secretfiles import SecretFileError, read_or_create_text
from yuanjing.sandbox.alipay.options import AlipayOptions as MerchantOptions
from yuanjing.settings import Settings, SettingsError, variable

_BITS = 2048
_MERCHANT_FILE, _ALIPAY_FILE = "simulated-merchant.pem", "simulated-alipay.pem"
_APP_ID, _SELLER_ID = "9021000100000001", "2088721000000001"


def make_keys(folder: str) -> None:
    """Make the keys that are not there yet.

    Raises:
        SettingsError: a key's file cannot be used.
    """
    for name in (_MERCHANT_FILE, _ALIPAY_FILE):
        _text(Path(folder) / name)


def merchant_options(folder: str) -> MerchantOptions:
    """What the sandbox knows of its merchant.

    Raises:
        SettingsError: a key's file cannot be used.
    """
    return MerchantOptions(
        app_id=_APP_ID,
        seller_id=_SELLER_ID,
        merchant_public_key=_public(_key(Path(folder) / _MERCHANT_FILE)),
        private_key=_text(Path(folder) / _ALIPAY_FILE),
    )


def simulated_options(settings: Settings, sandbox_address: str) -> AlipayOptions:
    """The merchant's account at the simulated Alipay.

    Raises:
        SettingsError: a key's file cannot be used.
    """
    folder = settings.data / SECRETS_FOLDER
    return AlipayOptions(
        app_id=_APP_ID,
        seller_id=_SELLER_ID,
        private_key=_text(folder / _MERCHANT_FILE),
        alipay_public_key=_public(_key(folder / _ALIPAY_FILE)),
        gateway_url=f"{sandbox_address}/alipay/gateway.do",
        bill_hosts=("127.0.0.1", "::1"),
        notification_bytes_max=settings.topup_notification_bytes_max,
    )


def _text(path: Path) -> str:
    try:
        return read_or_create_text(path, _new)
    except SecretFileError as error:
        raise SettingsError([f"{variable('data')}: {error}"]) from error


def _key(path: Path) -> rsa.RSAPrivateKey:
    try:
        key = load_pem_private_key(_text(path).encode(), None, unsafe_skip_rsa_key_validation=True)  # we made it
    except ValueError:
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SettingsError([f"{variable('data')}: {path}: there is no RSA key in it; remove the file"])
    return key


def _public(key: rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def _new() -> str:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii").strip()
