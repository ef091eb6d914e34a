"""The proposal of a projection, BAUTPM × CTFactor, and its acceptance (4.186, 4.187)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from services.fleet_svc.domain.proposals import proposed
from shared.errors import Conflict
from tests.support.fleet import BARE, ok
from tests.support.http import version_of

pytestmark = pytest.mark.slow

PATH = "/projection/F1/PD2024/proposal"
ACCEPT = f"{PATH}/accept"
PROJECTION = "/projection/F1/PD2024"


async def known(http: httpx.AsyncClient, bau_tpm: int = 33334, **configuration: Any) -> None:
    """A fleet with this BAUTPM."""
    own = {**BARE["FleetConfiguration"], "CTFactor": 1.5, **configuration}
    await ok(http.post("/fleet", json={**BARE, "FleetConfiguration": own}))
    series = {f"{place // 60:02d}:{place % 60:02d}": bau_tpm for place in range(1440)}
    await ok(http.post("/traffic", json={"FleetId": "F1", "Date": "2024-06-14", "Series": series, "Source": "Axon"}))


async def projected(http: httpx.AsyncClient, **tpm: Any) -> dict[str, Any]:
    return await ok(http.post("/projection", json={"FleetId": "F1", "EventId": "PD2024", **tpm}))


async def test_the_proposal_is_bautpm_times_ctfactor_with_its_working(http: httpx.AsyncClient) -> None:
    await known(http)
    assert await ok(http.get(PATH)) == {
        "TPM": 50001,
        "BAUTPM": 33334,
        "CTFactor": 1.5,
        "Working": "BAUTPM 33,334 × CTFactor 1.5 of the fleet = 50,001",
    }


async def test_the_ctfactor_is_that_of_the_events_line_where_there_is_one(http: httpx.AsyncClient) -> None:
    await known(http)
    await ok(http.put("/fleet/F1/PD2024", json={"FleetConfiguration": {"CTFactor": 2}}))
    proposal = await ok(http.get(PATH))
    assert (proposal["TPM"], proposal["Working"]) == (
        66668,
        "BAUTPM 33,334 × CTFactor 2 of its line for PD2024 = 66,668",
    )
    assert (await ok(http.get("/projection/F1/GD2024/proposal")))["TPM"] == 50001


@pytest.mark.parametrize(
    ("bau_tpm", "factor", "tpm", "end"),
    [
        (1, "1.5", 2, "= 1.5, rounded to 2"),
        (1, "2.5", 3, "= 2.5, rounded to 3"),
        (3, "0.499999", 1, "= 1.499997, rounded to 1"),
        (0, "9", 0, "= 0"),
        (2_147_483_647, "1.000000", 2_147_483_647, "= 2,147,483,647"),
    ],
)
def test_it_is_rounded_half_up_and_says_so(bau_tpm: int, factor: str, tpm: int, end: str) -> None:
    """7.4.3."""
    proposal = proposed("F1", bau_tpm=bau_tpm, ct_factor=Decimal(factor), line="the fleet")
    assert proposal.tpm == tpm
    assert proposal.working.endswith(end)


def test_a_proposal_that_is_no_count_is_refused() -> None:
    with pytest.raises(Conflict, match="correct the CTFactor"):
        proposed("F1", bau_tpm=2_147_483_647, ct_factor=Decimal(2), line="the fleet")


async def test_without_bautpm_or_ctfactor_or_fleet_there_is_none(http: httpx.AsyncClient) -> None:
    assert "no Fleet F1" in (await http.get(PATH)).json()["detail"]
    await ok(http.post("/fleet", json=BARE))
    assert "1,440 minutes" in (await http.get(PATH)).json()["detail"]
    for method, path, body in (("GET", PATH, None), ("POST", ACCEPT, {"TPM": 1})):
        assert (await http.request(method, path, json=body)).status_code == 404
    await ok(http.delete("/fleet/F1"))
    await known(http, CTFactor=None)
    assert "no CTFactor" in (await http.get(PATH)).json()["detail"]


async def test_accepting_makes_the_projection_unverified_with_the_working_as_reason(http: httpx.AsyncClient) -> None:
    await known(http)
    answer = await http.post(ACCEPT, json={"TPM": 50001}, headers={"If-None-Match": "*"})
    made = answer.json()
    assert (answer.status_code, version_of(answer)) == (200, 1), answer.text
    assert (made["TotalInputTPM"], made["IsVerifiedByOwner"]) == (50001, False)
    assert made["AuditMetadata"]["Message"] == "BAUTPM 33,334 × CTFactor 1.5 of the fleet = 50,001"
    assert made == await ok(http.get(PROJECTION))
    assert (await http.get(PROJECTION)).headers["etag"] == answer.headers["etag"]


async def test_accepting_takes_back_the_verification_of_another_figure_only(http: httpx.AsyncClient) -> None:
    await known(http)
    await projected(http, TotalInputTPM=40000, IsVerifiedByOwner=True, ProjectionSource="Manual")
    accepted = await ok(http.post(ACCEPT, json={"TPM": 50001, "AuditMetadata": {"Message": "agreed"}}))
    assert (accepted["VersionId"], accepted["IsVerifiedByOwner"]) == (2, False)
    assert accepted["AuditMetadata"]["Message"] == "agreed"
    await ok(http.put(PROJECTION, json={"IsVerifiedByOwner": True}))
    again = await ok(http.post(ACCEPT, json={"TPM": 50001}))
    assert (again["VersionId"], again["IsVerifiedByOwner"]) == (3, True)


async def test_another_proposal_by_now_and_a_figure_that_wins_are_409(http: httpx.AsyncClient) -> None:
    await known(http)
    changed = await http.post(ACCEPT, json={"TPM": 50000})
    assert (changed.status_code, changed.json()["type"]) == (409, "urn:epic:problem:proposal-changed")
    assert "50,001 TPM now" in changed.json()["detail"]
    await projected(http, CloudTuneProjection=48000, ManualOverride=50000)
    wins = await http.post(ACCEPT, json={"TPM": 50001})
    assert (wins.status_code, wins.json()["type"]) == (409, "urn:epic:problem:overridden")
    assert [error["pointer"] for error in wins.json()["errors"]] == ["/CloudTuneProjection", "/ManualOverride"]
    await ok(http.put(PROJECTION, json={"CloudTuneProjection": None, "ManualOverride": None, "TotalInputTPM": 1}))
    assert (await http.post(ACCEPT, json={"TPM": 50001}, headers={"If-Match": '"1"'})).status_code == 412
    assert (await http.post(ACCEPT, json={"TPM": 50001}, headers={"If-Match": '"2"'})).status_code == 200


async def test_a_repeated_acceptance_is_answered_as_the_first_time(http: httpx.AsyncClient) -> None:
    await known(http)
    key = {"Idempotency-Key": "k"}
    first = await http.post(ACCEPT, json={"TPM": 50001}, headers=key)
    await ok(http.put("/fleet/F1", json={"FleetConfiguration": {"CTFactor": 3}}))
    again = await http.post(ACCEPT, json={"TPM": 50001}, headers=key)
    assert (again.status_code, again.content) == (200, first.content)
    assert (await http.post(ACCEPT, json={"TPM": 50001})).status_code == 409
