"""What every test shares: the real servers started once per process, and the progress of long tests."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Final

import hypothesis
import pytest
import structlog

from tests.support import docker_engine, servers
from tests.support.fixtures import broker, clock, published, settings, store  # noqa: F401 - fixtures
from tests.support.progress import LongTests

# A busy machine is no fault of an example.
hypothesis.settings.register_profile("epic", parent=hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("epic")

_PROGRESS: Final = pytest.StashKey[LongTests]()


def pytest_configure(config: pytest.Config) -> None:
    """Where the tests on real servers are required, nothing runs without what they need; said once, not by each."""
    is_worker, selected = hasattr(config, "workerinput"), config.getoption("markexpr")
    if docker_engine.REQUIRED and not is_worker and "not docker" not in selected:
        missing = docker_engine.missing()
        if missing is not None:
            raise pytest.UsageError(f"EPIC_REQUIRE_DOCKER=1 or CI=true asks for real servers: {missing}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("EPIC_LONG") != "1":
        _leave_out(items, "long", "they take minutes each; `make test-long` runs them")
    if not docker_engine.REQUIRED and any(item.get_closest_marker("docker") for item in items):
        missing = docker_engine.missing()
        if missing is not None:
            _leave_out(items, "docker", f"{missing}, or set EPIC_REQUIRE_DOCKER=1 to make this a failure")


def _leave_out(items: list[pytest.Item], marker: str, reason: str) -> None:
    for item in items:
        if item.get_closest_marker(marker):
            item.add_marker(pytest.mark.skip(reason=f"marked {marker}: {reason}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says which tests were left out and how to run them. The reports come from all workers."""
    reasons = Counter(str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ()))
    if reasons:
        terminalreporter.section("left out", yellow=True)
    for reason, count in reasons.items():
        terminalreporter.line(f"{count} tests {reason.removeprefix('Skipped: ')}")


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.pluginmanager.has_plugin("terminalreporter"):  # the one process that prints, not a worker
        output = os.fdopen(os.dup(1), "w")  # pytest captures its own while a test runs
        progress = LongTests(lambda line: print(f"\n{line}", file=output, flush=True))
        session.config.stash[_PROGRESS] = progress
        session.config.add_cleanup(output.close)
        session.config.add_cleanup(progress.stop)
        session.config.pluginmanager.register(progress)


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
