"""How HOTW keeps what it knows: its relational tables, and what reads and writes them."""
