"""Chat's wire formats: one file per client dialect and provider protocol. The listing is the support matrix."""
