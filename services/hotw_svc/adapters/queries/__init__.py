"""What people read, as SQL."""
