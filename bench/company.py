"""The sample company, published as its services would publish it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final, Self

import orjson

from bench.stage import NOW
from epic.sample import SampleCompany
from shared.clock import parse_instant
from shared.envelope import Message
from shared.messaging.kafka import KafkaTransport
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.transport import ensure_topics
from shared.trace import Trace

FLEETS_EACH: Final = 10
_WHEN: Final = "2024-05-02T08:30:00.000Z"
_AT_ONCE: Final = 2_000

Row = dict[str, Any]


class Company:
    """``fleets`` fleets, ten a service; everything of it by kind, as `epic sample` makes it."""

    def __init__(self, fleets: int) -> None:
        self.services = max(1, fleets // FLEETS_EACH)
        self.fleets = self.services * FLEETS_EACH
        self._sample = SampleCompany(self.services, FLEETS_EACH, seed=7)
        self.rows: dict[str, list[Row]] = {}
        for row in self._sample.rows():
            self.rows.setdefault(row["Resource"], []).append(
                {name: value for name, value in row.items() if name != "Resource"}
            )

    def standing(self) -> Iterator[Message]:
        """Services, fleets and inventories, told of by their created events."""
        for row in self.rows["Service"]:
            yield _created("service", row["ServiceId"], row)
        for row in self.rows["Fleet"]:
            yield _created("fleet", row["FleetId"], {**row, "CapacityAsOf": _WHEN})
        for row in self.rows["Inventory"]:
            key, data = row["FleetId"], {**row, "AsOf": _WHEN}
            yield _message("fleet.inventory.reported", key, f"{key}:{_WHEN}:fleet.inventory.reported", data)

    def event(self, event_id: str) -> Message:
        """An event with the sample's dates, under an id of its own."""
        return _created("event", event_id, {**self.rows["Event"][0], "EventId": event_id})

    def projections(self, event_id: str) -> Iterator[Message]:
        for row in self.rows["Projection"]:
            key = f"{row['FleetId']}#{event_id}#Peak"
            yield _created("projection", key, {"ProjectionId": key, **row, "EventId": event_id})


def command(topic: str, ce_type: str, key: str, data: Row, *, if_match: int | None = None) -> Message:
    """A command as anyone may send it."""
    condition = None if if_match is None else str(if_match)
    return Message(topic, ce_type, key, orjson.dumps(data), "bench", _now(), Trace.begin(), if_match=condition)


class CompanyPublisher:
    """An async context: a publisher of the company's messages on a Kafka that has all of EPIC's topics."""

    def __init__(self, bootstrap: str) -> None:
        self.transport = KafkaTransport(bootstrap, client_id="bench")
        self._publisher = Publisher(self.transport, "bench")

    async def __aenter__(self) -> Self:
        await self.transport.start()
        await ensure_topics(self.transport)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._publisher.stop()
        await self.transport.stop()

    async def publish(self, messages: Iterable[Message]) -> int:
        """Publishes; returns how many once the broker has them."""
        count, batch = 0, list[Message]()
        for message in messages:
            batch.append(message)
            if len(batch) == _AT_ONCE:
                await publish_all(self._publisher, batch)
                count, batch = count + len(batch), []
        await publish_all(self._publisher, batch)
        return count + len(batch)

    async def consumed(self, *groups: str) -> None:
        """Returns when these groups have committed everything that was published."""
        for group in groups:
            while any((await self.transport.lag(group)).values()):
                await asyncio.sleep(0.05)


def _created(resource: str, key: str, state: Row) -> Message:
    topic = f"{resource}.created"
    data = {
        **state,
        "VersionId": 1,
        "LatestVersionId": 1,
        "CreatedAt": _WHEN,
        "CreatedBy": "bench",
        "SchemaVersion": 1,
        "AuditMetadata": {"Message": "Registered for the season", "User": "bench", "Timestamp": _WHEN},
    }
    return _message(topic, key, f"{key}:1:{topic}", data)


def _message(topic: str, key: str, message_id: str, data: Row) -> Message:
    return Message(topic, topic, key, orjson.dumps(data), "fleet_svc", _now(), Trace.begin(), id=message_id)


def _now() -> datetime:
    return parse_instant(NOW)
