"""Owns what every test shares: the real servers, started once a run when Docker is there, and why they were not."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import IO, Final

import hypothesis
import pytest
import structlog

from tests.support import servers
from tests.support.fixtures import broker, clock, published, settings, store  # noqa: F401 - fixtures
from tests.support.heartbeat import heartbeat

_OUTPUT: Final = pytest.StashKey[IO[str]]()

hypothesis.settings.register_profile(
    "epic", parent=hypothesis.settings(), deadline=None
)  # a busy machine is no fault of an example
hypothesis.settings.load_profile("epic")

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


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.pluginmanager.has_plugin("terminalreporter"):  # else a worker of several: the others go on
        session.config.stash[_OUTPUT] = os.fdopen(os.dup(1), "w")  # pytest's own is taken while a test runs


def pytest_unconfigure(config: pytest.Config) -> None:
    if _OUTPUT in config.stash:
        config.stash[_OUTPUT].close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    output = item.config.stash.get(_OUTPUT, None)
    if output is None:
        return (yield)
    with heartbeat(lambda line: print(f"\n{line}", file=output, flush=True), item.name):
        return (yield)


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """Logs are plain: a traceback in colours costs a second."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
        ]
    )
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def _running(server: servers.Server) -> Iterator[servers.Server]:
    try:
        yield server.start()
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
