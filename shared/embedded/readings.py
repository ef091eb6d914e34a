"""Owns where an embedded consumer reads: its partitions, its position in each, and what it has fetched ahead."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata

from shared.embedded.log import DurableLog
from shared.embedded.partitions import Fetched, Partition

__all__ = ["RESETS", "Reading", "Readings"]

RESETS: Final = ("earliest", "latest", "none")
_UNKNOWN: Final = -1


@dataclass(slots=True, eq=False)
class Reading:
    """One partition: ``position`` goes out next, ``ahead`` is fetched next, what lies between is ``held``."""

    partition: Partition
    position: int
    ahead: int
    held: deque[ConsumerRecord] = field(default_factory=deque)
    paused: bool = False

    @property
    def behind(self) -> bool:
        """There is more to fetch."""
        return self.ahead < self.partition.end

    def go_to(self, offset: int) -> None:
        self.position = self.ahead = offset
        self.held.clear()

    def fill(self, fetched: Fetched) -> None:
        self.held.extend(fetched.records)
        self.ahead = fetched.next_offset
        if not self.held:
            self.position = self.ahead

    def take(self, most: int | None) -> list[ConsumerRecord]:
        if most is None or most >= len(self.held):
            taken = list(self.held)
            self.held.clear()
            self.position = self.ahead
        else:
            taken = [self.held.popleft() for _ in range(most)]
            self.position = taken[-1].offset + 1
        return taken


class Readings:
    """A reading begins at the group's committed offset, else where ``reset`` (earliest, latest, none) says."""

    def __init__(self, log: DurableLog, group_id: str | None, reset: str, wake: asyncio.Event) -> None:
        if reset not in RESETS:
            raise ValueError(f"auto_offset_reset is one of {', '.join(RESETS)}, not {reset!r}")
        self._log = log
        self._group_id = group_id
        self._reset = reset
        self._wake = wake
        self._readings: dict[TopicPartition, Reading] = {}
        self._first = 0

    @property
    def names(self) -> set[TopicPartition]:
        return set(self._readings)

    def of(self, name: TopicPartition) -> Reading:
        """IllegalStateError for a partition this consumer does not have."""
        try:
            return self._readings[name]
        except KeyError:
            raise IllegalStateError(f"partition {name.partition} of {name.topic} is not assigned") from None

    def some(self, names: Collection[TopicPartition]) -> list[Reading]:
        """These, or all where none is named."""
        return [self.of(name) for name in names] if names else list(self._readings.values())

    def begin(self, names: Iterable[TopicPartition], *, keep: bool = False) -> None:
        """Have these partitions and no others; with ``keep`` those had before stay where they are."""
        for reading in self._readings.values():
            reading.partition.watchers.discard(self._wake.set)
        committed = self._log.committed(self._group_id) if self._group_id is not None else {}
        before = self._readings if keep else {}
        self._readings = {name: before.get(name) or self._reading(name, committed) for name in sorted(names)}
        for reading in self._readings.values():
            reading.partition.watchers.add(self._wake.set)
        self._wake.set()

    def seek(self, reading: Reading, offset: int) -> None:
        reading.go_to(offset)
        self._wake.set()

    def consumed(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """The position in each partition, as a commit has it."""
        return {
            name: OffsetAndMetadata(reading.position, "")
            for name, reading in self._readings.items()
            if reading.position != _UNKNOWN
        }

    async def next(
        self, names: Collection[TopicPartition], most: int | None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """At most so many records, those in memory or in the file; empty when there is nothing new.

        Partitions take turns in coming first. What is taken here is taken without a pause, so that a caller who is
        cancelled loses nothing.
        """
        while True:
            readings = [reading for reading in self.some(names) if not reading.paused]
            await self._fetch([reading for reading in readings if not reading.held])
            if any(reading.held for reading in readings) or not any(reading.behind for reading in readings):
                break  # else a long stretch of the file held nothing for these partitions
        self._first = (self._first + 1) % max(1, len(readings))
        taken: dict[TopicPartition, list[ConsumerRecord]] = {}
        for reading in readings[self._first :] + readings[: self._first]:
            if reading.held and self._readings.get(reading.partition.name) is reading:
                records = taken[reading.partition.name] = reading.take(most)
                if most is not None:
                    most -= len(records)
                    if most == 0:
                        break
        return taken

    async def _fetch(self, readings: Iterable[Reading]) -> None:
        in_file: dict[str, list[tuple[Reading, int]]] = {}
        for reading in readings:
            partition = reading.partition
            if reading.ahead == _UNKNOWN or not partition.start <= reading.ahead <= partition.end:
                self._begin_anew(reading)
            if reading.behind:
                recent = self._log.recent(partition, reading.ahead)
                if recent is None:
                    in_file.setdefault(partition.name.topic, []).append((reading, reading.ahead))
                else:
                    reading.fill(recent)
        for wanted in in_file.values():
            fetched = await self._log.fetch([(reading.partition, offset) for reading, offset in wanted])
            for reading, offset in wanted:
                if reading.ahead == offset and not reading.held:
                    reading.fill(fetched[reading.partition.name])

    def _reading(self, name: TopicPartition, committed: Mapping[TopicPartition, OffsetAndMetadata]) -> Reading:
        partition = self._log.partition(name)
        noted = committed.get(name)
        offset = noted.offset if noted is not None else self._reset_to(partition)
        return Reading(partition, offset, offset)

    def _reset_to(self, partition: Partition) -> int:
        if self._reset == "none":
            return _UNKNOWN
        return partition.start if self._reset == "earliest" else partition.end

    def _begin_anew(self, reading: Reading) -> None:
        offset = self._reset_to(reading.partition)
        if offset == _UNKNOWN:
            name = reading.partition.name
            if reading.ahead == _UNKNOWN:
                raise NoOffsetForPartitionError(name)
            raise OffsetOutOfRangeError({name: reading.ahead})
        reading.go_to(offset)
