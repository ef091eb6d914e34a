"""Custom inputs and custom formulas as inputs of a run: which count, since when, and which versions the run shows."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from services.hotw_svc.app.runs.work_run import work_chunk
from tests.support.hotw_store import (
    AUDIT,
    EVENT,
    FLEET,
    SERVICE,
    Replica,
    custom_input,
    custom_input_body,
    event_body,
    formula_body,
    inventory_body,
    many,
    philosophy_body,
    projection_body,
    snapshot,
)

pytestmark = pytest.mark.slow

ROOMY = {"configuration": {"MaxHostCount": 1_000}}


def given(
    name: str, version: int = 1, *, at: str = AUDIT["Timestamp"], fleet_id: str | None = FLEET, **values: Any
) -> Any:
    audit = {"User": "jsmith", "Timestamp": at}
    return custom_input(custom_input_body(name, version, fleet_id=fleet_id, Input=values, AuditMetadata=audit))


async def test_a_custom_input_replaces_the_tpm_and_the_reasoning_names_it_7_3_11(hotw: Replica) -> None:
    await hotw.settle_in(**ROOMY)
    await hotw.keep("custom_input", custom_input(custom_input_body()))
    done = await hotw.execute()
    assert (done["PeakTPM"], done["Needed"]) == (55_000, 242)
    assert done["InputVersions"]["CustomInputs"] == {"PD2024-X0-peak": {"VersionId": 1, "Gives": ["PeakTPM"]}}
    assert "Custom input PD2024-X0-peak (version 1) gives PeakTPM 55,000." in done["Reasoning"]
    await hotw.keep("custom_input", custom_input(custom_input_body(version=2), deleted=True))
    assert (await hotw.execute())["PeakTPM"] == 50_000


async def test_a_fleets_own_input_wins_then_the_last_written_4_552(hotw: Replica) -> None:
    await hotw.settle_in(**ROOMY)
    late = "2024-06-09T00:00:00Z"
    inputs = [
        given("all", fleet_id=None, at=late, BufferFactor=3, CTFactor=2),
        given("own-old", at="2024-06-02T00:00:00Z", BufferFactor=1.2, PeakTPM=40_000),
        given("own-new", at="2024-06-03T00:00:00Z", BufferFactor=1.3),
        given("of-another", fleet_id="Other-X0", at=late, BufferFactor=4),
        custom_input(custom_input_body("of-another-event", EventId="BF2024", Input={"BufferFactor": 5})),
    ]
    for order in permutations(inputs, 3):
        await hotw.keep("custom_input", *order)
    done = await hotw.execute()
    assert (done["BufferFactor"], done["CTPeakFactor"], done["PeakTPM"]) == (1.3, 2, 40_000)
    assert done["InputVersions"]["CustomInputs"] == {
        "all": {"VersionId": 1, "Gives": ["CTFactor"]},
        "own-old": {"VersionId": 1, "Gives": ["PeakTPM"]},
        "own-new": {"VersionId": 1, "Gives": ["BufferFactor"]},
    }
    known = [one["CustomInputId"] for one in (await hotw.inputs())["CustomInputs"]]
    assert known == ["all", "own-new", "own-old"]


async def test_bautpm_and_ctfactor_of_custom_inputs_are_the_last_resort_and_its_columns(hotw: Replica) -> None:
    """7.3.5."""
    await hotw.settle_in()
    await hotw.keep("projection", snapshot(f"{FLEET}#{EVENT}#Peak", projection_body(version=4), deleted=True))
    await hotw.keep("custom_input", given("traffic", 3, BAUTPM=10_000), given("factor", fleet_id=None, CTFactor=2.5))
    done = await hotw.execute()
    columns = ("BAUTPM", "CTPeakFactor", "PeakTPM", "Needed")
    assert [done[name] for name in columns] == [10_000, 2.5, 25_000, 110]
    assert "25,000 TPM (BAUTPM 10,000 × CTFactor 2.5)" in done["Reasoning"]
    assert "Custom inputs: traffic (version 3) gives BAUTPM 10,000; factor (version 1) gives" in done["Reasoning"]


async def test_hosts_present_of_a_custom_input_are_reported_as_of_its_timestamp_4_553(hotw: Replica) -> None:
    """An order delivered since arrives, and one delivered before was counted; a newer inventory does not matter."""
    await hotw.settle_in(**ROOMY)
    ordered = (await hotw.execute())["FulfillmentDetails"]
    for order in ordered:
        await hotw.review(order["FulfillmentId"], "Approve")
        await hotw.deliver(order["FulfillmentId"], order["FulfillmentValue"])
    hotw.clock.set("2024-07-15T12:00:00Z")  # the overrides run, so the delivered 70 are in
    await hotw.sweep()
    await hotw.keep("inventory", snapshot(FLEET, inventory_body(hosts=7, as_of="2024-07-15T11:00:00.000Z")))
    await hotw.keep("custom_input", given("counted", at="2024-07-14T00:00:00Z", HostsPresentInApollo=100))
    before = await hotw.execute()
    assert before["HostsPresentInApollo"] == 100 + 70
    await hotw.keep("custom_input", given("counted", 2, at="2024-07-15T01:00:00Z", HostsPresentInApollo=100))
    after = await hotw.execute()
    assert after["HostsPresentInApollo"] == 100
    assert after["InputVersions"]["HostsPresent"]["Source"] == "custom input"
    assert "100 present (by a custom input of 2024-07-15T01:00:00.000Z)" in after["Reasoning"]


async def test_an_input_that_expires_during_a_run_counts_for_all_of_its_fleets(hotw: Replica) -> None:
    """4.550e: the run's own instant decides, as for exceptions."""
    fleets = await many(hotw, 4)
    hotw.clock.set("2024-06-20T23:59:00Z")
    expiring: dict[str, Any] = {"ExpiresOn": "2024-06-20", "Input": {"BufferFactor": 1.5}}
    await hotw.keep("custom_input", custom_input(custom_input_body("all", fleet_id=None, **expiring)))
    run = await hotw.start()
    await work_chunk(hotw.store, hotw.clock, run["RunId"], limit=2)
    hotw.clock.set("2024-06-21T00:01:00Z")
    await hotw.work(run["RunId"])
    assert [(await hotw.executions(one))[0]["BufferFactor"] for one in fleets] == [1.5] * 4
    await hotw.run()
    assert [(await hotw.executions(one))[0]["BufferFactor"] for one in fleets] == [1.1] * 4


