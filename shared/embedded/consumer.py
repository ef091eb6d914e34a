"""Owns the embedded consumer: aiokafka's consumer interface on the durable log."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from inspect import isawaitable
from itertools import chain
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import uuid4

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import (
    ConsumerStoppedError,
    IllegalOperation,
    IllegalStateError,
    KafkaConnectionError,
    UnknownTopicOrPartitionError,
)
from aiokafka.util import commit_structure_validate

from shared.embedded.log import DurableLog
from shared.embedded.readings import Readings

__all__ = ["EmbeddedConsumer"]


class _Subscription(NamedTuple):
    topics: frozenset[str]
    pattern: re.Pattern[str] | None
    listener: ConsumerRebalanceListener | None


class _Coordinator(NamedTuple):
    member_id: str


class EmbeddedConsumer:
    """Waits for appends instead of polling: ``getmany`` returns as soon as there is something.

    ``patience_ms`` is the least ``getmany`` waits when there is nothing, whatever timeout it gets.
    It never commits by itself. Options that only concern a network are ignored.
    """

    def __init__(
        self,
        *topics: str,
        log: DurableLog,
        client_id: str | None = None,
        group_id: str | None = None,
        auto_offset_reset: str = "latest",
        max_poll_records: int | None = None,
        key_deserializer: Callable[[bytes | None], Any] | None = None,
        value_deserializer: Callable[[bytes | None], Any] | None = None,
        patience_ms: float = 0,
        **_network: Any,
    ) -> None:
        self._log = log
        self._group_id = group_id
        self._coordinator = _Coordinator(f"{client_id or 'epic-consumer'}-{uuid4()}")
        self._max_poll_records = max_poll_records
        self._deserializers = (key_deserializer, value_deserializer)
        self._patience = patience_ms / 1000
        self._subscription: _Subscription | None = None
        self._wake = asyncio.Event()
        self._readings = Readings(log, group_id, auto_offset_reset, self._wake)
        self._started = self._closed = self._changing = False
        self._unwatch: Callable[[], None] = lambda: None
        self._following: asyncio.Task[None] | None = None
        if topics:
            self.subscribe(topics)

    # --- what is read

    def subscribe(
        self,
        topics: Iterable[str] = (),
        pattern: str | None = None,
        listener: ConsumerRebalanceListener | None = None,
    ) -> None:
        """Read these topics, or those whose name the pattern matches (also ones made later)."""
        if bool(topics) == bool(pattern):
            raise TypeError("subscribe to topics or to a pattern")
        if isinstance(topics, str):
            raise TypeError("topics are a list of names")
        if listener is not None and not isinstance(listener, ConsumerRebalanceListener):
            raise TypeError("the listener must be a ConsumerRebalanceListener")
        if self._readings.names and self._subscription is None:
            raise IllegalStateError("partitions were assigned by hand: subscribe is not possible beside it")
        try:
            compiled = re.compile(pattern) if pattern else None
        except re.error as error:
            raise ValueError(f"{pattern!r} is no pattern: {error}") from error
        self._subscription = _Subscription(frozenset(topics), compiled, listener)
        if self._started:
            self._following = asyncio.create_task(self._follow())

    def unsubscribe(self) -> None:
        """Read nothing any more, and leave the group."""
        self._subscription = None
        self._readings.begin(())
        if self._started and self._group_id is not None:
            self._log.group(self._group_id).leave(self)

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Read these partitions, outside the group's sharing; from the group's committed offsets where it has some."""
        if self._subscription is not None:
            raise IllegalStateError("topics are subscribed to: assign is not possible beside it")
        self._readings.begin(partitions)

    def subscription(self) -> frozenset[str]:
        return self.subscribed()

    def assignment(self) -> set[TopicPartition]:
        return self._readings.names

    async def topics(self) -> set[str]:
        return set(self._log.topics())

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return self._log.partitions_for_topic(topic)

    # --- life

    async def start(self) -> None:
        """Returns when this consumer has its share. UnknownTopicOrPartitionError for a topic nobody made."""
        if self._started:
            raise IllegalOperation("the consumer was started before")
        if not self._log.running:
            raise KafkaConnectionError(f"the embedded log in {self._log.folder} is not running")
        self._started = True
        self._unwatch = self._log.watch_topics(self._topics_made)
        if self._subscription is not None:
            await self._follow()

    async def stop(self) -> None:
        """Leaves the group; whoever waits in ``getmany`` gets ConsumerStoppedError."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        self._unwatch()
        if self._following is not None:
            await asyncio.wait([self._following])
        if self._started and self._group_id is not None:
            self._log.group(self._group_id).leave(self)
        self._readings.begin(())

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _follow(self) -> None:
        for topic in self._subscription.topics if self._subscription else ():
            if self._log.partitions_for_topic(topic) is None:
                raise UnknownTopicOrPartitionError(f"there is no topic {topic} to subscribe to")
        if self._group_id is None:
            self._read_all()
        else:
            await self._log.group(self._group_id).join(self)

    def _topics_made(self) -> None:
        if self._subscription is None or self._subscription.pattern is None:
            return
        if self._group_id is None:
            self._read_all()
        else:
            self._log.group(self._group_id).share_anew()

    def _read_all(self) -> None:
        wanted = [partition.name for topic in self.subscribed() for partition in self._log.partitions(topic)]
        self._readings.begin(wanted, keep=True)

    # --- as its group sees it

    @property
    def member_id(self) -> str:
        return self._coordinator.member_id

    @property
    def active(self) -> bool:
        return not self._closed

    def subscribed(self) -> frozenset[str]:
        if self._subscription is None:
            return frozenset()
        pattern = self._subscription.pattern
        if pattern is None:
            return self._subscription.topics
        return frozenset(topic for topic in self._log.topics() if pattern.match(topic))

    async def revoke(self) -> None:
        self._changing = True
        if self._subscription is not None and self._subscription.listener is not None:
            told = self._subscription.listener.on_partitions_revoked(self.assignment())
            if isawaitable(told):
                await told

    def assign_shared(self, partitions: set[TopicPartition]) -> None:
        self._readings.begin(partitions)

    async def resume_reading(self) -> None:
        try:
            if self._subscription is not None and self._subscription.listener is not None:
                told = self._subscription.listener.on_partitions_assigned(self.assignment())
                if isawaitable(told):
                    await told
        finally:
            self._changing = False
            self._wake.set()

    # --- records

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: float = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """What there is, at most ``max_records``; waits for the first of it. ConsumerStoppedError once stopped."""
        if max_records is not None and max_records < 1:
            raise ValueError("max_records must be at least 1")
        seconds = max(timeout_ms / 1000, self._patience)
        return await self._records(partitions, max_records or self._max_poll_records, seconds)

    async def getone(self, *partitions: TopicPartition) -> ConsumerRecord:
        """The next record, whenever it comes."""
        ((record,),) = (await self._records(partitions, 1, None)).values()
        return record

    def __aiter__(self) -> EmbeddedConsumer:
        return self

    async def __anext__(self) -> ConsumerRecord:
        try:
            return await self.getone()
        except ConsumerStoppedError:
            raise StopAsyncIteration from None

    async def _records(
        self, partitions: Sequence[TopicPartition], most: int | None, seconds: float | None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        loop = asyncio.get_running_loop()
        deadline = None if seconds is None else loop.time() + seconds
        while True:
            if self._closed:
                raise ConsumerStoppedError
            if not self._started:
                raise IllegalOperation("start the consumer first")
            self._wake.clear()
            if not self._changing and (records := await self._readings.next(partitions, most)):
                return self._deserialized(records)
            if deadline is not None and loop.time() >= deadline:
                return {}
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._wake.wait()

    def _deserialized(
        self, records: dict[TopicPartition, list[ConsumerRecord]]
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        of_key, of_value = self._deserializers
        if of_key is None and of_value is None:
            return records
        for record in chain.from_iterable(records.values()):
            record.key = of_key(record.key) if of_key else record.key
            record.value = of_value(record.value) if of_value else record.value
        return records

    # --- where

    async def commit(self, offsets: Mapping[TopicPartition, Any] | None = None) -> None:
        """Note where the group goes on (the positions, unless said); durable when this returns.

        IllegalOperation without a group, IllegalStateError for a partition this consumer does not have (any more).
        """
        group = self._in_group()
        if offsets is None:
            noted = self._readings.consumed()
        else:
            noted = commit_structure_validate(dict(offsets))
            for name in noted:
                self._readings.of(name)
        before = self._log.committed(group)
        changed = {name: said for name, said in noted.items() if before.get(name) != said}
        if changed:
            await self._log.commit(group, changed)

    async def committed(self, partition: TopicPartition) -> int | None:
        noted = self._log.committed(self._in_group()).get(partition)
        return None if noted is None else int(noted.offset)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on at this offset. IllegalStateError for a partition this consumer does not have."""
        if not isinstance(offset, int) or offset < 0:
            raise ValueError("an offset is a whole number from 0 on")
        self._readings.seek(self._readings.of(partition), offset)

    async def seek_to_beginning(self, *partitions: TopicPartition) -> bool:
        for reading in self._readings.some(partitions):
            self._readings.seek(reading, reading.partition.start)
        return True

    async def seek_to_end(self, *partitions: TopicPartition) -> bool:
        for reading in self._readings.some(partitions):
            self._readings.seek(reading, reading.partition.end)
        return True

    async def position(self, partition: TopicPartition) -> int:
        return self._readings.of(partition).position

    def highwater(self, partition: TopicPartition) -> int:
        return self._readings.of(partition).partition.end

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {name: self._log.partition(name).start for name in partitions}

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {name: self._log.partition(name).end for name in partitions}

    def pause(self, *partitions: TopicPartition) -> None:
        for name in partitions:
            self._readings.of(name).paused = True

    def resume(self, *partitions: TopicPartition) -> None:
        for name in partitions:
            self._readings.of(name).paused = False
        self._wake.set()

    def paused(self) -> set[TopicPartition]:
        return {reading.partition.name for reading in self._readings.some(()) if reading.paused}

    def _in_group(self) -> str:
        if self._group_id is None:
            raise IllegalOperation("a consumer without a group_id has no committed offsets")
        return self._group_id
