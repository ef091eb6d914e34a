"""Use cases of an outside engine: record its runs, executions and dashboard sums."""
