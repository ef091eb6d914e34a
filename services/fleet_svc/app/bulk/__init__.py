"""The use cases about bulk jobs."""
