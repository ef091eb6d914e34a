"""What eventplan_svc knew of a resource of another service, and since when (6.6.23, 6.6.24)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Generic, Protocol, TypeVar

MAX_KNOWN: Final = 1000
"""The most values kept of one resource, some 200 kB. Only what differs counts: an owner that changes daily for three
years is kept whole."""


class Versioned(Protocol):
    """A frozen dataclass with the version of the resource that it was made of."""

    @property
    def version(self) -> int: ...


T = TypeVar("T", bound=Versioned)


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """What was known at an instant. ``exact``: whether that was so; otherwise the oldest that is still known stands for
    it."""

    value: T | None
    exact: bool


@dataclass(frozen=True, slots=True)
class History(Generic[T]):
    """The values of one resource, oldest first, each with the instant at which it was consumed.

    ``complete``: nothing was known before the first of them. It is not so where the first version consumed was not the
    resource's first, or where old values were left out.
    """

    complete: bool
    values: tuple[tuple[str, T], ...]

    @property
    def since(self) -> str:
        """The instant of the oldest value."""
        return self.values[0][0]

    def with_value(self, value: T, at: str) -> History[T]:
        """The history with a version that was consumed now; the same object where that is not newer, or no other."""
        _, newest = self.values[-1]
        if value.version <= newest.version or _without_version(value) == _without_version(newest):
            return self
        values = (*self.values, (at, value))
        return History(self.complete and len(values) <= MAX_KNOWN, values[-MAX_KNOWN:])

    def at(self, instant: str) -> Known[T]:
        """What was known at an instant; None: nothing was."""
        known = next((value for since, value in reversed(self.values) if since <= instant), None)
        if known is not None or self.complete:
            return Known(known, exact=True)
        return Known(self.values[0][1], exact=False)


def _without_version(value: Any) -> Any:
    return replace(value, version=0)
