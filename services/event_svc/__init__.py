"""event_svc: the peak events, their dates, and what hangs on them."""
