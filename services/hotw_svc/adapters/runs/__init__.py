"""The rows of runs, of the claims on their fleets, and of executions."""
