"""The providers that HOTW can ask, and the rows of the groups that they have."""
