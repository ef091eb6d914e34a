"""What HOTW does when a resource of another service changes."""
