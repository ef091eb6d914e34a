"""Long tests show that they still run."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.progress import LongTests


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def written() -> threading.Semaphore:
    return threading.Semaphore(0)


@pytest.fixture
def progress(lines: list[str], written: threading.Semaphore) -> Iterator[LongTests]:
    def write(line: str) -> None:
        lines.append(line)
        written.release()

    plugin = LongTests(write, every=0.01)
    yield plugin
    plugin.stop()


def test_a_long_test_is_shown_again_and_again(
    progress: LongTests, lines: list[str], written: threading.Semaphore
) -> None:
    began = time.monotonic()
    progress.pytest_runtest_logstart("tests/flows/test_faults.py::test_outage")
    for _ in range(3):
        assert written.acquire(timeout=30)
    progress.pytest_runtest_logfinish("tests/flows/test_faults.py::test_outage")
    seconds = [int(re.fullmatch(r"test_outage: (\d+) s so far", line)[1]) for line in lines]  # type: ignore[index]
    assert seconds == sorted(seconds)
    assert 0 <= seconds[0] <= seconds[-1] <= time.monotonic() - began + 1


def test_a_test_that_is_over_is_not_shown(progress: LongTests, lines: list[str], written: threading.Semaphore) -> None:
    progress.pytest_runtest_logstart("file::over")
    progress.pytest_runtest_logfinish("file::over")
    progress.pytest_runtest_logstart("file::running")
    shown: list[str] = []
    while shown.count("running") < 2:
        assert written.acquire(timeout=30)
        shown = [line.partition(":")[0] for line in list(lines)]
    assert set(shown[shown.index("running") :]) == {"running"}
