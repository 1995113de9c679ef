"""Settings become adapters, adapters become the services that commands and processes share."""

import asyncio
import secrets
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from yuanjing.adapters.spool import SqliteSpoolFolder
from yuanjing.adapters.sql import SchemaError, StoreOptions, copy_database, current, open_store, upgrade
from yuanjing.bootstrap.checks import (
    ENCRYPTION_KEY_FILE,
    PEPPER_FILE,
    check_ca_file,
    check_database_file,
    check_secrets,
    secret_path,
)
from yuanjing.bootstrap.data_folder import prepare_data
from yuanjing.bootstrap.operators import this_operator
from yuanjing.bootstrap.protocols import make_upstreams
from yuanjing.domain.audit import Action, Actor
from yuanjing.kit.clock import Clock, SystemClock
from yuanjing.kit.digest import keyed_digest
from yuanjing.kit.secretbox import KEK_BYTES, SecretBox
from yuanjing.kit.secretfiles import (
    SecretFileError,
    parse_secret,
    read_or_create_secret,
    read_or_create_text,
    read_secrets,
)
from yuanjing.ports.spool import SpoolFolder
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.upstream import ChannelProbe, ProbeReport, ProbeTarget
from yuanjing.settings import Settings, SettingsError, variable
from yuanjing.usecases.audit import record

PEPPER_BYTES = 32
_AUDIT_PURPOSE = "audit log"
_PROBE_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """What every command and process needs; open for as long as `open_services` is."""

    settings: Settings
    store: Store
    clock: Clock
    pepper: bytes
    box: SecretBox
    spools: SpoolFolder
    probe: ChannelProbe

    def __repr__(self) -> str:
        return "Services(…)"

    @property
    def operator(self) -> Actor:
        """Who is recorded as having done what a command does."""
        return this_operator(self.settings.machine)


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationReport:
    """Schema versions before and after; None is an empty database."""

    before: str | None
    after: str | None


def load_secrets(settings: Settings) -> tuple[bytes, SecretBox]:
    """The pepper of the API keys and the box of the credentials; made on first use, unless they are settings.

    Raises:
        SettingsError: a secret's file cannot be used.
    """
    return _pepper(settings), _box(settings)


def _pepper(settings: Settings) -> bytes:
    if settings.key_pepper is not None:
        return parse_secret(settings.key_pepper.get_secret_value(), PEPPER_BYTES)
    try:
        return read_or_create_secret(secret_path(settings, PEPPER_FILE), PEPPER_BYTES)
    except SecretFileError as error:
        raise SettingsError([f"{variable('key_pepper')}: {error}"]) from error


def _box(settings: Settings) -> SecretBox:
    """Of keys that are settings; else of those in their file, whose rotation running processes notice."""
    if settings.encryption_key is not None:
        return SecretBox(
            [parse_secret(key, KEK_BYTES) for key in settings.encryption_key.get_secret_value().split(",")]
        )
    path = secret_path(settings, ENCRYPTION_KEY_FILE)
    try:
        read_or_create_text(path, lambda: secrets.token_hex(KEK_BYTES))
        return SecretBox(read_secrets(path, KEK_BYTES), reread=lambda: read_secrets(path, KEK_BYTES))
    except SecretFileError as error:
        raise SettingsError([f"{variable('encryption_key')}: {error}"]) from error


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncGenerator[Services]:
    """Open everything that commands and processes share, and close it again.

    In development the database is brought to the current schema; in production it must have it.

    Raises:
        SettingsError: the data folder or a secret cannot be used.
        SchemaError: the database needs `yuanjing migrate`, or is newer than this program.
        StoreUnavailableError: the database cannot be reached.
    """
    check_secrets(settings)
    check_database_file(settings)
    prepare_data(settings)
    pepper, box = load_secrets(settings)
    clock = SystemClock()
    store = await _open_migrated(settings, clock, pepper)
    try:
        yield Services(
            settings=settings,
            store=store,
            clock=clock,
            pepper=pepper,
            box=box,
            spools=open_spools(settings),
            probe=_Probe(settings, clock),
        )
    finally:
        await store.close()


class _Probe:
    """The channel probe, which is made when it is first asked: few need an HTTP client and its certificates."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def probe(self, target: ProbeTarget) -> ProbeReport:
        """See `ChannelProbe`.

        Raises:
            SettingsError: the file of certificate authorities cannot be used.
        """
        check_ca_file(self._settings)
        from yuanjing.adapters.providers.probe import HttpChannelProbe  # noqa: PLC0415  # see the class
        from yuanjing.adapters.providers.video_probe import VideoChannelProbe  # noqa: PLC0415  # the same
        from yuanjing.kit.webcalls import CallLimits, WebCaller, open_client  # noqa: PLC0415  # the same

        limits = CallLimits(total_seconds=_PROBE_SECONDS)
        verify = ssl.create_default_context(cafile=self._settings.ca_file)
        async with open_client(limits, verify=verify) as client:
            upstream = make_upstreams(WebCaller(client, limits)).get(target.protocol)
            if upstream is not None:
                return await VideoChannelProbe(upstream, now=self._clock.unix()).probe(target)
        return await HttpChannelProbe(ca_file=self._settings.ca_file).probe(target)


async def _open_migrated(settings: Settings, clock: Clock, pepper: bytes) -> Store:
    options = _store_options(pepper)
    try:
        return await open_store(settings.store_url, options=options, clock=clock)
    except SchemaError:
        if settings.is_production:
            raise
    await upgrade(settings.store_url)
    return await open_store(settings.store_url, options=options, clock=clock)


def _store_options(pepper: bytes) -> StoreOptions:
    """The audit log is sealed under a key of its own, made of the pepper, which all machines share."""
    return StoreOptions(audit_key=keyed_digest(pepper, _AUDIT_PURPOSE))


async def migrate(settings: Settings) -> MigrationReport:
    """Bring the database to the schema of this program, which is recorded right after it.

    Raises:
        SettingsError: the data folder cannot be made, or a secret cannot be used; nothing was done.
        SchemaError: the database is newer than this program.
        StoreUnavailableError: the database cannot be reached.
    """
    check_secrets(settings)
    prepare_data(settings)
    pepper, _ = load_secrets(settings)
    before = await current(settings.store_url)
    await upgrade(settings.store_url)
    report = MigrationReport(before=before, after=await current(settings.store_url))
    if report.before != report.after:
        await _record_migration(settings, pepper, report)
    return report


async def _record_migration(settings: Settings, pepper: bytes, report: MigrationReport) -> None:
    clock = SystemClock()
    store = await open_store(settings.store_url, options=_store_options(pepper), clock=clock)
    details = {"before": report.before or "", "after": report.after or ""}

    def work(tx: Tx) -> None:
        by = this_operator(settings.machine)
        record(tx, clock.unix(), by, Action.SCHEMA_MIGRATED, "schema", details=details)

    try:
        await store.write(work)
    finally:
        await store.close()


async def back_up(settings: Settings, target: Path) -> int:
    """Copy the database, which may be in use, into a new file; its size in bytes.

    Raises:
        YuanjingError: see `copy_database`.
    """
    return await asyncio.to_thread(copy_database, settings.store_url, target)


def open_spools(settings: Settings) -> SpoolFolder:
    """This machine's spools."""
    return SqliteSpoolFolder(
        settings.data / "spool",
        sync=settings.spool_sync,
        rows_max=settings.spool_rows_max,
        size_max_bytes=settings.spool_size_max_bytes,
    )
