"""Verify: proof, on live data, that the money is right.

Everything in the store is read on one snapshot and streamed; what is remembered is one sum for each account, open hold,
customer and key. The checks are in `verify_ledger`, `verify_holds` and `verify_usage`.
"""

from dataclasses import dataclass

from yuanjing.domain.errors import SpoolError
from yuanjing.kit.clock import Clock
from yuanjing.ports.spool import SpoolFolder
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.breaches import Breach, Findings
from yuanjing.usecases.verify_holds import check_budgets, check_holds, check_owners
from yuanjing.usecases.verify_ledger import check_accounts, check_entries, check_transfers
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


async def verify(store: Store, spools: SpoolFolder, clock: Clock) -> VerifyReport:
    """Check everything. `spools` are those of this machine; other machines' are seen by their positions only."""

    def work(tx: Tx) -> Findings:
        findings = Findings()
        balances = check_entries(tx, findings)
        check_accounts(tx, findings, balances)
        check_transfers(tx, findings)
        check_holds(tx, findings)
        check_owners(tx, findings)
        spent = check_usages(tx, findings)
        check_budgets(tx, findings, spent)
        _check_spools(tx, findings, spools)
        return findings

    findings = await store.read(work)
    return VerifyReport(
        checked=dict(findings.checked),
        breaches=findings.breaches,
        breaches_total=findings.total,
        checked_at=clock.unix(),
    )


def _check_spools(tx: Tx, findings: Findings, spools: SpoolFolder) -> None:
    """Every spool of this machine is empty or owned, and known to the store."""
    unfinished = {(p.node_id, p.incarnation): p.posted_seq for p in tx.nodes.unfinished()}
    latest = {node.id: node.incarnation for node in tx.nodes.all()}
    for reader in spools.readers():
        name = f"{reader.node_id}.{reader.incarnation}"
        findings.count("spools")
        if reader.incarnation > latest.get(reader.node_id, 0):
            findings.add("spools", name, "the spool belongs to a node that this store does not know")
            continue
        posted_seq = unfinished.get((reader.node_id, reader.incarnation))
        if posted_seq is None or reader.is_owned():
            continue
        try:
            waiting, running = reader.depth(posted_seq), len(reader.watermarks())
        except SpoolError as error:
            findings.add("spools", name, error.message)
            continue
        if waiting or running:
            message = f"{waiting} rows and {running} interrupted requests are not posted, and no process owns it"
            findings.add("spools", name, message)
