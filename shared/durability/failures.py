"""What a failure means: which failures pass, what a person reads about one, and when a consumer must stop."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import repeat
from typing import Final

from shared.errors import EpicError, Refused, Unavailable, UnderWay

ATTEMPTS: Final = 5
"""How often a record may fail unexpectedly before it becomes a dead letter. With the consumer's backoff these are two
seconds: enough for a race that passes, too short to hold up the records behind it."""


def is_transient(error: BaseException) -> bool:
    """Whether a store or the broker is away, or the same request is under way elsewhere: wait and retry.

    Refused and Poison are final; any other error is unexpected and is retried a few times.
    """
    return isinstance(error, Unavailable | UnderWay | ConnectionError)


def reason_of(error: BaseException) -> str:
    """What a person reads: the sentence of EPIC's own errors, the type and text of any other."""
    if isinstance(error, Refused):
        return error.detail
    return str(error) if isinstance(error, EpicError) else f"{type(error).__name__}: {error}"


class StopLimit:
    """Distinguishes one bad record from a fault that fails most: over half of the last 200, on more than 20 keys.

    The window of 200 is long enough that a few bad records are no majority. One bad key may fail many times in a row
    and stays one key; 20 keys are more than one bad import usually touches.
    """

    def __init__(self, *, of: int = 200, keys: int = 20) -> None:
        self._of = of
        self._keys = keys
        self._last: deque[str | None] = deque(maxlen=of)  # the key of each that failed, None for each that did not
        self.failed_keys: list[str] = []
        """The key of each that failed, of the last ones."""

    def passed(self, count: int = 1) -> None:
        """So many decodable records were handled. Without ``failed_keys`` this changes nothing."""
        self._add(repeat(None, min(count, self._of)))

    def failed(self, key: str) -> bool:
        """A decodable record failed for good. Whether that is one too many."""
        self._add([key])
        return len(self.failed_keys) * 2 > self._of and len(set(self.failed_keys)) > self._keys

    def _add(self, keys: Iterable[str | None]) -> None:
        self._last.extend(keys)
        self.failed_keys = [key for key in self._last if key is not None]
