"""The table of what an event's plans were made from: profile, organizations, philosophies, exceptions and the rest."""

from __future__ import annotations

from typing import Any, Final

from epic.api import Api
from epic.play.fleets import dashboard
from epic.terminal import Terminal

_COLUMNS: Final = ("Planned by", "Of", "What")
_COLOURS: Final = ("Green", "Yellow", "Red")

Line = tuple[str, str, str]


async def print_planned_by(api: Api, terminal: Terminal, event_id: str) -> None:
    """Prints a line for each thing that the plans follow from, as the API shows it now."""
    event = await api.ask("GET", f"/event/{event_id}")
    _, totals = await dashboard(api, event_id)
    of_event = {"EventId": event_id}
    lines = [
        _event(event),
        *_organizations(await api.items("/organization", {}), totals["ByOrganization"]),
        *[_philosophy(one) for one in await api.items("/philosophy", {})],
        *[_exception(one) for one in await api.items("/exception", of_event)],
        *[await _traffic(api, one, event_id) for one in await api.items("/traffic", {})],
        *_throttling(await api.items("/throttling", of_event)),
        *_mails(await api.items("/notification", {**of_event, "Kind": "TPM"})),
    ]
    terminal.print()
    terminal.table(_COLUMNS, lines)


def _event(event: dict[str, Any]) -> Line:
    regions = ", ".join(event["RegionList"])
    due = ", ".join(f"{one['EventMilestoneId']} {one['DaysBeforePeak']} days before" for one in event["Milestones"])
    return "Event", event["EventId"], f"{regions}; {due}"


def _organizations(organizations: list[dict[str, Any]], totals: dict[str, Any]) -> list[Line]:
    """A line for each, below the one above it; an organization counts the fleets of its whole subtree."""

    def below(parent: str | None, level: int) -> list[Line]:
        lines: list[Line] = []
        for one in organizations:
            if one.get("ParentId") == parent:
                counted = totals.get(one["OrganizationId"], {"Fleets": 0, "ByColour": {}})
                colours = ", ".join(f"{counted['ByColour'].get(colour, 0)} {colour.lower()}" for colour in _COLOURS)
                lines.append(("Organization", "  " * level + one["Name"], f"{counted['Fleets']} fleets: {colours}"))
                lines += below(one["OrganizationId"], level + 1)
        return lines

    return below(None, 0)


def _philosophy(philosophy: dict[str, Any]) -> Line:
    headroom = philosophy.get("HeadroomPercentage", 0)
    return "Philosophy", philosophy["ServiceId"], f"{philosophy['CapacityStrategy']}, {headroom} % headroom"


def _exception(exception: dict[str, Any]) -> Line:
    buffers = f"buffer {exception['RequestedValue']} in place of {exception['CurrentValue']}"
    by = f" by {exception['ReviewedBy']}" if "ReviewedBy" in exception else ""
    return "Exception", exception["FleetId"], f"{buffers}, {exception['Status'].lower()}{by}"


async def _traffic(api: Api, day: dict[str, Any], event_id: str) -> Line:
    proposal = await api.ask("GET", f"/projection/{day['FleetId']}/{event_id}/proposal")
    return "Traffic", day["FleetId"], f"{day['Minutes']:,} minutes of {day['Date']}: {proposal['Working']}"


def _throttling(throttlings: list[dict[str, Any]]) -> list[Line]:
    applied = sum(1 for one in throttlings if one.get("Applied", {}).get("AppliedVersionId") == one["VersionId"])
    return [("Throttling", f"{len(throttlings)} fleets", f"{applied} applied by Gizmo")] if throttlings else []


def _mails(mails: list[dict[str, Any]]) -> list[Line]:
    sent = sum(1 for mail in mails if mail["Status"] == "Sent")
    return [("TPM", f"{len(mails)} mails", f"{sent} sent to downstream services")] if mails else []
