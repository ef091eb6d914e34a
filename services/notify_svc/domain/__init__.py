"""The rules of telling people: who is told, what an order summary says, when a ticket is opened. Pure."""
