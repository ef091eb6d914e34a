"""The use cases of event_svc beside those of its declared resources."""
