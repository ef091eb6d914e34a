"""Preferred ASGs and index ids: stored once per fleet and event, read back, and used by the next run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.entrypoints.http import routes
from tests.support.hotw_store import EVENT, FLEET, SERVICE, Replica, counted, event_body, snapshot
from tests.support.http import app_of, calling, pointers

pytestmark = pytest.mark.slow

PATH = f"/hotw/asgsPreference/{EVENT}/{FLEET}"
ASGS = [f"FORTRESSService/NA/X0/Prod/1{letter}" for letter in "abc"]


@pytest.fixture
async def http(hotw: Replica) -> AsyncIterator[httpx.AsyncClient]:
    app = app_of(routes(hotw.commands, hotw.queries, hotw.clock), keep_refusal=hotw.database.keep_refusal)
    async with calling(app) as client:
        yield client


async def prefer(http: httpx.AsyncClient, *names: str, path: str = PATH, user: str = "jsmith") -> httpx.Response:
    return await http.put(path, json={"ASGs": list(names)}, headers={"X-Epic-User": user})


async def test_a_run_places_hosts_in_the_preferred_asgs_and_names_them(hotw: Replica, http: httpx.AsyncClient) -> None:
    """7.0.6, 7.5.11, 7.5.13, 7.3.1."""
    await hotw.settle_in()
    await prefer(http, ASGS[1], "Gone/1x")
    done = await hotw.execute()
    assert [(o["AutoScalingGroupName"], o["FulfillmentValue"]) for o in done["FulfillmentDetails"]] == [(ASGS[1], 50)]
    assert "Preferred, but no ASG of the fleet, and so ignored: Gone/1x." in done["Reasoning"]
    assert done["InputVersions"]["PreferredASGs"] == {
        "ASGs": [ASGS[1], "Gone/1x"],
        "UpdatedAt": "2024-06-15T09:00:00.000Z",
    }


async def test_a_preference_is_of_one_event(hotw: Replica, http: httpx.AsyncClient) -> None:
    await hotw.settle_in()
    await hotw.keep("event", snapshot("BF2024", event_body(EventId="BF2024")))
    await prefer(http, ASGS[1], path=f"/hotw/asgsPreference/BF2024/{FLEET}")
    assert (await http.get(PATH)).json()["ASGs"] == []
    assert [o["FulfillmentValue"] for o in (await hotw.execute())["FulfillmentDetails"]] == [20, 20, 10]


async def test_a_preference_is_read_back_replaced_and_removed(hotw: Replica, http: httpx.AsyncClient) -> None:
    """4.214, 4.215; a document may be posted back as it was read (2.18)."""
    await hotw.settle_in()
    ids = {"EventId": EVENT, "FleetId": FLEET}
    nothing = {**ids, "ASGs": [], "UpdatedBy": None, "UpdatedAt": None}
    assert (await http.get(PATH)).json() == nothing
    stored = (await prefer(http, ASGS[0], ASGS[1], ASGS[0])).json()
    assert stored == {**ids, "ASGs": ASGS[:2], "UpdatedBy": "jsmith", "UpdatedAt": "2024-06-15T09:00:00.000Z"}
    hotw.clock.set("2024-06-16T09:00:00Z")
    again = await http.put(PATH, json=stored, headers={"X-Epic-User": "another"})
    assert (again.json(), (await http.get(PATH)).json()) == (stored, stored)
    replaced = (await prefer(http, ASGS[2], user="another")).json()
    assert replaced == {**ids, "ASGs": ASGS[2:], "UpdatedBy": "another", "UpdatedAt": "2024-06-16T09:00:00.000Z"}
    assert (await prefer(http)).json() == nothing
    assert await counted(hotw, t.preferred_asg) == 0


async def test_two_who_prefer_at_once_leave_one_row(hotw: Replica, http: httpx.AsyncClient) -> None:
    await hotw.settle_in()
    answers = await asyncio.gather(*(prefer(http, name) for name in ASGS))
    assert [answer.status_code for answer in answers] == [200] * 3
    assert await counted(hotw, t.preferred_asg) == 1


async def test_an_unknown_event_or_fleet_has_no_preference(hotw: Replica, http: httpx.AsyncClient) -> None:
    await hotw.settle_in()
    for path, missing in ((f"/hotw/asgsPreference/No/{FLEET}", "No"), (f"/hotw/asgsPreference/{EVENT}/None", "None")):
        for answer in (await prefer(http, ASGS[0], path=path), await http.get(path)):
            assert (answer.status_code, missing in answer.json()["detail"]) == (404, True), answer.text
    bad = await http.put(PATH, json={"ASGs": [" "]})
    assert (bad.status_code, pointers(bad)) == (400, ["/ASGs/0"])


async def test_index_ids_are_read_by_the_string_ids(hotw: Replica, http: httpx.AsyncClient) -> None:
    """4.226, 7.17.19, 7.17.20."""
    await hotw.settle_in()
    executed = await hotw.execute()

    async def index(kind: str, value: str) -> Any:
        return (await http.get(f"/hotw/index/{kind}/{value}")).json()

    fleet = await index("fleet", FLEET)
    assert fleet == {"FleetId": FLEET, "FleetIndexId": int(executed["FulfillmentDetails"][0]["FulfillmentId"][-3])}
    assert (await index("service", SERVICE))["ServiceIndexId"] == 1
    assert await index("event", EVENT) == {"EventId": EVENT, "EventIndexId": 1}
    assert await index("fleet", FLEET) == fleet
    assert (await index("service", FLEET))["status"] == 404
