"""Tests that EPIC survives faults: loads under faults, and invariants read from the stores themselves."""
