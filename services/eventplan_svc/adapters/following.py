"""Owns how the board is built and kept current: what is stored, then every event since, whoever wrote it.

The topics are followed without a consumer group, since every process must hear all of them. Plans are followed from
where their topics ended before the store was read; services and fleets from where this service's own groups had
committed, since only what was committed is sure to be in the replicas.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from services.eventplan_svc.app.board import Board
from services.eventplan_svc.app.knowledge import Knowledge, is_base_line
from services.eventplan_svc.app.plans import Plans
from services.eventplan_svc.domain.surroundings import Fleet, Service
from shared.errors import Unavailable
from shared.messaging.topic_client import ensure_topics
from shared.messaging.transport import Transport
from shared.tasks import end
from shared.web import Unready

__all__ = ["Following"]

log = structlog.get_logger(__name__)

_PLANS: Final = ("eventplan.created", "eventplan.updated")
_LINGER: Final = 0.2
_LONGEST_REST: Final = 20.0
_AT_ONCE: Final = 2000
_RETRY: Final = 2.0
_AWAY: Final = (Unavailable, KafkaError, OSError)


class Following:
    """A part of the service. While broker or store is away it waits for them, and goes on where it was."""

    def __init__(
        self, service: str, transport: Transport, board: Board, plans: Plans, knowledge: Knowledge,
        groups: Mapping[str, Iterable[str]],
    ) -> None:  # fmt: skip
        """``groups``: by consumer group the topics of services and fleets it takes into the replicas."""
        self._service = service
        self._transport = transport
        self._board = board
        self._plans = plans
        self._knowledge = knowledge
        self._groups = groups
        self._places: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._reason = "the readiness board is being built"

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="following")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await end(task)

    async def health(self) -> Mapping[str, Any]:
        """Unready until the board is built, and when it is no longer kept current."""
        if self._task is not None and self._task.done():
            raise Unready("the readiness board is not kept current any more; see the log, and start the service anew")
        if not self._board.complete.is_set():
            raise Unready(self._reason)
        return {"Plans": len(self._board)}

    async def _run(self) -> None:
        while True:
            try:
                if not self._board.complete.is_set():
                    await self._build()
                await self._follow()
            except _AWAY as error:
                self._reason = f"the readiness board waits for what is away: {error}"
                log.warning("the readiness board waits for what is away", error=str(error) or repr(error))
                await asyncio.sleep(_RETRY * random.uniform(0.5, 1.0))

    async def _build(self) -> None:
        await ensure_topics(self._transport, self._service)
        for topic in _PLANS:
            self._places.update(await self._transport.end_offsets(topic))
        for group, topics in self._groups.items():
            behind = await self._transport.lag(group)
            for topic in topics:
                ends = await self._transport.end_offsets(topic)
                self._places.update({at: end - behind.get(at, end) for at, end in ends.items()})
        async for service, version in self._knowledge.versioned_services():
            self._board.put_service(service, version)
        async for fleet, version in self._knowledge.versioned_fleets():
            self._board.put_fleet(fleet, version)
        async for keys in self._knowledge.plan_ids(await self._knowledge.events()):
            for one in await self._plans.held(keys):
                self._board.put(one.key, one.version, one.plan)
        self._board.complete.set()
        log.info("the readiness board is built", plans=len(self._board))

    async def _follow(self) -> None:
        consumer = self._transport.consumer(client_id=f"{self._service}.board")
        await consumer.start()
        try:
            consumer.assign(list(self._places))
            for partition, offset in self._places.items():
                consumer.seek(partition, offset)
            while True:
                await self._rest()
                for partition, records in (await consumer.getmany(timeout_ms=60_000, max_records=_AT_ONCE)).items():
                    for record in records:
                        self._hear(record)
                    self._places[partition] = records[-1].offset + 1
        finally:
            await consumer.stop()

    async def _rest(self) -> None:
        """This process's own writes are on the board a moment later; what is heard of them then need not be read."""
        await asyncio.sleep(_LINGER)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_REST):
                await self._board.at_rest.wait()

    def _hear(self, record: ConsumerRecord) -> None:
        resource = record.topic.partition(".")[0]
        key, version = _said(record)
        if version is not None and version <= self._known(resource, key):
            return
        try:
            self._take(resource, key, orjson.loads(record.value))
        except Exception as error:
            # The group that must handle such a record makes a dead letter of it; the board must not stop for it.
            log.warning("the readiness board cannot read a record", topic=record.topic, key=key, error=repr(error))

    def _known(self, resource: str, key: str) -> int:
        if resource == "eventplan":
            return self._board.plan_version(key)
        if resource == "service":
            return self._board.service_version(key)
        return self._board.fleet_version(key)

    def _take(self, resource: str, key: str, snapshot: Mapping[str, Any]) -> None:
        if resource == "eventplan":
            self._board.put(key, snapshot["VersionId"], dict(snapshot))
        elif resource == "service":
            self._board.put_service(Service.from_snapshot(snapshot), snapshot["VersionId"])
        elif is_base_line(snapshot):
            self._board.put_fleet(Fleet.from_snapshot(snapshot), snapshot["VersionId"])


def _said(record: ConsumerRecord) -> tuple[str, int | None]:
    """The key, and the version as a snapshot's message id ``key:version:type`` says it; None where it does not."""
    key = (record.key or b"").decode(errors="replace")
    for name, value in record.headers:
        if name == "ce_id" and value:
            parts = value.decode(errors="replace").rsplit(":", 2)
            if len(parts) == 3 and parts[0] == key and parts[1].isdecimal():
                return key, int(parts[1])
    return key, None
