"""The front doors of notify_svc: HTTP, and messages."""
