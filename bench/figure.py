"""A figure: its rounds, its ratios, its goal and whether it is met."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.stage import Stage


class Disagreement(Exception):
    """The two sides of a comparison did not come to the same result: their times mean nothing."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the median must be: at least or at most ``bound``."""

    bound: float
    at_least: bool

    def met(self, median: float) -> bool:
        return median >= self.bound if self.at_least else median <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


def at_least(bound: float) -> Goal:
    return Goal(bound, at_least=True)


def at_most(bound: float) -> Goal:
    return Goal(bound, at_least=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """One comparison: what was measured of EPIC and of what it is compared with, a value a round, in ``unit``.

    The ratio of a round is ours by theirs. Without ``theirs`` there is nothing to compare with, and the goal is of the
    values themselves.
    """

    name: str
    compared: str
    unit: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...] = ()
    goal: Goal | None = None
    note: str = ""

    @property
    def ratios(self) -> tuple[float, ...]:
        return tuple(ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)) if self.theirs else ()

    @property
    def judged(self) -> tuple[float, ...]:
        """What the goal is of: the ratios where there are any."""
        return self.ratios or self.ours

    @property
    def met(self) -> bool | None:
        """Whether the median meets the goal; None without one."""
        return None if self.goal is None else self.goal.met(statistics.median(self.judged))

    def wire(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "compared": self.compared,
            "unit": self.unit,
            "ours": _spread(self.ours),
            "theirs": _spread(self.theirs),
            "ratio": _spread(self.ratios),
            "goal": None if self.goal is None else str(self.goal),
            "met": self.met,
            "note": self.note,
        }

    def text(self) -> str:
        """The figure in one line."""
        ours, unit = _three(self.ours), self.unit
        line = f"{self.name}: {ours} {unit}"
        if self.theirs:
            line += f" against {_three(self.theirs)}; ratio {_three(self.ratios)}"
        if self.goal is not None:
            line += f" (goal {self.goal}: {'met' if self.met else 'missed'})"
        return f"{line}  [{self.note}]" if self.note else line


@dataclass(frozen=True, slots=True)
class Bench:
    """One row of what is measured. ``needs_docker``: it starts real servers."""

    name: str
    about: str
    measure: Callable[[Stage], Awaitable[list[Figure]]]
    needs_docker: bool = True


def number(value: float) -> str:
    """A value as one reads it: three digits that count, thousands separated."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _three(values: Sequence[float]) -> str:
    if len(values) == 1:
        return number(values[0])
    return f"{number(min(values))} / {number(statistics.median(values))} / {number(max(values))}"


def _spread(values: Sequence[float]) -> dict[str, Any] | None:
    if not values:
        return None
    rounds = [round(value, 4) for value in values]
    return {"min": min(rounds), "median": round(statistics.median(values), 4), "max": max(rounds), "rounds": rounds}
