"""A projection's verification: it is of the figures that were verified, and of no others."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.fleet import BARE, ok

pytestmark = pytest.mark.slow

PATH = "/projection/F1/PD"
VERIFIED = {
    "FleetId": "F1",
    "EventId": "PD",
    "TotalInputTPM": 50_000,
    "IsVerifiedByOwner": True,
    "UpstreamProjections": [{"UpstreamServiceId": "Orders", "UpstreamTPM": 20_000, "IsVerified": True}],
}


@pytest.fixture
async def verified(http: httpx.AsyncClient) -> httpx.AsyncClient:
    """With a projection that its owner and its upstream have verified."""
    await ok(http.post("/fleet", json=BARE))
    made = await ok(http.post("/projection", json=VERIFIED))
    assert made.items() >= VERIFIED.items()
    return http


@pytest.mark.parametrize(
    ("change", "is_verified"),
    [
        ({"TotalInputTPM": 60_000}, False),
        ({"CloudTuneProjection": 60_000}, False),
        ({"ManualOverride": 60_000, "ProjectionSource": "Manual"}, False),
        ({"TotalInputTPM": 60_000, "IsVerifiedByOwner": True}, True),
        ({"TotalInputTPM": 60_000, "IsVerifiedByOwner": None}, None),
        ({"TotalInputTPM": "50000"}, True),
        ({"ManualOverride": 50_000}, True),
        ({"ProjectionSource": "Manual"}, True),
    ],
)
async def test_another_peak_tpm_is_unverified_unless_the_request_states_it(
    verified: httpx.AsyncClient, change: dict[str, Any], is_verified: bool | None
) -> None:
    """4.442."""
    assert (await ok(verified.put(PATH, json=change))).get("IsVerifiedByOwner") is is_verified


async def test_a_tpm_that_another_one_goes_before_leaves_the_verification(verified: httpx.AsyncClient) -> None:
    """4.442, 7.3.5: PeakTPM stays the ManualOverride."""
    await ok(verified.put(PATH, json={"ManualOverride": 70_000, "IsVerifiedByOwner": True}))
    assert (await ok(verified.put(PATH, json={"TotalInputTPM": 60_000})))["IsVerifiedByOwner"] is True
    assert (await ok(verified.put(PATH, json={"ManualOverride": None})))["IsVerifiedByOwner"] is False


@pytest.mark.parametrize(
    ("entry", "is_verified"),
    [
        ({"UpstreamTPM": 30_000}, False),
        ({"UpstreamTPM": None}, False),
        ({"UpstreamTPM": 30_000, "IsVerified": True}, True),
        ({"UpstreamTPM": 20_000, "IsVerified": True}, True),
        ({"UpstreamTPM": 20_000}, None),
    ],
)
async def test_another_upstream_tpm_is_unverified_unless_the_request_states_it(
    verified: httpx.AsyncClient, entry: dict[str, Any], is_verified: bool | None
) -> None:
    """4.443. A list is replaced (3.29b), so an entry that does not state a verification has none."""
    new = {"UpstreamServiceId": "Carts", "UpstreamTPM": 1}
    body = {"UpstreamProjections": [new, {"UpstreamServiceId": "Orders", **entry}]}
    changed = await ok(verified.put(PATH, json=body))
    assert changed["UpstreamProjections"][0] == new
    assert changed["UpstreamProjections"][1].get("IsVerified") is is_verified
    assert changed["IsVerifiedByOwner"] is True
