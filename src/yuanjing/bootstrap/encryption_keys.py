"""The keys under which secrets are sealed, in their file: a new one in front, and the old ones let go."""

import secrets
from collections.abc import Generator
from contextlib import contextmanager

from yuanjing.bootstrap.checks import ENCRYPTION_KEY_FILE, secret_path
from yuanjing.bootstrap.data_folder import node_prefix
from yuanjing.bootstrap.services import Services
from yuanjing.domain.audit import Action
from yuanjing.domain.errors import YuanjingError
from yuanjing.kit.secretbox import KEK_BYTES
from yuanjing.kit.secretfiles import SecretFileError, read_secrets, replace_secrets, sole_writer
from yuanjing.settings import variable
from yuanjing.usecases.audit import record
from yuanjing.usecases.sealed_secrets import SealedReport, reseal_secrets

KEYS_MAX = 8
"""Keys in the file; who lets none go seals under ever more of them."""


class RotationRefusedError(YuanjingError):
    """The keys cannot be changed in this way now; the message says why, and what to do."""

    code = "rotation_refused"


async def rotate_key(services: Services) -> SealedReport:
    """Put a new key in front, if they are in a file, and seal everything anew under the first one.

    The old ones still open, so processes that run, and backups that are restored, find what they need.

    Raises:
        RotationRefusedError: there are too many, others would not know the new one, or somebody else changes them.
        SecretBoxError: the keys cannot be read.
    """
    if services.settings.encryption_key is not None:
        return await _record(services, Action.SEALING_KEY_ROTATED, await reseal_secrets(services.store, services.box))
    with _changing(services) as keys:
        if len(keys) >= KEYS_MAX:
            raise RotationRefusedError(f"there are {len(keys)} keys; let the old ones go first: yuanjing secret retire")
        await _check_alone(services)
        replace_secrets(secret_path(services.settings, ENCRYPTION_KEY_FILE), [secrets.token_bytes(KEK_BYTES), *keys])
        return await _record(services, Action.SEALING_KEY_ROTATED, await reseal_secrets(services.store, services.box))


async def retire_keys(services: Services) -> SealedReport:
    """Take all keys but the first out of their file, once nothing needs them any more.

    Raises:
        RotationRefusedError: something cannot be opened, the keys are settings, or somebody else changes them.
        SecretBoxError: the keys cannot be read.
    """
    if services.settings.encryption_key is not None:
        name = variable("encryption_key")
        raise RotationRefusedError(f"the keys are in {name}: take the old ones out of it, and start again")
    with _changing(services) as keys:
        await _check_alone(services)
        report = await reseal_secrets(services.store, services.box)
        if not report.is_all_current:
            raise RotationRefusedError(
                "the old keys stay, since not everything opens by the first one: yuanjing secret list"
            )
        replace_secrets(secret_path(services.settings, ENCRYPTION_KEY_FILE), keys[:1])
        counts = {report.current: report.counts[report.current]}
        left = SealedReport(current=report.current, counts=counts, moved=report.moved)
        return await _record(services, Action.SEALING_KEYS_RETIRED, left)


async def _record(services: Services, action: Action, report: SealedReport) -> SealedReport:
    """The file has changed by then: no unit of work could hold both."""
    by, at, details = services.operator, services.clock.unix(), {"sealed_anew": report.moved}
    await services.store.write(lambda tx: record(tx, at, by, action, report.current, details=details))
    return report


@contextmanager
def _changing(services: Services) -> Generator[list[bytes]]:
    path = secret_path(services.settings, ENCRYPTION_KEY_FILE)
    try:
        with sole_writer(path):
            yield read_secrets(path, KEK_BYTES)
    except SecretFileError as error:
        raise RotationRefusedError(str(error)) from error


async def _check_alone(services: Services) -> None:
    """A file is of one data folder; gateways of others that share the database would not find a key in it.

    Raises:
        RotationRefusedError: some are there.
    """
    own = node_prefix(services.settings)
    nodes = await services.store.read(lambda tx: tx.nodes.all())
    others = sorted(node.id for node in nodes if node.is_alive and not node.id.startswith(own))
    if others:
        name = variable("encryption_key")
        raise RotationRefusedError(f"{others[0]} uses the database too: give all machines the keys, in {name}")
