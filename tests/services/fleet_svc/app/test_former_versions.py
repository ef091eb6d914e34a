"""Former versions of a fleet: its own line and its line for an event are restored, compared and read by the batch."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.fleet import BARE, ok
from tests.support.http import after_patch, pointers, version_of

pytestmark = pytest.mark.slow


def configuration(**members: Any) -> dict[str, Any]:
    return {"FleetConfiguration": members}


@pytest.fixture
async def fleet(http: httpx.AsyncClient) -> httpx.AsyncClient:
    """F1 with a buffer of 10 % in its first version and an ASG and 20 % in its second, and with a line for PD."""
    asg = {"AutoScalingGroupName": "A", "AvailabilityZone": "z", "DesiredCapacity": 5}
    first = configuration(Region="us-east-1", HostThroughPutTPM=250, BufferPercentage=10)
    await ok(http.post("/fleet", json={**BARE, **first}))
    await ok(http.put("/fleet/F1", json=configuration(BufferPercentage=20, ASGProperties=[asg])))
    await ok(http.put("/fleet/F1/PD", json=configuration(BufferPercentage=30)))
    return http


async def test_a_fleets_own_line_is_restored_member_by_member(fleet: httpx.AsyncClient) -> None:
    """3.20, 3.20c: what the first version lacks inside an object is cleared as well."""
    restored = await fleet.post(
        "/fleet/F1/versions/1/restore", json={"Reason": "a mistake"}, headers={"If-Match": '"2"'}
    )
    assert (restored.status_code, version_of(restored)) == (200, 3), restored.text
    body = restored.json()
    assert body["FleetConfiguration"] == {"Region": "us-east-1", "HostThroughPutTPM": 250, "BufferPercentage": 10}
    assert body["AuditMetadata"]["Message"] == "a mistake"
    assert (await ok(fleet.post("/fleet/F1/versions/3/restore", json={})))["VersionId"] == 3, "nothing changes"
    assert (await fleet.post("/fleet/F1/versions/9/restore", json={})).status_code == 404
    wrong = await fleet.post("/fleet/F1/versions/1/restore", json={"EventId": "PD"})
    assert (wrong.status_code, pointers(wrong)) == (400, ["/EventId"])
    assert (await ok(fleet.get("/fleet/F1/PD")))["FleetConfiguration"]["BufferPercentage"] == 30


async def test_an_events_line_is_restored_and_stays_where_its_base_is(fleet: httpx.AsyncClient) -> None:
    """3.48: the base has moved since."""
    await ok(fleet.put("/fleet/F1/PD", json=configuration(BufferPercentage=40)))
    await ok(fleet.put("/fleet/F1", json={"ServiceId": "S2", **configuration(Region="eu-west-1")}))
    restored = await ok(fleet.post("/fleet/F1/PD/versions/1/restore", json={}))
    assert (restored["ServiceId"], restored["FleetConfiguration"]["Region"]) == ("S2", "eu-west-1")
    assert (restored["FleetConfiguration"]["BufferPercentage"], restored["EventId"]) == (30, "PD")
    assert restored["BaseVersionId"] == 2


async def test_a_base_version_restored_for_an_event_makes_its_line(fleet: httpx.AsyncClient) -> None:
    """3.45, 3.46: without a line, the versions that are read for the event are the base's."""
    made = await ok(fleet.post("/fleet/F1/Other/versions/1/restore", json={}))
    assert (made["EventId"], made["VersionId"], made["FleetConfiguration"]["BufferPercentage"]) == ("Other", 1, 10)
    assert (await ok(fleet.get("/fleet/F1")))["VersionId"] == 2


async def test_a_deletion_cannot_be_restored(fleet: httpx.AsyncClient) -> None:
    await ok(fleet.delete("/fleet/F1"))
    assert (await fleet.post("/fleet/F1/versions/1/restore", json={})).status_code == 404
    await ok(fleet.post("/fleet", json=BARE))
    answer = await fleet.post("/fleet/F1/versions/3/restore", json={})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:epic:problem:deletion")


@pytest.mark.parametrize(
    ("path", "numbers"), [("/fleet/F1", (1, 2)), ("/fleet/F1/PD", (1, 1)), ("/fleet/F1/X", (2, 1))]
)
async def test_two_versions_of_a_line_are_compared(
    fleet: httpx.AsyncClient, path: str, numbers: tuple[int, int]
) -> None:
    """3.19."""
    a, b = [await ok(fleet.get(f"{path}/versions/{number}")) for number in numbers]
    found = await ok(fleet.get(f"{path}/versions/{numbers[0]}/diff/{numbers[1]}"))
    assert after_patch(a, found["Patch"]) == b


async def test_a_batch_reads_bases_and_lines_by_their_stored_keys(fleet: httpx.AsyncClient) -> None:
    """3.21a: no base stands in for a line that is not there."""
    await ok(fleet.put("/fleet/F1/inventory", json={"HostsPresent": 7}))
    found = await ok(fleet.post("/fleet/batch", json={"Keys": ["F1#PD", "F1#X", "F1", "F2"]}))
    assert found["Missing"] == ["F1#X", "F2"]
    assert found["Items"] == [await ok(fleet.get("/fleet/F1/PD")), await ok(fleet.get("/fleet/F1"))]


async def test_an_id_may_be_the_word_of_the_batch(http: httpx.AsyncClient) -> None:
    """2.11c does not reserve it: other methods of the path are those of the document."""
    body = {"ServiceId": "batch", "ServiceType": "Registered", "Owner": "ann"}
    await ok(http.post("/service", json=body))
    assert (await ok(http.get("/service/batch")))["Owner"] == "ann"
    assert (await ok(http.put("/service/batch", json={"Owner": "bob"})))["VersionId"] == 2
    assert (await ok(http.post("/service/batch", json={"Keys": ["batch"]})))["Items"][0]["Owner"] == "bob"
    assert (await http.patch("/service/batch")).headers["allow"] == "DELETE, GET, HEAD, OPTIONS, POST, PUT"
