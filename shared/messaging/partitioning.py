"""Which partition a key goes to: the one that Kafka's Java client takes, by murmur2."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from random import choice
from typing import Final, TypeVar

_SEED: Final = 0x9747B28C
_FACTOR: Final = 0x5BD1E995
_32_BITS: Final = 0xFFFFFFFF
_KEYS_KEPT: Final = 65_536  # three events of 20,000 fleets; the hash costs more than the rest of a record's append

P = TypeVar("P")


def partition_of(key: bytes | None, partitions: Sequence[P], available: Sequence[P]) -> P:
    """The partition of the key; without a key any of those available. The signature is aiokafka's."""
    if key is None:
        return choice(available or partitions)
    return partitions[(murmur2(key) & 0x7FFFFFFF) % len(partitions)]


@lru_cache(_KEYS_KEPT)
def murmur2(data: bytes) -> int:
    """The hash of Kafka's Java client, as an unsigned number; in half the time of aiokafka's own."""
    size = len(data)
    factor, bits = _FACTOR, _32_BITS
    state = _SEED ^ size
    for word in _words(size >> 2).unpack_from(data):
        word = word * factor & bits
        state = (state * factor ^ (word ^ word >> 24) * factor) & bits
    if size & 3:
        state = (state ^ int.from_bytes(data[size & ~3 :], "little")) * factor & bits
    state = (state ^ state >> 13) * factor & bits
    return state ^ state >> 15


@lru_cache(256)
def _words(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}I")
