"""Custom formulas: what does not parse is refused at the write, with its place."""

from __future__ import annotations

import httpx
import pytest

from shared.formulas import parse
from shared.schemas.fleet_svc.custom_formula import FORMULA_INPUTS
from tests.support.fleet import ok
from tests.support.http import pointers

FORMULA = {"ServiceId": "FORTRESSService", "Expression": "ceil(PeakTPM * BufferFactor / HostThroughPutTPM)"}


async def test_a_formula_may_come_before_its_service_and_use_every_input(http: httpx.AsyncClient) -> None:
    """4.18, 4.541."""
    text = "PeakTPM + BAUTPM + HostThroughPutTPM + BufferFactor + CTFactor"
    made = await ok(http.post("/customformula", json={**FORMULA, "Expression": text}))
    assert parse(made["Expression"], FORMULA_INPUTS).inputs == FORMULA_INPUTS


@pytest.mark.parametrize(
    ("expression", "detail"),
    [
        ("PeakTPM ** 2", "line 1, column 10: expected a number, an input or '('; found '*'"),
        (
            "Hosts * 2",
            "line 1, column 1: there is no input 'Hosts'; "
            "use BAUTPM, BufferFactor, CTFactor, HostThroughPutTPM and PeakTPM",
        ),
        ("1" * 2001, "give at most 2000 characters"),
    ],
)
async def test_what_does_not_parse_is_refused_and_changes_nothing(
    http: httpx.AsyncClient, expression: str, detail: str
) -> None:
    """4.541b."""
    refused = await http.post("/customformula", json={**FORMULA, "Expression": expression})
    assert (refused.status_code, pointers(refused)) == (400, ["/Expression"])
    assert refused.json()["errors"][0]["detail"] == detail
    await ok(http.post("/customformula", json=FORMULA))
    again = await http.put("/customformula/FORTRESSService", json={"Expression": expression})
    assert (again.status_code, again.json()["errors"][0]["detail"]) == (400, detail)
    assert (await ok(http.get("/customformula/FORTRESSService")))["VersionId"] == 1
