"""Use cases of orders: decide, report a delivery, and settle what time or an event has overtaken."""
