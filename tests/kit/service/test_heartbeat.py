"""The sign of life of tests that take long."""

from __future__ import annotations

import re
import threading
import time

from tests.support.heartbeat import heartbeat


def test_what_takes_long_says_so_again_and_again_and_is_silent_when_it_is_over() -> None:
    said: list[str] = []
    three, before, began = threading.Event(), set(threading.enumerate()), time.monotonic()

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 3:
            three.set()

    with heartbeat(say, "test_outage", every=0.01):
        assert three.wait(30)
    seconds = [int(re.fullmatch(r"test_outage: (\d+) s so far", line)[1]) for line in said]  # type: ignore[index]
    assert 0 <= seconds[0] <= seconds[-1] <= time.monotonic() - began + 1
    assert seconds == sorted(seconds)
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "heartbeat"]


def test_what_is_over_soon_says_nothing() -> None:
    said: list[str] = []
    with heartbeat(said.append, "test_rule"):
        pass
    assert said == []
