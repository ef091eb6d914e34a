"""Every invariant can fail: a store doctored in one place is found out by the one that guards it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.faults.invariants import INVARIANTS, violations
from tests.faults.ledger import Command, Ledger
from tests.faults.picture import Letter, Picture, PublishedRecord, Stored, Version, canonical

EVENT, FLEET, SERVICE = "E", "S-F", "S"
PLAN, BOOK = f"{EVENT}#{FLEET}", f"{EVENT}#{FLEET}#Upscaling"
ASG = f"{FLEET}/a"


def version(number: int, state: dict[str, Any], message: str | None = None, *, deleted: bool = False) -> Version:
    at = f"2024-06-1{number}T12:00:00.000Z"
    return Version(number, canonical([number, state, message, deleted]), state, deleted, message, at)


def stored(*versions: Version, **side: Any) -> Stored:
    return Stored(versions[-1], versions[-1].number, {one.number: one for one in versions}, side)


def plan(hosts: int, status: str = "Completed", colour: str = "Green") -> dict[str, Any]:
    order = {"EventMilestoneId": "PlaceHardwareOrder", "MilestoneMessage": f"{hosts} hosts ordered via HOTW"}
    one = {"EventMilestoneId": "HardwareOrder", "MilestoneCompletionStatus": status, "ETA": "2024-06-11"}
    milestones = [{**one, "SubMilestones": [order]}]
    return {"EventId": EVENT, "FleetId": FLEET, "EventMilestone": milestones, "PeakReadyStatus": colour}


def published(
    topic: str, name: str, key: str, source: str = "s", digest: str = "d", data: Any = None
) -> PublishedRecord:
    return PublishedRecord(topic, 0, 0, key, name, topic, source, digest, data)


def healthy() -> tuple[Picture, Ledger]:
    """A service of one fleet with 50 hosts ordered, 20 of them delivered: nothing to be found fault with."""
    picture = Picture(taken=datetime(2024, 7, 1, tzinfo=UTC))
    picture.documents = {
        ("fleet_svc", "service"): {SERVICE: stored(version(1, {}, "s1"))},
        ("fleet_svc", "fleet"): {FLEET: stored(version(1, {}, "f1"), HostInventory={"Source": "i1"})},
        ("fleet_svc", "projection"): {
            f"{PLAN}#Peak": stored(version(1, {}), version(2, {}), version(3, {}, deleted=True)),
        },
        ("event_svc", "event"): {EVENT: stored(version(1, {}, "e1"), version(2, {}, "e2"))},
        ("eventplan_svc", "eventplan"): {
            PLAN: stored(version(1, plan(0, "InProgress", "Yellow")), version(2, plan(50)))
        },
        ("notify_svc", "notification"): {
            "HardwareOrder.7.S": stored(
                version(1, {"Kind": "HardwareOrder", "Status": "Pending"}),
                version(2, {"Kind": "HardwareOrder", "Status": "Sent", "RunId": 7, "ServiceId": SERVICE}),
            ),
        },
    }
    picture.replicas = {
        (service, name): {key: one.head.number for key, one in picture.of(*owner).items()}
        for name, owner in {
            "service": ("fleet_svc", "service"),
            "fleet": ("fleet_svc", "fleet"),
            "event": ("event_svc", "event"),
            "projection": ("fleet_svc", "projection"),
        }.items()
        for service in ("eventplan_svc", "hotw_svc", "notify_svc")
    }
    picture.replicas["eventplan_svc", "colour_change"] = {f"{EVENT}@2024-06-12T12:00:00.000Z#{FLEET}#0000000002": 1}
    picture.trend = {
        f"{EVENT}@2024-06-10": {"Green": 0, "Yellow": 0, "Red": 0},
        f"{EVENT}@2024-06-11": {"Green": 0, "Yellow": 1, "Red": 0},
        f"{EVENT}@2024-06-12": {"Green": 1, "Yellow": 0, "Red": 0},
    }
    picture.rows = {
        "hotw_run": [{"RunId": 7, "EventId": EVENT, "RunStatus": "Completed", "Fleets": 1}],
        "hotw_execution": [{"ExecutionId": 3, "RunId": 7, "FleetId": FLEET, "ServiceId": SERVICE, "OrderedHosts": 50}],
        "asg_details_run": [
            {"RunId": 7, "FleetId": FLEET, "AutoScalingGroupName": ASG, "RecommendedOverrideValue": 50},
        ],
        "fulfillment_details": [
            {
                "FulfillmentId": "F7-1-1",
                "RunId": 7,
                "ExecutionId": 3,
                "FleetId": FLEET,
                "EventId": EVENT,
                "Purpose": "Upscaling",
                "AutoScalingGroupName": ASG,
                "FulfillmentStatus": "Approved",
                "FulfillmentValue": 50,
                "FulfilledHosts": 20,
                "ApprovedAt": "2024",
                "Deliveries": [{"Hosts": 20}],
            },
        ],
        "capacity_override_details": [
            {
                "EventId": EVENT,
                "FleetId": FLEET,
                "AutoScalingGroupName": ASG,
                "OverrideStatus": "Approved",
                "OverrideValue": 55,
                "BaseCapacity": 5,
            },
        ],
        "hotw_dashboard": [
            {
                "EventId": EVENT,
                "FleetId": FLEET,
                "Purpose": "Upscaling",
                "CapacityOverrideSum": 50,
                "FulfilledHosts": 20,
                "OrdersVersionId": 2,
            },
        ],
        "run_fleet": [],
    }
    answer = {"CommandId": "c1", "Outcome": "Accepted", "Id": SERVICE, "VersionId": 1}
    picture.published = [
        *(
            published(f"{resource}.{verb}", f"{key}:{number}:{resource}.{verb}", key)
            for resource, key, verbs in (
                ("service", SERVICE, "created"),
                ("fleet", FLEET, "created"),
                ("projection", f"{PLAN}#Peak", "created updated deleted"),
                ("event", EVENT, "created updated"),
                ("eventplan", PLAN, "created updated"),
            )
            for number, verb in enumerate(verbs.split(), 1)
        ),
        published("notification.sent", "HardwareOrder.7.S:2:notification.sent", "HardwareOrder.7.S"),
        published("hotw.execution.completed", f"{BOOK}:1:hotw.execution.completed", BOOK),
        published("hotw.order.placed", f"{BOOK}:2:hotw.order.placed", BOOK),
        published("hotw.run.started", "7:hotw.run.started", "7"),
        published("hotw.run.completed", "7:hotw.run.completed", "7"),
        published("command.results", "/faults/c1:result", SERVICE, "fleet_svc", data=answer),
        PublishedRecord("fleet.commands", 4, 9, "p1", "", "", "", "d"),
    ]
    picture.groups = {"fleet_svc.commands": ("fleet.commands",)}
    picture.letters = [Letter("fleet_svc", "l1", "fleet_svc.commands", "fleet.commands", 4, 9, "the data is not JSON")]
    ledger = Ledger(
        commands={"c1": Command("c1", "fleet.commands", "CreateService", SERVICE, {}, dict(answer))},
        runs={7},
        inventories={FLEET: ("2024", "i1")},
        poison={"p1": "fleet.commands"},
        plans={(EVENT, FLEET)},
        hosts={(EVENT, FLEET): 50},
        decisions={"F7-1-1": "Approved"},
        deliveries={"F7-1-1": 20},
    )
    ledger.acknowledged("e2", "event_svc", "event", EVENT, 2)
    return picture, ledger


Doctoring = Callable[[Picture, Ledger], object]
DOCTORED: dict[str, list[Doctoring]] = {
    "one_plan_per_fleet_and_event": [
        lambda p, _: p.of("eventplan_svc", "eventplan").pop(PLAN),
        lambda p, _: p.of("eventplan_svc", "eventplan").update(again=p.of("eventplan_svc", "eventplan")[PLAN]),
        lambda _, ledger: ledger.plans.clear(),
        lambda _, ledger: ledger.closed.add((EVENT, FLEET)),
        lambda p, _: p.of("eventplan_svc", "eventplan")[PLAN].head.state.update(Closed={"Reason": "none"}),
    ],
    "version_numbers_are_contiguous": [
        lambda p, _: p.of("event_svc", "event")[EVENT].items.pop(1),
        lambda p, _: p.of("event_svc", "event")[EVENT].items.update({3: version(3, {})}),
        lambda p, _: p.of("event_svc", "event")[EVENT].items.update({1: version(2, {})}),
        lambda p, _: p.of("event_svc", "event")[EVENT].items.update({2: version(2, {"other": 1}, "e2")}),
        lambda p, _: setattr(p.of("event_svc", "event")[EVENT], "latest", 1),
    ],
    "replicas_hold_the_latest": [
        lambda p, _: p.replicas["hotw_svc", "event"].update({EVENT: 1}),
        lambda p, _: p.replicas["hotw_svc", "projection"].clear(),
        lambda p, _: p.replicas["eventplan_svc", "fleet"].update(nobody=1),
    ],
    "outboxes_are_empty": [lambda p, _: p.waiting.append("hotw_svc outbox: 1")],
    "every_version_was_published": [
        lambda p, _: drop(p, f"{EVENT}:1:event.created"),
        lambda p, _: drop(p, f"{PLAN}#Peak:3:projection.deleted"),
        lambda p, _: drop(p, "HardwareOrder.7.S:2:notification.sent"),
        lambda p, _: rename(p, f"{EVENT}:2:event.updated", f"{EVENT}:2:event.created"),
    ],
    "every_fact_of_a_book_was_published": [
        lambda p, _: drop(p, f"{BOOK}:1:hotw.execution.completed"),
        lambda p, _: rename(p, f"{BOOK}:2:hotw.order.placed", f"{BOOK}:3:hotw.order.placed"),
        lambda p, _: p.rows["hotw_dashboard"].clear(),
        lambda p, _: drop(p, "7:hotw.run.completed"),
    ],
    "no_id_has_two_contents": [
        lambda p, _: p.published.append(published("event.created", f"{EVENT}:1:event.created", EVENT, digest="2")),
    ],
    "first_copies_are_in_order": [
        lambda p, _: p.published.extend(
            [
                published("event.updated", f"{EVENT}:4:event.updated", EVENT),
                published("event.updated", f"{EVENT}:3:event.updated", EVENT),
            ]
        ),
    ],
    "runs_have_ended": [
        lambda p, _: p.rows["hotw_run"][0].update(RunStatus="Running"),
        lambda p, _: p.rows["run_fleet"].append({"RunId": 7, "FleetId": FLEET}),
    ],
    "one_execution_per_fleet_and_run": [
        lambda p, _: p.rows["hotw_execution"].append(copy.deepcopy(p.rows["hotw_execution"][0])),
        lambda p, _: p.rows["hotw_execution"].clear(),
        lambda p, _: p.rows["hotw_execution"][0].update(RunId=8),
    ],
    "hosts_add_up": [
        lambda p, _: p.rows["fulfillment_details"][0].update(FulfillmentValue=51),
        lambda p, _: p.rows["capacity_override_details"][0].update(OverrideValue=54),
        lambda p, _: p.rows["capacity_override_details"].append(copy.deepcopy(p.rows["capacity_override_details"][0])),
        lambda p, _: p.rows["hotw_dashboard"][0].update(CapacityOverrideSum=49),
        lambda p, _: p.rows["hotw_dashboard"][0].update(FulfilledHosts=0),
        lambda p, _: p.rows["hotw_dashboard"].clear(),
        lambda p, _: p.rows["hotw_execution"][0].update(OrderedHosts=49),
        lambda p, _: p.rows["hotw_execution"].clear(),
        lambda p, _: p.rows["asg_details_run"][0].update(RecommendedOverrideValue=49),
        lambda p, _: p.rows["fulfillment_details"][0].update(FulfilledHosts=19),
    ],
    "no_host_is_ordered_twice": [
        lambda _, ledger: ledger.hosts.update({(EVENT, FLEET): 49}),
        lambda p, _: p.rows["fulfillment_details"][0].update(FulfillmentStatus="Cancelled"),
    ],
    "plans_show_what_was_ordered": [
        lambda p, _: set_head(p.of("eventplan_svc", "eventplan")[PLAN], version(2, plan(49))),
    ],
    "every_change_of_colour_is_listed": [
        lambda p, _: p.replicas["eventplan_svc", "colour_change"].clear(),
        lambda p, _: p.replicas.update(
            {("eventplan_svc", "colour_change"): {f"{EVENT}@2024-06-12T12:00:00.001Z#{FLEET}#0000000002": 1}}
        ),
    ],
    "a_day_of_the_trend_is_a_recount": [
        lambda p, _: p.trend.update({f"{EVENT}@2024-06-12": {"Green": 0, "Yellow": 1, "Red": 0}}),
        lambda p, _: p.trend.update({f"{EVENT}@2024-06-10": {"Green": 0, "Yellow": 1, "Red": 0}}),
        lambda p, _: p.of("eventplan_svc", "eventplan")[PLAN].items.update({1: version(1, plan(0, "Blocked", "Red"))}),
        lambda p, _: p.of("eventplan_svc", "eventplan")[PLAN].head.state.update(Closed={"Reason": "none"}),
        lambda p, _: p.trend.update({f"{EVENT}2@2024-06-12": {"Green": 1, "Yellow": 0, "Red": 0}}),
    ],
    "one_order_summary_per_service_and_run": [
        lambda p, _: p.of("notify_svc", "notification").clear(),
        lambda p, _: p.of("notify_svc", "notification").update(
            again=p.of("notify_svc", "notification")["HardwareOrder.7.S"]
        ),
        lambda p, _: p.rows["hotw_execution"][0].update(OrderedHosts=0),
    ],
    "every_mail_that_is_due_was_sent": [
        lambda p, _: mail(p)["state"].update(Status="Failed"),
        lambda p, _: mail(p)["state"].update(Status="Pending"),
        lambda p, _: mail(p)["state"].update(Status="Pending", _NextAttempt="2024-06-30T00:00:00Z"),
    ],
    "runs_are_those_that_were_asked_for": [
        lambda _, ledger: ledger.runs.add(8),
        lambda _, ledger: ledger.runs.clear(),
    ],
    "no_acknowledged_write_is_missing": [
        lambda _, ledger: ledger.acknowledged("e3", "event_svc", "event", EVENT, 3),
        lambda _, ledger: ledger.acknowledged("e3", "event_svc", "event", EVENT, 2),
        lambda _, ledger: ledger.acknowledged("x1", "event_svc", "event", "X", 1),
        lambda p, _: set_head(p.of("event_svc", "event")[EVENT], version(3, {}, "e2")),
        lambda _, ledger: ledger.inventories.update({FLEET: ("2024", "i2")}),
        lambda p, _: p.of("fleet_svc", "fleet").clear(),
    ],
    "decisions_and_deliveries_stand": [
        lambda p, _: p.rows["fulfillment_details"][0].update(FulfillmentStatus="Pending"),
        lambda p, _: p.rows["fulfillment_details"][0].update(FulfilledHosts=0),
        lambda _, ledger: ledger.decisions.update({"F9-1-1": "Approved"}),
    ],
    "every_command_is_answered": [
        lambda p, _: drop(p, "/faults/c1:result"),
        lambda _, ledger: ledger.commands["c1"].answer.update(VersionId=2),  # type: ignore[union-attr]
    ],
    "a_command_has_one_answer": [
        lambda p, _: p.published.append(
            published("command.results", "/faults/c1:result", SERVICE, data={"CommandId": "c1", "Outcome": "Refused"})
        ),
    ],
    "dead_letters_are_what_was_poisoned": [
        lambda p, _: p.letters.clear(),
        lambda p, _: p.letters.append(p.letters[0]),
        lambda p, _: p.letters.append(replace(p.letters[0], offset=10)),
        lambda p, _: p.letters.__setitem__(0, replace(p.letters[0], reason=" ")),
        lambda _, ledger: ledger.poison.clear(),
        lambda _, ledger: ledger.poison.update(p2="fleet.commands"),
    ],
}


def drop(picture: Picture, name: str) -> None:
    picture.published = [record for record in picture.published if record.id != name]


def rename(picture: Picture, old: str, new: str) -> None:
    topic = new.rpartition(":")[2]
    picture.published = [replace(one, id=new, topic=topic) if one.id == old else one for one in picture.published]


def set_head(document: Stored, head: Version) -> None:
    document.head, document.latest = head, head.number
    document.items[head.number] = head


def mail(picture: Picture) -> dict[str, Any]:
    return {"state": picture.of("notify_svc", "notification")["HardwareOrder.7.S"].head.state}


def test_nothing_is_found_fault_with_where_all_is_well() -> None:
    assert violations(*healthy()) == []


def test_every_invariant_has_its_doctored_stores() -> None:
    assert {one.__name__ for one in INVARIANTS} == set(DOCTORED)


CASES = [(name, doctor) for name, doctorings in DOCTORED.items() for doctor in doctorings]


@pytest.mark.parametrize(("name", "doctor"), CASES, ids=[f"{name}-{n}" for n, (name, _) in enumerate(CASES)])
def test_a_doctored_store_is_found_out(name: str, doctor: Doctoring) -> None:
    picture, ledger = healthy()
    doctor(picture, ledger)
    found = [wrong for wrong in violations(picture, ledger) if wrong.startswith(f"{name}: ")]
    assert found, f"{name} did not notice"


def test_a_version_made_in_bulk_may_lie_in_its_head_alone() -> None:
    picture, ledger = healthy()
    picture.of("fleet_svc", "service")[SERVICE].items.clear()
    assert violations(picture, ledger) == []


def test_a_mail_that_is_put_off_may_wait_for_its_time() -> None:
    picture, ledger = healthy()
    mail(picture)["state"].update(Status="Pending", _NextAttempt="2024-07-01T00:02:00Z")
    drop(picture, "HardwareOrder.7.S:2:notification.sent")
    assert violations(picture, ledger) == []
