"""Owns what every test shares: the real servers, started once a run when Docker is there, and why they were not."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import servers

_REQUIRED = os.environ.get("CI") == "true" or os.environ.get("EPIC_REQUIRE_DOCKER") == "1"
_left_out: dict[str, int] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("EPIC_LONG") != "1":
        _leave_out(items, "long", "minutes each", "`make test-long` runs them")
    why = servers.docker_missing() if any(item.get_closest_marker("docker") for item in items) else None
    if why is not None and not _REQUIRED:
        remedy = "start Docker to run them, or set EPIC_REQUIRE_DOCKER=1 to make this a failure"
        _leave_out(items, "docker", why, remedy)


def _leave_out(items: list[pytest.Item], marker: str, why: str, remedy: str) -> None:
    wanted = [item for item in items if item.get_closest_marker(marker)]
    for item in wanted:
        item.add_marker(pytest.mark.skip(reason=why))
    if wanted:
        _left_out[f"marked {marker}: {why}; {remedy}"] = len(wanted)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _left_out:
        terminalreporter.section("left out", yellow=True)
    for why, count in _left_out.items():
        terminalreporter.line(f"{count} tests {why}")


def _running(server: servers.Server) -> Iterator[servers.Server]:
    server.start()
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[servers.Server]:
    yield from _running(servers.kafka())


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[servers.Server]:
    yield from _running(servers.mongo())


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[servers.Server]:
    yield from _running(servers.mysql())


@pytest.fixture
def kafka_bootstrap(kafka_server: servers.Server) -> str:
    """The bootstrap address of a real Kafka; topics outlive a test, so name them uniquely."""
    return kafka_server.url


@pytest.fixture
def mongo_url(mongo_server: servers.Server) -> str:
    """A real MongoDB-wire server; use a database of your own."""
    return mongo_server.url


@pytest.fixture
def mysql_url(mysql_server: servers.Server) -> str:
    """A real MySQL, as SQLAlchemy's URL of the database ``hotw``; create databases of your own as root."""
    return mysql_server.url
