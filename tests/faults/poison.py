"""The poison of a round: records nobody can read, put between the good ones on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from shared.schemas.topics import TOPICS

if TYPE_CHECKING:
    from tests.faults.load import Load

_EACH_ROUND: Final = 4


async def poison_some(load: Load, groups: Mapping[str, tuple[str, ...]]) -> None:
    """A few undecodable records, each with a key of its own, on topics that EPIC takes."""
    rng = load.rng("poison")
    commands, ledger = load.clients.commands, load.clients.ledger
    kinds = _KINDS if commands.any_record else _CLOUD_EVENTS
    taken = sorted({topic for topics in groups.values() for topic in topics})
    for _ in range(_EACH_ROUND):
        await asyncio.sleep(rng.uniform(0, 2 * load.sizes.window / _EACH_ROUND))
        topic = rng.choice(taken)
        key = load.clients.marker(f"{load.company.name}-poison")
        value, headers = rng.choice(kinds)(topic, key)
        await commands.produce(topic, key.encode(), value, headers)
        ledger.poison[key] = topic


def _no_json(topic: str, key: str) -> tuple[bytes, list[tuple[str, Any]]]:
    return b"\xff\xfe not JSON", _headers(topic, key)


def _no_object(topic: str, key: str) -> tuple[bytes, list[tuple[str, Any]]]:
    return b'["a list"]', _headers(topic, key)


def _no_event(topic: str, key: str) -> tuple[bytes, list[tuple[str, Any]]]:
    return b"{}", [("ce_type", topic)]


def _headers(topic: str, key: str) -> list[tuple[str, Any]]:
    kind = TOPICS[topic].messages[0].ce_type
    return [("ce_id", key), ("ce_source", "/poison"), ("ce_type", kind), ("ce_specversion", "1.0")]


_CLOUD_EVENTS: Final = (_no_json, _no_object)
_KINDS: Final = (*_CLOUD_EVENTS, _no_event)
