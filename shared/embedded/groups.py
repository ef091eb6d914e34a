"""Which member of a consumer group reads which partition."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

_log: Final = logging.getLogger(__name__)


class Member(Protocol):
    """A consumer as its group sees it."""

    member_id: str
    stopped: bool
    topics: frozenset[str]

    async def revoke(self) -> None:
        """Stop reading, and let the listener know what is taken away."""

    def assign_share(self, partitions: set[TopicPartition]) -> None:
        """Read these from now on, each from the group's committed offset."""

    async def resume(self) -> None:
        """Let the listener know what was assigned, then read again."""


class ConsumerGroup:
    """Kafka's eager protocol: at each change all members let go, then each gets a share, round robin.

    No two members ever have a partition at once. A listener that fails is logged, and the rebalance continues.
    """

    def __init__(self, name: str, partitions_for_topic: Callable[[str], set[int] | None]) -> None:
        self.name = name
        self.partitions_for_topic = partitions_for_topic  # aiokafka's assignor asks the group as it asks a cluster
        self._members: dict[str, Member] = {}
        self._rebalancing = asyncio.Lock()
        self._rebalances: set[asyncio.Task[None]] = set()

    @property
    def in_use(self) -> bool:
        """Whether it has members."""
        return bool(self._members)

    async def join(self, member: Member) -> None:
        """Returns when the member has its share."""
        # The shield keeps a caller who is cancelled from leaving the group half assigned.
        await asyncio.shield(self._start(self._rebalance(joining=member)))

    def leave(self, member: Member) -> None:
        """The others get its share soon; its listener is not called any more."""
        if self._members.pop(member.member_id, None) is not None:
            self._start(self._rebalance())

    async def close(self) -> None:
        """Abandon the rebalances under way."""
        for task in tuple(self._rebalances):
            task.cancel()
        await asyncio.gather(*self._rebalances, return_exceptions=True)

    def _start(self, rebalance: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(rebalance)
        self._rebalances.add(task)
        task.add_done_callback(self._rebalances.discard)
        return task

    async def _rebalance(self, joining: Member | None = None) -> None:
        async with self._rebalancing:
            await asyncio.gather(*(self._notify(member.revoke) for member in self._members.values()))
            if joining is not None:
                self._members[joining.member_id] = joining
            self._members = {name: member for name, member in self._members.items() if not member.stopped}
            for name, share in self._shares().items():
                self._members[name].assign_share(share)
            await asyncio.gather(*(self._notify(member.resume) for member in self._members.values()))

    def _shares(self) -> Mapping[str, set[TopicPartition]]:
        subscribed = {
            name: RoundRobinPartitionAssignor.metadata(sorted(member.topics)) for name, member in self._members.items()
        }
        return {
            name: {TopicPartition(topic, number) for topic, numbers in given.assignment for number in numbers}
            for name, given in RoundRobinPartitionAssignor.assign(self, subscribed).items()
        }

    async def _notify(self, member: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await member()
        except Exception:
            _log.exception("a rebalance listener of group %s failed", self.name)
