"""Doubles of the kit's stores, for tests that need no store at all."""
