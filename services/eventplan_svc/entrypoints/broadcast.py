"""The broadcast: every process reads all events that its readiness view shows, without a consumer group."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.entrypoints.messages import VIEW_STORED_BY
from shared.durability.backoff import Backoff
from shared.envelope import Record
from shared.errors import Unavailable
from shared.messaging.subscription import Handler, Received, Subscription
from shared.messaging.transport import Transport, ensure_topics
from shared.schemas.base import WireModel
from shared.tasks import end

log = structlog.get_logger(__name__)

_CLIENT_ID: Final = "eventplan_svc.readiness-view"
_AWAY: Final = (Unavailable, KafkaError, OSError)
_BACKOFF: Final = Backoff(1.0, 2.0)
_LINGER: Final = 0.2  # seconds that events gather: a view in memory may be so much behind, and many cost less together
_LONGEST_REST: Final = 20.0  # seconds; a process that writes for longer than that must see what others write
_AT_ONCE: Final = 2000  # records; some megabytes
_FETCH_MS: Final = 60_000  # how long an idle fetch waits; one that ends finds the next record just as well


class Broadcast:
    """Keeps the readiness view of this process current: built from the store first, then by every event.

    Nothing is committed: each start builds anew. Events are read from where the topics ended before ``build`` began;
    the topics that a consumer group stores from where it had committed, since only what it has committed is sure to be
    in the store. Events may come twice, and are in order by key. A snapshot that is not newer than the view's is
    skipped unread. While the view is not at rest nothing is fetched: the process then shows its own writes itself.
    An event that cannot be handled is logged and skipped: the consumer group that must handle it makes a dead letter.
    While broker or store is away the broadcast waits and goes on where it was.
    """

    def __init__(
        self,
        transport: Transport,
        view: ReadinessView,
        *,
        build: Callable[[], Awaitable[None]],
        show: Callable[[Any], None],
    ) -> None:
        self._transport = transport
        self._view = view
        self._build = build
        self._show = show
        self._subscription = Subscription(_CLIENT_ID, Handler(WireModel, tuple(VIEW_STORED_BY), each=self._take))
        self._positions: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._reason = "the readiness view is being built"

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="readiness view")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await end(task)

    async def check(self) -> None:
        """Unavailable, with the reason, while it is not complete or not kept current any more."""
        if self._task is not None and self._task.done():
            raise Unavailable("the readiness view is not kept current; see the log, and start the service anew")
        if not self._view.complete.is_set():
            raise Unavailable(self._reason)

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                if not self._view.complete.is_set():
                    self._positions = await self._places()
                    await self._build()
                    log.info("the readiness view is built")
                attempt = 0
                await self._follow()
            except _AWAY as error:
                attempt += 1
                self._reason = f"the readiness view waits for what is away: {error}"
                log.warning("the readiness view waits for what is away", error=str(error) or repr(error))
                await asyncio.sleep(_BACKOFF.before(attempt))

    async def _places(self) -> dict[TopicPartition, int]:
        await ensure_topics(self._transport, "eventplan_svc")
        groups = {group for group in VIEW_STORED_BY.values() if group is not None}
        behind = {group: await self._transport.lag(group) for group in groups}
        positions: dict[TopicPartition, int] = {}
        for topic, group in VIEW_STORED_BY.items():
            ends = await self._transport.end_offsets(topic)
            # A group that never committed a partition begins with its first record.
            lag = dict.fromkeys(ends, 0) if group is None else behind[group]
            positions.update({partition: end - lag.get(partition, end) for partition, end in ends.items()})
        return positions

    async def _follow(self) -> None:
        consumer = self._transport.consumer(client_id=_CLIENT_ID)
        await consumer.start()
        try:
            consumer.assign(list(self._positions))
            for partition, offset in self._positions.items():
                consumer.seek(partition, offset)
            while True:
                await asyncio.sleep(_LINGER)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LONGEST_REST):
                        await self._view.at_rest.wait()
                fetched = await consumer.getmany(timeout_ms=_FETCH_MS, max_records=_AT_ONCE)
                for partition, records in fetched.items():
                    await self._handle(records)
                    self._positions[partition] = records[-1].offset + 1
        finally:
            await consumer.stop()

    async def _handle(self, records: Sequence[Record]) -> None:
        for record in records:
            version, key = _snapshot_version(record), (record.key or b"").decode(errors="replace")
            if version is not None and version <= self._view.version_of(record.topic, key):
                continue
            try:
                await self._take(self._subscription.read(record))
            except Exception as error:
                log.warning("an event was skipped", topic=record.topic, key=key, error=repr(error))

    async def _take(self, received: Received[WireModel]) -> None:
        self._show(received.data)


def _snapshot_version(record: Record) -> int | None:
    """The version in a message id ``key:version:type``, which a snapshot has by its store; None for any other id."""
    key = (record.key or b"") + b":"
    for name, value in record.headers:
        if name == "ce_id" and value and value.startswith(key):
            version = value[len(key) :].partition(b":")[0]
            return int(version) if version.isdigit() else None
    return None
