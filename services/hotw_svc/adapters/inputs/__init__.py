"""What other services own, as HOTW keeps and reads it."""
