"""Philosophies: the bounds and the strategy of a service, which may be given before the service itself (4.18)."""

from __future__ import annotations

from typing import Final

from shared.resources import Resource
from shared.schemas.fleet_svc.philosophy import PHILOSOPHY

PHILOSOPHIES: Final = Resource(
    contract=PHILOSOPHY, path="/philosophy", filters=("CapacityStrategy",), sort=("MinHosts", "MaxHosts")
)
