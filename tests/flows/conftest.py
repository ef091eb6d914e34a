"""The systems the flows run on: embedded always, the real stack where Docker is."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.support import servers
from tests.support.systems import Embedded, RealStack, System, running
from tests.support.waiting import eventually

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


def wipe_kafka(bootstrap: str) -> None:
    """Deletes every topic, and with them what groups had committed; returns when they are gone."""

    async def wipe() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            if topics := await topics_of(admin):
                await admin.delete_topics(topics)
            await eventually(lambda: topics_of(admin), lambda left: not left, "Kafka has no topics any more")
        finally:
            await admin.close()

    async def topics_of(admin: AIOKafkaAdminClient) -> list[str]:
        return [name for name in await admin.list_topics() if not name.startswith("__")]

    with ThreadPoolExecutor(1) as thread:  # a loop of its own, whether or not the caller runs in one
        thread.submit(asyncio.run, wipe()).result()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        yield client


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Embedded]:
    system = Embedded(tmp_path, environment=dict(SETTINGS))
    async with running(system):
        yield system


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
    async with running(chosen):
        yield chosen


@pytest.fixture
def fresh_stack(kafka_server: servers.Server, mysql_server: servers.Server) -> Iterator[Callable[..., RealStack]]:
    """Makes a stack that begins with nothing."""
    with fresh_stacks(kafka_server, mysql_server) as make:
        yield make


@contextmanager
def fresh_stacks(kafka_server: servers.Server, mysql_server: servers.Server) -> Iterator[Callable[..., RealStack]]:
    """Makes stacks that begin with nothing: Kafka emptied, a MySQL database and a MongoDB of its own."""
    with ExitStack() as started:

        def make(folder: Path, **options: Any) -> RealStack:
            mongo = servers.mongo()
            started.callback(mongo.remove)
            mongo.start()
            wipe_kafka(kafka_server.url)
            real = {"kafka": kafka_server, "mongo": mongo, "mysql": mysql_server}
            return RealStack(folder, real, new_database(mysql_server.url), **options)

        yield make
