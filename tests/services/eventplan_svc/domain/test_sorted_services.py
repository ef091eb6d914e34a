"""The order of services in a dashboard, and pages that lead to each of them once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.dashboard import FleetRow, ServiceRows, Shown, standings_of
from services.eventplan_svc.domain.readiness import worst
from shared.schemas.eventplan_svc import DashboardSort, PeakReadyStatus
from shared.schemas.hotw_svc import Purpose
from tests.support.plans import (
    OWNER,
    SERVICE,
    a_plan,
)

RED, YELLOW, GREEN = PeakReadyStatus.RED, PeakReadyStatus.YELLOW, PeakReadyStatus.GREEN


def service_rows(service_id: str, *rows: tuple[PeakReadyStatus, str | None, int]) -> ServiceRows:
    service = replace(SERVICE, service_id=service_id)
    standings = standings_of(a_plan())
    assert standings is not None
    open_milestone = standings.of(Purpose.UPSCALING).awaited
    assert open_milestone is not None
    made = [
        FleetRow(f"{service_id}-{number}", "us-east-1", OWNER, colour, replace(open_milestone, eta=eta), missing)
        for number, (colour, eta, missing) in enumerate(rows)
    ]
    return ServiceRows(service, worst(one.colour for one in made), made)


SERVICES = [
    service_rows("A", (GREEN, None, 0)),
    service_rows("B", (GREEN, "2024-06-01", 0), (YELLOW, "2024-07-01", 7)),
    service_rows("C", (RED, "2024-07-09", 3)),
    service_rows("D", (YELLOW, "2024-06-02", 3), (GREEN, None, 0)),
]


@pytest.mark.parametrize(
    ("sort", "order"),
    [(DashboardSort.COLOUR, "CBDA"), (DashboardSort.ETA, "BDCA"), (DashboardSort.HOSTS_MISSING, "BCDA")],
)
def test_services_are_sorted_by_their_worst_row_then_by_their_id_6_6_11a_to_d(sort: DashboardSort, order: str) -> None:
    page, after = Shown(sort, "q").page(reversed(SERVICES), 10)
    assert "".join(one.service.service_id for one in page) == order
    assert after is None


@given(st.lists(st.permutations(range(7)), min_size=7, max_size=7), st.integers(1, 4))
def test_every_service_comes_once_however_the_order_changes_between_pages(orders: list[list[int]], limit: int) -> None:
    """Each page is of another order, as if any number of plans had changed."""
    after: list[str] | None = None
    seen: list[str] = []
    for hosts in orders:
        services = [service_rows(f"S{number}", (RED, None, missing)) for number, missing in enumerate(hosts)]
        page, after = Shown.of(DashboardSort.HOSTS_MISSING, "q", after).page(services, limit)
        missing = [one.rows[0].hosts_missing or 0 for one in page]
        assert missing == sorted(missing, reverse=True)
        seen += [one.service.service_id for one in page]
        if after is None:
            break
    assert sorted(seen) == [f"S{number}" for number in range(7)]


@pytest.mark.parametrize("place", [[], ["r", ""], ["q"], ["q", "§"], ["q", "AAAA"], ["q", 1]])
def test_a_place_of_another_question_is_none(place: list[Any]) -> None:
    with pytest.raises(ValueError, match="not"):
        Shown.of(DashboardSort.COLOUR, "q", place)
