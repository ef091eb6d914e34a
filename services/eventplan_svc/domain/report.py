"""The readiness report: per leader and service, the worst first, what is awaited from whom (8.6.15)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from services.eventplan_svc.domain.dashboard import NO_ETA, RANK, FleetRow, ServiceRows
from services.eventplan_svc.domain.readiness import worst
from shared.schemas.eventplan_svc import PeakReadyStatus

_Place = tuple[int, int, str, str]


def readiness_report(services: Iterable[ServiceRows]) -> list[dict[str, Any]]:
    """The leaders with their services, each with its figures and with what is awaited.

    The worst comes first: by colour, then by how many fleets are Red, then by the earliest ETA of what is awaited, then
    by name. Services without a leader stand under a leader of null.
    """
    by_leader: defaultdict[str | None, list[ServiceRows]] = defaultdict(list)
    for one in services:
        by_leader[one.service.leader_alias].append(one)
    leaders = sorted(by_leader.items(), key=lambda item: _place(item[0] or "", _rows_of(item[1])))
    return [_leader(leader, sorted(own, key=_service_place)) for leader, own in leaders]


def _leader(leader: str | None, services: Sequence[ServiceRows]) -> dict[str, Any]:
    return {
        "LeaderAlias": leader,
        **_figures(_rows_of(services)),
        "Services": [
            {
                "ServiceId": one.service.service_id,
                "Owner": one.service.owner,
                **_figures(one.rows),
                "Awaited": _awaited(one.rows),
            }
            for one in services
        ],
    }


def _figures(rows: Sequence[FleetRow]) -> dict[str, Any]:
    colours = Counter(row.colour for row in rows)
    return {
        "PeakReadyStatus": worst(colours),
        "Fleets": len(rows),
        "ByColour": {colour.value: colours[colour] for colour in PeakReadyStatus},
        "HostsMissing": sum(row.hosts_missing or 0 for row in rows),
    }


def _awaited(rows: Iterable[FleetRow]) -> list[dict[str, Any]]:
    """What is awaited, each once with its fleets: what is due first comes first, then what most fleets wait for."""
    fleets: defaultdict[tuple[str | None, str, str | None], list[FleetRow]] = defaultdict(list)
    for row in rows:
        if row.awaited is not None:
            fleets[row.pending_on, row.awaited.milestone_id.value, row.awaited.message].append(row)
    found = [(min(row.eta for row in waiting), key, waiting) for key, waiting in fleets.items()]
    found.sort(key=lambda one: (one[0], -len(one[2]), one[1][1], one[1][0] or "", one[1][2] or ""))
    return [
        {
            "ActionPendingOn": who,
            "EventMilestone": milestone,
            "StatusReasoning": reason,
            "ETA": None if eta == NO_ETA else eta,
            "FleetIds": [row.fleet_id for row in waiting],
        }
        for eta, (who, milestone, reason), waiting in found
    ]


def _rows_of(services: Iterable[ServiceRows]) -> list[FleetRow]:
    return [row for one in services for row in one.rows]


def _service_place(one: ServiceRows) -> _Place:
    return _place(one.service.service_id, one.rows)


def _place(name: str, rows: Sequence[FleetRow]) -> _Place:
    red = sum(row.colour is PeakReadyStatus.RED for row in rows)
    return min(RANK[row.colour] for row in rows), -red, min(row.eta for row in rows), name
