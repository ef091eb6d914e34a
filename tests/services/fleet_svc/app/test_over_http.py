"""fleet_svc over HTTP: the reference's documents, the lists, and the OpenAPI document."""

from __future__ import annotations

import json
import re

import httpx

from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.app.on_events_changed import on_events_changed
from services.fleet_svc.app.refresh_bau import EventDays
from shared.schemas.event_svc.event import EventSnapshot
from tests.support.fleet import ok
from tests.support.reference import EVENT, FLEET, PROJECTION, SERVICE

F = "/fleet/FORTRESSService-NA-X0"


async def test_the_references_documents_are_taken_as_they_stand(http: httpx.AsyncClient) -> None:
    await ok(http.post("/service", json=SERVICE))
    line = await ok(http.post("/fleet", json=FLEET))
    assert (line["EventId"], line["VersionId"], line["BaseVersionId"]) == ("PD2024", 1, 1)
    await ok(http.post("/projection", json=PROJECTION))
    base = await ok(http.get(F))
    assert "EventId" not in base
    assert base["FleetConfiguration"] == FLEET["FleetConfiguration"]
    assert base["FleetProjection"] == FLEET["FleetProjection"]
    assert await ok(http.get(f"{F}/PD2024")) == line
    service = await ok(http.get("/service/FORTRESSService"))
    assert service == service | {k: v for k, v in SERVICE.items() if k not in ("VersionId", "LatestVersionId")}
    for path in (F, f"{F}/PD2024", "/service/FORTRESSService", "/projection/FORTRESSService-NA-X0/PD2024"):
        read = await http.get(path)
        again = await http.put(path, json=read.json(), headers={"If-Match": read.headers["etag"]})
        assert (again.status_code, again.json()) == (200, read.json()), path


async def test_every_fleet_is_listed_as_it_is_for_an_event(http: httpx.AsyncClient) -> None:
    for fleet_id, service, region in (("F1", "S1", "us-east-1"), ("F2", "S1", "eu-west-1"), ("F3", "S2", "us-east-1")):
        configuration = {"Region": region, "HostThroughPutTPM": 250}
        await ok(
            http.post("/fleet", json={"FleetId": fleet_id, "ServiceId": service, "FleetConfiguration": configuration})
        )
    await ok(http.put("/fleet/F2/PD", json={"FleetConfiguration": {"MaxHostCount": 9}}))
    listed = (await ok(http.get("/fleet/event/PD")))["Items"]
    assert [(item["FleetId"], item.get("EventId")) for item in listed] == [("F1", None), ("F2", "PD"), ("F3", None)]
    for query, found in (
        ("", ["F1", "F2", "F3"]),
        ("?ServiceId=S1", ["F1", "F2"]),
        ("?ServiceId=S1&Region=eu-west-1", ["F2"]),
        ("?Region=nowhere", []),
    ):
        assert [item["FleetId"] for item in (await ok(http.get(f"/fleet{query}")))["Items"]] == found
    page = await ok(http.get("/fleet/event/PD?Limit=2"))
    rest = await ok(http.get(f"/fleet/event/PD?Limit=2&Cursor={page['NextCursor']}"))
    assert [item["FleetId"] for item in rest["Items"]] == ["F3"]


async def test_the_fleets_of_an_event_that_was_never_known_are_404(http: httpx.AsyncClient, fleets: Fleets) -> None:
    """4.20, 4.21."""
    await ok(http.post("/fleet", json=FLEET | {"EventId": None}))
    missing = await http.get("/fleet/event/NOPE")
    assert (missing.status_code, missing.json()["detail"]) == (404, "there is no Event NOPE")
    created = EventSnapshot.model_validate({**EVENT, "VersionId": 1, "AuditMetadata": {}})
    await on_events_changed([created], fleets=fleets, event_days=EventDays(fleets))
    assert len((await ok(http.get("/fleet/event/PD2024")))["Items"]) == 1
    deleted = created.model_copy(update={"version_id": 2, "deleted": True})
    await on_events_changed([deleted, created], fleets=fleets, event_days=EventDays(fleets))
    assert len((await ok(http.get("/fleet/event/PD2024")))["Items"]) == 1, "it was known"
    await ok(http.put(f"{F}/NOPE", json={"FleetConfiguration": {"MaxHostCount": 9}}))
    assert [item["EventId"] for item in (await ok(http.get("/fleet/event/NOPE")))["Items"]] == ["NOPE"]


