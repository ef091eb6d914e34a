"""Use cases of runs: start, cancel, execute one fleet, and work a run off."""
