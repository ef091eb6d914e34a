"""The pure steps from a body to a state."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadInput, FieldError
from shared.schemas.fleet_svc.fleet import Fleet, ReportInventory
from shared.schemas.fleet_svc.service import Service
from shared.schemas.validation import merge_patch, patched, validated
from shared.web import with_keys

scalars = st.none() | st.booleans() | st.integers(0, 9) | st.text("ab", max_size=2)
objects = st.recursive(
    st.dictionaries(st.sampled_from("abc"), scalars, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), scalars | inner | st.lists(scalars, max_size=2), max_size=3),
    max_leaves=8,
)


def without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {k: without_nulls(v) if isinstance(v, dict) else v for k, v in value.items() if v is not None}


@given(objects, objects)
def test_a_merge_patch_applied_twice_is_as_once(state: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge_patch(without_nulls(state), patch)
    assert merge_patch(once, patch) == once


@given(objects)
def test_a_merge_patch_of_nothing_gives_the_patch_without_its_nulls(patch: dict[str, Any]) -> None:
    assert merge_patch({}, patch) == without_nulls(patch)


def test_objects_merge_lists_and_scalars_are_replaced_null_clears() -> None:
    state = {"a": {"b": 1, "c": [1, 2]}, "d": 4, "e": 5}
    assert merge_patch(state, {"a": {"c": [3], "b": None}, "d": {"f": 1}, "e": None}) == {
        "a": {"c": [3]},
        "d": {"f": 1},
    }
    assert state == {"a": {"b": 1, "c": [1, 2]}, "d": 4, "e": 5}


def test_numbers_take_their_one_form() -> None:
    body = {
        "FleetId": "F",
        "ServiceId": "S",
        "FleetConfiguration": {"Region": "r", "HostThroughPutTPM": "250", "BufferPercentage": 10.0, "CTFactor": "1.50"},
    }
    assert validated(Fleet, body).wire()["FleetConfiguration"] == {
        "Region": "r",
        "HostThroughPutTPM": 250,
        "BufferPercentage": 10,
        "CTFactor": 1.5,
    }


def test_a_managed_name_that_is_a_field_of_its_own_stays() -> None:
    report = {"FleetId": "F", "HostsPresent": 1, "Source": "Apollo"}
    assert validated(ReportInventory, {**report, "VersionId": 3}).wire() == report


CONFIGURATION = {"Region": "us-east-1", "HostThroughPutTPM": 250}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"HostThroughPutTPM": 0}, "/FleetConfiguration/HostThroughPutTPM"),
        ({"HostThroughPutTPM": -250}, "/FleetConfiguration/HostThroughPutTPM"),
        ({"HostThroughPutTPM": 2_147_483_648}, "/FleetConfiguration/HostThroughPutTPM"),
        ({"HostThroughPutTPM": 2.5}, "/FleetConfiguration/HostThroughPutTPM"),
        ({"HostThroughPutTPM": True}, "/FleetConfiguration/HostThroughPutTPM"),
        ({"CTFactor": "Infinity"}, "/FleetConfiguration/CTFactor"),
        ({"Region": ""}, "/FleetConfiguration/Region"),
        ({"Bogus": 1}, "/FleetConfiguration/Bogus"),
        (
            {"ASGProperties": [{"AutoScalingGroupName": "a", "AvailabilityZone": "z"}] * 2},
            "/FleetConfiguration/ASGProperties",
        ),
        ({"ASGProperties": [{"AutoScalingGroupName": "a"}]}, "/FleetConfiguration/ASGProperties/0/AvailabilityZone"),
    ],
)
def test_each_bad_member_is_pointed_to(change: dict[str, Any], pointer: str) -> None:
    body = {"FleetId": "F", "ServiceId": "S", "FleetConfiguration": CONFIGURATION | change}
    with pytest.raises(BadInput) as refused:
        validated(Fleet, body)
    assert [error.pointer for error in refused.value.errors] == [pointer]


RULES_OF_A_PHILOSOPHY = [{"MinHosts": 10, "MaxHosts": 5}, {"CapacityStrategy": "Fixed", "MaxHosts": 5}]


@pytest.mark.parametrize("philosophy", RULES_OF_A_PHILOSOPHY)
def test_a_rule_about_an_inner_object_points_into_it(philosophy: dict[str, Any]) -> None:
    """4.490a, 4.493a."""
    with pytest.raises(BadInput) as refused:
        validated(Service, {"ServiceId": "S", "ServiceType": "Registered", "Owner": "o", "Philosophy": philosophy})
    assert [error.pointer for error in refused.value.errors] == ["/Philosophy/MinHosts"]


def test_clearing_a_required_member_is_refused() -> None:
    state = validated(Service, {"ServiceId": "S", "ServiceType": "Registered", "Owner": "o"}).wire()
    with pytest.raises(BadInput) as refused:
        patched(Service, state, {"Owner": None})
    assert refused.value.errors == (FieldError("/Owner", "required; add it"),)


def test_a_key_in_the_body_must_be_the_paths() -> None:
    assert with_keys({"a": 1}, {"FleetId": "F"}) == {"a": 1, "FleetId": "F"}
    with pytest.raises(BadInput):
        with_keys({"FleetId": "G"}, {"FleetId": "F"})
