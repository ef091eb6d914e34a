"""notify_svc: tells people by mail and by ticket, once per cause, and keeps what was told."""
