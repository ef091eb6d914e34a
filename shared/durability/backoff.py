"""How long to wait before a retry."""

from __future__ import annotations

import random
from dataclasses import dataclass


def jittered(seconds: float) -> float:
    """Between half of it and all of it, so that processes that began together do not go on together."""
    return seconds * random.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses in seconds that double from ``first`` up to ``longest``, jittered."""

    first: float
    longest: float

    def before(self, attempt: int) -> float:
        """The pause before the n-th retry, counted from 1."""
        return jittered(min(self.longest, self.first * 2.0 ** min(attempt - 1, 30)))
