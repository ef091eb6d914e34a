"""The real servers of the tests: Kafka, a MongoDB-wire store and MySQL, each a container on a port of its own.

A server can be stopped and started again with its data and its port, as the fault tests do.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from docker.models.containers import Container
from testcontainers.core.container import DockerContainer

from tests.support.docker_engine import IMAGES

HOST = "127.0.0.1"
# Below what Linux and macOS take for outgoing connections. Each process of a parallel run has ports of its own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_NEVER_OUTGOING = range(20_000 + _WORKER, 32_768, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
_given: set[int] = set()
_SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # a compiler that pays off after minutes costs a test a third


def free_port() -> int:
    """A TCP port nobody has right now, given once a run.

    None that an outgoing connection may get: it would be taken before it is used, or while its server is away (by a
    client of that very server, say, which asks for it again and again until it is connected to itself).
    """
    while True:
        port = secrets.choice(_NEVER_OUTGOING)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            if port not in _given:
                _given.add(port)
                return port


class Server:
    """One container; ``url`` is what a client is given."""

    def __init__(
        self,
        container: DockerContainer,
        port: int,
        url: str,
        ready: Callable[[], bool],
        *,
        has_journal: Callable[[], bool] = lambda: True,
    ) -> None:
        self._container = container
        self._ready = ready
        self._has_journal = has_journal
        self.port = port
        self.url = url

    def start(self) -> Server:
        self._container.start()
        self._wait()
        return self

    def remove(self) -> None:
        self._container.stop(force=True, delete_volume=True)

    def kill(self) -> None:
        """As a power cut: SIGKILL; the data stays.

        A server without a journal is stopped instead: after SIGKILL its file may hold half of a write (a document that
        its index does not know), which no client can mend. The clients see no difference.
        """
        if self._has_journal():
            self._wrapped.kill()
            self._wrapped.wait()
        else:
            self.stop()

    def stop(self, seconds: int = 10) -> None:
        """In order, and by force after some seconds."""
        self._wrapped.stop(timeout=seconds)

    def start_again(self) -> None:
        self._wrapped.start()
        self._wait()

    @property
    def _wrapped(self) -> Container:
        return self._container.get_wrapped_container()

    def _wait(self, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not self._ready():
            if time.monotonic() > deadline:
                self._wrapped.reload()
                logs = self._wrapped.logs(tail=20).decode(errors="replace")
                raise TimeoutError(
                    f"{self.url} ({self._wrapped.status}) did not answer within {seconds:.0f} s:\n{logs}"
                )
            time.sleep(0.1)


def _plain(image: str, inner: int, outer: int, *, lasting: bool = False) -> DockerContainer:
    container = DockerContainer(image).with_bind_ports(inner, outer)
    return container if lasting else container.with_env("JAVA_TOOL_OPTIONS", _SHORT_LIVED)


def kafka(*, lasting: bool = False) -> Server:
    """Apache Kafka, one KRaft node; ``url`` is the bootstrap address. ``lasting``: as fast as it gets, in time."""
    port = free_port()
    container = _plain(IMAGES["KAFKA_IMAGE"], 9092, port, lasting=lasting)
    for name, value in {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "5",
        # One that was killed may only register again when its former self is taken for dead: 9 s by default. Much less
        # than this and a busy machine fences a living broker, again and again, so that it never answers.
        "KAFKA_BROKER_SESSION_TIMEOUT_MS": "5000",
        "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "500",
    }.items():
        container.with_env(name, value)
    return Server(container, port, f"{HOST}:{port}", lambda: _kafka_answers(f"{HOST}:{port}"))


def mongo(*, lasting: bool = False) -> Server:
    """A MongoDB-wire server; ``url`` is the connection string. ``lasting`` as with Kafka."""
    port = free_port()
    url = f"mongodb://{HOST}:{port}/?directConnection=true"
    container = _plain(IMAGES["MONGO_IMAGE"], 27017, port, lasting=lasting)
    return Server(
        container, port, url, lambda: _mongo_answers(url), has_journal=lambda: "wiredTiger" in _mongo_engines(url)
    )


def mysql(*, lasting: bool = False) -> Server:
    """MySQL; ``url`` is SQLAlchemy's for aiomysql, of the database ``hotw``. It is the same ``lasting`` or not."""
    port = free_port()
    container = _plain(IMAGES["MYSQL_IMAGE"], 3306, port, lasting=lasting)
    for name, value in {
        "MYSQL_ROOT_PASSWORD": "root",
        "MYSQL_DATABASE": "hotw",
        "MYSQL_USER": "epic",
        "MYSQL_PASSWORD": "epic",
    }.items():
        container.with_env(name, value)
    return Server(container, port, f"mysql+aiomysql://root:root@{HOST}:{port}/hotw", lambda: _mysql_answers(port))


def _kafka_answers(bootstrap: str) -> bool:
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    async def ask() -> None:
        client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
        try:
            await client.start()
            await client.list_topics()
        finally:
            await client.close()

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        with ThreadPoolExecutor(1) as thread:  # a loop of its own, whether or not the caller runs in one
            thread.submit(lambda: asyncio.run(ask())).result()
    except (KafkaError, OSError):
        return False
    return True


def _mongo_answers(url: str) -> bool:
    import pymongo
    from pymongo.errors import PyMongoError

    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(url, serverSelectionTimeoutMS=500)
    try:
        client.admin.command("ping")
    except PyMongoError:
        return False
    finally:
        client.close()
    return True


def _mongo_engines(url: str) -> list[str]:
    import pymongo

    with pymongo.MongoClient[dict[str, list[str]]](url, serverSelectionTimeoutMS=4000) as client:
        return list(client.admin.command("buildInfo").get("storageEngines", []))


def _mysql_answers(port: int) -> bool:
    import pymysql

    try:
        pymysql.connect(host=HOST, port=port, user="root", password="root", database="hotw", connect_timeout=1).close()
    except (pymysql.Error, OSError):
        return False
    return True
