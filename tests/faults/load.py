"""What a round's clients do: each resource's own story, written through both front doors at a planned pace."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.faults.doors import Commands, HttpDoor
from tests.faults.ledger import Ledger
from tests.faults.ordering import Ordering
from tests.faults.plan import Company, PlannedEvent, PlannedFleet, PlannedService, Sizes

INVENTORY_AS_OF: Final = "2024-06-14T{hour:02d}:00:00.000Z"
_TWICE: Final = 0.2  # of HTTP writes are sent twice at once
_BY_COMMAND: Final = 0.5


@dataclass
class Clients:
    """Both doors; every write has a marker of its own, which is its key or id, and which its version keeps."""

    http: HttpDoor
    commands: Commands
    ledger: Ledger
    _count: int = 0

    def marker(self, name: str) -> str:
        self._count += 1
        return f"{name}-w{self._count}"

    async def write(
        self,
        rng: random.Random,
        owner: tuple[str, str],
        key: str,
        route: tuple[str, str],
        command: tuple[str, str],
        body: Mapping[str, Any],
        ids: Mapping[str, str],
    ) -> int | None:
        """One write of a document by either door; ``ids`` are the path's, which a command has in its body.

        The version that was answered; None when it was refused, which is noted as strange.
        """
        service, resource = owner
        marker = self.marker(key)
        sent = {**body, "AuditMetadata": {"Message": marker}}
        if rng.random() < _BY_COMMAND:
            topic, kind = command
            answer = await self.commands.ask(topic, kind, next(iter(ids.values())), {**sent, **ids}, marker)
            if answer["Outcome"] != "Accepted":
                self.ledger.strange.append(f"{kind} {marker}: {answer}")
                return None
            version = answer["VersionId"]
        else:
            method, path = route
            seen = await self.http.write(method, path, sent, marker, twice=rng.random() < _TWICE)
            if seen is None:
                return None
            version = seen["VersionId"]
        self.ledger.acknowledged(marker, service, resource, key, version)
        return int(version)


@dataclass
class Load:
    """The clients of one round. ``run`` returns when each has come to the end of its story."""

    seed: str
    company: Company
    sizes: Sizes
    clients: Clients
    awake: dict[str, asyncio.Event] = field(default_factory=dict)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for service in self.company.services:
                tasks.create_task(self._service(service))
                for fleet in service.fleets:
                    tasks.create_task(self._fleet(fleet))
            for event in self.company.events:
                tasks.create_task(self._event(event))
                tasks.create_task(self._hosts(event))
                tasks.create_task(self._milestones(event))
            for number in range(3):
                tasks.create_task(self._ticket(number))

    def rng(self, name: str) -> random.Random:
        return random.Random(f"{self.seed} {name}")

    async def pace(self, rng: random.Random, steps: int) -> None:
        """Spreads a story of so many steps over the round's window."""
        await asyncio.sleep(rng.uniform(0.2, 1.8) * self.sizes.window / steps)

    async def _service(self, service: PlannedService) -> None:
        rng, key = self.rng(service.id), service.id
        owner, ids = ("fleet_svc", "service"), {"ServiceId": key}
        create, update = ("fleet.commands", "CreateService"), ("fleet.commands", "UpdateService")
        await self.pace(rng, 12)
        await self.clients.write(rng, owner, key, ("POST", "/service"), create, service.body(), ids)
        for tier in range(3):
            await self.pace(rng, 4)
            change = {"ServiceTier": f"Tier{tier}"}
            if service.registers_late and tier == 1:
                change["ServiceType"] = "Registered"
            await self.clients.write(rng, owner, key, ("PUT", f"/service/{key}"), update, change, ids)

    async def _fleet(self, fleet: PlannedFleet) -> None:
        rng, key = self.rng(fleet.id), fleet.id
        owner, ids = ("fleet_svc", "fleet"), {"FleetId": key}
        await self.pace(rng, 12)
        create = ("fleet.commands", "CreateFleet")
        await self.clients.write(rng, owner, key, ("POST", "/fleet"), create, fleet.body(), ids)
        await self._report(rng, fleet, 1)
        stories = [self._projections(fleet, event) for event in fleet.tpm]
        await asyncio.gather(self._fleet_changes(fleet), *stories)
        await self._report(rng, fleet, 2)
        if fleet.deleted:
            delete = ("fleet.commands", "DeleteFleet")
            await self.clients.write(rng, owner, key, ("DELETE", f"/fleet/{key}"), delete, {}, ids)

    async def _report(self, rng: random.Random, fleet: PlannedFleet, hour: int) -> None:
        marker, as_of = self.clients.marker(fleet.id), INVENTORY_AS_OF.format(hour=hour)
        body = {"HostsPresent": fleet.present, "AsOf": as_of, "Source": marker}
        if rng.random() < _BY_COMMAND:
            sent = {"FleetId": fleet.id, **body}
            answer = await self.clients.commands.ask("fleet.commands", "ReportInventory", fleet.id, sent, marker)
            if answer["Outcome"] != "Accepted":
                self.clients.ledger.strange.append(f"ReportInventory {marker}: {answer}")
        else:
            await self.clients.http.write("PUT", f"/fleet/{fleet.id}/inventory", body, marker)
        self.clients.ledger.inventories[fleet.id] = (as_of, marker)

    async def _fleet_changes(self, fleet: PlannedFleet) -> None:
        rng, key = self.rng(f"{fleet.id} changes"), fleet.id
        update = ("fleet.commands", "UpdateFleet")
        for number in range(2):
            await self.pace(rng, 4)
            change = {"FleetConfiguration": {"ApolloName": f"{key}-{number}"}}
            if rng.random() < 0.3:
                event = rng.choice(self.company.events).id
                ids, line = {"FleetId": key, "EventId": event}, ("fleet_svc", "fleet_line")
                route = ("PUT", f"/fleet/{key}/{event}")
                await self.clients.write(rng, line, f"{key}#{event}", route, update, change, ids)
            else:
                route = ("PUT", f"/fleet/{key}")
                await self.clients.write(rng, ("fleet_svc", "fleet"), key, route, update, change, {"FleetId": key})

    async def _projections(self, fleet: PlannedFleet, event: str) -> None:
        rng = self.rng(f"{fleet.id} {event} projection")
        ids = {"FleetId": fleet.id, "EventId": event}
        key, owner = f"{fleet.id}#{event}#Peak", ("fleet_svc", "projection")
        for number, tpm in enumerate(fleet.tpm[event]):
            await self.pace(rng, 4)
            if number:
                route, kind = ("PUT", f"/projection/{fleet.id}/{event}"), "UpdateProjection"
                body: dict[str, Any] = {"TotalInputTPM": tpm}
            else:
                route, kind = ("POST", "/projection"), "CreateProjection"
                body = {**ids, "TotalInputTPM": tpm, "IsVerifiedByOwner": True}
            await self.clients.write(rng, owner, key, route, ("fleet.commands", kind), body, ids)

    async def _event(self, event: PlannedEvent) -> None:
        rng, key = self.rng(event.id), event.id
        owner, ids = ("event_svc", "event"), {"EventId": key}
        await self.pace(rng, 6)
        create, update = ("event.commands", "CreateEvent"), ("event.commands", "UpdateEvent")
        await self.clients.write(rng, owner, key, ("POST", "/event"), create, event.body(), ids)
        for number in range(2):
            await self.pace(rng, 4)
            change: dict[str, Any] = {"EventName": f"Peak {key} {number}"}
            if event.wakes_late and number == 0:
                change["IsActive"] = True
            await self.clients.write(rng, owner, key, ("PUT", f"/event/{key}"), update, change, ids)
        self.awake.setdefault(key, asyncio.Event()).set()

    async def _milestones(self, event: PlannedEvent) -> None:
        """People set milestones that automation leaves alone, once the plan is there."""
        rng = self.rng(f"{event.id} milestones")
        open_fleets = [
            fleet for fleet in self.company.fleets if not fleet.deleted and fleet.region in event.body()["RegionList"]
        ]
        for fleet in rng.sample(open_fleets, min(3, len(open_fleets))):
            await self.pace(rng, 6)
            path = f"/eventplan/{event.id}/{fleet.id}"
            await self.clients.http.until(path, lambda plan: "Closed" not in plan)
            if event.wakes_late:
                await self.awake.setdefault(event.id, asyncio.Event()).wait()
            for status in ("InProgress", "Completed"):
                body = {
                    "EventMilestoneId": "UpdateThrottlingInSDC",
                    "MilestoneCompletionStatus": status,
                    "MilestoneMessage": f"by hand {status}",
                }
                ids = {"FleetId": fleet.id, "EventId": event.id}
                command = ("eventplan.commands", "SetMilestoneStatus")
                owner, key = ("eventplan_svc", "eventplan"), f"{event.id}#{fleet.id}"
                await self.clients.write(rng, owner, key, ("PUT", f"{path}/status"), command, body, ids)

    async def _ticket(self, number: int) -> None:
        rng, key = self.rng(f"ticket {number}"), f"{self.company.name}-T{number}"
        owner, ids = ("notify_svc", "ticket"), {"TicketId": key}
        await self.pace(rng, 6)
        create, update = ("notify.commands", "CreateTicket"), ("notify.commands", "UpdateTicket")
        body = {"TicketId": key, "Title": f"Ticket {key}", "Severity": 4, "Assignee": "boss"}
        await self.clients.write(rng, owner, key, ("POST", "/ticket"), create, body, ids)
        for status in ("InProgress", "Resolved"):
            await self.pace(rng, 4)
            await self.clients.write(rng, owner, key, ("PUT", f"/ticket/{key}"), update, {"Status": status}, ids)
        marker = self.clients.marker(key)
        seen = await self.clients.http.write("PUT", f"/ticket/{key}/escalate", {"Reason": marker}, marker, twice=True)
        if seen is not None:
            self.clients.ledger.acknowledged(marker, *owner, key, seen["VersionId"])

    async def _hosts(self, event: PlannedEvent) -> None:
        await Ordering(self, event).run()
