"""The story of an event's hosts: runs by both doors, one of them cancelled, orders decided on and delivered."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.faults.plan import PlannedEvent

if TYPE_CHECKING:
    from tests.faults.load import Load


async def run_of(load: Load, event: str) -> int:
    """Starts a run of an event by HTTP and waits for its end."""
    clients = load.clients
    answer = await clients.http.write("POST", "/hotw/run", {"EventId": event}, clients.marker(event))
    number = int(answer["RunId"])
    clients.ledger.runs.add(number)
    await clients.http.until(f"/hotw/run/{number}", lambda run: run["RunStatus"] != "Running")
    return number


@dataclass
class Ordering:
    """One event's runs and orders, one step after the other."""

    load: Load
    event: PlannedEvent

    async def run(self) -> None:
        load, event = self.load, self.event
        rng = load.rng(f"{event.id} hosts")
        await load.clients.http.until(f"/hotw/inputs/{event.id}", lambda seen: seen["Fleets"] > 0)
        if event.wakes_late:
            await load.awake.setdefault(event.id, asyncio.Event()).wait()
            await self._known_to_be_active()
        for way in rng.sample(["run", "command", "atomic", "cancelled"], 2):
            await load.pace(rng, 6)
            await self._begin(rng, way)
            await self._decide(rng)

    async def _known_to_be_active(self) -> None:
        """A run of an event that HOTW takes for inactive is refused, and stays so under its key."""
        last = max(w.version for w in self.load.clients.ledger.writes if w.key == self.event.id)
        path = f"/hotw/inputs/{self.event.id}/{self.load.company.fleets[0].id}"
        await self.load.clients.http.until(path, lambda seen: seen["Event"] and seen["Event"]["VersionId"] >= last)

    async def _begin(self, rng: random.Random, way: str) -> None:
        clients, event = self.load.clients, self.event.id
        marker = clients.marker(f"{event}-run")
        if way == "command":
            answer = await clients.commands.ask("hotw.commands", "StartRun", event, {"EventId": event}, marker)
            if answer["Outcome"] != "Accepted":
                clients.ledger.strange.append(f"StartRun {marker}: {answer}")
                return
            number = int(answer["Id"])
        elif way == "atomic":
            fleet = rng.choice([fleet for fleet in self.load.company.fleets if not fleet.deleted]).id
            inputs = f"/hotw/inputs/{event}/{fleet}"
            await clients.http.until(inputs, lambda seen: seen["Fleet"] and seen["Event"])
            answer = await clients.http.write("POST", f"/hotw/atomic/{fleet}/{event}", {}, marker, twice=True)
            if answer is None:
                return
            number = int(answer["RunId"])
        else:
            answer = await clients.http.write("POST", "/hotw/run", {"EventId": event}, marker, twice=True)
            if answer is None:
                return
            number = int(answer["RunId"])
        clients.ledger.runs.add(number)
        if way == "cancelled":
            await self._cancel(number)
        await clients.http.until(f"/hotw/run/{number}", lambda run: run["RunStatus"] != "Running")

    async def _cancel(self, number: int) -> None:
        """It may have ended already: then it is refused, which is as it should be."""
        clients = self.load.clients
        await clients.commands.ask(
            "hotw.commands", "CancelRun", self.event.id, {"RunId": number}, clients.marker("cancel")
        )

    async def _decide(self, rng: random.Random) -> None:
        """Decides on most pending orders, and has some delivered; those of a fleet that goes are withdrawn with it."""
        clients = self.load.clients
        page = await clients.http.read(f"/hotw/order?EventId={self.event.id}&Status=Pending&Limit=1000")
        going = {fleet.id for fleet in self.load.company.fleets if fleet.deleted}
        staying = [order for order in page["Items"] if order["FleetId"] not in going]
        orders = sorted(staying, key=lambda order: str(order["AutoScalingGroupName"]))
        await asyncio.gather(*(self._one(self.load.rng(o["FulfillmentId"]), o) for o in orders if rng.random() < 0.6))

    async def _one(self, rng: random.Random, order: dict[str, Any]) -> None:
        number, ledger = order["FulfillmentId"], self.load.clients.ledger
        decision, status = rng.choices(
            [("Approve", "Approved"), ("Reject", "Rejected"), ("Delay", "Delayed"), ("Cancel", "Cancelled")],
            [6, 1, 1, 1],
        )[0]
        if await self._ask(rng, "ReviewOrder", number, "", {"Decision": decision}):
            ledger.decisions[number] = status
        if decision not in ("Approve", "Delay") or rng.random() < 0.4:
            return
        whole = int(order["FulfillmentValue"])
        part = rng.randint(1, whole)
        for hosts in dict.fromkeys((part, whole)):
            if await self._ask(rng, "ReportDelivery", number, "/delivery", {"FulfilledHosts": hosts}):
                ledger.deliveries[number] = hosts
                if hosts == whole:
                    ledger.decisions[number] = "Fulfilled"
            if rng.random() < 0.5:
                return

    async def _ask(self, rng: random.Random, kind: str, number: str, tail: str, body: dict[str, Any]) -> bool:
        clients = self.load.clients
        marker = clients.marker(number)
        if kind == "ReviewOrder":
            body = {**body, "Reason": marker}
        if rng.random() < 0.5:
            sent = {"FulfillmentId": number, **body}
            answer = await clients.commands.ask("hotw.commands", kind, number, sent, marker)
            if answer["Outcome"] == "Accepted":
                return True
            clients.ledger.strange.append(f"{kind} {marker}: {answer}")
            return False
        path = f"/hotw/order/{number}{tail}"
        return await clients.http.write("PUT", path, body, marker, twice=rng.random() < 0.3) is not None
