"""Rules of what people read."""
