"""What fleet_svc needs of other services."""
