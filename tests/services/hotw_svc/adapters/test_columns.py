"""The columns of executions, orders and overrides, and the content of facts: the reference's names."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import orjson

from services.hotw_svc.adapters.inputs.facts import exception_facts
from services.hotw_svc.adapters.orders.order_rows import order_columns, order_of, override_columns, override_of
from services.hotw_svc.adapters.rows import wire
from services.hotw_svc.adapters.runs.execution_rows import asg_columns, execution_columns, execution_fact
from services.hotw_svc.app.orders.facts import fact_key, hardware_fact
from services.hotw_svc.domain.inputs import Philosophy, PhilosophyFacts
from services.hotw_svc.domain.orders.order import Order, decide, deliver
from services.hotw_svc.domain.orders.order_book import OrderBook, OrderBookKey, SettledUnder
from services.hotw_svc.domain.orders.override import OverrideStatus
from services.hotw_svc.domain.runs.execution import Execution, execute, lock_held
from shared.schemas.base import MAX_COUNT
from shared.schemas.hotw_svc import Decision, ExecutionFact, HardwareFact, Purpose
from tests.support.hotw_inputs import NOW, asg_name, asgs, fortress, order, override
from tests.support.hotw_store import exception_body

EXECUTION = execute(fortress(), now=NOW)
REFERENCE_COLUMNS = [
    "RunId",
    "PeakTPM",
    "BAUTPM",
    "CTPeakFactor",
    "BufferFactor",
    "HostThroughPutTPM",
    "RequiredHosts",
    "HostsPresentInApollo",
    "CapacityOverrideSum",
    "PendingEPICFMCHostOrder",
    "PreferredHostType",
    "Homogeneous",
    "Status",
    "Reasoning",
    "FleetVersionId",
    "DesiredCapacity",
    "ChildDesiredCapacity",
    "HostDistribution",
    "User",
    "CreatedAt",
]


def test_an_execution_has_every_column_of_the_reference_with_its_numbers() -> None:
    columns = execution_columns(EXECUTION)
    assert [columns[name] for name in REFERENCE_COLUMNS if name != "Reasoning"] == [
        5,
        50_000,
        None,
        Decimal("1.50"),
        Decimal("1.10"),
        250,
        200,
        150,
        50,
        0,
        "c5.2xlarge",
        True,
        "Success",
        5,
        200,
        10,
        {"c5.2xlarge": 50},
        "jsmith",
        NOW,
    ]
    assert (columns["OrderedHosts"], columns["Shortfall"], columns["Needed"], columns["FleetLine"]) == (
        50,
        0,
        220,
        "base",
    )


def test_every_input_is_kept_with_the_version_it_came_from() -> None:
    assert execution_columns(EXECUTION)["InputVersions"] == {
        "Event": 2,
        "Fleet": 5,
        "FleetLine": "base",
        "ASGProperties": 5,
        "ASGPropertiesLine": "base",
        "Service": 3,
        "Projection": 3,
        "PeakTPM": "ManualOverride",
        "HostsPresent": {
            "Source": "inventory",
            "Reported": 150,
            "Arriving": 0,
            "Leaving": 0,
            "AsOf": "2024-06-14T12:00:00.000Z",
        },
    }


def test_a_philosophy_and_an_exception_that_counts_are_kept_with_their_versions() -> None:
    """7.3.1. One that does not count was no input."""
    approved = exception_facts(exception_body(version=4))
    inputs = fortress(philosophy_facts=PhilosophyFacts(6, Philosophy()), exception=approved)
    kept = execution_columns(execute(inputs, now=NOW))
    assert (kept["InputVersions"]["Philosophy"], kept["InputVersions"]["Exception"]) == (6, 4)
    assert kept["BufferFactor"] == Decimal("1.30")
    revoked = exception_facts(exception_body(version=5, Status="Revoked"))
    assert "Exception" not in execution_columns(execute(fortress(exception=revoked), now=NOW))["InputVersions"]


def test_a_factor_is_stored_half_up() -> None:
    fleet = {"buffer_percentage": Fraction("10.5"), "ct_factor": Fraction("1.005")}
    columns = execution_columns(execute(fortress(fleet=fleet), now=NOW))
    assert (columns["BufferFactor"], columns["CTPeakFactor"]) == (Decimal("1.11"), Decimal("1.01"))


def test_a_number_too_large_for_its_column_is_left_out() -> None:
    fleet = {
        "asgs": asgs(None, None, desired=MAX_COUNT),
        "ct_factor": Fraction(1_000),
        "child_desired_capacity": MAX_COUNT + 1,
    }
    columns = execution_columns(execute(fortress(fleet=fleet, inventory=None), now=NOW))
    assert (columns["DesiredCapacity"], columns["CTPeakFactor"], columns["ChildDesiredCapacity"]) == (None, None, None)
    assert (columns["HostsPresentInApollo"], columns["Status"]) == (None, "Success")


def test_a_fail_keeps_what_could_be_known() -> None:
    columns = execution_columns(execute(fortress(event={"region_list": ("eu-west-1",)}), now=NOW))
    assert (columns["Status"], columns["PeakTPM"], columns["HostsPresentInApollo"]) == ("Fail", 50_000, 150)
    assert (columns["RequiredHosts"], columns["CapacityOverrideSum"], columns["OrderedHosts"]) == (None, None, 0)


def test_a_fail_for_a_held_lock_has_its_own_code() -> None:
    columns = execution_columns(lock_held(fortress(), locked_by="HOTW-Run-4", now=NOW))
    assert (columns["FailCode"], columns["HostsPresentInApollo"]) == ("LockHeld", None)


def test_an_asgs_row_has_the_references_columns() -> None:
    assert asg_columns(EXECUTION.asgs[0], EXECUTION) == {
        "FleetIndexId": 42,
        "AutoScalingGroupName": asg_name("a"),
        "AsgTag": "1a",
        "HostType": "c5.2xlarge",
        "AutoScalingGroupRegion": "us-east-1",
        "EAPOnboardingStatus": True,
        "EAPEnableStatus": False,
        "AsgCapacityLowerBound": None,
        "AutoScalingGroupARN": None,
    }


def every_kind_of_order() -> list[Order]:
    approved = decide(order(), Decision.APPROVE, now=NOW, user="u", reason="go")
    part = deliver(approved, fulfilled_hosts=5, now=NOW)
    return [order(), approved, part, deliver(part, fulfilled_hosts=20, now=NOW), replace(order(), superseded=True)]


def test_orders_and_overrides_go_into_their_columns_and_come_back_the_same() -> None:
    for given in every_kind_of_order():
        columns = order_columns(given)
        columns["Deliveries"] = json.loads(json.dumps(columns["Deliveries"]))
        assert order_of(columns) == given
    for status in OverrideStatus:
        assert override_of(override_columns(override(status=status))) == override(status=status)


def test_an_orders_line_has_the_references_columns() -> None:
    columns = order_columns(EXECUTION.orders[0])
    assert columns == columns | {
        "FulfillmentId": "F5-42-1",
        "AutoScalingGroupName": asg_name("a"),
        "FulfillmentType": "Standard",
        "FulfillmentStatus": "Pending",
        "FulfillmentValue": 20,
        "FulfillmentDate": datetime(2024, 6, 29, tzinfo=UTC).date(),
        "FulfillmentLink": None,
        "IsEmergent": False,
        "RunId": 5,
    }


def test_an_overrides_line_has_the_references_columns() -> None:
    columns = override_columns(EXECUTION.overrides[0])
    assert columns == columns | {
        "CapacityOverrideName": f"PD2024-{asg_name('a')}",
        "StartTime": datetime(2024, 7, 15, tzinfo=UTC),
        "Duration": "345600 s",
        "OverrideValue": 50,
        "OverrideExpiryValue": 50,
        "OverrideTag": "PD2024",
        "StartOffset": 1,
        "EndOffset": 1,
        "PlaceOrderIfRequired": True,
        "OverrideType": "Standard",
        "Justification": f"PD2024: 20 more on {asg_name('a')} for the peak.",
        "RunId": 5,
    }


def test_on_the_wire_decimals_are_numbers_and_times_carry_their_zone() -> None:
    read = wire(execution_columns(EXECUTION) | {"FulfillmentDate": NOW.date()})
    assert (read["BufferFactor"], read["CTPeakFactor"]) == (1.1, 1.5)
    assert (read["CreatedAt"], read["FulfillmentDate"]) == ("2024-06-15T09:00:00.000Z", "2024-06-15")
    assert wire({"BufferFactor": Decimal("2.00")}) == {"BufferFactor": 2}
    json.dumps(read)


KEY = OrderBookKey("PD2024", "FORTRESSService-NA-X0", Purpose.UPSCALING)


def fact_of(execution: Execution, execution_id: int) -> ExecutionFact:
    return execution_fact(execution_columns(execution) | {"ExecutionId": execution_id})


def fact(orders: list[Order], latest: ExecutionFact | None = None) -> dict[str, Any]:
    inputs = fortress()
    book = OrderBook(
        key=KEY,
        service_id="FORTRESSService",
        event=inputs.event,
        fleet=inputs.fleet,
        service=inputs.service,
        orders=tuple(orders),
        overrides=(),
        version_id=1,
        settled_under=SettledUnder(inputs.event.version_id),
        latest=latest,
    )
    return json.loads(orjson.dumps(hardware_fact(book, now=NOW, user="jsmith")))


def test_a_fact_carries_the_execution_and_every_order_and_keeps_to_the_contract() -> None:
    orders = [replace(o, execution_id=789) for o in EXECUTION.orders]
    content = fact(orders, fact_of(EXECUTION, 789))
    assert HardwareFact.model_validate(content).wire() == content
    assert (content["RunId"], content["Execution"]["ExecutionId"]) == (5, 789)
    assert (content["Execution"]["Needed"], content["Execution"]["CapReason"]) == (220, "MaxHostCount")
    assert [(o["AvailabilityZone"], o["FulfillmentValue"], o["ExecutionId"]) for o in content["Orders"]] == [
        ("us-east-1a", 20, 789),
        ("us-east-1b", 20, 789),
        ("us-east-1c", 10, 789),
    ]


def test_every_kind_of_order_and_a_fail_keep_to_the_contract() -> None:
    failed = execute(fortress(event={"region_list": ("eu-west-1",)}), now=NOW)
    content = fact(every_kind_of_order(), fact_of(failed, 1))
    assert HardwareFact.model_validate(content).wire() == content
    assert "RequiredHosts" not in content["Execution"]
    assert [o["EverApproved"] for o in content["Orders"]] == [False, True, True, True, False]
    assert [o["Superseded"] for o in content["Orders"]] == [False, False, False, False, True]


def test_a_fact_leaves_out_other_events_and_purposes() -> None:
    others = [order(event_id="SUMMER"), order(purpose=Purpose.DESCALING)]
    content = fact([*others, order()])
    assert [o["FulfillmentId"] for o in content["Orders"]] == ["F4-42-a"]
    assert "Execution" not in content
    assert HardwareFact.model_validate(content).wire() == content


def test_facts_of_a_fleet_event_and_purpose_share_one_key() -> None:
    assert fact_key(KEY) == "PD2024#FORTRESSService-NA-X0#Upscaling"


def test_a_fact_leaves_out_a_number_of_hosts_that_no_contract_can_carry() -> None:
    crowded = execute(fortress(fleet={"asgs": asgs(None, None, desired=MAX_COUNT)}, inventory=None), now=NOW)
    assert fact_of(crowded, 1).hosts_present_in_apollo is None
