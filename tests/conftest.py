"""Owns what every test shares: the real servers, started once a run when Docker is there, and why they were not."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import servers

_REQUIRED = os.environ.get("CI") == "true" or os.environ.get("EPIC_REQUIRE_DOCKER") == "1"
_left_out: dict[str, int] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wanted = [item for item in items if item.get_closest_marker("docker")]
    if not wanted:
        return
    why = servers.docker_missing()
    if why is None or _REQUIRED:
        return
    _left_out[f"{why}: start Docker to run them, or set EPIC_REQUIRE_DOCKER=1 to make this a failure"] = len(wanted)
    for item in wanted:
        item.add_marker(pytest.mark.skip(reason=why))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for why, count in _left_out.items():
        terminalreporter.section("left out", yellow=True)
        terminalreporter.line(f"{count} tests on real Kafka, MongoDB and MySQL; {why}")


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
