"""What a fleet needs and has outside events: rule 7.4 with BAUTPM as the PeakTPM (4.564)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from shared.capacity import ONE, exact, needed_hosts, one_plus, required_hosts
from shared.schemas.base import MAX_COUNT
from shared.schemas.fleet_svc.fleet import FleetConfiguration, HostInventory
from shared.schemas.fleet_svc.philosophy import Philosophy
from shared.schemas.fleet_svc.service import CapacityStrategy, ServicePhilosophy


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How the hosts of a service's fleets are worked out."""

    strategy: CapacityStrategy | None = None
    least: int | None = None
    most: int | None = None
    headroom_percentage: Decimal = Decimal()


def bounds_of(philosophy: Philosophy | ServicePhilosophy | None) -> Bounds:
    """The bounds of a Philosophy, which wins over the service's own (4.491); none where there is neither."""
    if philosophy is None:
        return Bounds()
    return Bounds(
        strategy=philosophy.capacity_strategy,
        least=philosophy.min_hosts,
        most=philosophy.max_hosts,
        headroom_percentage=philosophy.headroom_percentage or Decimal(),
    )


def bau_hosts(configuration: FleetConfiguration, bounds: Bounds, bau_tpm: int | None) -> int | None:
    """RequiredHosts; None where BAUTPM is not known, or where the outcome is no count."""
    least = bounds.least or 0
    caps = [cap for cap in (configuration.max_host_count, bounds.most) if cap is not None]
    if bounds.strategy is CapacityStrategy.FIXED:
        needed = least
    elif bau_tpm is None:
        return None
    else:
        performance = bounds.strategy is CapacityStrategy.PERFORMANCE_BASED
        needed = needed_hosts(
            bau_tpm,
            buffer=one_plus(exact(configuration.buffer_percentage or Decimal())),
            headroom=one_plus(exact(bounds.headroom_percentage)) if performance else ONE,
            throughput=configuration.host_through_put_tpm,
        )
    required = required_hosts(needed, least=least, most=min(caps, default=None))
    return required if required <= MAX_COUNT else None


def hosts_present(configuration: FleetConfiguration, inventory: HostInventory | None) -> int:
    """The last inventory, else what the ASGs want (7.3.13, 7.3.14)."""
    if inventory is not None:
        return inventory.hosts_present
    return min(sum(asg.desired_capacity or 0 for asg in configuration.asg_properties or ()), MAX_COUNT)
