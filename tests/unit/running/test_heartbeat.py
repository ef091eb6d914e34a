"""The sign of life of tests that take long."""

from __future__ import annotations

import threading

from tests.heartbeat import heartbeat


def test_what_takes_long_says_so_again_and_again_and_is_silent_when_it_is_over() -> None:
    said: list[str] = []
    three, before = threading.Event(), set(threading.enumerate())

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 3:
            three.set()

    with heartbeat(say, "test_outage", every=0.01):
        assert three.wait(30)
    assert set(said) == {"test_outage: 0 s so far"}
    assert set(threading.enumerate()) == before


def test_what_is_over_soon_says_nothing() -> None:
    said: list[str] = []
    with heartbeat(said.append, "test_rule"):
        pass
    assert said == []
