"""The rules of fleet_svc: pure, without clock, store or wire."""