async def test_a_projection_needs_its_fleet(http: httpx.AsyncClient) -> None:
    answer = await http.post("/projection", json=PROJECTION)
    assert answer.status_code == 404
    await ok(http.post("/fleet", json=FLEET))
    made = await ok(http.post("/projection", json=PROJECTION))
    assert made["ProjectionId"] == "FORTRESSService-NA-X0#PD2024#Peak"
    await ok(http.put("/projection/FORTRESSService-NA-X0/PD2024", json={"ManualOverride": None}))
    versions = await ok(http.get("/projection/FORTRESSService-NA-X0/PD2024/versions"))
    assert versions == await ok(http.get("/projection/FORTRESSService-NA-X0/PD2024/history"))
    assert [item["VersionId"] for item in versions["Items"]] == [2, 1]
    listed = await ok(http.get("/projection?EventId=PD2024"))
    assert [item["ProjectionId"] for item in listed["Items"]] == ["FORTRESSService-NA-X0#PD2024#Peak"]
    await ok(http.delete("/projection/FORTRESSService-NA-X0/PD2024"))
    assert (await http.get("/projection/FORTRESSService-NA-X0/PD2024")).status_code == 404


async def test_services_are_listed_by_type(http: httpx.AsyncClient) -> None:
    for service_id, kind in (("S1", "Registered"), ("S2", "Onboarding")):
        await ok(http.post("/service", json={"ServiceId": service_id, "ServiceType": kind, "Owner": "o@example.com"}))
    found = await ok(http.get("/service?ServiceType=Registered"))
    assert [item["ServiceId"] for item in found["Items"]] == ["S1"]


async def test_every_contract_the_openapi_document_refers_to_is_in_it(http: httpx.AsyncClient) -> None:
    document = await ok(http.get("/openapi.json"))
    referred = set(re.findall(r'"\$ref":\s*"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert {"CreateFleet", "UpdateFleet", "FleetRead", "ProjectionSnapshot", "Problem"} <= referred
    assert referred <= set(document["components"]["schemas"])
    assert set(document["paths"]["/fleet/{FleetId}/{EventId}"]) == {"get", "put"}
    put = document["paths"]["/fleet/{FleetId}/{EventId}"]["put"]
    assert [p["name"] for p in put["parameters"]] == ["FleetId", "EventId", *_WRITE, *_CONDITIONS]
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


async def test_a_report_of_hosts_takes_no_if_match_and_does_not_promise_to(http: httpx.AsyncClient) -> None:
    await http.post("/service", json={"ServiceId": "S", "Owner": "a@example.com"})
    refused = await http.put("/fleet/F/inventory", json={"HostsPresent": 7}, headers={"If-Match": '"99"'})
    assert refused.status_code == 400
    assert refused.json()["detail"] == "this write has no version; leave If-Match out"
    assert refused.json()["errors"] == [{"pointer": "/If-Match", "detail": "leave it out: this write has no version"}]
    paths = (await http.get("/openapi.json")).json()["paths"]

    def headers_of(path: str) -> set[str]:
        return {parameter["name"] for parameter in paths[path]["put"]["parameters"] if parameter["in"] == "header"}

    assert headers_of("/fleet/{FleetId}/inventory") == set(_WRITE)
    assert headers_of("/fleet/{FleetId}") == {*_WRITE, *_CONDITIONS}


_WRITE = ("X-Epic-User", "Idempotency-Key")
_CONDITIONS = ("If-Match", "If-None-Match")
