"""Orders, the capacity overrides that follow from them, and what time and events make of both."""
