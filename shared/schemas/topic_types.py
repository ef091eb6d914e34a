"""What a topic is: its owner, key, messages, producers, consumers, partitions and retention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.schemas.base import WireModel

_DAY_MS: Final = 86_400_000
COMPACTED: Final = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(7 * _DAY_MS)}
SEVEN_DAYS: Final = {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY_MS)}
THIRTY_DAYS: Final = {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY_MS)}


@dataclass(frozen=True, slots=True)
class MessageType:
    """One ``ce_type``: the contract of its data, and its meaning in one sentence."""

    ce_type: str
    model: type[WireModel]
    summary: str


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. ``key`` describes the key of its records; ``config`` is Kafka's own."""

    name: str
    owner: str
    key: str
    messages: tuple[MessageType, ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    partitions: int
    config: dict[str, str]

    def message(self, ce_type: str) -> MessageType | None:
        return next((message for message in self.messages if message.ce_type == ce_type), None)


def event_topic(
    name: str,
    model: type[WireModel],
    summary: str,
    *,
    owner: str,
    key: str,
    consumers: tuple[str, ...] = (),
    partitions: int = 3,
    config: dict[str, str] = COMPACTED,
) -> Topic:
    """A topic that carries one type of event, which has the topic's name."""
    return Topic(name, owner, key, (MessageType(name, model, summary),), (owner,), consumers, partitions, config)


def commands_topic(
    name: str, models: tuple[type[WireModel], ...], *, owner: str, key: str, partitions: int = 3
) -> Topic:
    """The commands that a service takes; the ``ce_type`` of each is the name of its contract."""
    messages = tuple(
        MessageType(model.__name__, model, (model.__doc__ or f"{model.__name__}, as over HTTP.").split("\n")[0])
        for model in models
    )
    return Topic(name, owner, key, messages, ("anyone",), (owner,), partitions, SEVEN_DAYS)
