"""The two front doors of eventplan_svc: HTTP and messages."""
