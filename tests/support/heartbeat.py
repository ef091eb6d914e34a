"""Owns the sign of life of what takes long: a line every half minute, saying what it is and since when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["heartbeat"]


@contextmanager
def heartbeat(say: Callable[[str], None], what: str, *, every: float = 30.0) -> Iterator[None]:
    """Says every so many seconds that ``what`` is still under way; what is over before says nothing."""
    over, began = threading.Event(), time.monotonic()

    def beat() -> None:
        while not over.wait(every):
            say(f"{what}: {time.monotonic() - began:.0f} s so far")

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
