"""How eventplan_svc is called: over HTTP and by messages."""
