"""What EPIC costs: each figure a ratio, in one run on one machine, against the same work by the raw drivers alone."""
