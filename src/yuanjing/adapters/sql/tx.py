"""What a unit of work sees of an SQL database."""

import sqlalchemy as sa

from yuanjing.adapters.sql.accounts import SqlChallenges, SqlFactors, SqlSessions
from yuanjing.adapters.sql.alerts import SqlAlerts
from yuanjing.adapters.sql.artifacts import SqlArtifacts
from yuanjing.adapters.sql.audit import SqlAudit
from yuanjing.adapters.sql.catalog import SqlCatalog
from yuanjing.adapters.sql.customers import SqlCustomers
from yuanjing.adapters.sql.holds import SqlHolds
from yuanjing.adapters.sql.idempotency import SqlIdempotency
from yuanjing.adapters.sql.keys import SqlKeys
from yuanjing.adapters.sql.ledger import SqlLedger
from yuanjing.adapters.sql.nodes import SqlNodes
from yuanjing.adapters.sql.promotions import SqlPromotions
from yuanjing.adapters.sql.receipts import SqlReceiptKeys
from yuanjing.adapters.sql.redeem_codes import SqlRedeemCodes
from yuanjing.adapters.sql.signals import SqlSignals
from yuanjing.adapters.sql.tasks import SqlTasks
from yuanjing.adapters.sql.topups import SqlTopUps
from yuanjing.adapters.sql.usages import SqlUsages
from yuanjing.adapters.sql.work import Work
from yuanjing.kit.clock import Clock


class SqlTx:
    """All tables over one connection inside one transaction; see `yuanjing.ports.store.Tx`."""

    __slots__ = (
        "alerts",
        "artifacts",
        "audit",
        "catalog",
        "challenges",
        "customers",
        "factors",
        "holds",
        "idempotency",
        "keys",
        "ledger",
        "nodes",
        "promotions",
        "receipt_keys",
        "redeem_codes",
        "sessions",
        "signals",
        "tasks",
        "topups",
        "usages",
    )

    def __init__(self, conn: sa.Connection, clock: Clock, *, may_write: bool, audit_key: bytes = b"") -> None:
        work = Work(conn=conn, clock=clock, may_write=may_write)
        self.ledger = SqlLedger(work)
        self.holds = SqlHolds(work)
        self.nodes = SqlNodes(work)
        self.usages = SqlUsages(work)
        self.customers = SqlCustomers(work)
        self.keys = SqlKeys(work)
        self.catalog = SqlCatalog(work)
        self.signals = SqlSignals(work)
        self.tasks = SqlTasks(work)
        self.artifacts = SqlArtifacts(work)
        self.challenges = SqlChallenges(work)
        self.sessions = SqlSessions(work)
        self.factors = SqlFactors(work)
        self.topups = SqlTopUps(work)
        self.alerts = SqlAlerts(work)
        self.receipt_keys = SqlReceiptKeys(work)
        self.promotions = SqlPromotions(work)
        self.redeem_codes = SqlRedeemCodes(work)
        self.audit = SqlAudit(work, audit_key)
        self.idempotency = SqlIdempotency(work)

    def finish(self) -> None:
        """Write what still waits in memory; the last step before the commit."""
        self.holds.flush()
        self.tasks.flush()
        self.audit.flush()
