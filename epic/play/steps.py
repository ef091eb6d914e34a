"""The steps of the play in order, over HTTP; each may be repeated without harm."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

from epic.api import Api
from epic.loading import read_rows
from epic.messages import HttpMessages
from epic.play import scenario
from epic.play.common import COMPANY, Order, each, load_company, orders_of, settled, until
from epic.play.fleets import dashboard
from epic.play.planning import approve_exception, communicate_tpm, report_throttling, take_proposal
from epic.terminal import Terminal

Step = Callable[[Api, Terminal], Awaitable[None]]

_MAIL_SECONDS: Final = 180  # a killed sender's lease runs out after two minutes
_GATHER: Final = "GatherProjectionFromUpstream"


async def register_services(api: Api, terminal: Terminal) -> None:
    """The tree of organizations; the owners' services with their philosophy, their fleets, and the hosts that Apollo
    counts.
    """
    await load_company(api, terminal, "organizations", "services", "philosophies", "fleets", "inventory")


async def create_event(api: Api, terminal: Terminal) -> None:
    """Prime Day 2024 is created by the profile of its kind; every fleet gets a plan automatically."""
    await load_company(api, terminal, "profile", "event")
    fleets = sum(1 for _ in read_rows([COMPANY / "fleets.ndjson"]))

    async def plans() -> int:
        answer = await api.call("PUT", f"/event/{scenario.EVENT_ID}/dashboard", {"Limit": 1})
        return int(answer.body["Totals"]["Fleets"]) if answer.ok else 0

    with terminal.progress("plans created", fleets) as advance:
        await until("plans of PD2024", plans, fleets, advance=advance)


async def give_projections(api: Api, terminal: Terminal) -> None:
    """The owners enter their projections; the plans pick them up."""
    await load_company(api, terminal, "projections")
    fleets = sum(1 for _ in read_rows([COMPANY / "projections.ndjson"]))

    async def gathered() -> int:
        _, totals = await dashboard(api, scenario.EVENT_ID)
        by_status = totals["ByMilestone"][_GATHER]
        return sum(count for status, count in by_status.items() if status != "NotStarted")

    with terminal.progress("plans with a projection", fleets) as advance:
        await until("plans that took their projection in", gathered, fleets, advance=advance)
    await settled(api)


async def run_hotw(api: Api, terminal: Terminal) -> None:
    """HOTW calculates the hosts of every fleet and orders them."""
    started = await api.ask(
        "POST", "/hotw/run", {"EventId": scenario.EVENT_ID}, key="play: the run", user=scenario.OPERATOR
    )
    path = f"/hotw/run/{started['RunId']}"
    fleets = int((await api.ask("GET", path))["Fleets"])

    async def worked_out() -> int:
        return int((await api.ask("GET", path))["Executions"])

    async def completed() -> int:
        return int((await api.ask("GET", path))["RunStatus"] == "Completed")

    with terminal.progress("fleets calculated by HOTW", fleets) as advance:
        await until("fleets of the run", worked_out, fleets, advance=advance)
    await until("the run to complete", completed, 1)


async def decide_orders(api: Api, terminal: Terminal) -> None:
    """The capacity team rejects one order, leaves one fleet's orders open, and approves the rest."""
    pending = [order for order in await orders_of(api, Status="Pending") if order["FleetId"] not in scenario.UNDECIDED]
    await each(terminal, "orders decided", pending, lambda order: _decide(api, order))
    rejected = {order["FleetId"] for order in pending} & scenario.REJECTED.keys()

    async def lacking() -> int:
        gaps = await api.ask("GET", f"/hotw/gap?EventId={scenario.EVENT_ID}")
        return len({gap["FleetId"] for gap in gaps["Items"]} & rejected)

    await until("the gap that a rejected order leaves", lacking, len(rejected))


async def deliver_hosts(api: Api, terminal: Terminal) -> None:
    """Most of the approved hosts arrive."""
    by_fleet: dict[str, list[Order]] = {}
    for order in await orders_of(api):
        by_fleet.setdefault(order["FleetId"], []).append(order)
    arriving: list[Order] = []
    for fleet_id, orders in by_fleet.items():
        live = sorted((o for o in orders if o["FulfillmentStatus"] in ("Approved", "Fulfilled")), key=_order_number)
        kept_open = scenario.LEFT_OPEN.get(fleet_id, 0)
        arriving += [o for o in live[: len(live) - kept_open] if o["FulfillmentStatus"] == "Approved"]

    async def deliver(order: Order) -> None:
        path = f"/hotw/order/{order['FulfillmentId']}/delivery"
        await api.ask("PUT", path, {"FulfilledHosts": order["FulfillmentValue"]}, user=scenario.CAPACITY_TEAM)

    await each(terminal, "orders delivered", arriving, deliver)


