"""HOTW's use cases, by area, and what they need of a store."""
