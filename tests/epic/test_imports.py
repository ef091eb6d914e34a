"""Rows of what the AWS CLI and Prometheus write: ids by templates, what is left out and why, and what would change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from epic.imports import aws, prometheus
from epic.imports.templates import LabelMapping, TagMapping, Unmapped
from shared.schemas.fleet_svc.fleet import CreateFleet, Fleet, UpdateFleet
from shared.schemas.validation import patched, validated

NOW = datetime(2024, 6, 15, 9, tzinfo=UTC)
TAGS = TagMapping.model_validate(
    {
        "FleetId": "{app}-{realm}",
        "ServiceId": "{app}",
        "Rename": {"app": {"fortress": "FORTRESSService"}},
        "Only": {"env": ["prod"]},
        "HostThroughPutTPM": 250,
    }
)


def group(name: str, *, app: str = "fortress", zones: tuple[str, ...] = ("us-east-1a",), **more: Any) -> dict[str, Any]:
    """An Auto Scaling Group with the members that ``aws autoscaling describe-auto-scaling-groups`` writes."""
    tags = {"app": app, "realm": "NA-X0", "env": "prod", **more.pop("tags", {})}
    template = {"LaunchTemplateId": "lt-0a1b2c3d4e5f60718", "LaunchTemplateName": "fortress", "Version": "7"}
    account = "arn:aws:autoscaling:us-east-1:123456789012"
    return {
        "AutoScalingGroupName": name,
        "AutoScalingGroupARN": (
            f"{account}:autoScalingGroup:5f6ad3a5-0c0f-4b53-8a0f-5b3b1a1c7d55:autoScalingGroupName/{name}"
        ),
        "MixedInstancesPolicy": {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": template,
                "Overrides": [{"InstanceType": "c5.4xlarge", "WeightedCapacity": "1"}],
            },
            "InstancesDistribution": {
                "OnDemandAllocationStrategy": "prioritized",
                "OnDemandBaseCapacity": 5,
                "OnDemandPercentageAboveBaseCapacity": 100,
                "SpotAllocationStrategy": "price-capacity-optimized",
            },
        },
        "MinSize": 5,
        "MaxSize": 100,
        "DesiredCapacity": 40,
        "PredictedCapacity": 42,
        "DefaultCooldown": 300,
        "AvailabilityZones": list(zones),
        "LoadBalancerNames": [],
        "TargetGroupARNs": [
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/fortress/0123456789abcdef"
        ],
        "HealthCheckType": "ELB",
        "HealthCheckGracePeriod": 300,
        "Instances": [
            {
                "InstanceId": "i-0a1b2c3d4e5f60718",
                "InstanceType": "c5.4xlarge",
                "AvailabilityZone": zone,
                "LifecycleState": "InService",
                "HealthStatus": "Healthy",
                "LaunchTemplate": template,
                "ProtectedFromScaleIn": False,
                "WeightedCapacity": "1",
            }
            for zone in zones
        ],
        "CreatedTime": "2023-11-02T08:15:30.123000+00:00",
        "SuspendedProcesses": [{"ProcessName": "AZRebalance", "SuspensionReason": "User suspended at 2024-05-01"}],
        "PlacementGroup": "fortress",
        "VPCZoneIdentifier": "subnet-0a1b2c3d,subnet-4e5f6071",
        "EnabledMetrics": [{"Metric": "GroupDesiredCapacity", "Granularity": "1Minute"}],
        "Tags": [
            {
                "ResourceId": name,
                "ResourceType": "auto-scaling-group",
                "Key": key,
                "Value": value,
                "PropagateAtLaunch": True,
            }
            for key, value in tags.items()
        ],
        "TerminationPolicies": ["Default"],
        "NewInstancesProtectedFromScaleIn": False,
        "ServiceLinkedRoleARN": (
            "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
        ),
        "MaxInstanceLifetime": 604800,
        "CapacityRebalance": False,
        "WarmPoolConfiguration": {"MinSize": 2, "PoolState": "Stopped"},
        "WarmPoolSize": 2,
        "DesiredCapacityType": "units",
        "DefaultInstanceWarmup": 120,
        "TrafficSources": [],
        "InstanceMaintenancePolicy": {"MinHealthyPercentage": 90, "MaxHealthyPercentage": 120},
        "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
        **more,
    }


def action(name: str, least: int | None, **more: Any) -> dict[str, Any]:
    """A scheduled action with the members that ``aws autoscaling describe-scheduled-actions`` writes."""
    arn = f"arn:aws:autoscaling:us-east-1:123456789012:scheduledUpdateGroupAction:1:autoScalingGroupName/{name}"
    given = {
        "AutoScalingGroupName": name,
        "ScheduledActionName": f"to-{least}",
        "ScheduledActionARN": f"{arn}:scheduledActionName/to-{least}",
        "Time": more.get("StartTime"),
        "MinSize": least,
        "MaxSize": 100,
        "DesiredCapacity": least,
        "TimeZone": "Etc/UTC" if "Recurrence" in more else None,
        **more,
    }
    return {member: value for member, value in given.items() if value is not None}


def fleets(*groups: dict[str, Any], actions: tuple[dict[str, Any], ...] = ()) -> aws.Fleets:
    documents = [
        aws.read_document(orjson.dumps({"AutoScalingGroups": groups}), "groups.json"),
        aws.read_document(orjson.dumps({"ScheduledUpdateGroupActions": actions}), "actions.json"),
    ]
    return aws.fleets_of(documents, TAGS, now=NOW)


def test_groups_become_the_asgs_of_fleets_by_their_tags() -> None:
    found = fleets(group("asg-1a"), group("asg-1b", zones=("us-east-1b",)), group("test-1a", tags={"env": "test"}))
    assert (found.left, found.skipped) == ([], 1)
    row = found.rows["FORTRESSService-NA-X0"]
    assert (row["ServiceId"], row["FleetConfiguration"]["Region"]) == ("FORTRESSService", "us-east-1")
    first, second = row["FleetConfiguration"]["ASGProperties"]
    assert first == {
        "AutoScalingGroupName": "asg-1a",
        "AvailabilityZone": "us-east-1a",
        "MaxInstance": 100,
        "MinInstance": 5,
        "DesiredCapacity": 40,
        "HostType": "c5.4xlarge",
        "AutoScalingGroupARN": group("asg-1a")["AutoScalingGroupARN"],
    }
    assert second["AvailabilityZone"] == "us-east-1b"


def test_scheduled_actions_to_come_bound_the_capacity_from_below() -> None:
    actions = (
        action("asg-1a", 90, StartTime="2024-06-01T00:00:00+00:00"),
        action("asg-1a", 20, StartTime="2024-07-01T00:00:00Z"),
        action("asg-1a", 30, Recurrence="0 8 * * *", StartTime="2024-01-01T00:00:00Z"),
        action("asg-1a", 95, Recurrence="0 8 * * *", EndTime="2024-02-01T00:00:00Z"),
        action("asg-1a", None, MaxSize=500, StartTime="2024-07-02T00:00:00Z"),
    )
    row = fleets(group("asg-1a"), actions=actions).rows["FORTRESSService-NA-X0"]
    assert row["FleetConfiguration"]["ASGProperties"][0]["AsgCapacityLowerBound"] == 30


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        ([group("a", zones=("us-east-1a", "us-east-1b"))], "zones us-east-1a, us-east-1b"),
        ([group("a", zones=())], "zones none"),
        ([group("a", app="")], "has no app"),
        ([group("a", app="a b")], "'a b-NA-X0'"),
        ([group("b"), group("a", zones=("eu-west-1a",))], "us-east-1"),
        ([group("a"), group("a")], "twice"),
    ],
)
def test_a_group_that_is_left_out_is_named_with_the_reason(groups: list[dict[str, Any]], reason: str) -> None:
    (left,) = fleets(*groups).left
    assert left.name == "a"
    assert reason in left.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "is not JSON"),
        (b"[]", "no JSON object"),
        (b'"\xff"', "is not JSON"),
        (b'{"AutoScalingGroups": [], "NextToken": "x"}', "cut short"),
        (
            b'{"ScheduledUpdateGroupActions": [{"AutoScalingGroupName": "a", "StartTime": "soon"}]}',
            "/ScheduledUpdateGroupActions/0/StartTime",
        ),
        (b"{}", "neither"),
        (b'{"AutoScalingGroups": [{"AutoScalingGroupName": "a"}]}', "/AutoScalingGroups/0/MinSize"),
    ],
)
def test_a_file_of_something_else_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        aws.read_document(text, "a.json")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_is_read_as_any_shell_writes_it(encoding: str) -> None:
    text = orjson.dumps({"AutoScalingGroups": [group("asg-1a")]}).decode().encode(encoding)
    assert aws.fleets_of([aws.read_document(text, "a.json")], TAGS, now=NOW).rows.keys() == {"FORTRESSService-NA-X0"}


def test_what_only_epic_knows_of_a_fleet_stays() -> None:
    row = fleets(group("asg-1a"), group("asg-1b", zones=("us-east-1b",))).rows["FORTRESSService-NA-X0"]
    own = {"AutoScalingGroupName": "asg-1a", "AvailabilityZone": "us-east-1a", "MaxInstance": 60, "AsgTag": "1a"}
    other = {"AutoScalingGroupName": "of-another-account", "AvailabilityZone": "us-east-1c"}
    configuration = {"Region": "us-east-1", "HostThroughPutTPM": 300, "ASGProperties": [own, other]}
    present = {"FleetId": row["FleetId"], "ServiceId": "FORTRESSService", "FleetConfiguration": configuration}
    change = aws.change_of(row, present, TAGS)
    assert change is not None
    assert list(change) == ["FleetId", "FleetConfiguration"]
    first, second, third = change["FleetConfiguration"]["ASGProperties"]
    assert (first["AsgTag"], first["MaxInstance"]) == ("1a", 100)
    assert (second, third["AutoScalingGroupName"]) == (other, "asg-1b")
    lines = aws.difference(change, present)
    assert "~ FORTRESSService-NA-X0 asg-1a MaxInstance: 60 → 100" in lines
    assert "+ FORTRESSService-NA-X0 asg-1b: new, in us-east-1b" in lines
    after = {**present, "FleetConfiguration": {**configuration, **change["FleetConfiguration"]}}
    assert aws.change_of(row, after, TAGS) is None


def test_a_new_fleet_gets_the_throughput_of_the_mapping() -> None:
    row = fleets(group("asg-1a")).rows["FORTRESSService-NA-X0"]
    change = aws.change_of(row, None, TAGS)
    assert change is not None
    assert change["FleetConfiguration"]["HostThroughPutTPM"] == 250
    assert aws.difference(change, None) == [
        "+ FORTRESSService-NA-X0: new, of FORTRESSService in us-east-1, with asg-1a"
    ]


EVERY_MEMBER = {  # that an import can give an ASG
    "AutoScalingGroupName",
    "AvailabilityZone",
    "MaxInstance",
    "MinInstance",
    "DesiredCapacity",
    "HostType",
    "AsgCapacityLowerBound",
    "AutoScalingGroupARN",
}


def test_the_contract_takes_every_member_of_a_new_fleet() -> None:
    later = action("asg-1a", 20, StartTime="2024-07-01T00:00:00+00:00")
    row = fleets(group("asg-1a"), actions=(later,)).rows["FORTRESSService-NA-X0"]
    change = aws.change_of(row, None, TAGS)
    assert change is not None
    (asg,) = change["FleetConfiguration"]["ASGProperties"]
    assert set(asg) == EVERY_MEMBER
    made = validated(CreateFleet, orjson.loads(orjson.dumps(change)))
    assert made.model_dump(mode="json", by_alias=True, exclude_unset=True) == change


def test_the_contract_takes_every_member_of_a_changed_fleet() -> None:
    row = fleets(group("asg-1a")).rows["FORTRESSService-NA-X0"]
    own = {"AutoScalingGroupName": "asg-1a", "AvailabilityZone": "us-east-1c", "AsgTag": "1a"}
    configuration = {"Region": "eu-west-1", "HostThroughPutTPM": 300, "ASGProperties": [own]}
    present = {"FleetId": row["FleetId"], "ServiceId": "Other", "FleetConfiguration": configuration}
    later = action("asg-1a", 20, StartTime="2024-07-01T00:00:00+00:00")
    row = fleets(group("asg-1a"), actions=(later,)).rows["FORTRESSService-NA-X0"]
    change = aws.change_of(row, present, TAGS)
    assert change is not None
    (asg,) = change["FleetConfiguration"]["ASGProperties"]
    assert set(asg) == {*EVERY_MEMBER, "AsgTag"}
    update = validated(UpdateFleet, orjson.loads(orjson.dumps(change)))
    after = patched(Fleet, present, update.patch)
    assert after.model_dump(mode="json", by_alias=True, exclude_unset=True) == {
        **present,
        **change,
        "FleetConfiguration": {**configuration, **change["FleetConfiguration"]},
    }


def test_an_arn_that_is_too_long_for_epic_is_left_out() -> None:
    (asg,) = fleets(group("a" * 200)).rows["FORTRESSService-NA-X0"]["FleetConfiguration"]["ASGProperties"]
    assert set(asg) == EVERY_MEMBER - {"AsgCapacityLowerBound", "AutoScalingGroupARN"}


# -- Prometheus --------------------------------------------------------------------------------------------------------

LABELS = LabelMapping.model_validate({"FleetId": "{fleet}"})
BEGIN = int(datetime(2024, 6, 14, 23, 59, tzinfo=UTC).timestamp())


def answer(*series: tuple[dict[str, str], list[tuple[float, str]]]) -> bytes:
    result = [{"metric": metric, "values": values} for metric, values in series]
    return orjson.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


def traffic(*series: tuple[dict[str, str], list[tuple[float, str]]], per_minute: int = 1) -> prometheus.Traffic:
    found = prometheus.Traffic()
    read = prometheus.read_answer(answer(*series), "answer.json")
    prometheus.add_series(found, read, LABELS, per_minute=Decimal(per_minute))
    return found


def test_points_become_the_minutes_of_a_fleets_days() -> None:
    points = [(BEGIN, "10.25"), (BEGIN + 60, "0.0083"), (BEGIN + 120.5, "NaN")]
    found = traffic(({"fleet": "F1"}, points), per_minute=60)
    assert found.days == {("F1", date(2024, 6, 14)): {"23:59": 615}, ("F1", date(2024, 6, 15)): {"00:00": 0}}
    assert found.not_numbers == 1
    assert next(found.rows("prometheus")) == {
        "FleetId": "F1",
        "Date": "2024-06-14",
        "Series": {"23:59": 615},
        "Source": "prometheus",
    }


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([(BEGIN, "1"), (BEGIN + 30, "2")], "two values"),
        ([(BEGIN, "-1")], "value -1"),
        ([(BEGIN, "1e300")], "value 1e300"),
        ([(BEGIN * 1000, "1")], "give seconds"),
        ([(1e30, "1")], "give seconds"),
        ([(BEGIN, "abc")], "no number"),
        ([(-1e12, "1")], "give seconds"),
    ],
)
def test_a_series_with_a_bad_value_is_left_out_whole(values: list[tuple[float, str]], reason: str) -> None:
    found = traffic(({"fleet": "F1"}, [(BEGIN - 60, "5"), *values]))
    assert found.days == {}
    assert reason in found.left[0].reason


def test_two_series_of_one_fleet_are_not_mixed() -> None:
    found = traffic(({"fleet": "F1", "pod": "a"}, [(BEGIN, "1")]), ({"fleet": "F1", "pod": "b"}, [(BEGIN, "2")]))
    assert found.days == {("F1", date(2024, 6, 14)): {"23:59": 1}}
    assert (found.left[0].name, "sum by" in found.left[0].reason) == ('{fleet="F1", pod="b"}', True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "is not JSON"),
        (b"{}", "/status"),
        (b'{"status":"error","error":"bad_data"}', "bad_data"),
        (b'{"status":"success","data":{"resultType":"vector","result":[]}}', "vector"),
        (answer(({"fleet": "F1"}, []), ({"fleet": "F2"}, [])), "2 series, and 1 are the most"),
        (answer(({"fleet": "F1"}, [(BEGIN, "1")] * 11_001)), "11001 points"),
        (
            b'{"status":"success","data":{"resultType":"matrix","result":[]},"warnings":["results truncated"]}',
            "cut short",
        ),
    ],
)
def test_an_answer_that_is_none_or_too_large_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        prometheus.read_answer(text, "answer.json", max_series=1)


def test_a_period_is_asked_for_in_parts_of_one_day_and_a_bounded_number_of_points() -> None:
    begin, end = datetime(2024, 6, 14, 22, tzinfo=UTC), datetime(2024, 6, 16, 1, tzinfo=UTC)
    days = list(prometheus.parts_of(begin, end, max_series=1_000))
    assert days == [
        (begin, datetime(2024, 6, 14, 23, 59, tzinfo=UTC)),
        (datetime(2024, 6, 15, tzinfo=UTC), datetime(2024, 6, 15, 23, 59, tzinfo=UTC)),
        (datetime(2024, 6, 16, tzinfo=UTC), end),
    ]
    parts = list(prometheus.parts_of(begin, begin + timedelta(hours=2, minutes=50), max_series=25_000))
    assert [(first.hour, first.minute, last.hour, last.minute) for first, last in parts] == [
        (22, 0, 23, 19),
        (23, 20, 23, 59),
        (0, 0, 0, 50),
    ]


def test_a_template_without_its_braces_is_refused() -> None:
    with pytest.raises(ValueError, match="braces"):
        LabelMapping.model_validate({"FleetId": "{fleet"})
    with pytest.raises(Unmapped, match="has no fleet"):
        LABELS.fleet_of({"pod": "a"})
