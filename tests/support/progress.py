"""A line every half minute for each test that still runs, so that a long run is never silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class LongTests:
    """A pytest plugin. It also covers the tests that the workers of a parallel run start and finish."""

    def __init__(self, write: Callable[[str], None], *, every: float = 30.0) -> None:
        self._write = write
        self._every = every
        self._started: dict[str, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._thread.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._started[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._started.pop(nodeid, None)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            now = time.monotonic()
            for nodeid, began in list(self._started.items()):
                if now - began >= self._every:
                    self._write(f"{nodeid.rpartition('::')[2]}: {now - began:.0f} s so far")
