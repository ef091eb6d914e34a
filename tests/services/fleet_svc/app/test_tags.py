"""The ETags of fleets: what of a body is outside its version (3.23), and a base in an event line's place (3.46a-c)."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.support.fleet import BARE, ok
from tests.support.http import version_of

INVENTORY = {"HostsPresent": 150, "AsOf": "2024-06-15T08:00:00Z"}
CHANGE = {"FleetConfiguration": {"MaxHostCount": 9}}


async def tag(http: httpx.AsyncClient, path: str) -> str:
    etag: str = (await http.get(path)).headers["etag"]
    return etag


async def report(http: httpx.AsyncClient, hosts: int, hour: int) -> httpx.Response:
    body = {"HostsPresent": hosts, "AsOf": f"2024-06-15T0{hour}:00:00Z"}
    return await http.put("/fleet/F1/inventory", json=body)


async def test_an_inventory_is_in_the_tag_of_every_line_and_old_versions_have_none(http: httpx.AsyncClient) -> None:
    await ok(http.post("/fleet", json={**BARE, "EventId": "PD"}))
    paths = ("/fleet/F1", "/fleet/F1/PD", "/fleet/F1/other")
    assert [await tag(http, path) for path in paths] == ['"1"', '"1"', '"base-1"'], "3.22, 3.46a"
    reported = await report(http, 150, 8)
    first = [await tag(http, path) for path in paths]
    assert first[0] == reported.headers["etag"]
    assert re.fullmatch(r'"1\.[0-9a-f]{16}"', first[0])
    assert first[1:] == [first[0], first[0].replace('"1', '"base-1')]
    await report(http, 160, 9)
    assert [await tag(http, path) for path in paths] != first
    await report(http, 150, 7)  # older: ignored
    for path, plain in (("/fleet/F1", '"1"'), ("/fleet/F1/PD", '"1"'), ("/fleet/F1/other", '"base-1"')):
        assert await tag(http, f"{path}/versions/1") == plain
        assert await tag(http, f"{path}/versions/0") == await tag(http, path)


async def test_a_read_is_304_until_the_inventory_changes(http: httpx.AsyncClient) -> None:
    await ok(http.post("/fleet", json=BARE))
    await report(http, 150, 8)
    for path in ("/fleet/F1", "/fleet/F1/other"):
        known = {"If-None-Match": await tag(http, path)}
        unchanged = await http.get(path, headers=known)
        assert (unchanged.status_code, unchanged.content) == (304, b""), "3.24a"
        assert unchanged.headers["etag"] == known["If-None-Match"]
        assert (await http.head(path, headers=known)).status_code == 304
        assert (await http.get(path, headers={"If-None-Match": '"1", "base-1"'})).status_code == 200, "3.24: the whole"
    await report(http, 160, 9)
    assert (await http.get("/fleet/F1/other", headers=known)).status_code == 200


async def test_if_match_judges_the_version_whatever_the_inventory(http: httpx.AsyncClient) -> None:
    await ok(http.post("/fleet", json=BARE))
    await report(http, 150, 8)
    read = await tag(http, "/fleet/F1")
    await report(http, 160, 9)
    changed = await http.put("/fleet/F1", json=CHANGE, headers={"If-Match": read})
    assert (changed.status_code, version_of(changed)) == (200, 2), "3.25, 3.54"
    for stale in (read, '"1"', f"W/{changed.headers['etag']}", '"base-2"'):
        refused = await http.put("/fleet/F1", json=BARE, headers={"If-Match": stale})
        assert refused.status_code == 412, stale
        assert f"the ETag {changed.headers['etag']} now" in refused.json()["detail"], "3.23: the whole tag"
        assert (await http.delete("/fleet/F1", headers={"If-Match": stale})).status_code == 412, stale
    assert (await http.delete("/fleet/F1", headers={"If-Match": f'"7", {changed.headers["etag"]}'})).status_code == 200


@pytest.mark.parametrize("with_inventory", [False, True])
async def test_the_tag_of_a_stand_in_holds_only_while_it_stands_in(
    http: httpx.AsyncClient, with_inventory: bool
) -> None:
    await ok(http.post("/fleet", json=BARE))
    if with_inventory:
        await report(http, 150, 8)
    stand_in = await tag(http, "/fleet/F1/PD")
    for other in ('"1"', '"base-2"', f"W/{stand_in}"):
        refused = await http.put("/fleet/F1/PD", json=CHANGE, headers={"If-Match": other})
        assert (refused.status_code, f"the ETag {stand_in} now" in refused.json()["detail"]) == (412, True), other
    for known in (stand_in, "*"):  # the base is what a read gives, so there is something
        refused = await http.put("/fleet/F1/PD", json=CHANGE, headers={"If-None-Match": known})
        assert refused.status_code == 412, "3.24b, 3.24c"
    made = await http.put("/fleet/F1/PD", json=CHANGE, headers={"If-Match": stand_in})
    assert (made.status_code, version_of(made)) == (200, 1), "3.46b"
    assert (await http.put("/fleet/F1/PD", json=BARE, headers={"If-Match": stand_in})).status_code == 412
    assert (await http.put("/fleet/F1/PD", json=CHANGE, headers={"If-Match": '"1"'})).status_code == 200, "3.46c"


async def test_create_only_is_412_where_the_fleet_is_and_409_without_the_condition(http: httpx.AsyncClient) -> None:
    only = {"If-None-Match": "*"}
    assert (await http.post("/fleet", json=BARE, headers=only)).status_code == 200
    again = await http.post("/fleet", json=BARE, headers=only)
    assert (again.status_code, again.json()["type"]) == (412, "urn:epic:problem:stale"), "3.24c"
    assert (await http.post("/fleet", json=BARE)).status_code == 409
    assert (await http.post("/fleet", json={**BARE, "FleetId": "F2"}, headers={"If-Match": "*"})).status_code == 412


async def test_an_inventory_has_no_version_and_takes_no_condition(http: httpx.AsyncClient) -> None:
    await ok(http.post("/fleet", json=BARE))
    for header in ("If-Match", "If-None-Match"):
        refused = await http.put("/fleet/F1/inventory", json=INVENTORY, headers={header: "*"})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, f"/{header}")
    for method in ("GET", "HEAD", "DELETE"):
        answer = await http.request(method, "/fleet/F1/inventory")
        assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, PUT")
