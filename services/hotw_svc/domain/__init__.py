"""The rules of HOTW: facts and an instant in, executions, orders and overrides out; no clock, no store."""
