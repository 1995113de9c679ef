"""Verify: proof, on live data, that the money is right.

Everything in the store is read on one snapshot and streamed; what is remembered is one sum for each account and key,
and the open holds. A row that cannot be read is a breach like any other. The checks are in `verify_ledger`,
`verify_months`, `verify_holds`, `verify_promotions`, `verify_tasks`, `verify_topups`, `verify_usage`, `verify_days`,
`verify_audit` and, after the snapshot, `verify_spools`.
"""

from dataclasses import dataclass

from yuanjing.kit.clock import Clock
from yuanjing.ports.spool import SpoolFolder
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.breaches import Breach, Findings
from yuanjing.usecases.verify_audit import check_audit
from yuanjing.usecases.verify_holds import check_budgets, check_holds, check_owners
from yuanjing.usecases.verify_ledger import check_accounts, check_entries, check_transfers
from yuanjing.usecases.verify_months import check_months
from yuanjing.usecases.verify_promotions import check_promotions
from yuanjing.usecases.verify_spools import check_spools
from yuanjing.usecases.verify_tasks import check_tasks
from yuanjing.usecases.verify_topups import check_topups
from yuanjing.usecases.verify_usage import check_usages

__all__ = ["Breach", "VerifyReport", "verify"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyReport:
    """What was looked at, and what is wrong.

    Attributes:
        checked: how many subjects each check has looked at.
        breaches: empty if the money is right; at most 100 for each check.
        breaches_total: how many there are altogether.
        checked_at: Unix time.
    """

    checked: dict[str, int]
    breaches: list[Breach]
    breaches_total: int
    checked_at: float

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.breaches


async def verify(
    store: Store,
    spools: SpoolFolder,
    clock: Clock,
    *,
    node_prefix: str | None = None,
    patience_seconds: float = 0.0,
) -> VerifyReport:
    """Check everything. `spools` are those of this machine; other machines' are seen by their positions only.

    The ids of the nodes whose spools should be among them begin with `node_prefix`. A spool that looks wrong is looked
    at again after `patience_seconds`, since spools go on while this reads.
    """

    def work(tx: Tx) -> Findings:
        findings = Findings()
        balances = check_entries(tx, findings)
        check_accounts(tx, findings, balances)
        check_transfers(tx, findings)
        check_months(tx, findings)
        open_holds = check_holds(tx, findings)
        check_owners(tx, findings, open_holds)
        check_promotions(tx, findings, open_holds)
        check_tasks(tx, findings, open_holds)
        check_topups(tx, findings)
        spent = check_usages(tx, findings)
        check_budgets(tx, findings, open_holds, spent)
        check_audit(tx, findings)
        return findings

    findings = await store.read(work)
    await check_spools(store, spools, findings, node_prefix=node_prefix, patience_seconds=patience_seconds)
    return VerifyReport(
        checked=dict(findings.checked),
        breaches=findings.breaches,
        breaches_total=findings.total,
        checked_at=clock.unix(),
    )
