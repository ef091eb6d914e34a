"""Kept inputs: what is kept is enough to work an execution out again, and the same inputs are the same text."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from hypothesis import given

from services.hotw_svc.adapters.inputs.kept_inputs import KeptTexts, restored
from services.hotw_svc.domain.custom_formula import FormulaFacts
from services.hotw_svc.domain.custom_inputs import CustomInputFacts, CustomValues
from services.hotw_svc.domain.inputs import (
    BAUTrafficFacts,
    ExceptionFacts,
    Inputs,
    Philosophy,
    PhilosophyFacts,
    PreferredAsgs,
)
from services.hotw_svc.domain.orders.approval import ApprovalRule
from services.hotw_svc.domain.orders.order import Delivery
from services.hotw_svc.domain.runs.execution import execute
from shared.schemas.fleet_svc.exception import ExceptionStatus
from shared.schemas.fleet_svc.service import CapacityStrategy
from shared.schemas.hotw_svc import Purpose
from tests.support.hotw_inputs import NOW, asg_name, fortress, order, override
from tests.support.hotw_strategies import any_inputs

WINDOW = fortress().event.override_window
EVERYTHING: dict[str, Any] = {
    "philosophy_facts": PhilosophyFacts(
        4, Philosophy(max_hosts=300, strategy=CapacityStrategy.PERFORMANCE_BASED, headroom_percentage=Fraction(15, 2))
    ),
    "exception": ExceptionFacts(
        version_id=2,
        exception_type="BufferFactor",
        status=ExceptionStatus.APPROVED,
        requested_value=Fraction(13, 10),
        expires_on=date(2024, 7, 31),
    ),
    "bau_traffic": BAUTrafficFacts(7, 40_000),
    "orders": (order("a", deliveries=(Delivery(3, NOW),), reason="Größe 'ß' \\ \"x\""), order("b")),
    "overrides": (override("a"), override("b", event_id="BF2024")),
    "descales": (override("c", purpose=Purpose.DESCALING),),
    "windows": {"BF2024": WINDOW},
    "preferred_asgs": PreferredAsgs((asg_name("a"), "nobody"), "jsmith", datetime(2024, 6, 1, 7, tzinfo=UTC)),
    "custom_inputs": (
        CustomInputFacts(
            custom_input_id="PD2024-X0-peak",
            version_id=2,
            written_at=NOW,
            of_all_fleets=False,
            values=CustomValues(peak_tpm=55_000, ct_factor=Fraction(10_000_001, 10_000_000)),
        ),
    ),
    "formula": FormulaFacts(4, "PeakTPM * BufferFactor / 3 + CTFactor"),
    "approval_rules": (
        ApprovalRule(
            rule_id="small", version_id=1, service_tiers=frozenset({"Tier2", "Tier1"}), max_percentage=Fraction(1, 3)
        ),
    ),
}


def again(inputs: Inputs) -> Inputs:
    kept = KeptTexts()
    name = kept.keep(inputs)
    return restored(name, kept.texts, run=inputs.run, fleet_index_id=inputs.fleet_index_id)


def test_every_input_comes_back_as_it_was_7_3_2() -> None:
    """7.3.4: orders, overrides and AZ factors too. An input that is added to Inputs is to be kept as well."""
    inputs = fortress(**EVERYTHING)
    bare = {field.name: getattr(fortress(), field.name) for field in fields(Inputs)}
    assert {name for name, value in bare.items() if not value} == EVERYTHING.keys()
    assert again(inputs) == inputs
    assert execute(again(inputs), now=NOW) == execute(inputs, now=NOW)


@given(any_inputs)
def test_what_is_kept_comes_to_the_same_execution(inputs: Inputs) -> None:
    assert execute(again(inputs), now=NOW) == execute(inputs, now=NOW)


def test_what_fleets_share_is_kept_once_and_the_same_inputs_have_the_same_hash_7_3_3() -> None:
    kept, later = KeptTexts(), KeptTexts()
    first = fortress(**EVERYTHING)
    other = replace(first, fleet=replace(first.fleet, fleet_id="FORTRESSService-NA-X1"), orders=())
    names = [kept.keep(inputs) for inputs in (first, first, other)]
    assert (names[0] == names[1], names[0] == names[2], len(kept.texts)) == (True, False, 6)
    rules = (replace(first.approval_rules[0], service_tiers=frozenset(["Tier1", "Tier2"])),)
    assert later.keep(fortress(**EVERYTHING | {"approval_rules": rules})) == names[0]
    assert later.keep(replace(first, custom_inputs=())) != names[0]
