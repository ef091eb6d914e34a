"""Owns what a failure means: which are transient, how long to wait, and when so many fail that a consumer must stop."""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

from aiokafka.errors import KafkaError

from shared.errors import Unavailable, UnderWay

__all__ = ["ATTEMPTS", "Backoff", "StopLimit", "is_transient"]

ATTEMPTS: Final = 5
"""How often a record may fail unexpectedly before it becomes a dead letter."""


def is_transient(error: BaseException) -> bool:
    """Whether a store or the broker is away (or the same request is under way elsewhere): wait, and try again.

    A KafkaError that is not retriable is the message's own fault, so it is none of these.
    """
    if isinstance(error, KafkaError):
        return bool(error.retriable)
    return isinstance(error, Unavailable | UnderWay | ConnectionError)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait before the n-th try again (from 1): doubled each time up to ``longest``, less up to half."""

    first: float
    longest: float

    def before(self, attempt: int) -> float:
        whole: float = min(self.longest, self.first * 2.0 ** min(attempt - 1, 30))
        return whole * random.uniform(0.5, 1.0)


class StopLimit:
    """Tells one bad record from a fault that fails most: over half of the last 200, over more than 20 keys."""

    def __init__(self, *, of: int = 200, keys: int = 20) -> None:
        self._of = of
        self._keys = keys
        self._last: deque[str | None] = deque()  # the key of each that failed, None for each that did not
        self._failed: Counter[str] = Counter()
        self._failures = 0

    def passed(self, count: int = 1) -> None:
        """So many decodable records were handled."""
        if not self._failures:
            return  # a window without a failure is the same whatever its length
        for _ in range(min(count, self._of)):
            self._add(None)

    def failed(self, key: str) -> bool:
        """A decodable record failed for good; whether that is too many now."""
        self._add(key)
        return self._failures * 2 > self._of and len(self._failed) > self._keys

    def _add(self, key: str | None) -> None:
        self._last.append(key)
        if key is not None:
            self._failed[key] += 1
            self._failures += 1
        if len(self._last) > self._of:
            oldest = self._last.popleft()
            if oldest is not None:
                self._failures -= 1
                self._failed[oldest] -= 1
                if not self._failed[oldest]:
                    del self._failed[oldest]
