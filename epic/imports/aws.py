"""Fleets by what the AWS CLI writes: ``describe-auto-scaling-groups`` and ``describe-scheduled-actions``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from epic.imports.templates import TagMapping, Unmapped
from shared.clock import parse_instant
from shared.schemas.validation import field_errors

_OF_AN_ASG: Final = "AutoScalingGroupName"
_MOST_ARN: Final = 255  # characters of a Name, which an ARN is in EPIC; AWS takes 1,600


class _Aws(BaseModel):
    """What AWS writes has more members than EPIC looks at, and gets new ones."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class AwsTag(_Aws):
    Key: str
    Value: str = ""


class AwsInstance(_Aws):
    InstanceType: str = ""


class AutoScalingGroup(_Aws):
    AutoScalingGroupName: str
    AutoScalingGroupARN: str = ""
    MinSize: int
    MaxSize: int
    DesiredCapacity: int
    AvailabilityZones: list[str]
    Tags: list[AwsTag] = Field(default_factory=list)
    Instances: list[AwsInstance] = Field(default_factory=list)

    @property
    def region(self) -> str:
        """The region of its zones: ``us-east-1`` of ``us-east-1a``, ``us-west-2-lax-1`` of ``us-west-2-lax-1a``."""
        return self.AvailabilityZones[0].rstrip("abcdefghijklmnopqrstuvwxyz") if self.AvailabilityZones else ""

    @property
    def host_type(self) -> str | None:
        """The commonest type of its instances; None while it has none."""
        types = Counter(one.InstanceType for one in self.Instances if one.InstanceType)
        return types.most_common(1)[0][0] if types else None

    @property
    def arn(self) -> str | None:
        """Its ARN; None where it has none, or one that is too long for EPIC, because its name is."""
        return self.AutoScalingGroupARN if 0 < len(self.AutoScalingGroupARN) <= _MOST_ARN else None

    def tags(self) -> dict[str, str]:
        """Its tags, and what else a template may name: ``Region`` and ``AutoScalingGroupName``."""
        own = {"Region": self.region, _OF_AN_ASG: self.AutoScalingGroupName}
        return {**own, **{tag.Key: tag.Value for tag in self.Tags}}


def _instant(text: str) -> str:
    parse_instant(text)
    return text


class ScheduledAction(_Aws):
    AutoScalingGroupName: str
    MinSize: int | None = None
    StartTime: Annotated[str, AfterValidator(_instant)] | None = None
    EndTime: Annotated[str, AfterValidator(_instant)] | None = None
    Recurrence: str | None = None

    def is_to_come(self, now: datetime) -> bool:
        """Whether it acts again after now."""
        last = self.EndTime if self.Recurrence else self.StartTime
        return last is None or parse_instant(last) > now


class _Document(_Aws):
    AutoScalingGroups: list[AutoScalingGroup] = Field(default_factory=list)
    ScheduledUpdateGroupActions: list[ScheduledAction] = Field(default_factory=list)
    NextToken: str | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """An Auto Scaling Group that was not imported, and why."""

    name: str
    reason: str


@dataclass(slots=True)
class Fleets:
    """The fleets by their ids, each as the members that AWS knows; the ASGs left out, and how many ``Only`` did."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    skipped: int = 0


def read_document(text: bytes, name: str) -> _Document:
    """The groups and scheduled actions of one file. ValueError, with the file's name, for what is neither."""
    try:
        raw = json.loads(text)  # of whatever encoding, as a shell may have written it
        document = _Document.model_validate(raw)
    except ValidationError as error:
        first = field_errors(error)[0]
        where = f"{first.pointer}: {first.detail}" if first.pointer else "it holds no JSON object"
        raise ValueError(f"{name}: {where}; give what the AWS CLI wrote with --output json") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {error}; give what the AWS CLI wrote with --output json") from None
    if not {"AutoScalingGroups", "ScheduledUpdateGroupActions"} & set(raw):
        wanted = "describe-auto-scaling-groups or describe-scheduled-actions"
        raise ValueError(f"{name} has neither AutoScalingGroups nor ScheduledUpdateGroupActions; give that of {wanted}")
    if document.NextToken is not None:
        raise ValueError(f"{name} is cut short: it has a NextToken; write it without --no-paginate and --max-items")
    return document


def fleets_of(documents: Iterable[_Document], mapping: TagMapping, *, now: datetime) -> Fleets:
    """The fleets that the mapping makes of the groups.

    An ASG's ``AsgCapacityLowerBound`` is the most that the scheduled actions to come ask of it at least: below that its
    owner does not want it. An ASG of several zones, and one whose fleet has another service or region, are left out.
    """
    groups: list[AutoScalingGroup] = []
    bounds: dict[str, int] = {}
    for document in documents:
        groups += document.AutoScalingGroups
        for action in document.ScheduledUpdateGroupActions:
            if action.MinSize is not None and action.is_to_come(now):
                name = action.AutoScalingGroupName
                bounds[name] = max(action.MinSize, bounds.get(name, 0))
    found = Fleets()
    for group in groups:
        if not mapping.takes(group.tags()):
            found.skipped += 1
            continue
        try:
            _add(found, group, mapping, bounds.get(group.AutoScalingGroupName))
        except Unmapped as error:
            found.left.append(Left(group.AutoScalingGroupName, str(error)))
    return found


