"""How sides take turns: round by round, the order swapped each time, so that all meet the same machine."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

FULL_ROUNDS: Final = 5
QUICK_ROUNDS: Final = 1
_QUICK_SHARE: Final = 50
_AT_ONCE: Final = 40

Side = Callable[[], Awaitable[Mapping[str, float]]]
"""Does the work once; what was measured of it, by name."""

Measured = Mapping[str, tuple[float, ...]]
"""What was measured of one side, by name, a value a round."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done: everything, or a fiftieth of it in one round, which only shows that it runs."""

    rounds: int = FULL_ROUNDS
    quick: bool = False

    def of(self, count: int, *, least: int = _AT_ONCE) -> int:
        """The count, or a fiftieth of it; no fewer than ``least`` (what is worked on at once), where it is as many."""
        return min(count, max(least, count // _QUICK_SHARE)) if self.quick else count

    def seconds(self, full: float) -> float:
        return full / _QUICK_SHARE if self.quick else full


async def alternate(scale: Scale, *sides: Side, warm: bool = True) -> list[Measured]:
    """Every side once a round, in turn; what each measured, in the order the sides were given.

    ``warm``: first a round that does not count, since the servers' own just-in-time compilers get faster as they go.
    """
    found: list[dict[str, list[float]]] = [{} for _ in sides]
    for number in range(-1 if warm and not scale.quick else 0, scale.rounds):
        order = list(enumerate(sides))
        for index, side in order if number % 2 == 0 else reversed(order):
            gc.collect()
            measured = await side()
            if number >= 0:
                for name, value in measured.items():
                    found[index].setdefault(name, []).append(value)
    return [{name: tuple(values) for name, values in side.items()} for side in found]
