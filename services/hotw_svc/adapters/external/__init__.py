"""The rows that an outside engine's results make."""
