from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from services.eventplan_svc.domain.facts import NO_FACTS, Hardware, Projection
from tests.support.plans import a_plan, facts, hardware, order, projection, refresh, timeless

Fact = Projection | Hardware
FACTS = (
    projection(1, owner=False),
    projection(2, tpm=60_000, when="05-22"),
    hardware(1, order("Pending")),
    hardware(2, order("Approved"), when="06-16"),
    hardware(3, order("Fulfilled"), when="06-20"),
)


def test_the_peak_tpm_is_the_override_then_cloudtune_then_the_total() -> None:
    members: dict[str, Any] = {"ManualOverride": None}
    for member, tpm in (("TotalInputTPM", 40_000), ("CloudTuneProjection", 48_000), ("ManualOverride", 50_000)):
        members[member] = tpm
        assert facts(projection(**members)).peak_tpm == tpm
    assert facts(projection(deleted=True)).peak_tpm is None
    assert NO_FACTS.peak_tpm is None


def test_a_fact_holds_since_its_owner_changed_it_in_utc() -> None:
    changed = projection(AuditMetadata={"Timestamp": "2024-05-20T11:00:00+02:00"})
    assert changed.at == "2024-05-20T09:00:00.000Z"
    assert hardware(1).at == "2024-06-15T09:00:00.000Z"


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_survives_its_store(fact: Fact) -> None:
    codec = TypeAdapter[Fact](type(fact))
    assert codec.validate_python(orjson.loads(orjson.dumps(codec.dump_python(fact, mode="json")))) == fact


@given(st.permutations(FACTS), st.lists(st.sampled_from(FACTS), max_size=4))
def test_facts_in_any_order_with_redeliveries_make_the_same_plan(order_: list[Fact], again: list[Fact]) -> None:
    plan, noted = a_plan(), list[Fact]()
    for fact in itertools.chain(order_, again):
        noted.append(fact)
        plan = refresh(plan, facts(*noted))
    assert timeless(plan) == timeless(a_plan(facts(*FACTS)))


@given(st.permutations(FACTS), st.integers(0, len(FACTS)))
def test_a_plan_made_in_the_midst_of_the_facts_comes_out_the_same(order_: list[Fact], known_before: int) -> None:
    noted = order_[:known_before]
    plan = a_plan(facts(*noted))
    for fact in order_[known_before:]:
        noted.append(fact)
        plan = refresh(plan, facts(*noted))
    assert timeless(plan) == timeless(a_plan(facts(*FACTS)))
