"""Owns the systems the flows run on: embedded always, the real stack where Docker is."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.flows.systems import Embedded, RealStack, System

AZ_FACTORS = {"EPIC_AZ_FACTOR_MAP": json.dumps({"us-east-1a": 2, "us-east-1b": 2, "us-east-1c": 1})}
SETTINGS = {**AZ_FACTORS, "EPIC_MAIL_DOMAIN": "example.com"}


def new_database(mysql_url: str) -> str:
    """A database of its own for one system, on the running server."""
    import pymysql
    from sqlalchemy import make_url

    url = make_url(mysql_url)
    name = f"hotw_{uuid.uuid4().hex[:12]}"
    connection = pymysql.connect(host=url.host, port=url.port or 3306, user=url.username, password=str(url.password))
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    return url.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        yield client


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Embedded]:
    system = Embedded(tmp_path, environment=dict(SETTINGS))
    await system.start()
    yield system
    await system.stop()


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.docker)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def system(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """The same test on both set-ups."""
    if kind == "embedded":
        chosen: Embedded | RealStack = Embedded(tmp_path, environment=dict(SETTINGS))
    else:
        chosen = request.getfixturevalue("fresh_stack")(tmp_path, environment=dict(SETTINGS))
    await chosen.start()
    yield chosen
    await chosen.stop()