async def test_a_custom_formula_replaces_needed_without_headroom_and_is_clamped_4_542(hotw: Replica) -> None:
    await hotw.settle_in()
    await hotw.keep("custom_formula", snapshot(SERVICE, formula_body(version=4)))
    await hotw.keep(
        "philosophy",
        snapshot(SERVICE, philosophy_body(CapacityStrategy="PerformanceBased", HeadroomPercentage=20, MaxHosts=190)),
    )
    done = await hotw.execute()
    assert (done["Needed"], done["RequiredHosts"]) == (222, 190)
    assert done["InputVersions"]["CustomFormula"] == 4
    assert (
        "Custom formula (version 4) over PeakTPM 50,000, HostThroughPutTPM 250, BufferFactor 1.1 = 222 hosts"
        in (done["Reasoning"])
    )
    assert "Counted: Philosophy version 1." in done["Reasoning"]
    fixed = philosophy_body(version=2, CapacityStrategy="Fixed", MinHosts=60)
    await hotw.keep("philosophy", snapshot(SERVICE, fixed))
    assert (await hotw.execute())["Needed"] == 60
    await hotw.keep("philosophy", snapshot(SERVICE, {**fixed, "VersionId": 3}, deleted=True))
    await hotw.keep("custom_formula", snapshot(SERVICE, formula_body(version=5), deleted=True))
    assert (await hotw.execute())["Needed"] == 220


async def test_a_formula_without_a_value_fails_its_fleets_alone_4_543(hotw: Replica) -> None:
    fleets = await many(hotw, 6)
    await hotw.keep("custom_formula", snapshot("Service-1", formula_body("1 / (PeakTPM - PeakTPM)", "Service-1")))
    await hotw.run()
    found = [(await hotw.executions(one))[0] for one in fleets]
    assert [one["Status"] for one in found] == ["Success"] * 5 + ["Fail"]
    assert (
        found[5]["Reasoning"] == "The custom formula (version 1) has no value: line 1, column 3: the divisor is zero."
    )


async def test_the_known_inputs_show_formula_and_custom_inputs_of_both_kinds(hotw: Replica) -> None:
    """4.221."""
    await hotw.settle_in()
    before = await hotw.inputs()
    assert (before["CustomFormula"], before["CustomInputs"]) == (None, [])
    await hotw.keep("custom_formula", snapshot(SERVICE, formula_body(version=3)))
    await hotw.keep("custom_input", given("own", 2, PeakTPM=1), given("all", fleet_id=None, CTFactor=2))
    after = await hotw.inputs()
    assert after["CustomFormula"] == {"VersionId": 3}
    assert after["CustomInputs"] == [
        {"CustomInputId": "all", "VersionId": 1},
        {"CustomInputId": "own", "VersionId": 2},
    ]


async def test_an_input_that_moves_to_another_fleet_counts_for_that_one_alone(hotw: Replica) -> None:
    """2.8a."""
    first, second = await many(hotw, 2)
    moved = [given("one", 1, fleet_id=first, PeakTPM=1), given("one", 2, fleet_id=second, PeakTPM=1)]
    for order in permutations(moved):
        await hotw.keep("custom_input", *order)
    await hotw.keep("event", snapshot(EVENT, event_body(version=3)))
    await hotw.run()
    assert [(await hotw.executions(one))[0]["PeakTPM"] for one in (first, second)] == [42_500, 1]
