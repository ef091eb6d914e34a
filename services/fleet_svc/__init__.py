"""fleet_svc: services, their fleets (the fleet's own line and one an event), host inventories, projections."""