async def set_statuses(api: Api, terminal: Terminal) -> None:
    """Some owners report how far they are with their throttling themselves."""
    services, _ = await dashboard(api, scenario.EVENT_ID)
    statuses = [
        (service["Owner"], fleet["FleetId"], scenario.STATUSES[service["ServiceId"]])
        for service in services
        if service["ServiceId"] in scenario.STATUSES
        for fleet in service["Fleets"]
    ]

    async def set_one(item: tuple[str, str, dict[str, str]]) -> None:
        owner, fleet_id, body = item
        await api.ask("PUT", f"/eventplan/{scenario.EVENT_ID}/{fleet_id}/status", body, user=owner)

    await each(terminal, "milestones set by owners", statuses, set_one)


async def rise_late(api: Api, terminal: Terminal) -> None:
    """One projection rises late: its emergent order opens a Sev2 ticket and mails owner and leader."""
    fleet_id, path = scenario.RISING_FLEET, f"/projection/{scenario.RISING_FLEET}/{scenario.EVENT_ID}"
    await api.ask("PUT", path, scenario.LATE_RISE, user=scenario.OPERATOR)
    await settled(api)
    execution = await api.ask(
        "POST",
        f"/hotw/atomic/{fleet_id}/{scenario.EVENT_ID}",
        {"OrderType": "Emergent"},
        key="play: the late rise",
        user=scenario.OPERATOR,
    )
    terminal.print(f"emergent order for {fleet_id}: {execution['Reasoning']}")
    for order in await orders_of(api, FleetId=fleet_id, Status="Pending"):
        await _decide(api, order)

    async def tickets() -> int:
        return len(await api.items("/ticket", {"EventId": scenario.EVENT_ID, "Severity": "2"}))

    with terminal.progress("Sev2 ticket of the emergent order", 1) as advance:
        await until("the ticket of the emergent order", tickets, 1, advance=advance)


async def see_mails(api: Api, terminal: Terminal) -> None:
    """Every service with orders gets an order summary; the emergent order gets a mail of its own."""
    services = {order["FleetId"].split("-")[0] for order in await orders_of(api)}
    wanted = len(services) + 1

    async def sent() -> int:
        mails = await api.items("/notification", {"EventId": scenario.EVENT_ID, "Status": "Sent"})
        return sum(1 for mail in mails if mail["Kind"] in ("HardwareOrder", "EmergentOrder"))

    with terminal.progress("mails written", wanted) as advance:
        await until("mails", sent, wanted, seconds=_MAIL_SECONDS, advance=advance)


async def see_ready(api: Api, terminal: Terminal) -> None:
    """Each plan whose milestones are all green is published as eventplan.ready."""
    await settled(api)
    _, totals = await dashboard(api, scenario.EVENT_ID)
    green = int(totals["ByColour"].get("Green", 0))
    with terminal.progress("eventplan.ready", green) as advance:
        await until("eventplan.ready messages", lambda: _ready(api), green, advance=advance)


async def _decide(api: Api, order: Order) -> None:
    reason = scenario.REJECTED.get(order["FleetId"])
    body = {"Decision": "Reject", "Reason": reason} if reason else {"Decision": "Approve"}
    await api.ask("PUT", f"/hotw/order/{order['FulfillmentId']}", body, user=scenario.CAPACITY_TEAM)


def _order_number(order: Order) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", order["FulfillmentId"]))


async def _ready(api: Api) -> int:
    records = HttpMessages(api).follow("eventplan.ready", from_beginning=True, to_end=True)
    return len({record.key async for record in records})


STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("Organizations, services, fleets and hosts are registered", register_services),
    ("Prime Day 2024 is created by its profile, and every fleet gets its plan", create_event),
    ("Owners enter their projections", give_projections),
    ("The traffic of a fleet proposes its projection", take_proposal),
    ("A higher buffer is asked for and approved", approve_exception),
    ("HOTW calculates the hosts and orders them", run_hotw),
    ("The capacity team decides on the orders", decide_orders),
    ("Hosts arrive", deliver_hosts),
    ("EPIC mails each service's TPM to the services downstream of it", communicate_tpm),
    ("Gizmo reports the throttling that it applies", report_throttling),
    ("Other owners report their throttling themselves", set_statuses),
    ("A projection rises late: an emergent order", rise_late),
    ("Owners and leaders get their mail", see_mails),
    ("Plans that are all green are published as ready", see_ready),
)
