"""What has to be there before anybody serves: schema, catalogue, sandbox channels, the demonstration customer."""

import structlog

from yuanjing.bootstrap.demo import Addresses, Demo, ensure_demo, write_addresses
from yuanjing.bootstrap.services import open_services
from yuanjing.sandbox.options import DEFAULT_CREDENTIAL
from yuanjing.settings import Settings
from yuanjing.usecases.catalog import import_catalog, load_directory
from yuanjing.usecases.catalog_documents import shipped_documents
from yuanjing.usecases.channels import ensure_sandbox_channels


async def prepare(settings: Settings, addresses: Addresses, *, with_demo: bool) -> Demo | None:
    """Make it so, and remember where the platform listens; the demonstration customer if it is asked for.

    Raises:
        SettingsError: the data folder or a secret cannot be used.
        SchemaError: see `open_services`.
        StoreUnavailableError: the database cannot be reached.
    """
    log = structlog.get_logger("supervisor")
    async with open_services(settings) as services:
        if not (await load_directory(services.store)).offers:
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
        demo = await ensure_demo(services, addresses) if with_demo else None
        write_addresses(settings.data, addresses)
    return demo
