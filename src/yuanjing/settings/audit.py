"""The settings of the audit log."""

from pydantic import BaseModel

from yuanjing.settings.kinds import Count, Days, Seconds


class AuditSettings(BaseModel):
    """A part of `Settings`."""

    audit_days: Days = 1095
    """Days for which the audit log is kept; what is older is removed, and what is left can still be verified."""
    audit_failures_per_hour: Count = 20
    """Failed tries to sign in of one customer within an hour that are recorded."""
    audit_checkpoint_seconds: Seconds = 3600.0
    """How often a worker writes a signed checkpoint of the audit log into its log."""
