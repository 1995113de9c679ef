"""What has to be there before anybody serves: schema, catalogue, sandbox channels, the demonstration customer.

A process of its own, out of the forker, does it and ends: the supervisor needs no database, and a signal can interrupt
one that does not answer.
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from yuanjing.bootstrap.data_folder import prepare_data
from yuanjing.bootstrap.demo import Addresses, Demo, ensure_demo, program_name, write_addresses
from yuanjing.bootstrap.files import check_files
from yuanjing.bootstrap.handover import Handover
from yuanjing.bootstrap.payment_choice import payments_folder
from yuanjing.bootstrap.services import open_services
from yuanjing.domain.errors import YuanjingError
from yuanjing.sandbox.options import DEFAULT_CREDENTIAL
from yuanjing.settings import Settings, SettingsError
from yuanjing.usecases.catalog import DirectoryData, import_catalog, load_directory
from yuanjing.usecases.catalog_documents import shipped_documents, shipped_names
from yuanjing.usecases.channels import ensure_sandbox_channels

if TYPE_CHECKING:
    from yuanjing.worker.supervisor import Logger


def run_prepare(handover: Handover) -> int:
    """Prepare, and answer with the outcome (see `preparation`); the exit code."""
    addresses = Addresses(platform=handover.address, sandbox=handover.sandbox_address)
    try:
        demo = asyncio.run(prepare(handover.settings(), addresses, with_demo=handover.with_demo))
    except SettingsError as error:
        outcome: dict[str, object] = {"wrong_settings": error.lines}
    except YuanjingError as error:
        outcome = {"code": error.code, "message": error.message}
    else:
        outcome = {"demo": None if demo is None else {"text": demo.text(), "document": demo.document()}}
    assert handover.ready_fd is not None
    with os.fdopen(handover.ready_fd, "wb") as answer:
        answer.write(json.dumps(outcome).encode())
    return 0


async def prepare(settings: Settings, addresses: Addresses, *, with_demo: bool) -> Demo | None:
    """Make it so, and remember where the platform listens; the demonstration customer if it is asked for.

    Raises:
        SettingsError: the data folder, a secret or the place of files cannot be used.
        SchemaError: see `open_services`.
        StoreUnavailableError: the database cannot be reached.
        StorageUnavailableError: S3 cannot be reached.
    """
    log = structlog.get_logger("supervisor")
    async with _payments_prepared(settings, addresses), open_services(settings) as services:
        await check_files(settings, "platform")
        found, notice = await load_directory(services.store), ""
        if found.offers:
            notice = _tell_missing(found, program_name(settings.data), log)
        else:
            report = await import_catalog(services.store, services.clock, shipped_documents())
            log.info("shipped catalogue imported", report=str(report))
        if addresses.sandbox is not None:
            await ensure_sandbox_channels(
                services.store,
                services.clock,
                services.box,
                base_url=addresses.sandbox,
                credential=DEFAULT_CREDENTIAL,
            )
        demo = replace(await ensure_demo(services, addresses), notice=notice) if with_demo else None
        write_addresses(settings.data, addresses)
    return demo


@asynccontextmanager
async def _payments_prepared(settings: Settings, addresses: Addresses) -> AsyncGenerator[None]:
    """Make the keys of simulated payments meanwhile, before the processes that need them all do."""
    folder = payments_folder(settings)
    if folder is None or addresses.sandbox is None:
        yield
        return
    from yuanjing.bootstrap.simulated_payments import make_keys  # noqa: PLC0415  # few make keys

    prepare_data(settings)
    making = asyncio.get_running_loop().create_task(asyncio.to_thread(make_keys, folder))
    try:
        yield
    finally:
        await making


def _tell_missing(found: DirectoryData, program: str, log: "Logger") -> str:
    """Say what comes with this program but is not in the catalogue, and how to take it in; empty if it is all there.

    It is not taken in by itself: an import also brings shipped prices and changes of what is there.
    """
    shipped, offers, providers = shipped_names(), {one.id for one in found.offers}, {one.id for one in found.providers}
    models = sorted({model for id_, model in shipped.offers.items() if id_ not in offers})
    missing = [id_ for id_ in shipped.providers if id_ not in providers]
    if not models and not missing:
        return ""
    command = f"{program} offer import"
    log.warning("the catalogue lacks what came with an upgrade", take_in=command, models=models, providers=missing)
    what = f"{len(models)} models" if models else f"{len(missing)} providers"
    return f"{what} of this version are not in your catalogue yet; take them in with: {command}"
