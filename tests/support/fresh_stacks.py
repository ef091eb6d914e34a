"""Stacks on real servers that begin with nothing, and the settings of every stack in a flow."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from tests.support import servers
from tests.support.stacks import RealStack
from tests.support.waiting import eventually

AZ_FACTORS = {"EPIC_AZ_FACTOR_MAP": json.dumps({"us-east-1a": 2, "us-east-1b": 2, "us-east-1c": 1})}
SETTINGS = {**AZ_FACTORS, "EPIC_MAIL_DOMAIN": "example.com"}


def new_database(mysql_url: str) -> str:
    """A database of its own for one stack, on the running server."""
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
