"""A whole platform under load: failing and dead providers, overload, slow clients, changes, restarts, half an hour.

Real processes: one gateway, a worker, SQLite, and a provider that costs little. How it is done and what came out:
docs/concepts/load.md.
"""
