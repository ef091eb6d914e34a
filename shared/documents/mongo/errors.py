"""What MongoDB's errors mean: which say that the server is away, so that the caller waits; all others are defects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

from shared.errors import Unavailable

_AWAY: Final = (
    ConnectionFailure,
    ServerSelectionTimeoutError,
    ExecutionTimeout,
    WaitQueueTimeoutError,
    WriteConcernError,
)
_DUPLICATE_KEY: Final = 11000
# Shutting down, stepping down, not primary, interrupted: codes that older servers send without the label to retry.
_PASSING: Final = frozenset({6, 7, 89, 91, 112, 189, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436, 50})
# Not let in (yet): somebody mends the name, the password or the role while EPIC waits.
_NOT_LET_IN: Final = frozenset({13, 18})


@contextmanager
def away() -> Iterator[None]:
    """Raises Unavailable in place of an error that says the server cannot be reached or cannot write now.

    A write that ends so may have been done: it is looked for by its cause when it is asked for again.
    """
    try:
        yield
    except BulkWriteError as error:
        if error.details.get("writeConcernErrors"):
            raise Unavailable(f"MongoDB did not make a write durable in time: {error}") from error
        raise
    except _AWAY as error:
        raise Unavailable(f"MongoDB is away: {error}") from error
    except OperationFailure as error:
        if error.code in _PASSING or error.code in _NOT_LET_IN:
            raise Unavailable(f"MongoDB cannot do this now: {error}") from error
        raise
    except PyMongoError as error:
        if error.has_error_label("RetryableWriteError") or error.has_error_label("TransientTransactionError"):
            raise Unavailable(f"MongoDB cannot do this now: {error}") from error
        raise


def duplicates(error: BulkWriteError) -> list[int]:
    """The places in a bulk insert where the ``_id`` was there already; raises ``error`` when that is not all of it."""
    found = []
    for failed in error.details["writeErrors"]:
        if failed["code"] != _DUPLICATE_KEY:
            raise error
        found.append(int(failed["index"]))
    return found
