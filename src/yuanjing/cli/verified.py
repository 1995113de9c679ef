"""What `verify` and `audit verify` say."""

from typing import TYPE_CHECKING

from yuanjing.cli import tables
from yuanjing.cli.runtime import Json
from yuanjing.cli.tables import api_time

if TYPE_CHECKING:
    from yuanjing.usecases.verify import VerifyReport


def to_json_verified(report: "VerifyReport") -> Json:
    """A report as JSON."""
    return {
        "ok": not report.breaches,
        "checked_at": api_time(report.checked_at),
        "checked": report.checked,
        "breaches_total": report.breaches_total,
        "breaches": [
            {"check": breach.check, "subject": breach.subject, "message": breach.message} for breach in report.breaches
        ],
    }


def show_verified(report: "VerifyReport") -> None:
    """A report for people."""
    tables.table(("CHECK", "LOOKED AT#"), [(name, str(n)) for name, n in report.checked.items()], empty="")
    if report.breaches:
        rows = [(breach.check, breach.subject, breach.message) for breach in report.breaches]
        tables.write(f"{report.breaches_total} breaches:")
        tables.table(("CHECK", "SUBJECT", "WHAT IS WRONG"), rows, empty="")
    else:
        tables.write("all is right")
