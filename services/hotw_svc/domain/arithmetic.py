"""The largest count of the contracts. What hosts are counted by is in ``shared.capacity``."""

from shared.schemas.base import MAX_COUNT


def countable(value: int | None) -> int | None:
    """The value, or None where it is larger than any count of the contracts."""
    return None if value is None or value > MAX_COUNT else value
