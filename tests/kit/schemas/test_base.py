"""What every contract takes and what it refuses: each refusal names the field and says what to give."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.schemas.base import (
    FIRST_DAY,
    LAST_DAY,
    MAX_COUNT,
    MAX_DECIMAL,
    Count,
    DecimalNumber,
    Instant,
    JoinedKey,
    Name,
    WireDate,
    WireModel,
    is_name,
)
from shared.schemas.eventplan_svc import EventPlanSnapshot
from shared.schemas.fleet_svc.projection import ProjectionSnapshot
from shared.schemas.notify_svc.notification import NOTIFICATION
from shared.schemas.notify_svc.ticket import TICKET
from shared.schemas.results import Accepted, CommandResult
from shared.schemas.validation import field_errors


class Thing(WireModel):
    name: Name | None = None
    key: JoinedKey | None = None
    day: WireDate | None = None
    moment: Instant | None = None
    number: DecimalNumber | None = None
    count: Count | None = None


def refused(model: type[WireModel], body: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as error:
        model.model_validate(body)
    return {item.pointer: item.detail for item in field_errors(error.value)}


@pytest.mark.parametrize(
    ("member", "value", "detail"),
    [
        ("Day", "0001-01-01", "give a day from 1971-01-01 to 9000-12-31"),
        ("Day", "9999-12-31", "give a day from 1971-01-01 to 9000-12-31"),
        ("Day", "2024-02-30", "there is no day 2024-02-30; give one such as 2024-07-16"),
        ("Day", 20240716, "give a day such as 2024-07-16"),
        ("Moment", "1960-01-01T00:00:00Z", "give a day from 1971-01-01 to 9000-12-31"),
        ("Moment", "9999-12-31T23:59:59-14:00", "is no time; give one such as 2024-06-15T09:00:00Z"),
        ("Moment", "soon", "'soon' is no time; give one such as 2024-06-15T09:00:00Z"),
        ("Moment", "2024-06-15T09:00:00", "has no time zone; add Z"),
        ("Number", 1e30, f"give {MAX_DECIMAL} or less"),
        ("Number", -0.5, "give 0 or more"),
        ("Number", Decimal("1E+999999"), f"give {MAX_DECIMAL} or less"),
        ("Number", "1E+999999", "give a number, such as 1.5"),
        ("Number", "1_000.5", "give a number, such as 1.5"),
        ("Number", " 1.5", "give a number, such as 1.5"),
        ("Number", "-1", "give a number, such as 1.5"),
        ("Number", "NaN", "give a number, such as 1.5"),
        ("Number", math.nan, "give a finite number"),
        ("Count", Decimal("1E+999999"), f"give a whole number from 0 to {MAX_COUNT}"),
        ("Count", 1e30, f"give a whole number from 0 to {MAX_COUNT}"),
        ("Count", Decimal("1.000000000000000001"), "give a whole number, without a fraction"),
        ("Name", "", "not empty"),
        ("Name", " x", "no space at either end"),
        ("Name", "x\u00a0", "no space at either end"),
        ("Name", "a\nb", "without control characters"),
        ("Name", "x" * 256, "give at most 255 characters"),
        ("Name", 5, "give a text"),
        ("Key", "x" * 513, "give at most 512 characters"),
    ],
)
def test_what_is_refused_says_what_to_give(member: str, value: Any, detail: str) -> None:
    assert detail in refused(Thing, {member: value})[f"/{member}"]


def test_lists_objects_and_words_are_asked_for_by_name() -> None:
    ticket = {"Title": "t", "Comments": {}, "AuditMetadata": "x", "Severity": 9, "Status": "Lost"}
    detail = refused(TICKET.create, ticket)
    assert detail["/Comments"] == "give a list"
    assert detail["/AuditMetadata"] == "give an object"
    assert detail["/Severity"] == "give 5 or less"
    assert detail["/Status"].startswith("give one of 'Open', ")


@given(st.text(max_size=300))
def test_the_two_judges_of_a_name_agree(text: str) -> None:
    try:
        Thing.model_validate({"Name": text})
    except ValidationError:
        assert not is_name(text)
    else:
        assert is_name(text)


@given(st.dates(FIRST_DAY, LAST_DAY))
def test_a_day_that_is_taken_goes_out_as_it_came(day: Any) -> None:
    assert Thing.model_validate({"Day": day.isoformat()}).wire()["Day"] == day.isoformat()


def test_the_longest_ids_joined_fit_all_that_carries_them() -> None:
    fleet, event, service = "f" * 128, "e" * 128, "s" * 128
    audit = {"User": "u", "Timestamp": "2024-06-15T09:00:00.000Z"}
    ProjectionSnapshot.model_validate(
        {
            "ProjectionId": f"{fleet}#{event}#Peak",
            "FleetId": fleet,
            "EventId": event,
            "TotalInputTPM": 5,
            "VersionId": 1,
            "AuditMetadata": audit,
        }
    )
    EventPlanSnapshot.model_validate(
        {
            "EventPlanId": f"{event}#{fleet}",
            "FleetId": fleet,
            "EventId": event,
            "ServiceId": service,
            "EventMilestone": [],
            "EventDescaleMilestone": [],
            "VersionId": 1,
            "AuditMetadata": audit,
        }
    )
    NOTIFICATION.snapshot.model_validate(
        {
            "NotificationId": f"InactiveEventOrders.{event}.{service}.1",
            "Kind": "k",
            "Cause": "c",
            "Status": "Sent",
            "Subject": "s",
            "VersionId": 1,
            "AuditMetadata": audit,
        }
    )
    answered = Accepted(f"{fleet}#{event}#Peak", 1)
    CommandResult.model_validate(
        {"CommandId": "i" * 255, "Source": "s" * 255, "Outcome": "Accepted", "Id": answered.id, "VersionId": 1}
    )
