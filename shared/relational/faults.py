"""Owns what a database error means: try the transaction again, say the store is away, or let it through."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.errors import Unavailable

__all__ = ["as_unavailable", "is_passing"]

# Deadlock, lock wait timeout, "record has changed since last read".
_CONTENTION = frozenset({1213, 1205, 1020})
# Too many connections, shutting down, read-only after a failover, unreachable, gone, lost; and what somebody can mend
# while EPIC waits: not let in with this name and password, no such database yet.
_AWAY = frozenset(
    {1040, 1044, 1045, 1049, 1053, 1129, 1290, 1698, 1836, 1927}
    | {2002, 2003, 2005, 2006, 2012, 2013, 2014, 2055, 3169, 4031}
)


def is_passing(error: BaseException) -> bool:
    """Whether the same transaction, begun anew, may well succeed: a deadlock, a lock, or a race for one unique key."""
    if isinstance(error, IntegrityError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return _code(error) in _CONTENTION or _sqlite_busy(error)


def as_unavailable(error: BaseException) -> Unavailable | None:
    """The store is away, or too busy to answer in time; None for an error of any other kind."""
    if isinstance(error, Unavailable):
        return error
    if isinstance(error, PoolTimeout | OSError):
        return Unavailable(f"the database does not answer ({type(error).__name__})")
    if not isinstance(error, DBAPIError):
        return None
    away = error.connection_invalidated or isinstance(error, InterfaceError) or _code(error) in _AWAY
    if away or _code(error) in _CONTENTION or _sqlite_busy(error) or _sqlite_away(error):
        return Unavailable(f"the database does not answer: {error.orig}")
    return None


def _code(error: DBAPIError) -> int | None:
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def _sqlite_busy(error: DBAPIError) -> bool:
    return isinstance(error, OperationalError) and "database is locked" in str(error.orig)


def _sqlite_away(error: DBAPIError) -> bool:
    text = str(error.orig)
    return isinstance(error, OperationalError) and ("unable to open" in text or "disk" in text or "readonly" in text)
