"""What a failure means: which failures pass, what a person reads about one, and when a consumer must stop."""

from __future__ import annotations

from collections import Counter, deque
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
        self._last: deque[str | None] = deque()  # the key of each that failed, None for each that did not
        self._failed: Counter[str] = Counter()
        self.failures = 0

    def passed(self, count: int = 1) -> None:
        """So many decodable records were handled. Without ``failures`` in the window this changes nothing."""
        for _ in range(min(count, self._of)):
            self._add(None)

    def failed(self, key: str) -> bool:
        """A decodable record failed for good. Whether that is one too many."""
        self._add(key)
        return self.failures * 2 > self._of and len(self._failed) > self._keys

    def _add(self, key: str | None) -> None:
        self._last.append(key)
        if key is not None:
            self._failed[key] += 1
            self.failures += 1
        if len(self._last) > self._of:
            oldest = self._last.popleft()
            if oldest is not None:
                self.failures -= 1
                self._failed[oldest] -= 1
                if not self._failed[oldest]:
                    del self._failed[oldest]
