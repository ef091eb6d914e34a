"""What several events' overrides do for one another on the ASGs they share (7.9.4, 7.9.13; docs/adr/0016).

A peak counts another event's hosts where that event's override runs over all of it (7.3.23, 7.3.28). Overrides combine
by the maximum, so each carries the hosts that its own event's peak counts, beside those of its own event.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.override import Override, OverrideStatus, Window, override_value
from shared.schemas.hotw_svc import Engine

_NO_STAY = (OverrideStatus.SUPERSEDED, OverrideStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class SharedAsgs:
    """By ASG and event: the override that says when the event's hosts are in, and the hosts its orders add to it.

    `windows` are the planned windows of the events. The peak of an event that is not among them counts nobody's hosts.
    """

    overrides: Mapping[str, Mapping[str, Override]]
    hosts: Mapping[str, Mapping[str, int]]
    windows: Mapping[str, Window]

    @classmethod
    def of(cls, orders: Iterable[Order], overrides: Iterable[Override], windows: Mapping[str, Window]) -> Self:
        """Of one fleet. An event's override on an ASG is the live one, else the last that ran.

        One that was superseded or cancelled says nothing.
        """
        standing: dict[str, dict[str, Override]] = {}
        for override in sorted(overrides, key=lambda override: (override.is_live, override.start)):
            if override.status not in _NO_STAY:
                standing.setdefault(override.asg_name, {})[override.event_id] = override
        hosts: dict[str, dict[str, int]] = {}
        for order in orders:
            of_asg = hosts.setdefault(order.asg_name, {})
            of_asg[order.event_id] = of_asg.get(order.event_id, 0) + order.overriding_hosts
        return cls(standing, hosts, windows)

    def override(self, event_id: str, asg_name: str) -> Override | None:
        """The event's override on the ASG; None where it has none that says anything."""
        return self.overrides.get(asg_name, {}).get(event_id)

    def own(self, event_id: str, asg_name: str) -> int:
        """The hosts that the event's own orders add to the ASG."""
        return self.hosts.get(asg_name, {}).get(event_id, 0)

    def counts(self, event_id: str, asg_name: str, *, of: str) -> bool:
        """Whether the event's peak counts the hosts that the event `of` has on the ASG."""
        window, override = self.windows.get(event_id), self.override(of, asg_name)
        return window is not None and override is not None and override.runs_over(window.peak_start, window.peak_end)

    def counted(self, event_id: str, asg_name: str) -> dict[str, int]:
        """By event, the other events' hosts on the ASG that the event's peak counts; none is 0."""
        there = self.hosts.get(asg_name)
        if there is None:
            return {}
        return {
            other: hosts
            for other, hosts in there.items()
            if hosts and other != event_id and self.counts(event_id, asg_name, of=other)
        }

    def stay(self, override: Override) -> tuple[datetime, datetime]:
        """From when to when an override's hosts are in: while it runs, or another runs that carries them."""
        carrying = [
            other
            for event_id, other in self.overrides.get(override.asg_name, {}).items()
            if other.in_force and self.counts(event_id, override.asg_name, of=override.event_id)
        ]
        return min([override.start, *(o.start for o in carrying)]), max([override.end, *(o.end for o in carrying)])

    def revalued(self, override: Override, *, ceiling: int | None) -> Override:
        """The override with the value that the orders of all events give it; the same object where it has it.

        The value of an outside engine's is that engine's own.
        """
        if override.engine is Engine.EXTERNAL:
            return override
        event_id, asg_name = override.event_id, override.asg_name
        value = override_value(
            override.base_capacity,
            own=self.own(event_id, asg_name),
            others=sum(self.counted(event_id, asg_name).values()),
            ceiling=ceiling,
        )
        return override if value == override.value else replace(override, value=value)
