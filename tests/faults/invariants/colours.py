"""What must hold of the plans' colours over time: the changes that are listed, and the days of the trend."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from tests.faults.ledger import Ledger
from tests.faults.picture import Picture, Row, Stored, Version
from tests.support.plan_colours import colour_on


def walked_changes(picture: Picture, event_id: str) -> list[dict[str, Any]]:
    """The changes of colour as the versions of an event's plans have them, by instant and fleet."""
    found = []
    for _, before, after in _turned(picture):
        state = after.state
        if state["EventId"] == event_id:
            colours = {"From": before.state["PeakReadyStatus"], "To": state["PeakReadyStatus"]}
            found.append({"FleetId": state["FleetId"], **colours, "Timestamp": after.at})
    return sorted(found, key=lambda one: (one["Timestamp"], one["FleetId"]))


def every_change_of_colour_is_listed(picture: Picture, ledger: Ledger) -> list[str]:
    """Each version of a plan that has another colour than the one before was announced under its own instant."""
    announced = picture.replicas.get(("eventplan_svc", "colour_change"), {})
    wrong = []
    for key, _, after in _turned(picture):
        event, _, fleet = key.partition("#")
        if f"{event}@{after.at}#{fleet}#{after.number:010d}" not in announced:
            wrong.append(
                f"version {after.number} of {key} turned {after.state['PeakReadyStatus']}, which is not listed"
            )
    return wrong


def a_day_of_the_trend_is_a_recount(picture: Picture, ledger: Ledger) -> list[str]:
    """Each day that is kept has the open plans by colour as their versions have them just before its 24:00."""
    wrong = []
    plans = picture.of("eventplan_svc", "eventplan")
    for key, shown in picture.trend.items():
        event, _, day = key.rpartition("@")
        counted = Counter[str]()
        for stored in plans.values():
            state = _state_at(stored, f"{day}T23:59:59.999Z") if stored.head.state["EventId"] == event else None
            if state is not None and "Closed" not in state:
                counted[colour_on(day, state)] += 1
        if {name: count for name, count in shown.items() if count} != counted:
            wrong.append(f"the day {key} shows {shown}, its plans were {dict(counted)}")
    return wrong


def _turned(picture: Picture) -> list[tuple[str, Version, Version]]:
    """Key, version before and version of every change of colour that dashboards show."""
    return [
        (key, before, after)
        for key, stored in picture.of("eventplan_svc", "eventplan").items()
        for before, after in pairwise(one for _, one in sorted(stored.versions().items()))
        if before.state["PeakReadyStatus"] != after.state["PeakReadyStatus"] and "Closed" not in after.state
    ]


def _state_at(stored: Stored, instant: str) -> Row | None:
    versions = [one for _, one in sorted(stored.versions().items()) if one.at <= instant]
    return versions[-1].state if versions else None
