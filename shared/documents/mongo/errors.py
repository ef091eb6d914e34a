"""What MongoDB's errors mean, and how often a conditional write that lost a race is tried again.

Some errors say that the server is away, so that the caller waits; all others are defects.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure, PyMongoError, WriteConcernError

from shared.durability.backoff import Backoff
from shared.errors import Unavailable

_ATTEMPTS: Final = 80
_BACKOFF: Final = Backoff(first=0.004, longest=0.1)  # a write takes milliseconds
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
    except PyMongoError as error:
        if _is_passing(error):
            raise Unavailable(f"MongoDB cannot do this now: {error}") from error
        raise


def _is_passing(error: PyMongoError) -> bool:
    if isinstance(error, BulkWriteError):
        return bool(error.details.get("writeConcernErrors"))  # it was not made durable in time
    return (
        isinstance(error, ConnectionFailure | WriteConcernError)
        or (isinstance(error, OperationFailure) and error.code in _PASSING | _NOT_LET_IN)
        or error.has_error_label("RetryableWriteError")
        or error.has_error_label("TransientTransactionError")
    )


def duplicates(error: BulkWriteError) -> list[int]:
    """The places in a bulk insert where the ``_id`` was there already; raises ``error`` when that is not all of it."""
    found = []
    for failed in error.details["writeErrors"]:
        if failed["code"] != _DUPLICATE_KEY:
            raise error
        found.append(int(failed["index"]))
    return found


async def attempts() -> AsyncIterator[int]:
    """Counts the tries of a conditional write, waiting a little longer before each; it ends after some six s."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            await asyncio.sleep(_BACKOFF.before(attempt))
        yield attempt
