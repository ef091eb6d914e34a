"""The use cases of notify_svc, one module each."""