def _add(found: Fleets, group: AutoScalingGroup, mapping: TagMapping, bound: int | None) -> None:
    if len(group.AvailabilityZones) != 1:
        zones = ", ".join(group.AvailabilityZones) or "none"
        raise Unmapped(f"it has the zones {zones}; EPIC orders hosts by zone, so give each zone an ASG of its own")
    tags = group.tags()
    fleet_id, service_id = mapping.fleet_of(tags), mapping.service_of(tags)
    row = found.rows.get(fleet_id) or {
        "FleetId": fleet_id,
        "ServiceId": service_id,
        "FleetConfiguration": {"Region": group.region, "ASGProperties": []},
    }
    configuration = row["FleetConfiguration"]
    if (row["ServiceId"], configuration["Region"]) != (service_id, group.region):
        other = f"{row['ServiceId']} in {configuration['Region']}"
        mine = f"{service_id} in {group.region}"
        raise Unmapped(f"it is {mine}, but fleet {fleet_id} is {other}; let the mapping divide them")
    if any(one[_OF_AN_ASG] == group.AutoScalingGroupName for one in configuration["ASGProperties"]):
        raise Unmapped(f"fleet {fleet_id} has it already; the files name it twice")
    found.rows[fleet_id] = row
    members = {
        _OF_AN_ASG: group.AutoScalingGroupName,
        "AvailabilityZone": group.AvailabilityZones[0],
        "MaxInstance": group.MaxSize,
        "MinInstance": group.MinSize,
        "DesiredCapacity": group.DesiredCapacity,
        "HostType": group.host_type,
        "AsgCapacityLowerBound": bound,
        "AutoScalingGroupARN": group.arn,
    }
    configuration["ASGProperties"].append({name: value for name, value in members.items() if value is not None})


def change_of(row: Mapping[str, Any], present: Mapping[str, Any] | None, mapping: TagMapping) -> dict[str, Any] | None:
    """The row that makes a fleet what AWS says; None where it is that already.

    What only EPIC knows stays: the other members of an ASG, and ASGs that the files do not have, such as those of
    another account. A new fleet gets the mapping's ``HostThroughPutTPM``.
    """
    configuration = dict(row["FleetConfiguration"])
    if present is None:
        if mapping.host_through_put_tpm is not None:
            configuration["HostThroughPutTPM"] = mapping.host_through_put_tpm
        return {**row, "FleetConfiguration": configuration}
    before: Mapping[str, Any] = present.get("FleetConfiguration", {})
    known = {asg[_OF_AN_ASG]: asg for asg in before.get("ASGProperties", ())}
    imported = {asg[_OF_AN_ASG]: asg for asg in configuration["ASGProperties"]}
    merged = {name: {**asg, **imported.get(name, {})} for name, asg in known.items()}
    merged |= {name: asg for name, asg in imported.items() if name not in known}
    change: dict[str, Any] = {"FleetId": row["FleetId"]}
    inside: dict[str, Any] = {}
    if row["ServiceId"] != present.get("ServiceId"):
        change["ServiceId"] = row["ServiceId"]
    if configuration["Region"] != before.get("Region"):
        inside["Region"] = configuration["Region"]
    if merged != known:
        inside["ASGProperties"] = list(merged.values())
    if inside:
        change["FleetConfiguration"] = inside
    return change if len(change) > 1 else None


def difference(change: Mapping[str, Any], present: Mapping[str, Any] | None) -> Sequence[str]:
    """What a change does, a line for each member: ``FORTRESSService-NA-X0 asg-1a MaxInstance: 40 → 60``."""
    fleet_id, configuration = change["FleetId"], change.get("FleetConfiguration", {})
    if present is None:
        asgs = ", ".join(asg[_OF_AN_ASG] for asg in configuration["ASGProperties"])
        return [f"+ {fleet_id}: new, of {change['ServiceId']} in {configuration['Region']}, with {asgs}"]
    before = present.get("FleetConfiguration", {})
    known = {asg[_OF_AN_ASG]: asg for asg in before.get("ASGProperties", ())}
    lines: list[str] = []
    if "ServiceId" in change:
        lines.append(f"~ {fleet_id} ServiceId: {present.get('ServiceId')} → {change['ServiceId']}")
    if "Region" in configuration:
        lines.append(f"~ {fleet_id} Region: {before.get('Region')} → {configuration['Region']}")
    for asg in configuration.get("ASGProperties", ()):
        name = asg[_OF_AN_ASG]
        if name not in known:
            lines.append(f"+ {fleet_id} {name}: new, in {asg['AvailabilityZone']}")
            continue
        lines += [
            f"~ {fleet_id} {name} {member}: {known[name].get(member, 'none')} → {value}"
            for member, value in asg.items()
            if known[name].get(member) != value
        ]
    return lines
