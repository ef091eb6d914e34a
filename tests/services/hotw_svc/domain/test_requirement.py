"""Rules 3 and 4: the TPM that counts, buffer, headroom, exact arithmetic and the bounds."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.hotw_svc.adapters.runs.execution_rows import half_up
from services.hotw_svc.domain.inputs import BAUTrafficFacts, ExceptionFacts, Inputs, Philosophy, PhilosophyFacts
from services.hotw_svc.domain.runs.requirement import missing, needed_hosts, peak_tpm, required, too_large
from shared.capacity import exact, one_plus, proposed_tpm
from shared.schemas.base import MAX_COUNT, MAX_DECIMAL
from shared.schemas.fleet_svc.exception import ExceptionStatus
from shared.schemas.fleet_svc.service import CapacityStrategy
from tests.support.hotw_inputs import fortress


def without_tpm(bau_tpm: int | None, factor: Fraction | None) -> Inputs:
    """A fleet that nobody gave a TPM, with this traffic."""
    fleet = {"own_tpm": None, "ct_factor": factor}
    return replace(fortress(fleet=fleet, bau_traffic=BAUTrafficFacts(7, bau_tpm)), projection=None)


percentages = st.decimals(min_value=0, max_value=500, places=3, allow_nan=False, allow_infinity=False)


def test_fifty_thousand_tpm_with_ten_percent_buffer_needs_exactly_220_hosts() -> None:
    requirement = required(fortress())
    assert (requirement.needed, requirement.required, requirement.cap) == (220, 200, "MaxHostCount")


def test_binary_floats_would_have_given_221() -> None:
    assert math.ceil(50_000 * 1.1 / 250) == 221
    assert needed_hosts(50_000, buffer=exact(1.1), headroom=Fraction(1), throughput=250) == 220


def test_the_sixth_place_of_a_percentage_counts_2_15() -> None:
    assert needed_hosts(50_000, buffer=one_plus(exact(10.000001)), headroom=Fraction(1), throughput=250) == 221


@given(st.decimals(0, MAX_DECIMAL, places=6, allow_nan=False, allow_infinity=False))
def test_a_decimal_out_of_a_read_model_is_the_one_that_was_given_2_15b(value: Decimal) -> None:
    assert exact(orjson.loads(f"{value:f}")) == Fraction(value)


def test_one_transaction_more_needs_one_host_more() -> None:
    assert needed_hosts(50_001, buffer=exact(1.1), headroom=Fraction(1), throughput=250) == 221


@given(tpm=st.integers(0, MAX_COUNT), buffer=percentages, headroom=percentages, throughput=st.integers(1, MAX_COUNT))
def test_needed_is_the_ceiling_of_the_exact_ratio(
    tpm: int, buffer: Decimal, headroom: Decimal, throughput: int
) -> None:
    factor, room = one_plus(exact(buffer)), one_plus(exact(headroom))
    needed = needed_hosts(tpm, buffer=factor, headroom=room, throughput=throughput)
    assert needed == math.ceil(
        Fraction(tpm) * (1 + Fraction(buffer) / 100) * (1 + Fraction(headroom) / 100) / throughput
    )


@given(st.decimals(min_value=0, max_value=999, places=4, allow_nan=False, allow_infinity=False))
def test_stored_factors_are_rounded_half_up_to_two_places_7_3_10(value: Decimal) -> None:
    assert half_up(exact(value)) == value.quantize(Decimal("0.01"), ROUND_HALF_UP)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        exact(value)


@pytest.mark.parametrize(
    ("given_tpms", "expected"),
    [
        ({"manual_override": 1, "cloud_tune": 2, "total_input": 3}, (1, "ManualOverride")),
        ({"manual_override": None, "cloud_tune": 2, "total_input": 3}, (2, "CloudTuneProjection")),
        ({"manual_override": None, "cloud_tune": None, "total_input": 3}, (3, "TotalInputTPM")),
        ({"manual_override": None, "cloud_tune": None, "total_input": None}, (50_000, "FleetProjection")),
        ({"manual_override": 0, "cloud_tune": 2, "total_input": 3}, (0, "ManualOverride")),
    ],
)
def test_peak_tpm_is_the_first_that_is_given_and_zero_is_given(
    given_tpms: dict[str, int | None], expected: tuple[int, str]
) -> None:
    inputs = fortress(projection=given_tpms)
    peak = peak_tpm(inputs)
    assert peak is not None
    assert (peak.value, peak.source) == expected


def test_the_fleets_own_tpm_counts_where_there_is_no_projection() -> None:
    peak = peak_tpm(replace(fortress(bau_traffic=BAUTrafficFacts(7, 100)), projection=None))
    assert peak is not None
    assert (peak.value, peak.source, peak.version_id, peak.unverified_by) == (50_000, "FleetProjection", 5, ())


@pytest.mark.parametrize(
    ("bau_tpm", "factor", "expected"),
    [(33_334, "1.5", 50_001), (1, "0.5", 1), (3, "0.49", 1), (0, "1.5", 0), (MAX_COUNT, "1", MAX_COUNT)],
)
def test_the_last_resort_is_bautpm_by_ctfactor_rounded_half_up_and_unverified(
    bau_tpm: int, factor: str, expected: int
) -> None:
    """7.3.5, 7.3.7, 7.4.3."""
    peak = peak_tpm(without_tpm(bau_tpm, exact(factor)))
    assert peak is not None
    assert (peak.value, peak.source, peak.version_id) == (expected, "BAUTPM × CTFactor", 7)
    assert peak.unverified_by == ("its owner",)


@given(bau_tpm=st.integers(0, MAX_COUNT), factor=st.decimals(0, MAX_DECIMAL, places=6))
def test_the_last_resort_is_the_exact_product_rounded_once(bau_tpm: int, factor: Decimal) -> None:
    expected = (bau_tpm * factor).quantize(Decimal(1), ROUND_HALF_UP)
    assert proposed_tpm(bau_tpm, exact(factor)) == expected


@pytest.mark.parametrize(
    ("bau_tpm", "factor", "lacking"),
    [
        (None, Fraction(1), "BAUTPM is not known."),
        (33_334, None, "there is no CTFactor for BAUTPM 33,334."),
        (MAX_COUNT, Fraction(3, 2), "BAUTPM 2,147,483,647 × CTFactor 1.5 is more than 2,147,483,647."),
    ],
)
def test_a_last_resort_that_fails_is_named(bau_tpm: int | None, factor: Fraction | None, lacking: str) -> None:
    (sentence,) = missing(without_tpm(bau_tpm, factor))
    assert sentence.endswith(f"gives a TPM, and {lacking}")


def test_an_unverified_tpm_is_used_and_names_who_is_missing() -> None:
    inputs = fortress(projection={"verified_by_owner": False, "unverified_upstreams": ("OrderService",)})
    peak = peak_tpm(inputs)
    assert peak is not None
    assert (peak.value, peak.unverified_by) == (50_000, ("its owner", "OrderService"))


def test_headroom_counts_for_performance_based_only() -> None:
    def needed(strategy: CapacityStrategy | None) -> int:
        return required(fortress(philosophy=Philosophy(strategy=strategy, headroom_percentage=Fraction(20)))).needed

    assert needed(CapacityStrategy.PERFORMANCE_BASED) == 264
    assert needed(CapacityStrategy.COST_BASED) == 220
    assert needed(None) == 220


def test_fixed_needs_min_hosts_whatever_the_traffic() -> None:
    requirement = required(fortress(philosophy=Philosophy(strategy=CapacityStrategy.FIXED, min_hosts=40)))
    assert (requirement.needed, requirement.required) == (40, 40)


def test_fixed_without_min_hosts_is_a_missing_input() -> None:
    assert missing(fortress(philosophy=Philosophy(strategy=CapacityStrategy.FIXED))) == (
        "CapacityStrategy is Fixed, but there is no MinHosts.",
    )


def test_fixed_asks_for_no_projection_and_no_throughput() -> None:
    inputs = fortress(
        projection={"manual_override": None, "cloud_tune": None, "total_input": None},
        fleet={"own_tpm": None, "host_throughput_tpm": None},
        philosophy=Philosophy(strategy=CapacityStrategy.FIXED, min_hosts=40),
    )
    assert missing(inputs) == ()
    assert required(inputs).required == 40


def test_everything_missing_is_named() -> None:
    inputs = fortress(
        projection={"manual_override": None, "cloud_tune": None, "total_input": None},
        fleet={"own_tpm": None, "host_throughput_tpm": None, "buffer_percentage": Fraction(200_000)},
    )
    assert missing(inputs) == (
        "No PeakTPM: neither a projection for PD2024 nor FleetProjection gives a TPM, and BAUTPM is not known.",
        "No HostThroughPutTPM: what one host can take is not known.",
        "BufferPercentage 200,000 cannot be right: its factor is from 0 to 999.99.",
    )


@pytest.mark.parametrize("percentage", [Fraction(-101), Fraction(-(10**15)), Fraction(99_900)])
def test_a_percentage_without_a_sensible_factor_is_named_and_gives_no_need(percentage: Fraction) -> None:
    performance = Philosophy(strategy=CapacityStrategy.PERFORMANCE_BASED, headroom_percentage=percentage)
    (buffer,) = missing(fortress(fleet={"buffer_percentage": percentage}))
    (headroom,) = missing(fortress(philosophy=performance))
    assert buffer.startswith("BufferPercentage")
    assert buffer.endswith("its factor is from 0 to 999.99.")
    assert headroom.startswith("HeadroomPercentage")
    assert missing(fortress(philosophy=replace(performance, strategy=CapacityStrategy.COST_BASED))) == ()
    assert missing(fortress(fleet={"buffer_percentage": Fraction(-100)})) == ()


@pytest.mark.parametrize(
    ("max_host_count", "max_hosts", "cap", "hosts"),
    [
        (200, 500, "MaxHostCount", 200),
        (500, 200, "the service's MaxHosts", 200),
        (200, 200, "MaxHostCount", 200),
        (None, 200, "the service's MaxHosts", 200),
        (200, None, "MaxHostCount", 200),
        (None, None, None, 220),
        (220, 500, None, 220),
        (0, None, "MaxHostCount", 0),
    ],
)
def test_the_lower_of_both_caps_bounds_the_need_and_is_named(
    max_host_count: int | None, max_hosts: int | None, cap: str | None, hosts: int
) -> None:
    requirement = required(
        fortress(fleet={"max_host_count": max_host_count}, philosophy=Philosophy(max_hosts=max_hosts))
    )
    assert (requirement.required, requirement.cap) == (hosts, cap)


def test_min_hosts_raises_a_small_need() -> None:
    requirement = required(fortress(projection={"manual_override": 100}))
    assert (requirement.needed, requirement.required, requirement.raised) == (1, 10, True)


def test_where_min_hosts_crosses_the_cap_the_cap_wins() -> None:
    requirement = required(fortress(philosophy=Philosophy(min_hosts=300)))
    assert (requirement.required, requirement.crossed) == (200, True)


@pytest.mark.parametrize(
    ("max_host_count", "max_hosts", "cap"), [(200, None, "MaxHostCount"), (None, 200, "the service's MaxHosts")]
)
def test_the_cap_that_lowers_min_hosts_alone_is_named_7_4_10(
    max_host_count: int | None, max_hosts: int | None, cap: str
) -> None:
    requirement = required(
        fortress(
            projection={"manual_override": 10_000},
            fleet={"max_host_count": max_host_count},
            philosophy=Philosophy(min_hosts=300, max_hosts=max_hosts),
        )
    )
    assert (requirement.needed, requirement.required, requirement.cap) == (44, 200, cap)


def test_a_need_no_column_can_keep_is_refused_in_words() -> None:
    inputs = fortress(projection={"manual_override": MAX_COUNT}, fleet={"host_throughput_tpm": 1})
    sentence = too_large(required(inputs))
    assert sentence is not None
    assert sentence.startswith("2,362,232,012 hosts needed cannot be right")


bounds = st.none() | st.integers(0, 1_000)


@given(
    tpm=st.integers(0, 1_000_000),
    throughput=st.integers(1, 5_000),
    own=bounds,
    upper=bounds,
    lower=bounds,
    strategy=st.sampled_from([None, CapacityStrategy.PERFORMANCE_BASED, CapacityStrategy.COST_BASED]),
)
def test_required_lies_between_the_bounds_and_what_lowered_it_is_named_7_4_10(
    tpm: int, throughput: int, own: int | None, upper: int | None, lower: int | None, strategy: CapacityStrategy | None
) -> None:
    inputs = fortress(
        projection={"manual_override": tpm},
        fleet={"host_throughput_tpm": throughput, "max_host_count": own},
        philosophy=Philosophy(max_hosts=upper, min_hosts=lower, strategy=strategy),
    )
    requirement = required(inputs)
    cap = min((bound for bound in (own, upper) if bound is not None), default=None)
    if cap is not None:
        assert requirement.required <= cap
    if cap is None or (lower or 0) <= cap:
        assert requirement.required >= (lower or 0)
    if (lower or 0) <= requirement.needed and (cap is None or requirement.needed <= cap):
        assert requirement.required == requirement.needed
        assert requirement.cap is None
    lowered = requirement.required < max(requirement.needed, lower or 0)
    assert (requirement.cap is not None) == lowered


def excepted(**changes: Any) -> ExceptionFacts:
    """The reference's exception: 1.3, approved."""
    given: dict[str, Any] = {
        "version_id": 2,
        "exception_type": "BufferFactor",
        "status": ExceptionStatus.APPROVED,
        "requested_value": exact(1.3),
        **changes,
    }
    return ExceptionFacts(**given)


