"""How fleet_svc is asked: over HTTP, and by messages."""
