"""The table of an event's fleets: hosts needed, present and ordered, readiness, and what each fleet waits for."""

from __future__ import annotations

from typing import Any, Final

from epic.api import Api
from epic.terminal import Terminal

_COLUMNS: Final = ("Fleet", "Region", "Needed", "Present", "Ordered", "Delivered", "Colour", "Awaited")
_PAGE: Final = 1000


async def dashboard(api: Api, event_id: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Every service of the readiness dashboard, and the event's totals."""
    services: list[dict[str, Any]] = []
    body: dict[str, Any] = {"Limit": _PAGE}
    while True:
        page = await api.ask("PUT", f"/event/{event_id}/dashboard", body)
        services += page["Services"]
        if not page.get("NextCursor"):
            return services, page["Totals"]
        body["Cursor"] = page["NextCursor"]


async def print_fleets(api: Api, terminal: Terminal, event_id: str) -> None:
    """Prints a line per fleet with an open plan, by service and fleet, and one line of totals."""
    services, _ = await dashboard(api, event_id)
    hardware = {
        fleet["FleetId"]: fleet
        async for page in api.pages(f"/hotw/dashboard/{event_id}/Upscaling", {"Limit": str(_PAGE)})
        for service in page["Services"]
        for fleet in service["Fleets"]
    }
    fleets = [
        fleet for service in services for fleet in sorted(service["Fleets"], key=lambda fleet: str(fleet["FleetId"]))
    ]
    lines = [_line(fleet, hardware.get(fleet["FleetId"], {})) for fleet in fleets]
    terminal.print()
    terminal.table(_COLUMNS, lines, title=f"Fleets of {event_id}")
    of_colours = [fleet["PeakReadyStatus"] for fleet in fleets]
    colours = ", ".join(f"{of_colours.count(colour)} {colour.lower()}" for colour in ("Green", "Yellow", "Red"))
    terminal.print(f"{len(lines)} fleets: {colours}")


def _line(readiness: dict[str, Any], hardware: dict[str, Any]) -> tuple[object, ...]:
    """The cells of a fleet; those of its hosts are empty before its first HOTW execution."""
    latest = hardware.get("LatestExecution") or {}
    hosts = (
        latest.get("RequiredHosts"),
        latest.get("HostsPresentInApollo"),
        hardware.get("OrderedHosts"),
        hardware.get("FulfilledHosts"),
    )
    return (
        readiness["FleetId"],
        readiness["Region"],
        *("" if count is None else count for count in hosts),
        readiness["PeakReadyStatus"],
        _awaited(readiness),
    )


def _awaited(readiness: dict[str, Any]) -> str:
    """Who has to act, and why: ``AWS: 0 of 3 approved``; empty when the fleet is ready."""
    if readiness["PeakReadyStatus"] == "Green":
        return ""
    parts = (readiness.get("ActionPendingOn"), readiness.get("StatusReasoning") or readiness.get("EventMilestone"))
    return ": ".join(str(part) for part in parts if part)