@pytest.mark.parametrize(("own", "needed"), [(None, 230), (Fraction(0), 200), (Fraction(10), 220)])
def test_the_events_default_buffer_counts_where_the_fleet_has_none_4_463(own: Fraction | None, needed: int) -> None:
    event, fleet = {"default_buffer_percentage": Fraction(15)}, {"buffer_percentage": own, "max_host_count": None}
    assert required(fortress(event=event, fleet=fleet)).needed == needed


def test_a_default_buffer_that_cannot_be_right_is_named() -> None:
    inputs = fortress(event={"default_buffer_percentage": Fraction(200_000)}, fleet={"buffer_percentage": None})
    assert missing(inputs)[0].startswith("DefaultBufferPercentage 200,000 cannot be right")


def test_an_exception_that_counts_replaces_the_buffer_exactly_7_3_8() -> None:
    requirement = required(fortress(exception=excepted()))
    assert (requirement.needed, requirement.buffer_factor) == (260, Fraction(13, 10))
    assert math.ceil(50_000 * 1.3 / 250) == 260
    assert required(fortress(exception=excepted(requested_value=exact(1.300001)))).needed == 261
    assert missing(fortress(exception=excepted(), fleet={"buffer_percentage": Fraction(200_000)})) == ()


LAST_DAY, LAST_MOMENT = date(2024, 6, 15), datetime(2024, 6, 15, 23, 59, 59, 999_000, UTC)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"exception_type": "Headroom"}, False),
        ({"status": ExceptionStatus.PENDING}, False),
        ({"status": ExceptionStatus.REJECTED}, False),
        ({"status": ExceptionStatus.REVOKED}, False),
        ({"expires_on": date(2024, 6, 14)}, False),
        ({"expires_on": LAST_DAY}, True),
        ({"expires_on": LAST_DAY, "status": ExceptionStatus.EXPIRED}, True),
        ({"expires_on": date(2024, 6, 14), "status": ExceptionStatus.EXPIRED}, False),
    ],
)
def test_only_an_approved_unexpired_buffer_factor_counts_4_516(changes: dict[str, Any], counts: bool) -> None:
    """At the instant of the run; an exception that expired since had been approved until then."""
    inputs = fortress(exception=excepted(**changes), run={"created_at": LAST_MOMENT})
    assert (required(inputs).needed == 260) is counts


def test_a_philosophy_wins_over_the_services_own_as_a_whole_4_491() -> None:
    own = Philosophy(min_hosts=10, max_hosts=180, strategy=CapacityStrategy.PERFORMANCE_BASED)
    given = PhilosophyFacts(1, Philosophy(strategy=CapacityStrategy.COST_BASED))
    assert required(fortress(philosophy=own)).required == 180
    assert required(fortress(philosophy=own, philosophy_facts=given)).required == 200
