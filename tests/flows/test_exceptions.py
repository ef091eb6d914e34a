"""An exception from its request to the hosts of the next run: approved it counts, revoked it does not."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import pytest

from tests.support import reference
from tests.support.scenario import Caller
from tests.support.stacks import Embedded
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FLEET_ID = "FORTRESSService-NA-X0"
PATH = f"/exception/{FLEET_ID}/PD2024"
ASKED = {
    "FleetId": FLEET_ID,
    "EventId": "PD2024",
    "ExceptionType": "BufferFactor",
    "RequestedValue": 1.3,
    "BusinessReason": "30% traffic variance due to external APIs",
    "BusinessDrivers": ["ThirdPartyDependency"],
}


@pytest.fixture
def caller(embedded: Embedded, http: httpx.AsyncClient) -> Caller:
    return Caller(embedded, http)


def roomy() -> dict[str, Any]:
    """The reference's fleet without the bound that would hide the buffer: 220 hosts needed, 150 present."""
    fleet = copy.deepcopy(reference.FLEET)
    del fleet["FleetConfiguration"]["MaxHostCount"]
    return fleet


async def next_run(caller: Caller, version: int) -> dict[str, Any]:
    """The execution of a run that begins when HOTW knows this version of the exception."""
    await eventually(
        lambda: caller.peek(f"/hotw/inputs/PD2024/{FLEET_ID}"),
        lambda seen: seen["Exception"] == {"VersionId": version},
        f"HOTW knows version {version} of the exception",
    )
    await caller.run("PD2024")
    return dict((await caller.call("GET", f"/hotw/executionDetail/PD2024/{FLEET_ID}"))["Items"][0])


async def test_an_approved_exception_changes_the_next_run_and_a_revoked_one_does_not(caller: Caller) -> None:
    """4.516, 7.3.8: 50,000 TPM need 220 hosts with the fleet's 10 %, 260 with 1.3."""
    await caller.post_reference(roomy())
    await caller.known_to_hotw("PD2024", FLEET_ID)
    asked = await caller.call("POST", "/exception", ASKED, X_Epic_User="owner@amazon.com")
    assert (asked["Status"], asked["CurrentValue"]) == ("Pending", 1.1)
    pending = await next_run(caller, 1)
    assert (pending["BufferFactor"], pending["RequiredHosts"], pending["OrderedHosts"]) == (1.1, 220, 70)

    await caller.call("PUT", f"{PATH}/review", {"Decision": "Approve"}, expect=409, X_Epic_User="Owner@amazon.com")
    await caller.call("PUT", f"{PATH}/review", {"Decision": "Approve"}, X_Epic_User="epic-team@amazon.com")
    approved = await next_run(caller, 2)
    assert (approved["BufferFactor"], approved["RequiredHosts"], approved["OrderedHosts"]) == (1.3, 260, 40)
    assert approved["InputVersions"]["Exception"] == 2

    await caller.call("PUT", f"{PATH}/review", {"Decision": "Revoke"}, X_Epic_User="epic-team@amazon.com")
    revoked = await next_run(caller, 3)
    assert (revoked["BufferFactor"], revoked["RequiredHosts"], revoked["OrderedHosts"]) == (1.1, 220, 0)
    assert "Exception" not in revoked["InputVersions"]
