"""Custom inputs and formulas as pure rules: which of several counts, and what keeps a formula from giving a need."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.hotw_svc.domain.custom_formula import FormulaFacts
from services.hotw_svc.domain.custom_inputs import CustomInputFacts, CustomValues, joined
from services.hotw_svc.domain.inputs import BAUTrafficFacts, ExceptionFacts, Inputs, Philosophy
from services.hotw_svc.domain.runs.requirement import missing, required
from shared.schemas.fleet_svc.exception import ExceptionStatus
from shared.schemas.fleet_svc.service import CapacityStrategy
from tests.support.hotw_inputs import FAIL, NOW, fortress, run

EXCEPTION = ExceptionFacts(
    version_id=2, exception_type="BufferFactor", status=ExceptionStatus.APPROVED, requested_value=Fraction(13, 10)
)


def figures(name: str = "one", *, own: bool = True, day: int = 1, until: date | None = None, **values: Any) -> Any:
    written = datetime(2024, 6, day, tzinfo=UTC)
    return CustomInputFacts(
        custom_input_id=name,
        version_id=1,
        written_at=written,
        of_all_fleets=not own,
        values=CustomValues(**values),
        expires_on=until,
    )


def with_formula(expression: str, **changes: Any) -> Inputs:
    return fortress(formula=FormulaFacts(4, expression), **changes)


some_inputs = st.lists(
    st.builds(
        lambda name, own, day, tpm, buffer: figures(name, own=own, day=day, peak_tpm=tpm, buffer_factor=buffer),
        st.sampled_from("abcdef"),
        st.booleans(),
        st.integers(1, 3),
        st.none() | st.integers(0, 9),
        st.none() | st.just(Fraction(3, 2)),
    ),
    max_size=6,
    unique_by=lambda one: one.custom_input_id,
)


@given(some_inputs, st.randoms(use_true_random=False))
def test_each_figure_is_of_the_first_by_owner_then_time_4_552(given_inputs: list[Any], shuffled: Any) -> None:
    ranked = sorted(given_inputs, key=lambda one: (one.of_all_fleets, -one.written_at.day, -ord(one.custom_input_id)))
    expected = {
        name: next((getattr(one.values, name) for one in ranked if getattr(one.values, name) is not None), None)
        for name in ("peak_tpm", "buffer_factor")
    }
    shuffled.shuffle(given_inputs)
    found = joined(given_inputs, at=NOW).values
    assert {name: getattr(found, name) for name in expected} == expected


def test_an_input_counts_until_the_end_of_its_last_day_at_the_runs_instant() -> None:
    until = figures(until=date(2024, 6, 15), peak_tpm=1)
    assert joined([until], at=datetime(2024, 6, 15, 23, 59, tzinfo=UTC)).values.peak_tpm == 1
    assert joined([until], at=datetime(2024, 6, 16, tzinfo=UTC)).values.peak_tpm is None


def test_every_figure_replaces_what_epic_knows_also_an_approved_exception_7_3_11() -> None:
    values: dict[str, Any] = {
        "buffer_factor": Fraction(2),
        "host_throughput_tpm": 500,
        "max_host_count": 180,
        "hosts_present": 0,
    }
    done = run(custom_inputs=(figures(**values),), exception=EXCEPTION, philosophy=Philosophy(max_hosts=190))
    assert (done.buffer_factor, done.needed, done.required_hosts, done.cap) == (2, 200, 180, "MaxHostCount")
    assert done.presence is not None
    assert (done.presence.reported, done.need) == (0, 180)
    assert "2 buffer / 500 TPM per host = 200 hosts needed" in done.reasoning
    assert "Exception" not in done.reasoning


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("1 / (PeakTPM - 50000)", "line 1, column 3: the divisor is zero."),
        ("10 - PeakTPM", "the value is negative."),
        ("PeakTPM + BAUTPM", "BAUTPM is not known."),
        ("PeakTPM * PeakTPM * PeakTPM", "its value is over 2,147,483,647."),
    ],
)
def test_a_formula_without_a_count_for_a_value_is_a_fail_that_says_so_4_543(expression: str, fault: str) -> None:
    done = run(formula=FormulaFacts(4, expression))
    assert done.status is FAIL
    assert done.reasoning.startswith("The custom formula (version 4) ")
    assert done.reasoning.endswith(fault)


def test_a_formula_misses_only_what_it_names() -> None:
    fleet = {"own_tpm": None, "host_throughput_tpm": None, "ct_factor": None}
    bare = replace(with_formula("BAUTPM / 100", fleet=fleet, bau_traffic=BAUTrafficFacts(7, 1_001)), projection=None)
    assert missing(bare) == ()
    assert required(bare).needed == 11  # the ceiling of 10.01
    assert missing(replace(bare, formula=FormulaFacts(4, "PeakTPM / 100")))[0].startswith("No PeakTPM")
    assert missing(replace(bare, formula=None))[0].startswith("No PeakTPM")


def test_a_formula_is_not_asked_under_fixed_and_has_no_headroom_4_542() -> None:
    fixed = with_formula("1 / 0", philosophy=Philosophy(strategy=CapacityStrategy.FIXED, min_hosts=7))
    assert (missing(fixed), required(fixed).needed) == ((), 7)
    roomy = Philosophy(strategy=CapacityStrategy.PERFORMANCE_BASED, headroom_percentage=Fraction(50), min_hosts=30)
    assert (required(with_formula("20 + 1/3", philosophy=roomy)).needed) == 21
    assert required(with_formula("20 + 1/3", philosophy=roomy)).required == 30


def test_a_formula_without_the_tpm_does_not_name_who_has_not_verified_it() -> None:
    unverified = {"verified_by_owner": False}
    assert "not verified" not in run(formula=FormulaFacts(1, "BufferFactor * 100"), projection=unverified).reasoning
    assert "not verified" in run(formula=FormulaFacts(1, "PeakTPM / 250"), projection=unverified).reasoning


def test_the_versions_of_what_counted_are_named_7_3_1() -> None:
    traffic: dict[str, Any] = {"bau_traffic": BAUTrafficFacts(7, 40_000), "exception": EXCEPTION}
    done = run(formula=FormulaFacts(4, "BAUTPM * BufferFactor / 250"), **traffic)
    assert "= 208 hosts needed" in done.reasoning
    assert "Counted: Exception version 2, BAUTPM version 7." in done.reasoning
    assert "BAUTPM" not in run(**traffic).reasoning
