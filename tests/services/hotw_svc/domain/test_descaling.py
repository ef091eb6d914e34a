"""Descaling: how many hosts a fleet gives up after the peak, and from which ASGs (7.12)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.hotw_svc.domain.inputs import AsgFacts, BAUTrafficFacts, Inputs, Philosophy
from services.hotw_svc.domain.orders.descales import settle_descales
from services.hotw_svc.domain.orders.override import OverrideStatus
from services.hotw_svc.domain.runs.descaling import least_of, surplus_of
from services.hotw_svc.domain.runs.execution import Execution, execute
from services.hotw_svc.domain.runs.requirement import required
from services.hotw_svc.domain.runs.scope import why_no_run
from shared.schemas.fleet_svc.service import CapacityStrategy
from shared.schemas.hotw_svc import ExecutionStatus, Purpose
from tests.support.hotw_inputs import asg_name, fortress, override

PEAK_END = datetime(2024, 7, 18, tzinfo=UTC)
AFTER = datetime(2024, 7, 20, 9, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def asg(letter: str = "a", desired: int = 50, **others: Any) -> AsgFacts:
    return AsgFacts(name=asg_name(letter), zone=f"us-east-1{letter}", desired_capacity=desired, **others)


def descaling(*asgs: AsgFacts, bau: int | None = 20_000, dry_run: bool = False, **changes: Any) -> Inputs:
    """The reference's fleet after its peak: 20,000 TPM × 1.1 / 250 need 88 hosts; it has 200."""
    fleet = {"asgs": asgs or (asg("a", 100), asg("b", 60), asg("c", 40)), **changes.pop("fleet", {})}
    run = {"purpose": Purpose.DESCALING, "dry_run": dry_run}
    traffic = None if bau is None else BAUTrafficFacts(7, bau)
    return fortress(fleet=fleet, run=run, bau_traffic=traffic, **changes)


def values(execution: Execution) -> dict[str, int]:
    return {one.asg_name[-1]: one.value for one in execution.overrides}


def test_what_is_over_the_target_is_taken_from_the_asgs_in_proportion() -> None:
    execution = execute(descaling(), now=AFTER)
    assert (execution.status, execution.needed, execution.required_hosts, execution.need) == ("Success", 88, 88, 112)
    assert values(execution) == {"a": 44, "b": 26, "c": 18}  # 56, 33.6 and 22.4 fewer
    assert (execution.ordered_hosts, execution.orders, execution.capacity_after) == (0, (), 88)
    assert execution.peak is not None
    assert (execution.peak.value, execution.peak.source, execution.peak.version_id) == (20_000, "BAUTPM", 7)
    assert execution.reasoning == (
        "112 hosts to descale (FORTRESSService/NA/X0/Prod/1a 56, FORTRESSService/NA/X0/Prod/1b 34, "
        "FORTRESSService/NA/X0/Prod/1c 22): DesiredCapacity is 200, the target 88. "
        "20,000 TPM (BAUTPM) × 1.1 buffer / 250 TPM per host = 88 hosts needed. "
        "150 present (by the inventory of 2024-06-14T12:00:00.000Z), 0 pending."
    )


def test_its_overrides_go_down_begin_at_once_and_end_where_they_are() -> None:
    for one in execute(descaling(), now=AFTER).overrides:
        assert (one.purpose, one.status, one.start) == (Purpose.DESCALING, OverrideStatus.APPROVED, AFTER)
        assert one.end == AFTER + timedelta(days=14)
        assert one.value < one.base_capacity
        assert one.expiry_value == one.value


