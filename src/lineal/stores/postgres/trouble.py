"""What goes wrong beneath the store, said once in the house's words. No address, no password."""

from __future__ import annotations

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout, TooManyRequests

from lineal.errors import LinealError

__all__ = [
    "busy",
    "cause_of",
    "closed",
    "forked",
    "is_passing",
    "is_refused",
    "outcome_unknown",
    "read_only",
    "translated",
    "unreachable",
]

_PASSING = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.ReadOnlySqlTransaction,  # a primary that has become a standby
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.TooManyConnections,
)
"""After these the same transaction may succeed, perhaps elsewhere."""


_CAUSES = {
    "password authentication failed": "the server refuses this role's password",
    "no password supplied": "the server asks for a password, and none is given",
    "connection refused": "nothing listens at this address",
    "no such file or directory": "there is no such socket",
    "could not translate host name": "nobody knows the server's name",
    "failed to resolve host": "nobody knows the server's name",
    "no pg_hba.conf entry": "the server's pg_hba.conf lets nobody in from here like this",
    "certificate": "the server's certificate can't be verified",
    "ssl": "the server and this machine don't agree on TLS",
    "timeout": "the server doesn't answer",
    "too many": "the server has no connection left",
    "session is read-only": "no server of those named takes writes",
    "does not exist": "the server knows no such database or role",
    "starting up": "the server is still starting",
}
"""What the driver says → what that means. Its own words may hold what stood in the URL."""


def busy(timeout_s: float) -> LinealError:
    return LinealError.unavailable(
        f"The database is busy: this took longer than {timeout_s:g} s (LINEAL_BUSY_TIMEOUT_S). "
        "Nothing was written; retry in a moment.",
        timeout_s=timeout_s,
    )


def closed() -> LinealError:
    return LinealError.unavailable("The store is closed; open it first.", retryable=False)


def forked() -> LinealError:
    return LinealError.unavailable(
        "This store was opened before a fork; its connections can't be shared across one. "
        "Open a new store in this process.",
        retryable=False,
    )


def read_only() -> LinealError:
    return LinealError.unavailable(
        "This is a read-only store: it was opened so. Nothing was written.", retryable=False
    )


def unreachable(cause: str) -> LinealError:
    return LinealError.unavailable(
        f"The database can't be reached ({cause}). Check that it runs and that LINEAL_BACKEND "
        "names it; `lineal doctor` says more. Retry in a moment.",
        cause=cause,
    )


def outcome_unknown(cause: str) -> LinealError:
    """A commit whose end nobody told us: it may be on one machine, on all, or nowhere."""
    return LinealError.unavailable(
        "The database didn't confirm the write as durable, so it may or may not have been kept "
        f"({cause}). Retry with the same idempotency_key.",
        cause=cause,
        outcome="unknown",
    )


def is_refused(error: psycopg.Error) -> bool:
    """Whether the server said that the transaction has failed. Anything worse, and silence, leaves
    open how far it came: past the record of a commit there are no mere errors."""
    return error.diag.severity_nonlocalized == "ERROR"


def is_passing(error: Exception) -> bool:
    """Whether the same may succeed in a moment. All of these ended the transaction."""
    lost = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    return lost or isinstance(error, (*_PASSING, psycopg.errors.ConnectionException))


def translated(error: Exception, timeout_s: float) -> LinealError:
    """The one mapping of what the driver raises. timeout_s: how long it was waited for."""
    name = type(error).__name__
    if isinstance(error, PoolTimeout | TooManyRequests | errors.LockNotAvailable):
        return busy(timeout_s)
    if isinstance(error, errors.InsufficientPrivilege):
        return LinealError.unavailable(
            "The database refuses what lineal asks of it: its role lacks a right. Let the role own "
            "the database's schema 'lineal'; `lineal doctor` says more.",
            retryable=False,
            cause=name,
        )
    if isinstance(error, errors.DiskFull | errors.OutOfMemory):
        return LinealError.unavailable(
            "The database's storage is full. Free some space, then retry with the same "
            "idempotency_key; what was acknowledged before is safe.",
            cause=name,
        )
    if isinstance(error, psycopg.OperationalError):
        return unreachable(cause_of(error))
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn | errors.UndefinedFunction):
        return LinealError.unavailable(
            "The database's schema 'lineal' isn't what this version expects. Nothing was changed; "
            "run `lineal doctor`.",
            retryable=False,
            cause=name,
        )
    if isinstance(error, UnicodeEncodeError | psycopg.DataError):
        return LinealError.invalid(
            "content",
            "The record holds text that the database can't keep; remove NUL characters and lone "
            "surrogates.",
        )
    return LinealError.unavailable(
        f"The database refused a statement ({name}). Nothing was written.",
        retryable=False,
        cause=name,
    )


def cause_of(error: psycopg.OperationalError) -> str:
    """Why there is no connection, in words that hold nothing of the address."""
    said = str(error).lower()
    known = (meaning for words, meaning in _CAUSES.items() if words in said)
    return next(known, type(error).__name__)
