"""The contracts of fleet_svc."""
