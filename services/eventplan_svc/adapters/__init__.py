"""What eventplan_svc stands on beside the kit's store."""
