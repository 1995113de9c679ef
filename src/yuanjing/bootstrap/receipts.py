"""The key of receipts, from the data folder."""

from yuanjing.bootstrap.checks import secret_path
from yuanjing.bootstrap.services import Services
from yuanjing.kit.secretfiles import SecretFileError, read_or_create_secret
from yuanjing.kit.signing import SEED_BYTES, SigningKey
from yuanjing.settings import SettingsError, variable
from yuanjing.usecases.receipts import Receipts

RECEIPT_KEY_FILE = "receipt-key"


def make_receipts(services: Services) -> Receipts:
    """What receipts are made with. The key is made on first use; each machine may have its own.

    Raises:
        SettingsError: its file cannot be used.
    """
    try:
        seed = read_or_create_secret(secret_path(services.settings, RECEIPT_KEY_FILE), SEED_BYTES)
    except SecretFileError as error:
        raise SettingsError([f"{variable('data')}: {error}"]) from error
    return Receipts(store=services.store, clock=services.clock, key=SigningKey(seed))
