"""What an outside engine reports, as orders, overrides and numbers of HOTW's own (7.0.19 to 7.0.49)."""
