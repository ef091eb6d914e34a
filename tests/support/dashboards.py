"""A company whose readiness is shown, and what its dashboard answers."""

from __future__ import annotations

from typing import Any

from services.eventplan_svc.app.show_dashboard import Place
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS, SUB_IDS
from tests.support.eventplan_processes import Process
from tests.support.snapshots import TopicBody, event, fleet, organization, service

SERVICES = ("Atlas", "Borealis", "Comet")


REGIONS = ("us-east-1", "eu-west-1")


LEAVES = [name for name in ALL_UPSCALE_IDS if name not in SUB_IDS]


def company() -> list[TopicBody]:
    """Three services, one fleet in each of two regions; Comet has another leader.

    Atlas is in the organization sky, Comet in space, which is below sky; Borealis is in none.
    """
    made = [service(name, LeaderAlias="boss" if name == "Comet" else "jsmith") for name in SERVICES]
    made += [fleet(f"{name}-{region}", of=name, region=region) for name in SERVICES for region in REGIONS]
    made += [organization("sky", services=["Atlas"]), organization("space", below="sky", services=["Comet"])]
    return [*made, event()]


async def asked(process: Process, body: dict[str, Any] | None = None, after: Place | None = None) -> dict[str, Any]:
    shown = await process.dashboard(after=after, **(body or {}))
    return {"Services": shown.services, "Totals": shown.totals, "After": shown.next_after}


def fleets(page: dict[str, Any]) -> list[str]:
    return [row["FleetId"] for entry in page["Services"] for row in entry["Fleets"]]
