from __future__ import annotations

import io
import time
from collections import Counter
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epic.loading import Row, read_rows
from epic.play import scenario
from epic.play.common import COMPANY as COMPANY_FOLDER
from epic.rows import read_row
from epic.sample import SampleCompany, write
from shared.schemas.event_svc.event import Event
from shared.schemas.fleet_svc.fleet import Fleet, Inventory
from shared.schemas.fleet_svc.projection import Projection
from shared.schemas.fleet_svc.service import Service

MODELS: dict[str, Any] = {
    "Service": Service,
    "Fleet": Fleet,
    "Inventory": Inventory,
    "Event": Event,
    "Projection": Projection,
}


def written(company: SampleCompany) -> bytes:
    file = io.BytesIO()
    write(company.rows(), file)
    return file.getvalue()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.integers())
def test_every_row_is_a_valid_resource_and_there_are_as_many_as_asked_for(
    services: int, fleets: int, seed: int
) -> None:
    rows = [read_row(line) for line in written(SampleCompany(services, fleets, seed)).splitlines()]
    for row in rows:
        MODELS[row.kind].model_validate_json(row.body, by_alias=True, by_name=False)
    counts = Counter(row.kind for row in rows)
    assert counts == {
        "Service": services,
        "Fleet": services * fleets,
        "Inventory": services * fleets,
        "Event": 1,
        "Projection": services * fleets,
    }
    for kind in ("Service", "Fleet", "Projection"):
        assert len({row.id for row in rows if row.kind == kind}) == counts[kind]


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others() -> None:
    assert written(SampleCompany(5, 4, 7)) == written(SampleCompany(5, 4, 7))
    assert written(SampleCompany(5, 4, 7)) != written(SampleCompany(5, 4, 8))


def test_a_fleet_is_listed_by_its_service_and_stands_in_a_region_of_the_event() -> None:
    rows = [orjson.loads(line) for line in written(SampleCompany(6, 7)).splitlines()]
    listed = {
        fleet: row["ServiceId"]
        for row in rows
        if row["Resource"] == "Service"
        for region in row["Fleet"]
        for fleet in region["Fleets"]
    }
    (regions,) = [row["RegionList"] for row in rows if row["Resource"] == "Event"]
    for fleet in (row for row in rows if row["Resource"] == "Fleet"):
        assert listed[fleet["FleetId"]] == fleet["ServiceId"]
        assert fleet["FleetConfiguration"]["Region"] in regions
        for group in fleet["FleetConfiguration"]["ASGProperties"]:
            assert group["AvailabilityZone"].startswith(fleet["FleetConfiguration"]["Region"])


def test_the_event_and_its_projections_take_the_id_and_the_peak_given() -> None:
    rows = list(SampleCompany(1, 2, 1, "BF2026", date(2026, 11, 27)).rows())
    (event,) = [row for row in rows if row["Resource"] == "Event"]
    assert (event["EventId"], event["PeakStartDate"]) == ("BF2026", "2026-11-27")
    assert {row["EventId"] for row in rows if row["Resource"] == "Projection"} == {"BF2026"}
    assert not [row for row in SampleCompany(1, 2).rows(with_event=False) if row["Resource"] == "Event"]


@pytest.mark.slow
def test_twenty_thousand_fleets_take_seconds() -> None:
    began = time.process_time()
    assert written(SampleCompany(2_000, 10)).count(b"\n") == 62_001
    assert time.process_time() - began < 20


# -- the company of the play -------------------------------------------------------------------------------------------

COMPANY = [row.request for row in read_rows(sorted(COMPANY_FOLDER.glob("*.ndjson"))) if isinstance(row, Row)]


def bodies(kind: str) -> dict[str, dict[str, Any]]:
    return {request.id: orjson.loads(request.body) for request in COMPANY if request.kind == kind}


def test_the_company_of_the_play_has_12_services_and_40_fleets_in_three_regions() -> None:
    fleets = bodies("Fleet")
    assert (len(bodies("Service")), len(fleets)) == (12, 40)
    assert {fleet["FleetConfiguration"]["Region"] for fleet in fleets.values()} == {
        "us-east-1",
        "eu-west-1",
        "us-west-2",
    }
    assert set(bodies("Inventory")) == set(fleets)
    assert {key.partition("#")[0] for key in bodies("Projection")} == set(fleets)
    assert not [row for row in read_rows(sorted(COMPANY_FOLDER.glob("*.ndjson"))) if not isinstance(row, Row)]


def test_services_list_exactly_the_fleets_of_the_company() -> None:
    listed = {
        fleet: service["ServiceId"]
        for service in bodies("Service").values()
        for region in service["Fleet"]
        for fleet in region["Fleets"]
    }
    assert listed == {name: fleet["ServiceId"] for name, fleet in bodies("Fleet").items()}


def test_the_scenario_names_fleets_and_services_of_the_company() -> None:
    named = {*scenario.REJECTED, *scenario.UNDECIDED, *scenario.LEFT_OPEN, scenario.RISING_FLEET}
    assert named <= set(bodies("Fleet"))
    assert set(scenario.STATUSES) <= set(bodies("Service"))
    assert set(bodies("Event")) == {scenario.EVENT_ID}
