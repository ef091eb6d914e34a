"""Owns aiokafka's consumer made to wait for records, so that nobody polls and FastStream never sleeps."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError

from shared.messaging.transport import CONSUMER_PATIENCE_MS, refuse_auto_commit

__all__ = ["WaitingConsumer"]

_SLICE_MS: Final = 1_000


class WaitingConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka carries no types
    """``getmany`` waits at least ``patience_ms`` for a first record, or until the consumer stops.

    FastStream sleeps a whole batch timeout after an empty fetch: sparse messages then wait 74 ms at the median instead
    of 3. Commits only when told to (ValueError with a group and ``enable_auto_commit``), and never shows the records
    of a transaction that was taken back.
    """

    def __init__(
        self,
        *topics: str,
        patience_ms: float = CONSUMER_PATIENCE_MS,
        enable_auto_commit: bool = False,
        **options: Any,
    ) -> None:
        refuse_auto_commit(options.get("group_id"), enable_auto_commit=enable_auto_commit)
        self._patience_ms = patience_ms
        super().__init__(*topics, **{**options, "enable_auto_commit": False, "isolation_level": "read_committed"})

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: float = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """What there is, at most ``max_records``; empty after the timeout, ConsumerStoppedError once stopped."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + max(timeout_ms, self._patience_ms) / 1000
        while True:
            left = max(0.0, (deadline - loop.time()) * 1000)
            # in slices: the coordinator's fatal errors are raised when a fetch begins, not while it waits
            records: dict[TopicPartition, list[ConsumerRecord]] = await super().getmany(
                *partitions, timeout_ms=min(left, _SLICE_MS), max_records=max_records
            )
            if records:
                return records
            if self._closed:
                raise ConsumerStoppedError
            if left == 0.0:
                return {}
