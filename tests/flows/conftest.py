"""The stacks the flows run on: embedded always, the real stack where Docker is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import servers
from tests.support.fresh_stacks import SETTINGS, fresh_stacks
from tests.support.stacks import Embedded, RealStack, WholeStack, running


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        yield client


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Embedded]:
    stack = Embedded(tmp_path, environment=dict(SETTINGS))
    async with running(stack):
        yield stack


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.docker)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def stack(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[WholeStack]:
    """The same test on both set-ups."""
    if kind == "embedded":
        chosen: Embedded | RealStack = Embedded(tmp_path, environment=dict(SETTINGS))
    else:
        chosen = request.getfixturevalue("fresh_stack")(tmp_path, environment=dict(SETTINGS))
    async with running(chosen):
        yield chosen


@pytest.fixture
def fresh_stack(kafka_server: servers.Server, mysql_server: servers.Server) -> Iterator[Callable[..., RealStack]]:
    """Makes a stack that begins with nothing."""
    with fresh_stacks(kafka_server, mysql_server) as make:
        yield make
