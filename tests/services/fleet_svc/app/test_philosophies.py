"""Philosophies and approval rules: their bounds."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.fleet import ok
from tests.support.http import pointers

pytestmark = pytest.mark.slow

FIXED = {"ServiceId": "S1", "CapacityStrategy": "Fixed", "MinHosts": 40}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"MinHosts": 41, "MaxHosts": 40}, "/MinHosts"),
        ({"MinHosts": None}, "/MinHosts"),
        ({"CapacityStrategy": None}, "/CapacityStrategy"),
        ({"CapacityStrategy": "Best"}, "/CapacityStrategy"),
        ({"ZoneFailures": 2}, "/ZoneFailures"),
        ({"ZoneFailures": True}, "/ZoneFailures"),
        ({"HeadroomPercentage": -1}, "/HeadroomPercentage"),
    ],
)
async def test_a_philosophy_out_of_bounds_is_refused(
    http: httpx.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    """4.490a to 4.490d, 4.493: at its creation, and where a merge patch makes it so."""
    made = await http.post("/philosophy", json={**FIXED, **change})
    assert (made.status_code, pointers(made)) == (400, [pointer])
    await ok(http.post("/philosophy", json=FIXED))
    changed = await http.put("/philosophy/S1", json=change)
    assert (changed.status_code, pointers(changed)) == (400, [pointer])


async def test_a_philosophy_may_come_before_its_service_and_loses_its_bound_with_fixed(http: httpx.AsyncClient) -> None:
    """4.18, 4.493."""
    await ok(http.post("/philosophy", json={**FIXED, "MaxHosts": "40", "ZoneFailures": 1}))
    changed = await ok(http.put("/philosophy/S1", json={"CapacityStrategy": "CostBased", "MinHosts": None}))
    assert "MinHosts" not in changed


@pytest.mark.parametrize(("member", "value"), [("ServiceTiers", []), ("Regions", [""]), ("MaxPercentage", -1)])
async def test_a_criterion_that_no_order_can_meet_is_refused(http: httpx.AsyncClient, member: str, value: Any) -> None:
    """4.586a, 4.586b: an absent one does not bind, an empty list could never be met."""
    answer = await http.post("/approvalrule", json={"RuleId": "small", "Name": "Small", member: value})
    assert (answer.status_code, pointers(answer)[0].startswith(f"/{member}")) == (400, True)


async def test_an_approval_rule_is_enabled_unless_it_says_otherwise(http: httpx.AsyncClient) -> None:
    """4.586c."""
    made = await ok(http.post("/approvalrule", json={"RuleId": "small", "Name": "Small"}))
    assert made["Enabled"] is True
    assert (await ok(http.put("/approvalrule/small", json={"Enabled": False})))["Enabled"] is False
