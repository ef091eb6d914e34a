"""Encodes and decodes record batches in Kafka's own format (v2, with a checksum), and segments: what the log stores.

A segment is what one commit brought of one topic: batches of any of its partitions, one behind the other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from shared.messaging.transport import RECORD_BYTES, Headers

__all__ = [
    "BatchBuilder",
    "StoredBatch",
    "decode",
    "estimated_size",
    "new_builder",
    "pack",
    "placed",
    "thin_out",
    "unpack",
]

BATCH_BYTES: Final = 131_072
_BASE_OFFSET: Final = struct.Struct(">q")
_MAX_TIMESTAMP: Final = struct.Struct(">q")
_MAX_TIMESTAMP_AT: Final = 35
_FRAME: Final = struct.Struct(">iqqi")  # partition, base, last, size of the batch that follows


class StoredBatch(NamedTuple):
    """Records of one partition that become durable together: offsets ``base``…``last``, encoded."""

    base: int
    last: int
    body: bytes

    @property
    def newest(self) -> int:
        """The newest record's timestamp (ms)."""
        return int(_MAX_TIMESTAMP.unpack_from(self.body, _MAX_TIMESTAMP_AT)[0])


class BatchBuilder:
    """Records encoded one behind the other, with aiokafka's ``BatchBuilder`` interface."""

    __slots__ = ("_builder", "_closed", "count", "keyless")

    def __init__(self, limit: int = BATCH_BYTES) -> None:
        self._builder = new_builder(limit)
        self._closed = False
        self.count = 0
        self.keyless = False

    def append(self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Headers = ()) -> Any:
        """aiokafka's record metadata, or None when the batch is full (the first record always fits) or closed.

        TypeError for what is not bytes; the batch stays as it was.
        """
        if self._closed:
            return None
        metadata = self._builder.append(self.count, timestamp, key, value, [*headers])
        if metadata is None:
            self._closed = True
        else:
            self.count += 1
            self.keyless = self.keyless or key is None
        return metadata

    def record_count(self) -> int:
        return self.count

    def size(self) -> int:
        return int(self._builder.size())

    def close(self) -> None:
        self._closed = True

    def closed(self) -> bool:
        return self._closed

    def placed(self, base: int) -> StoredBatch:
        """The batch as it is stored when its first record has offset ``base``. Once only."""
        self._closed = True
        return placed(base, base + self.count - 1, self._builder.build())


def placed(base: int, last: int, built: bytearray) -> StoredBatch:
    """An encoded batch put at its offset (which its checksum leaves out)."""
    _BASE_OFFSET.pack_into(built, 0, base)
    return StoredBatch(base, last, bytes(built))


def pack(batches: Iterable[tuple[int, StoredBatch]]) -> bytes:
    """A segment's body: (partition, batch) pairs."""
    parts: list[bytes] = []
    for number, (base, last, body) in batches:
        parts += (_FRAME.pack(number, base, last, len(body)), body)
    return b"".join(parts)


def unpack(segment: bytes) -> Iterator[tuple[int, StoredBatch]]:
    """The (partition, batch) pairs of a segment's body."""
    at = 0
    while at < len(segment):
        number, base, last, size = _FRAME.unpack_from(segment, at)
        at += _FRAME.size
        yield number, StoredBatch(base, last, segment[at : at + size])
        at += size


def decode(partition: TopicPartition, body: bytes, *, at_least: int, check: bool) -> list[ConsumerRecord]:
    """The batch's records from offset ``at_least`` on. CorruptRecordException when the checksum says so (``check``)."""
    batch = DefaultRecordBatch(body)
    if check and not batch.validate_crc():
        raise CorruptRecordException(
            f"{partition.topic}-{partition.partition}: the records at offset {batch.base_offset} are damaged on disk"
        )
    topic, number = partition
    return [
        ConsumerRecord(
            topic, number, record.offset, record.timestamp, record.timestamp_type, key, value, None,
            -1 if key is None else len(key), -1 if value is None else len(value), tuple(record.headers),
        )
        for record in batch
        if record.offset >= at_least
        for key, value in ((record.key, record.value),)
    ]  # fmt: skip


def thin_out(
    partition: TopicPartition, batch: StoredBatch, newest: Mapping[tuple[int, bytes], int]
) -> StoredBatch | None:
    """The batch without the records whose key has a newer one (``newest``: partition, key → last offset); offsets stay.

    The same batch when nothing goes, None when nothing is left.
    """
    records = decode(partition, batch.body, at_least=0, check=True)
    kept = [record for record in records if newest.get((record.partition, record.key), 0) <= record.offset]
    if len(kept) == len(records):
        return batch
    if not kept:
        return None
    builder = new_builder(2 * RECORD_BYTES)
    for record in kept:
        builder.append(record.offset - batch.base, record.timestamp, record.key, record.value, list(record.headers))
    return placed(batch.base, batch.last, builder.build())


def estimated_size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """What Kafka's producer takes a record's size to be when it checks the limit."""
    size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, headers)
    return size


def new_builder(limit: int) -> Any:
    """aiokafka's encoder: ``append(offset from the base, timestamp, key, value, headers)``, then ``build``."""
    return DefaultRecordBatchBuilder(
        2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=limit
    )
