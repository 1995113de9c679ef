"""The log of our processes."""

import logging

from yuanjing.kit.logging import configure_logging

_CHATTY = ("alembic", "uvicorn")
"""Libraries whose lines of level info tell what our own lines tell already, or what nobody needs."""


def start_logging(level: str, *, process: str) -> None:
    """Write log lines from now on; those of libraries from `warning` up, unless everything is wanted."""
    configure_logging(level, process=process)
    if level == "info":
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
