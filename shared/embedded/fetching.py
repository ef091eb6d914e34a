"""Owns how older records are read from the embedded log's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from aiokafka import TopicPartition

from shared.embedded import storage
from shared.embedded.batches import StoredBatch, unpack
from shared.embedded.partitions import FETCH_BYTES, Fetched, Partition, decoded
from shared.embedded.storage import Segment

__all__ = ["fetch_from_file"]


def fetch_from_file(
    reader: sqlite3.Connection, wanted: Mapping[int, tuple[Partition, int, int]]
) -> dict[TopicPartition, Fetched]:
    """One topic's records; ``wanted`` says for each partition the offset to begin at, and the one to stay below.

    Reads until about FETCH_BYTES are found, or a few times as much was looked through. What compaction took out is
    passed over. CorruptRecordException when the disk gives back something else than was written.
    """
    topic = next(iter(wanted.values()))[0].topic
    first = min(storage.first_reaching(reader, topic.id, number, offset) for number, (_, offset, _) in wanted.items())
    found: dict[int, list[StoredBatch]] = {number: [] for number in wanted}
    reached = {number: end for number, (_, _, end) in wanted.items()}
    read = looked_through = 0
    for segment in storage.segments_from(reader, topic.id, first):
        for number, batch in unpack(segment.body):
            if number in wanted and wanted[number][1] <= batch.last < wanted[number][2]:
                found[number].append(batch)
                read += len(batch.body)
        looked_through += len(segment.body)
        if read >= FETCH_BYTES or looked_through >= 4 * FETCH_BYTES or _behind(segment, wanted):
            reached = {number: min(end, segment.ends[number]) for number, (_, _, end) in wanted.items()}
            break
    fetched = {}
    for number, (partition, offset, _) in wanted.items():
        records, behind = decoded(partition.name, found[number], offset, check=True, limit=None)
        fetched[partition.name] = Fetched(records, max(behind, reached[number]))
    return fetched


def _behind(segment: Segment, wanted: Mapping[int, tuple[Partition, int, int]]) -> bool:
    return all(segment.ends[number] >= end for number, (_, _, end) in wanted.items())
