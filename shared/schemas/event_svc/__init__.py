"""The contracts of event_svc."""
