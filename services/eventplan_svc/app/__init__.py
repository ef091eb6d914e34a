"""The use cases of eventplan_svc: one module each, or a few that belong together."""