@pytest.mark.parametrize(
    ("asgs", "philosophy", "caps", "target", "sentence"),
    [
        (
            (asg("a", 100, min_instance=90), asg("b", 100, capacity_lower_bound=40)),
            {},
            {},
            130,
            "(the sum of the ASGs'",
        ),
        ((asg("a", 100, min_instance=5, capacity_lower_bound=7), asg("b", 100)), {}, {}, 88, None),
        ((asg("a", 200),), {"min_hosts": 120}, {"max_host_count": None}, 120, None),
        ((asg("a", 200),), {"min_hosts": 120, "max_hosts": 60}, {}, 120, "not below 120 (MinHosts)"),
        ((asg("a", 200),), {"max_hosts": 60}, {}, 60, None),
    ],
)
def test_floors_win_over_caps(
    asgs: tuple[AsgFacts, ...],
    philosophy: dict[str, Any],
    caps: dict[str, Any],
    target: int,
    sentence: str | None,
) -> None:
    """7.12.9 to 7.12.10a"""
    execution = execute(descaling(*asgs, philosophy=Philosophy(**philosophy), fleet=caps), now=AFTER)
    assert (execution.status, execution.required_hosts, execution.need) == ("Success", target, 200 - target)
    if sentence is None:
        assert "The target is not below" not in execution.reasoning
    else:
        assert sentence in execution.reasoning
    assert (execution.cap is None) is (target != 60)


def test_without_a_surplus_there_is_nothing_to_descale() -> None:
    """7.12.11a, 7.12.11b"""
    for fleet in ((asg("a", 88),), (asg("a", 20),), ()):
        execution = execute(descaling(*fleet, fleet={"asgs": fleet}), now=AFTER)
        assert (execution.status, execution.need, execution.overrides) == ("Success", 0, ())
        assert "nothing to descale" in execution.reasoning


@pytest.mark.parametrize("strategy", [None, CapacityStrategy.FIXED])
def test_without_a_bautpm_a_fleet_fails(strategy: CapacityStrategy | None) -> None:
    """7.12.8"""
    execution = execute(descaling(bau=None, philosophy=Philosophy(strategy=strategy, min_hosts=10)), now=AFTER)
    assert (execution.status, execution.overrides) == ("Fail", ())
    assert "BAUTPM" in execution.reasoning


def test_spco_dates_and_eap_bind_no_descaling() -> None:
    """7.12.5, 7.12.6: the reference's order dates are over, and no ASG may take an override."""
    closed = (asg("a", 200, eap_onboarding_status=False),)
    execution = execute(descaling(*closed, fleet={"eap_enrolled": False}), now=AFTER)
    assert (execution.status, values(execution)) == ("Success", {"a": 88})


def test_a_started_override_of_any_event_keeps_a_fleet_from_descaling() -> None:
    """7.12.1, 7.12.3b"""
    started = override(start=AFTER - timedelta(days=1), end=AFTER + MOMENT, status=OverrideStatus.STARTED)
    for held in (started, replace(started, event_id="BFCM2024", start=AFTER, status=OverrideStatus.APPROVED)):
        failed = execute(descaling(overrides=(held,)), now=AFTER)
        assert (failed.status, failed.need) == ("Fail", None)
        assert "A started override is on the fleet until 2024-07-20 09:00 UTC" in failed.reasoning
        assert execute(descaling(overrides=(held,), dry_run=True), now=AFTER).need == 112
    for gone in (
        replace(started, end=AFTER),
        replace(started, start=AFTER + MOMENT, status=OverrideStatus.APPROVED, end=AFTER + timedelta(days=2)),
        replace(started, status=OverrideStatus.PROPOSED),
        replace(started, status=OverrideStatus.EXPIRED),
    ):
        assert execute(descaling(overrides=(gone,)), now=AFTER).status is ExecutionStatus.SUCCESS


def test_descaling_begins_when_the_peak_has_ended_and_dry_runs_may_come_before() -> None:
    """7.12.2, 7.12.3, at the exact instant."""
    inputs = descaling()
    for purpose, dry_run, now, runs in (
        (Purpose.DESCALING, False, PEAK_END - MOMENT, False),
        (Purpose.DESCALING, False, PEAK_END, True),
        (Purpose.DESCALING, True, PEAK_END - MOMENT, True),
        (Purpose.UPSCALING, False, PEAK_END - MOMENT, True),
        (Purpose.UPSCALING, True, PEAK_END, False),
    ):
        assert (why_no_run(inputs.event, now, purpose=purpose, dry_run=dry_run) is None) is runs
    assert execute(inputs, now=PEAK_END - MOMENT).status is ExecutionStatus.FAIL
    dry = execute(descaling(dry_run=True), now=PEAK_END - MOMENT)
    assert (dry.status, dry.need) == ("Success", 112)
    assert dry.reasoning.startswith("Dry run: this is what a run would do. 112 hosts to descale")


