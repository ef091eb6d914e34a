"""Owns the proof that EPIC survives: loads under faults, and invariants read from the stores themselves."""
