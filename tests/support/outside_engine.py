"""The reference's RIPE and RIPE-NA as an outside engine posts them, and a client that posts them to HOTW."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from services.hotw_svc.entrypoints.http import routes
from tests.support.hotw_store import EVENT, Replica, event_body, fleet_body, service_body, snapshot
from tests.support.http import app_of, calling

SERVICE, FLEET, ASG = "RIPE", "RIPE-NA", "RIPE/NA/PROD/1a"
ASG_DETAILS: dict[str, Any] = {
    "AutoScalingGroupName": ASG,
    "AsgTag": "1a",
    "HostType": "c5.2xlarge",
    "EAPOnboardingStatus": True,
    "EAPEnableStatus": True,
    "AsgCapacityLowerBound": 5,
}
DASHBOARD: dict[str, Any] = {
    "ServiceId": SERVICE,
    "FleetId": FLEET,
    "EventId": EVENT,
    "Purpose": "Upscaling",
    "CapacityOverrideSum": "50",
    "ASGDetails": [ASG_DETAILS],
}
EXECUTION: dict[str, Any] = {
    "FleetId": FLEET,
    "EventId": EVENT,
    "RunId": 1,
    "Status": "Success",
    "Reasoning": "EAP enabled successfully",
    "HotwExecutionDetails": {
        "PeakTPM": 50000,
        "BAUTPM": 30000,
        "CTPeakFactor": 1.5,
        "BufferFactor": 1.1,
        "RequiredHosts": 200,
        "HostsPresentInApollo": 150,
        "CapacityOverrideSum": 50,
        "PendingEPICFMCHostOrder": 0,
        "HostThroughPutTPM": 250,
    },
    "CapacityOverrideDetails": [],
    "FulfillmentDetails": [],
    "ASGDetails": [],
}


def execution(*orders: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The reference's execution, with orders and other members in the place of its own."""
    return copy.deepcopy(EXECUTION) | {"FulfillmentDetails": list(orders)} | changes


def fulfillment(status: str = "Pending", order_id: str = "FMC-1", **changes: Any) -> dict[str, Any]:
    """One of FulfillmentDetails: 50 hosts for RIPE-NA's only ASG."""
    return {
        "FulfillmentId": order_id,
        "AutoScalingGroupName": ASG,
        "FulfillmentType": "Standard",
        "FulfillmentStatus": status,
        "FulfillmentValue": "50",
        "FulfillmentDate": "2024-06-29",
        "FulfillmentLink": "https://fmc.example/FMC-1",
        "IsEmergent": False,
    } | changes


def override(**changes: Any) -> dict[str, Any]:
    """One of CapacityOverrideDetails: 100 hosts for 2,200 seconds of the peak."""
    return {
        "AutoScalingGroupName": ASG,
        "StartTime": "2024-07-16T00:00:00Z",
        "Duration": "2200 s",
        "OverrideValue": "100",
    } | changes


async def ripe(hotw: Replica) -> None:
    """HOTW learns of the event, of RIPE and of RIPE-NA."""
    asgs = [{"AutoScalingGroupName": ASG, "AvailabilityZone": "us-east-1a", "DesiredCapacity": 50, "HostType": "m5"}]
    await hotw.keep("event", snapshot(EVENT, event_body()))
    await hotw.keep("service", snapshot(SERVICE, service_body(SERVICE)))
    await hotw.keep("fleet", snapshot(FLEET, fleet_body(FLEET, SERVICE, configuration={"ASGProperties": asgs})))


@asynccontextmanager
async def posting(hotw: Replica) -> AsyncIterator[httpx.AsyncClient]:
    """HOTW's routes over HTTP."""
    app = app_of(routes(hotw.commands, hotw.queries, hotw.clock), keep_refusal=hotw.database.keep_refusal)
    async with calling(app) as client:
        yield client
