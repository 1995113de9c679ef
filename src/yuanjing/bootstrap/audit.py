"""What a worker does for the audit log."""

from yuanjing.bootstrap.receipts import make_receipts
from yuanjing.bootstrap.services import Services
from yuanjing.usecases.audit import purge_audit
from yuanjing.usecases.audit_checkpoints import make_checkpoint
from yuanjing.worker.supervisor import Logger
from yuanjing.worker.worker import Chore

_PURGE_SECONDS = 3600.0


def audit_chores(services: Services, log: Logger) -> tuple[Chore, ...]:
    """Removing what is old; and checkpoints, which leave the database by the log."""
    settings, receipts = services.settings, make_receipts(services)

    async def purge() -> bool:
        return await purge_audit(services.store, services.clock, days=settings.audit_days) > 0

    async def write_checkpoint() -> bool:
        log.info("audit.checkpoint", checkpoint=(await make_checkpoint(receipts)).decode())
        return False

    return (
        Chore(name="purge_audit", run=purge, pause_seconds=_PURGE_SECONDS),
        Chore(name="audit_checkpoint", run=write_checkpoint, pause_seconds=settings.audit_checkpoint_seconds),
    )
