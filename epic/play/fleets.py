"""The table of an event's fleets: hosts needed, present and ordered, readiness, and what each fleet waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from epic.api import Api
from epic.terminal import Terminal

_COLUMNS: Final = ("Fleet", "Region", "Needed", "Present", "Ordered", "Delivered", "Colour", "Awaited")
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class FleetLine:
    """One fleet of an event; the numbers of hosts are "" before its first HOTW execution."""

    fleet_id: str
    region: str
    needed: int | str
    present: int | str
    ordered: int | str
    delivered: int | str
    colour: str
    awaited: str

    def cells(self) -> tuple[object, ...]:
        return (
            self.fleet_id,
            self.region,
            self.needed,
            self.present,
            self.ordered,
            self.delivered,
            self.colour,
            self.awaited,
        )


async def dashboard(api: Api, event_id: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Every service of the readiness dashboard, and the event's totals."""
    services: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        body = {"Limit": _PAGE, **({"Cursor": cursor} if cursor else {})}
        page = await api.ask("PUT", f"/event/{event_id}/dashboard", body)
        services.extend(page["Services"])
        cursor = page.get("NextCursor")
        if not cursor:
            return services, page["Totals"]


async def fleet_lines(api: Api, event_id: str) -> list[FleetLine]:
    """A line per fleet with an open plan, by service and fleet."""
    services, _ = await dashboard(api, event_id)
    by_fleet = await _hardware(api, event_id)
    return [
        _line(fleet, by_fleet.get(fleet["FleetId"], {}))
        for service in services
        for fleet in sorted(service["Fleets"], key=lambda fleet: str(fleet["FleetId"]))
    ]


async def _hardware(api: Api, event_id: str) -> dict[str, dict[str, Any]]:
    """HOTW's dashboard line of each fleet that has an execution."""
    found: dict[str, dict[str, Any]] = {}
    cursor: str | None = None
    while True:
        query = {"Limit": str(_PAGE), **({"Cursor": cursor} if cursor else {})}
        page = await api.ask("GET", f"/hotw/dashboard/{event_id}/Upscaling", query=query)
        found |= {fleet["FleetId"]: fleet for service in page["Services"] for fleet in service["Fleets"]}
        cursor = page.get("NextCursor")
        if not cursor:
            return found


def _line(readiness: dict[str, Any], hardware: dict[str, Any]) -> FleetLine:
    latest = hardware.get("LatestExecution") or {}
    return FleetLine(
        fleet_id=readiness["FleetId"],
        region=readiness["Region"],
        needed=_hosts(latest, "RequiredHosts"),
        present=_hosts(latest, "HostsPresentInApollo"),
        ordered=_hosts(hardware, "OrderedHosts"),
        delivered=_hosts(hardware, "FulfilledHosts"),
        colour=readiness["PeakReadyStatus"],
        awaited=_awaited(readiness),
    )


def _hosts(hardware: dict[str, Any], name: str) -> int | str:
    value = hardware.get(name)
    return "" if value is None else int(value)


def _awaited(readiness: dict[str, Any]) -> str:
    """Who has to act, and why: ``AWS: 0 of 3 approved``; empty when the fleet is ready."""
    if readiness["PeakReadyStatus"] == "Green":
        return ""
    parts = (readiness.get("ActionPendingOn"), readiness.get("StatusReasoning") or readiness.get("EventMilestone"))
    return ": ".join(str(part) for part in parts if part)


async def print_fleets(api: Api, terminal: Terminal, event_id: str) -> None:
    """Prints the table, and one line of totals."""
    lines = await fleet_lines(api, event_id)
    terminal.print()
    terminal.table(_COLUMNS, [line.cells() for line in lines], title=f"Fleets of {event_id}")
    colours = {colour: sum(line.colour == colour for line in lines) for colour in ("Green", "Yellow", "Red")}
    terminal.print(
        f"{len(lines)} fleets: " + ", ".join(f"{count} {colour.lower()}" for colour, count in colours.items())
    )
