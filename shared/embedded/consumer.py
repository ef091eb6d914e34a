"""The consumer of the embedded log, with the part of aiokafka's interface that EPIC uses, and its consumer group."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from inspect import isawaitable
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import ConsumerStoppedError, IllegalOperation, IllegalStateError, KafkaConnectionError

from shared.embedded.storage import Partition
from shared.tasks import end

if TYPE_CHECKING:
    from shared.embedded.log import DurableLog

_logger: Final = logging.getLogger(__name__)


class EmbeddedConsumer:
    """Waits for appends instead of polling, and never commits by itself.

    A partition is read from the group's committed offset, and where there is none, or it has been removed, from the
    first record.
    """

    def __init__(
        self, *topics: str, log: DurableLog, client_id: str | None = None, group_id: str | None = None
    ) -> None:
        self._log = log
        self._group_id = group_id
        self.member_id = f"{client_id or 'epic-consumer'}-{uuid4()}"
        self.topics = frozenset(topics)
        self.stopped = False
        # FastStream's rebalance listener logs an assignment with aiokafka's _coordinator.member_id and
        # _subscription.topics; this object has both.
        self._coordinator = self._subscription = self
        self._listener: ConsumerRebalanceListener | None = None
        self._partitions: dict[TopicPartition, Partition] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._turn = 0
        self._wake = asyncio.Event()
        self._rebalancing = False

    def subscribe(
        self, topics: Sequence[str] = (), pattern: str | None = None, listener: ConsumerRebalanceListener | None = None
    ) -> None:
        if not topics or pattern is not None:
            raise TypeError("the embedded log is subscribed to by topic names, not by a pattern")
        if self._positions:
            raise IllegalStateError("partitions are assigned by hand: subscribing beside that is not possible")
        self.topics, self._listener = frozenset(topics), listener

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        if self.topics:
            raise IllegalStateError("topics are subscribed to: assigning by hand beside that is not possible")
        self.read(partitions)

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    async def start(self) -> None:
        """Returns when this consumer has its share. UnknownTopicOrPartitionError for a topic that does not exist."""
        if not self._log.running:
            raise KafkaConnectionError(f"the embedded log in {self._log.folder} is not running")
        partitions = [found.name for topic in self.topics for found in self._log.partitions(topic)]
        if self._group_id is None:
            self.read([*self._positions, *partitions])
        elif self.topics:
            await self._log.group(self._group_id).join(self)

    async def stop(self) -> None:
        """Leaves the group; who waits in ``getmany`` gets ConsumerStoppedError."""
        self.stopped = True
        if self._group_id is not None:
            self._log.group(self._group_id).leave(self)
        self.read(())

    async def revoke(self) -> None:
        self._rebalancing = True
        if self._listener is not None:
            await self._notify(self._listener.on_partitions_revoked)

    async def resume(self) -> None:
        try:
            if self._listener is not None:
                await self._notify(self._listener.on_partitions_assigned)
        finally:
            self._rebalancing = False
            self._wake.set()

    async def _notify(self, listener: Callable[[set[TopicPartition]], Any]) -> None:
        try:
            called = listener(self.assignment())
            if isawaitable(called):
                await called
        except Exception:
            _logger.exception("a rebalance listener of group %s failed", self._group_id)

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: float = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_ms / 1000
        await asyncio.sleep(0)  # else a consumer that always finds records would starve the event loop
        while True:
            if self.stopped:
                raise ConsumerStoppedError
            self._wake.clear()
            if not self._rebalancing and (records := self._fetch(partitions, max_records)):
                return records
            try:
                async with asyncio.timeout_at(deadline):
                    await self._wake.wait()
            except TimeoutError:
                return {}

    def _fetch(self, only: Sequence[TopicPartition], limit: int | None) -> dict[TopicPartition, list[ConsumerRecord]]:
        """At most so many records; the partitions take turns in coming first. No await, so that none can get lost."""
        names = list(only or self._positions)
        self._turn = (self._turn + 1) % max(1, len(names))
        behind = []
        for name in names[self._turn :] + names[: self._turn]:
            position, partition = self._position(name), self._partitions[name]
            if position < partition.end:
                behind.append((partition, position))
        taken = {}
        for (partition, _), (records, following) in zip(behind, self._log.fetch(behind, limit), strict=True):
            self._positions[partition.name] = following
            if records:
                taken[partition.name] = records
        return taken

    async def commit(self, offsets: Mapping[TopicPartition, int] | None = None) -> None:
        if self._group_id is None:
            raise IllegalOperation("a consumer without a group has no committed offsets")
        wanted = self._positions if offsets is None else offsets
        for name in wanted:
            self._position(name)
        await self._log.commit(self._group_id, wanted)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if offset < 0:
            raise ValueError("an offset is not negative")
        self._position(partition)
        self._positions[partition] = offset
        self._wake.set()

    async def position(self, partition: TopicPartition) -> int:
        return self._position(partition)

    def read(self, names: Iterable[TopicPartition]) -> None:
        """Read these partitions and no others."""
        for partition in self._partitions.values():
            partition.watchers.discard(self._wake.set)
        committed = self._log.committed(self._group_id) if self._group_id is not None else {}
        self._partitions = {name: self._log.partition(name) for name in sorted(names)}
        self._positions = {name: committed.get(name, found.start) for name, found in self._partitions.items()}
        for partition in self._partitions.values():
            partition.watchers.add(self._wake.set)
        self._wake.set()

    def _position(self, name: TopicPartition) -> int:
        """IllegalStateError for a partition that is not assigned. A removed one becomes the first record."""
        if name not in self._positions:
            raise IllegalStateError(f"partition {name.partition} of {name.topic} is not assigned")
        position, partition = self._positions[name], self._partitions[name]
        if not partition.start <= position <= partition.end:
            position = self._positions[name] = partition.start
        return position


class ConsumerGroup:
    """Kafka's eager protocol: at each change all members let go, then each gets a share, round robin.

    No two members ever have a partition at once. A listener that fails is logged, and the rebalance continues.
    """

    def __init__(self, partitions: Callable[[str], Sequence[Partition]]) -> None:
        self._partitions = partitions
        self._rebalancing = asyncio.Lock()
        self._rebalances: set[asyncio.Task[None]] = set()
        self.members: list[EmbeddedConsumer] = []

    async def join(self, member: EmbeddedConsumer) -> None:
        """Returns when the member has its share."""
        # The shield keeps a caller who is cancelled from leaving the group half assigned.
        await asyncio.shield(self._start(self._rebalance(joining=member)))

    def leave(self, member: EmbeddedConsumer) -> None:
        """The others get its share soon; its listener is not called any more."""
        if member in self.members:
            self.members.remove(member)
            self._start(self._rebalance())

    async def close(self) -> None:
        """Abandons the rebalances under way."""
        await end(*self._rebalances)

    def _start(self, rebalance: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(rebalance)
        self._rebalances.add(task)
        task.add_done_callback(self._rebalances.discard)
        return task

    async def _rebalance(self, joining: EmbeddedConsumer | None = None) -> None:
        async with self._rebalancing:
            await asyncio.gather(*(member.revoke() for member in self.members))
            if joining is not None and not joining.stopped:
                self.members.append(joining)
            shares = defaultdict[EmbeddedConsumer, list[TopicPartition]](list)
            turns = cycle(self.members)
            for topic in sorted({topic for member in self.members for topic in member.topics}):
                for partition in self._partitions(topic):
                    shares[next(member for member in turns if topic in member.topics)].append(partition.name)
            for member in self.members:
                member.read(shares[member])
            await asyncio.gather(*(member.resume() for member in self.members))
