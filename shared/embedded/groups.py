"""Owns who reads what: the consumers of this process that share a group, and the partitions each of them has."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

__all__ = ["ConsumerGroup", "Member"]

_log: Final = logging.getLogger(__name__)


class Member(Protocol):
    """A consumer as its group sees it."""

    @property
    def member_id(self) -> str: ...

    @property
    def active(self) -> bool:
        """Not stopped yet."""

    def subscribed(self) -> frozenset[str]:
        """The topics it wants, as they are now."""

    async def revoke(self) -> None:
        """Stop reading and tell the listener what is taken away."""

    def assign_shared(self, partitions: set[TopicPartition]) -> None:
        """Have these from now on, each from the group's committed offset."""

    async def resume_reading(self) -> None:
        """Tell the listener what was given, then read again."""


class ConsumerGroup:
    """As Kafka's eager protocol: at each change everybody lets go, then everybody gets a share, round robin.

    No two members ever have a partition at once. A listener that fails is logged, and the change goes on.
    """

    def __init__(self, name: str, partitions_of: Callable[[str], set[int] | None]) -> None:
        self.name = name
        self.partitions_for_topic = partitions_of
        self._members: dict[str, Member] = {}
        self._changing = asyncio.Lock()
        self._changes: set[asyncio.Task[None]] = set()

    @property
    def in_use(self) -> bool:
        """It has members."""
        return bool(self._members)

    async def join(self, member: Member) -> None:
        """Returns when the member has its share."""
        change = self._begin(self._change(lambda: self._members.__setitem__(member.member_id, member)))
        await asyncio.shield(change)  # a caller who is cancelled must not leave the group half shared

    def leave(self, member: Member) -> None:
        """The others get its share soon; its listener is not called any more."""
        if self._members.pop(member.member_id, None) is not None:
            self.share_anew()

    def share_anew(self) -> None:
        """Somebody's topics changed: share again, soon."""
        self._begin(self._change(lambda: None))

    async def close(self) -> None:
        """Give up what is being shared."""
        for change in tuple(self._changes):
            change.cancel()
        await asyncio.gather(*self._changes, return_exceptions=True)

    def _begin(self, change: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(change)
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return task

    async def _change(self, alter: Callable[[], object]) -> None:
        async with self._changing:
            await asyncio.gather(*(_told(member.revoke, self.name) for member in self._members.values()))
            alter()
            self._members = {name: member for name, member in self._members.items() if member.active}
            for member_id, share in self._shares().items():
                self._members[member_id].assign_shared(share)
            await asyncio.gather(*(_told(member.resume_reading, self.name) for member in self._members.values()))

    def _shares(self) -> Mapping[str, set[TopicPartition]]:
        wanted = {
            member_id: RoundRobinPartitionAssignor.metadata(sorted(member.subscribed()))
            for member_id, member in self._members.items()
        }
        if not any(metadata.subscription for metadata in wanted.values()):
            return {member_id: set() for member_id in wanted}
        return {
            member_id: {TopicPartition(topic, number) for topic, numbers in given.assignment for number in numbers}
            for member_id, given in RoundRobinPartitionAssignor.assign(self, wanted).items()
        }


async def _told(tell: Callable[[], Coroutine[Any, Any, None]], group: str) -> None:
    try:
        await tell()
    except Exception:
        _log.exception("a rebalance listener of group %s failed", group)
