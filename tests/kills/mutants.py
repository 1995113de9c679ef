"""Defects that a run must find: each is some changes to the product's text, which the machines then run.

`python -m tests.kills.mutants [NAME]` tries them and tells what gave each away; a test of `make soak` does the same.
"""

import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.kills.run import Outcome, Plan, run
from tests.support.defects import Change, mutated
from tests.support.postgres import memory_folder


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A defect, a run in which it shows, and a pattern of what is to be said of it, as of nothing else."""

    changes: Sequence[Change]
    plan: Plan
    finding: str

    def own(self, wrong: Sequence[str]) -> list[str]:
        """What gives this defect away, of all that is wrong."""
        return [line for line in wrong if re.search(self.finding, line)]


_CHATS = Plan(operations=15_000, videos=1, kills=8, pauses=0, seed=1, quiet_seconds=20.0, seconds_max=60.0)
_PAUSES = Plan(operations=15_000, videos=1, kills=0, pauses=6, seed=1, quiet_seconds=20.0, seconds_max=60.0)
_VIDEOS = Plan(
    operations=500, videos=10, kills=0, pauses=0, seed=1, end_seconds=15.0, quiet_seconds=20.0, seconds_max=60.0
)

PLANS = {"killed": _CHATS, "paused": _PAUSES, "videos": _VIDEOS}
"""The runs of all defects; without one nothing is wrong in them."""
MUTANTS: Mapping[str, Mutant] = {
    "acknowledges before the spool has the record": Mutant(
        changes=[
            Change(
                file="gateway/charging.py",
                old="till.spooler.add(record, self)",
                new="till.spooler.add(record, self)\n        self.on_durable()",
            ),
            Change(
                file="gateway/settlement.py",
                old="self._loop.call_soon(self.flush)",
                new="self._loop.call_later(0.05, self.flush)",
            ),
        ],
        plan=_CHATS,
        finding=r"op-\d+ was answered by \[\(.+\)\] and is charged \[\]$",
    ),
    "does not fence": Mutant(
        changes=[
            Change(
                file="usecases/nodes.py",
                old="if current is None or not current.is_alive or current.incarnation != node.incarnation:",
                new="if current is None:",
            ),
            Change(
                file="usecases/nodes.py",
                old="current = tx.nodes.beat(node.id, node.incarnation, clock.unix())",
                new="current = tx.nodes.lock(node.id)",
            ),
        ],
        plan=_PAUSES,
        finding=r"'check': 'leases'.* does not live any more",
    ),
    "posts a row of the spool twice": Mutant(
        changes=[
            Change(
                file="usecases/posting.py",
                old="rows = reader.after(seq, self.batch_rows)\n        if not rows:",
                new="rows = reader.after(max(0, seq - 1), self.batch_rows)\n"
                "        if not rows or rows[-1].seq <= seq:",
            ),
            Change(
                file="usecases/charges.py",
                old="_divide(fresh, holds, batch.owner)",
                new="_divide(records, holds, batch.owner)",
            ),
        ],
        plan=_CHATS,
        finding=r"'check': 'settle transfers'.*it moved \d+, the usage that it pays comes to \d+",
    ),
    "settles a video without its final state": Mutant(
        changes=[
            Change(
                file="usecases/videos/finishing.py",
                old="return _saved(tx, done, _ending_text(task, bill))",
                new="return done",
            ),
        ],
        plan=_VIDEOS,
        finding=r"task \d+ is running, its hold ended in \[\('settle'",
    ),
    "frees a dead process's names before its spool is finished": Mutant(
        changes=[
            Change(
                file="usecases/idempotency.py",
                old="standing is Standing.RUNNING and _is_lost(tx, first)",
                new="standing is Standing.RUNNING",
            ),
        ],
        plan=_CHATS,
        finding=r"op-\d+ was answered by .+ and is charged \[\(.+\), \(.+\)\]$",
    ),
    "logs a secret": Mutant(
        changes=[
            Change(
                file="bootstrap/gateway.py",
                old='self._log.info("gateway ready")',
                new='self._log.warning("gateway ready", words=self._services.pepper.hex())',
            ),
        ],
        plan=_VIDEOS,
        finding="the log of (east|west) tells (ab){32} in: ",
    ),
}


def attempt(changes: Sequence[Change], plan: Plan) -> Outcome:
    """Run with the changes, on SQLite."""
    with tempfile.TemporaryDirectory(prefix="yuanjing-mutant-", dir=memory_folder()) as name:
        folder = Path(name)
        (folder / "run").mkdir()
        (folder / "source").mkdir()
        source = mutated(changes, folder / "source")
        return run(replace(plan, source=source), folder / "run")


def main() -> int:
    """Try them, after the same runs without a defect; how many of all these have not gone as they should."""
    missed = 0
    for name, plan in PLANS.items():
        if len(sys.argv) == 1:
            wrong = attempt((), plan).wrong
            missed += bool(wrong)
            sys.stdout.write(
                f"no defect, {name}: {len(wrong)} signs\n" + "".join(f"    {line[:300]}\n" for line in wrong)
            )
    for name, mutant in MUTANTS.items():
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        wrong = attempt(mutant.changes, mutant.plan).wrong
        found = mutant.own(wrong)
        missed += not found
        told = "".join(f"    {line[:300]}\n" for line in found[:4])
        sys.stdout.write(f"{name}: {len(found)} signs of its own, {len(wrong)} in all\n{told}")
        sys.stdout.flush()
    return missed


if __name__ == "__main__":
    sys.exit(main())
