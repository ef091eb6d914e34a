"""What a provider is asked for: the capacity of each group over time."""
