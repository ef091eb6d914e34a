"""Facts of thousands of orders go through the outbox of either database."""

from __future__ import annotations

import pytest

from shared.messaging.transport import RECORD_BYTES
from tests.support.hotw_store import EVENT, FLEET, Replica, fleet_body, projection_body, snapshot

pytestmark = pytest.mark.slow


async def test_a_fact_of_two_megabytes_is_published(hotw: Replica) -> None:
    asgs = [
        {
            "AutoScalingGroupName": f"{number:05}{'a' * 215}",
            "AvailabilityZone": "us-east-1a",
            "DesiredCapacity": 1,
            "MaxInstance": 1,
        }
        for number in range(4_200)
    ]
    await hotw.settle_in()
    configuration = {"ASGProperties": asgs, "MaxHostCount": 1_000_000}
    await hotw.keep("fleet", snapshot(FLEET, fleet_body(version=6, configuration=configuration)))
    projection = projection_body(version=4, TotalInputTPM=10_000 * 250)
    await hotw.keep("projection", snapshot(f"{FLEET}#{EVENT}#Peak", projection))

    execution = await hotw.execute()

    assert len(execution["FulfillmentDetails"]) == 4_200
    broker = await hotw.published()
    facts = [message for message in broker.taken if message.topic.startswith(("hotw.execution", "hotw.order"))]
    assert [len(fact.body()["Orders"]) for fact in facts] == [4_200] * 2
    assert all(1_900_000 < len(fact.data) < RECORD_BYTES for fact in facts)
