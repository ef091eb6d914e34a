"""Use cases of providers: ask for what groups need, and see whether they have it."""
