"""Leases: the exclusive right to one named piece of work for a limited time, with a fencing number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.errors import EpicError


class LeaseLost(EpicError):
    """Somebody else has taken the lease since, or it was released: its former holder must not write any more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right as it was given to one holder.

    ``fence`` is higher than the number of every earlier holder. ``record`` is what the holders store with the lease, as
    it was when this one took it; JSON can hold it.
    """

    name: str
    holder: str
    fence: int
    record: Mapping[str, Any] = field(default_factory=dict)


class Leases(Protocol):
    """The leases of one store, shared by all processes that use it.

    A lease runs out by the store's own clock, whatever the hosts' clocks say. A process that was paused may believe
    that it still holds one. Its writes do no harm, because each names its fencing number and the store refuses a number
    that is not the present one. Every call raises Unavailable while the store is away.
    """

    async def claim(self, name: str, holder: str, seconds: float, *, from_others: bool = False) -> Lease | None:
        """The lease for so many seconds, under a new number; None while another holder has it.

        A holder that takes its own lease again gets a new number too. ``from_others`` takes it whoever has it.
        """

    async def renew(self, lease: Lease, seconds: float, record: Mapping[str, Any] | None = None) -> None:
        """Holds the lease for so many seconds from now, and stores ``record`` where it is given. LeaseLost otherwise.

        A lease that has run out can be renewed as long as nobody else has taken it.
        """

    async def release(self, lease: Lease) -> None:
        """Gives the lease back, so that nobody waits for its end; does nothing when it is lost already."""

    async def record_of(self, name: str) -> Mapping[str, Any]:
        """What the holders have stored with the lease; empty where there is nothing."""
