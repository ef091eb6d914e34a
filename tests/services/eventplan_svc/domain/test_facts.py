from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.facts import (
    Fact,
    FactSheet,
    hardware_fact,
    projection_fact,
    throttling_fact,
    tpm_sent_fact,
)
from tests.services.eventplan_svc.domain.sample import (
    body,
    hardware,
    new_plan,
    order,
    projection,
    settled,
    sheet,
    timeless,
)

FACTS = (
    projection(1, owner=False),
    projection(2, tpm=60_000, when="05-22"),
    hardware(1, order("Pending")),
    hardware(2, order("Approved"), when="06-16"),
    hardware(3, order("Fulfilled"), when="06-20"),
    throttling_fact({"AppliedVersionId": 1, "PeakTPM": 50_000, "OccurredAt": "2024-06-01T00:00:00Z"}),
    tpm_sent_fact(
        {"ProjectionVersionId": 1, "PeakTPM": 60_000, "Downstreams": ["A"], "OccurredAt": "2024-06-02T00:00:00Z"}
    ),
)


def test_an_older_fact_never_takes_the_place_of_a_newer_one() -> None:
    newest = sheet(projection(2))
    assert newest.noting(projection(1)) is newest
    assert newest.noting(projection(2)) is newest
    assert newest.noting(projection(3)) != newest


def test_a_deleted_projection_is_not_brought_back_by_a_late_older_one() -> None:
    noted = sheet(projection(2, deleted=True), projection(1))
    assert noted.projection is not None
    assert noted.projection.deleted


def test_only_the_peak_projection_and_upscaling_matter() -> None:
    snapshot = {"ProjectionType": "BAU", "VersionId": 1, "AuditMetadata": {"Timestamp": "2024-05-20T09:00:00Z"}}
    assert projection_fact(snapshot) is None
    fact = {"Purpose": "Descaling", "OrdersVersionId": 1, "OccurredAt": "2024-07-20T09:00:00Z", **body()}
    assert hardware_fact(fact) is None


def test_times_are_brought_into_one_form_and_need_a_zone() -> None:
    snapshot = {"VersionId": 1, "AuditMetadata": {"Timestamp": "2024-05-20T11:00:00+02:00"}}
    fact = projection_fact(snapshot)
    assert fact is not None
    assert fact.at == "2024-05-20T09:00:00.000Z"
    with pytest.raises(ValueError, match="zone"):
        projection_fact({"VersionId": 1, "AuditMetadata": {"Timestamp": "2024-05-20T11:00:00"}})


def test_the_peak_tpm_is_the_override_then_cloudtune_then_the_total() -> None:
    snapshot = {"VersionId": 1, "AuditMetadata": {"Timestamp": "2024-05-20T09:00:00Z"}}
    for member, tpm in (("TotalInputTPM", 40_000), ("CloudTuneProjection", 48_000), ("ManualOverride", 50_000)):
        snapshot[member] = tpm
        fact = projection_fact(snapshot)
        assert fact is not None
        assert sheet(fact).peak_tpm == tpm
    assert sheet(projection(deleted=True)).peak_tpm is None
    assert FactSheet().peak_tpm is None


def test_a_sheet_survives_its_store() -> None:
    noted = sheet(*FACTS)
    assert FactSheet.from_wire(json.loads(json.dumps(noted.wire()))) == noted
    assert FactSheet.from_wire({}) == FactSheet()


@given(st.permutations(FACTS), st.lists(st.sampled_from(FACTS), max_size=4))
def test_facts_in_any_order_with_redeliveries_make_the_same_plan(order_: list[Fact], again: list[Fact]) -> None:
    plan, noted = new_plan(), FactSheet()
    for fact in itertools.chain(order_, again):
        noted = noted.noting(fact)
        plan = settled(plan, noted)
    assert timeless(plan) == timeless(new_plan(sheet(*FACTS)))


@given(st.permutations(FACTS), st.integers(0, len(FACTS)))
def test_a_plan_made_in_the_midst_of_the_facts_comes_out_the_same(order_: list[Fact], known_before: int) -> None:
    noted = sheet(*order_[:known_before])
    plan = new_plan(noted)
    for fact in order_[known_before:]:
        noted = noted.noting(fact)
        plan = settled(plan, noted)
    assert timeless(plan) == timeless(new_plan(sheet(*FACTS)))
