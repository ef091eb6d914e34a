"""The main job as a person does it, step by step over HTTP, for the flows to follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tests.support import reference
from tests.support.stacks import WholeStack
from tests.support.waiting import eventually

PLAN = "/eventplan/PD2024/FORTRESSService-NA-X0"
_NO_EVENT = "NoEvent"


def milestone(plan: dict[str, Any], name: str) -> dict[str, Any]:
    """The milestone or sub-milestone of that id."""
    for item in plan["EventMilestone"]:
        if item["EventMilestoneId"] == name:
            return dict(item)
        for sub in item.get("SubMilestones", ()):
            if sub["EventMilestoneId"] == name:
                return dict(sub)
    raise AssertionError(f"no milestone {name}")


def orders_of(fleet: dict[str, Any]) -> dict[str, Any]:
    """What a fleet shows of its orders for its first event; nothing until it knows of some."""
    return next(iter(fleet.get("HostOrderStatuses", ())), {})


@dataclass
class Caller:
    """Calls EPIC over HTTP; anything but 200 fails the test with the answer's text."""

    stack: WholeStack
    http: httpx.AsyncClient

    async def call(self, method: str, path: str, body: Any = None, expect: int = 200, **headers: str) -> Any:
        answer = await self.http.request(
            method, self.stack.url(path), json=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def everything(self, path: str, member: str = "Items") -> list[dict[str, Any]]:
        """All items of a list, page by page; the path ends in ``?`` or with a filter."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.call("GET", f"{path}&Limit=1000{cursor}")
            found += page[member]
            if not page["NextCursor"]:
                return found
            cursor = f"&Cursor={page['NextCursor']}"

    async def peek(self, path: str) -> Any:
        """The answer's JSON, or None while it is 404."""
        answer = await self.http.get(self.stack.url(path))
        return None if answer.status_code == 404 else answer.json()

    async def post_reference(self, fleet: dict[str, Any] = reference.FLEET) -> None:
        """The reference's documents, posted as they stand."""
        await self.call("POST", "/service", reference.SERVICE)
        await self.call("POST", "/fleet", fleet)
        await self.call("PUT", f"/fleet/{fleet['FleetId']}/inventory", reference.INVENTORY)
        await self.call("POST", "/event", reference.EVENT)
        await self.call("POST", "/projection", reference.PROJECTION)

    async def gathered_plan(self) -> dict[str, Any]:
        """The plan, once its projection is in."""
        plan = await eventually(
            lambda: self.peek(PLAN),
            lambda plan: (
                plan and milestone(plan, "GatherProjectionFromUpstream")["MilestoneCompletionStatus"] == "Completed"
            ),
            "GatherProjectionFromUpstream Completed",
        )
        return dict(plan)

    async def known_to_hotw(self, event_id: str, fleet_id: str, *parts: str, line: str = "event") -> None:
        """Returns when HOTW's replicas hold all inputs of a fleet (or the ones named).

        ``line``: whether the fleet has one for the ``event``, or its ``base`` alone.
        """
        wanted = parts or ("Event", "Service", "Fleet", "Projection", "Inventory")
        await eventually(
            lambda: self.peek(f"/hotw/inputs/{event_id}/{fleet_id}"),
            lambda seen: seen and all(seen.get(part) for part in wanted) and seen["Fleet"]["Line"] == line,
            f"HOTW knows {', '.join(wanted)} of {fleet_id}, its {line} line",
        )
        if line == "event":  # which is shown in place of the base, and a run of the event takes fleets by their base
            await eventually(
                lambda: self.peek(f"/hotw/inputs/{_NO_EVENT}/{fleet_id}"),
                lambda seen: seen and seen.get("Fleet"),
                f"HOTW knows the base line of {fleet_id}",
            )

    async def run(self, event_id: str, **more: Any) -> dict[str, Any]:
        """A run of the event, once it has completed."""
        started = await self.call("POST", "/hotw/run", {"EventId": event_id, **more})
        return dict(
            await eventually(
                lambda: self.peek(f"/hotw/run/{started['RunId']}"),
                lambda run: run["RunStatus"] == "Completed",
                "the run completes",
                seconds=300,
            )
        )

    async def orders(self, event_id: str, **filters: str) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in {"EventId": event_id, **filters}.items())
        return list((await self.call("GET", f"/hotw/order?{query}"))["Items"])

    async def approve_all(self, event_id: str) -> list[dict[str, Any]]:
        orders = await self.orders(event_id, Status="Pending")
        for order in orders:
            await self.call("PUT", f"/hotw/order/{order['FulfillmentId']}", {"Decision": "Approve"})
        return orders

    async def deliver(self, order: dict[str, Any]) -> None:
        await self.call(
            "PUT", f"/hotw/order/{order['FulfillmentId']}/delivery", {"FulfilledHosts": order["FulfillmentValue"]}
        )

    async def plan_when(self, name: str, status: str, message: str | None = None) -> dict[str, Any]:
        """The plan, once a milestone has that status (and message)."""

        def holds(plan: dict[str, Any]) -> bool:
            item = milestone(plan, name)
            return item["MilestoneCompletionStatus"] == status and message in (None, item.get("MilestoneMessage"))

        plan: dict[str, Any] = await eventually(lambda: self.peek(PLAN), holds, f"{name} {status} {message or ''}")
        return plan
