"""Connections to PostgreSQL through asyncpg, and what its failures mean."""

import os
import socket

import asyncpg
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from yuanjing.adapters.sql.options import StoreOptions
from yuanjing.domain.errors import StoreUnavailableError

_REPEATABLE = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "55P03",  # lock_not_available: lock_timeout passed
    "23505",  # unique_violation: another unit of work inserted the same id after we had looked it up
}
_READ_ONLY = "25006"
_WORDS = {
    "57014": "the database took too long for a statement",  # query_canceled
    "53100": "the database has no room left: its disk is full",  # disk_full
    **dict.fromkeys(_REPEATABLE, "the database is too busy with the same rows"),
}
_NOT_ALLOWED = "42501"
_UNREACHABLE = "the database cannot be reached"
_LOST_CLASSES = (
    "08",  # connection_exception
    "28",  # invalid_authorization: the server does not let us in
    "3D",  # invalid_catalog_name: it has no such database
    "53",  # insufficient_resources
    "57P",  # shut down, crashed or starting
    "58",  # system_error
    "25P03",  # idle_in_transaction_session_timeout passed
)

FAILURES = (exc.SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
"""What the database may raise; a refused connection comes from asyncpg itself."""


def create_postgres_engine(url: sa.URL, options: StoreOptions) -> AsyncEngine:
    """An engine whose every session has our limits. It belongs to the event loop that first uses it."""
    settings = {
        "application_name": "yuanjing",
        "lock_timeout": f"{round(options.lock_seconds * 1000)}ms",
        "statement_timeout": f"{round(options.statement_seconds * 1000)}ms",
        "idle_in_transaction_session_timeout": f"{round(options.idle_seconds * 1000)}ms",
        "synchronous_commit": "on",
    }
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=options.pool_size,
        max_overflow=0,
        pool_timeout=options.pool_seconds,
        isolation_level="READ COMMITTED",
        connect_args={"timeout": options.connect_seconds, "server_settings": settings},
    )


def translate_postgres(error: Exception) -> Exception:
    """What a failure of the driver means to the caller; the error itself if it is a bug."""
    state = _state(error)
    if state == _READ_ONLY:
        return RuntimeError("this unit of work may only read")
    if state in _WORDS:
        return StoreUnavailableError(_WORDS[state])
    if isinstance(error, exc.TimeoutError):
        return StoreUnavailableError("no connection to the database became free in time")
    if isinstance(error, OSError | asyncpg.InterfaceError) or is_lost(error):
        return StoreUnavailableError(_UNREACHABLE)
    return error


def explain_postgres(error: Exception, url: sa.URL) -> Exception:
    """The same for operators, who may know the server's name and its own reason; never the password."""
    translated = translate_postgres(error)
    if _state(error) == _NOT_ALLOWED:
        hint = f"GRANT CREATE ON SCHEMA public TO {url.username or 'the user'}"
        return StoreUnavailableError(f"the database {_place(url)} refuses: {_reason(error)}; {hint}, or use its owner")
    if isinstance(translated, StoreUnavailableError) and translated.message == _UNREACHABLE:
        return StoreUnavailableError(f"the database {_place(url)} cannot be reached: {_reason(error)}")
    return translated


def _place(url: sa.URL) -> str:
    """Which database it is, without how to get in."""
    host = url.host or url.query.get("host") or "localhost"
    hosts = host if isinstance(host, str) else ", ".join(host)
    return f"{url.database or '(no name)'} at {hosts}{f':{url.port}' if url.port else ''}"


def _reason(error: Exception) -> str:
    """What the server or the system says."""
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    cause = cause if isinstance(cause, OSError) or cause.__cause__ is None else cause.__cause__
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError) and cause.errno is not None:
        return cause.strerror if isinstance(cause, socket.gaierror) and cause.strerror else os.strerror(cause.errno)
    return str(cause).partition("\n")[0]


def may_repeat(error: Exception) -> bool:
    """Whether the unit of work should run again: after a conflict, or on a new connection after a lost one.

    A refused connection is not repeated (OSError, or a server that says it is starting or full): the caller is told
    at once.
    """
    return _state(error) in _REPEATABLE or (isinstance(error, exc.DBAPIError) and error.connection_invalidated)


def is_lost(error: Exception) -> bool:
    """Whether the connection is gone, or the server refuses to work."""
    state = _state(error)
    return (isinstance(error, exc.DBAPIError) and error.connection_invalidated) or (
        state is not None and state.startswith(_LOST_CLASSES)
    )


def _state(error: Exception) -> str | None:
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    state: object = getattr(cause, "sqlstate", None)
    return state if isinstance(state, str) else None
