"""The declared resources of fleet_svc, one in each module."""

from shared.resources import declarations_in

RESOURCES = declarations_in(__name__, __path__)
