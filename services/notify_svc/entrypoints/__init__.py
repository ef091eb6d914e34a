"""The entrypoints of notify_svc: HTTP, and messages."""
