"""The steps of the play in order, over HTTP; each may be repeated without harm."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final

from epic import company
from epic.api import Api
from epic.failure import SOME_FAILED, CommandFailed
from epic.loading import RowFailure, load, read_rows
from epic.messages import HttpMessages
from epic.play import scenario
from epic.play.fleets import dashboard
from epic.terminal import Terminal
from shared.tasks import for_each

Order = dict[str, Any]
Step = Callable[[Api, Terminal], Awaitable[None]]

COMPANY: Final = Path(company.__file__).parent
_AT_ONCE: Final = 16
_MAIL_SECONDS: Final = 180  # a killed sender's lease runs out after two minutes
_FIRST_PAUSE: Final = 0.02  # seconds between two looks: they double, so that a step of a moment costs a moment
_LONGEST_PAUSE: Final = 0.5
_GATHER: Final = "GatherProjectionFromUpstream"


async def register_services(api: Api, terminal: Terminal) -> None:
    """The owners register their services, their fleets, and the hosts that Apollo counts."""
    await _load(api, terminal, "services", "fleets", "inventory")


async def create_event(api: Api, terminal: Terminal) -> None:
    """Prime Day 2024 is created; every fleet gets a plan automatically."""
    await _load(api, terminal, "event")
    fleets = sum(1 for _ in read_rows([COMPANY / "fleets.ndjson"]))

    async def plans() -> int:
        answer = await api.call("PUT", f"/event/{scenario.EVENT_ID}/dashboard", {"Limit": 1})
        return int(answer.body["Totals"]["Fleets"]) if answer.ok else 0

    with terminal.progress("plans created", fleets) as advance:
        await until("plans of PD2024", plans, fleets, advance=advance)


async def give_projections(api: Api, terminal: Terminal) -> None:
    """The owners enter their projections; the plans pick them up."""
    await _load(api, terminal, "projections")
    fleets = sum(1 for _ in read_rows([COMPANY / "projections.ndjson"]))

    async def gathered() -> int:
        _, totals = await dashboard(api, scenario.EVENT_ID)
        by_status = totals["ByMilestone"][_GATHER]
        return sum(count for status, count in by_status.items() if status != "NotStarted")

    with terminal.progress("plans with a projection", fleets) as advance:
        await until("plans that took their projection in", gathered, fleets, advance=advance)
    await _settled(api)


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
    pending = [order for order in await _orders(api, Status="Pending") if order["FleetId"] not in scenario.UNDECIDED]
    await _each(terminal, "orders decided", pending, lambda order: _decide(api, order))


async def deliver_hosts(api: Api, terminal: Terminal) -> None:
    """Most of the approved hosts arrive."""
    by_fleet: dict[str, list[Order]] = {}
    for order in await _orders(api):
        by_fleet.setdefault(order["FleetId"], []).append(order)
    arriving: list[Order] = []
    for fleet_id, orders in by_fleet.items():
        live = sorted((o for o in orders if o["FulfillmentStatus"] in ("Approved", "Fulfilled")), key=_order_number)
        kept_open = scenario.LEFT_OPEN.get(fleet_id, 0)
        arriving += [o for o in live[: len(live) - kept_open] if o["FulfillmentStatus"] == "Approved"]

    async def deliver(order: Order) -> None:
        path = f"/hotw/order/{order['FulfillmentId']}/delivery"
        await api.ask("PUT", path, {"FulfilledHosts": order["FulfillmentValue"]}, user=scenario.CAPACITY_TEAM)

    await _each(terminal, "orders delivered", arriving, deliver)


async def set_statuses(api: Api, terminal: Terminal) -> None:
    """Some owners report that they informed their downstreams and set their throttling."""
    services, _ = await dashboard(api, scenario.EVENT_ID)
    statuses = [
        (service["Owner"], fleet["FleetId"], status)
        for service in services
        for status in scenario.STATUSES.get(service["ServiceId"], ())
        for fleet in service["Fleets"]
    ]

    async def set_one(item: tuple[str, str, dict[str, str]]) -> None:
        owner, fleet_id, body = item
        await api.ask("PUT", f"/eventplan/{scenario.EVENT_ID}/{fleet_id}/status", body, user=owner)

    await _each(terminal, "milestones set by owners", statuses, set_one)


async def rise_late(api: Api, terminal: Terminal) -> None:
    """One projection rises late: its emergent order opens a Sev2 ticket and mails owner and leader."""
    fleet_id, path = scenario.RISING_FLEET, f"/projection/{scenario.RISING_FLEET}/{scenario.EVENT_ID}"
    await api.ask("PUT", path, scenario.LATE_RISE, user=scenario.OPERATOR)
    await _settled(api)
    execution = await api.ask(
        "POST",
        f"/hotw/atomic/{fleet_id}/{scenario.EVENT_ID}",
        {"OrderType": "Emergent"},
        key="play: the late rise",
        user=scenario.OPERATOR,
    )
    terminal.print(f"emergent order for {fleet_id}: {execution['Reasoning']}")
    for order in await _orders(api, FleetId=fleet_id, Status="Pending"):
        await _decide(api, order)

    async def tickets() -> int:
        return len(await api.items("/ticket", {"EventId": scenario.EVENT_ID}))

    with terminal.progress("Sev2 ticket of the emergent order", 1) as advance:
        await until("the ticket of the emergent order", tickets, 1, advance=advance)


async def see_mails(api: Api, terminal: Terminal) -> None:
    """Every service with orders gets an order summary; the emergent order gets a mail of its own."""
    services = {order["FleetId"].split("-")[0] for order in await _orders(api)}
    wanted = len(services) + 1

    async def sent() -> int:
        return len(await api.items("/notification", {"EventId": scenario.EVENT_ID, "Status": "Sent"}))

    with terminal.progress("mails written", wanted) as advance:
        await until("mails", sent, wanted, seconds=_MAIL_SECONDS, advance=advance)


async def see_ready(api: Api, terminal: Terminal) -> None:
    """Each plan whose milestones are all green is published as eventplan.ready."""
    await _settled(api)
    _, totals = await dashboard(api, scenario.EVENT_ID)
    green = int(totals["ByColour"].get("Green", 0))
    with terminal.progress("eventplan.ready", green) as advance:
        await until("eventplan.ready messages", lambda: _ready(api), green, advance=advance)


STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("Owners register their services, fleets and hosts", register_services),
    ("Prime Day 2024 is created, and every fleet gets its plan", create_event),
    ("Owners enter their projections", give_projections),
    ("HOTW calculates the hosts and orders them", run_hotw),
    ("The capacity team decides on the orders", decide_orders),
    ("Hosts arrive", deliver_hosts),
    ("Owners inform their downstreams and set their throttling", set_statuses),
    ("A projection rises late: an emergent order", rise_late),
    ("Owners and leaders get their mail", see_mails),
    ("Plans that are all green are published as ready", see_ready),
)


# -- what several steps need -------------------------------------------------------------------------------------------


async def until(
    what: str,
    look: Callable[[], Awaitable[int]],
    wanted: int,
    *,
    seconds: float = 60,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Polls until there are at least ``wanted``; ``advance`` is called with each increase.

    CommandFailed after ``seconds`` without any progress: ``waited 60 s for plans: 38 of 40 so far``.
    """
    seen, pause = 0, _FIRST_PAUSE
    deadline = time.monotonic() + seconds
    while (now := await look()) < wanted:
        if now > seen:
            if advance:
                advance(now - seen)
            seen, pause, deadline = now, _FIRST_PAUSE, time.monotonic() + seconds
        if time.monotonic() > deadline:
            raise CommandFailed(
                f"waited {seconds:g} s for {what}: {seen} of {wanted} so far; the log says more", SOME_FAILED
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    if advance and wanted > seen:
        advance(wanted - seen)


async def _load(api: Api, terminal: Terminal, *names: str) -> None:
    def failed(failure: RowFailure) -> None:
        raise CommandFailed(f"the sample company was refused: {failure.text()}", SOME_FAILED)

    for name in names:
        await load(read_rows([COMPANY / f"{name}.ndjson"]), api, terminal, failed=failed, user=scenario.OPERATOR)


async def _each(terminal: Terminal, what: str, items: Iterable[Any], do: Callable[[Any], Awaitable[None]]) -> None:
    todo = list(items)
    with terminal.progress(what, len(todo)) as advance:

        async def one(item: Any) -> None:
            await do(item)
            advance(1)

        await for_each(todo, one, at_once=_AT_ONCE)


async def _orders(api: Api, **filters: str) -> list[Order]:
    return await api.items("/hotw/order", {"EventId": scenario.EVENT_ID, **filters})


async def _decide(api: Api, order: Order) -> None:
    reason = scenario.REJECTED.get(order["FleetId"])
    body = {"Decision": "Reject", "Reason": reason} if reason else {"Decision": "Approve"}
    await api.ask("PUT", f"/hotw/order/{order['FulfillmentId']}", body, user=scenario.CAPACITY_TEAM)


def _order_number(order: Order) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", order["FulfillmentId"]))


async def _settled(api: Api) -> None:
    """Returns when no message waits to be published or handled anywhere."""

    async def at_rest() -> int:
        waiting = await api.ask("GET", "/embedded/waiting")
        return 0 if waiting["ToPublish"] or waiting["ToHandle"] else 1

    await until("every message to be handled", at_rest, 1)


async def _ready(api: Api) -> int:
    records = HttpMessages(api).follow("eventplan.ready", from_beginning=True, to_end=True)
    return len({record.key async for record in records})
