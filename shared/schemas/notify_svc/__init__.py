"""The contracts of notify_svc."""
