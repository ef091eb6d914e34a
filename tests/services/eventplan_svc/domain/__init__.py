"""The rules of event plans, tested without any input or output."""