def test_a_later_execution_supersedes_what_an_earlier_one_lowered() -> None:
    first = execute(descaling(), now=AFTER)
    other = replace(first.overrides[0], event_id="BFCM2024")
    again = execute(descaling(asg("a", 60), asg("b", 40), descales=(*first.overrides, other)), now=AFTER)
    assert [(one.asg_name, one.status) for one in again.superseded_overrides] == [
        (one.asg_name, OverrideStatus.SUPERSEDED) for one in first.overrides
    ]
    assert values(again) == {"a": 53, "b": 35}


def test_time_starts_and_ends_its_overrides_and_a_peak_that_moves_on_cancels_them() -> None:
    event, made = descaling().event, execute(descaling(), now=AFTER).overrides
    started = settle_descales(made, event=event, now=AFTER)
    assert {one.status for one in started} == {OverrideStatus.STARTED}
    assert settle_descales(started, event=event, now=AFTER + timedelta(days=14) - MOMENT) == ()
    ended = settle_descales(started, event=event, now=AFTER + timedelta(days=14))
    assert {one.status for one in ended} == {OverrideStatus.EXPIRED}
    later = replace(event, peak_end_date=AFTER.date())
    assert {one.status for one in settle_descales(started, event=later, now=AFTER)} == {OverrideStatus.CANCELLED}
    assert settle_descales(ended, event=later, now=AFTER) == ()
    assert settle_descales(made, event=replace(event, event_id="BFCM2024"), now=AFTER) == ()


_ASGS = st.lists(
    st.tuples(st.integers(0, 300), st.none() | st.integers(0, 300), st.none() | st.integers(0, 300)), max_size=7
)


@given(
    rows=_ASGS,
    bau=st.integers(0, 200_000),
    minimum=st.none() | st.integers(0, 500),
    cap=st.none() | st.integers(0, 500),
    buffer=st.integers(0, 50),
)
def test_parts_sum_to_the_surplus_and_no_floor_is_broken(
    rows: list[tuple[int, int | None, int | None]], bau: int, minimum: int | None, cap: int | None, buffer: int
) -> None:
    """7.12.7 to 7.12.13, for any ASGs, floors, caps and traffic."""
    asgs = tuple(
        asg(chr(ord("a") + n), desired, min_instance=least, capacity_lower_bound=bound)
        for n, (desired, least, bound) in enumerate(rows)
    )
    inputs = descaling(
        *asgs,
        bau=bau,
        philosophy=Philosophy(min_hosts=minimum),
        fleet={"asgs": asgs, "max_host_count": cap, "buffer_percentage": Fraction(buffer)},
    )
    surplus = surplus_of(inputs, required(inputs))
    capacity, kept = sum(one.desired_capacity for one in asgs), sum(map(least_of, asgs))
    assert surplus.target >= max(kept, minimum or 0)
    assert surplus.hosts == max(0, capacity - surplus.target) == sum(surplus.by_asg.values())
    assert capacity - surplus.hosts >= min(capacity, surplus.target)
    spare = {one.name: max(0, one.desired_capacity - least_of(one)) for one in asgs}
    for one in asgs:
        part = surplus.by_asg.get(one.name, 0)
        assert part <= spare[one.name]
        if surplus.hosts:  # largest remainder: no part is a whole host away from its share
            assert abs(part - Fraction(surplus.hosts * spare[one.name], sum(spare.values()))) < 1
    made = execute(inputs, now=AFTER).overrides
    assert sum(one.base_capacity - one.value for one in made) == surplus.hosts
    assert all(one.value >= least_of(next(a for a in asgs if a.name == one.asg_name)) for one in made)
