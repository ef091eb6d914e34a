"""The contracts of eventplan_svc: the plan of one fleet for one event, and its commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import CoreSchema

from shared.schemas.base import (
    CommandBody,
    Count,
    Id,
    Instant,
    JoinedKey,
    Name,
    PageSize,
    RestoreVersion,
    Snapshot,
    Text,
    WireDate,
    WireModel,
)
from shared.schemas.operation import MOST_KEYS
from shared.schemas.resource_contract import ExtraEvent, ResourceContract


class MilestoneId(StrEnum):
    """Every milestone's id, subs and descale included."""

    GATHER_PROJECTION = "GatherProjectionFromUpstream"
    HARDWARE_ORDER = "HardwareOrder"
    PLACE_HARDWARE_ORDER = "PlaceHardwareOrder"
    HARDWARE_ORDER_APPROVAL = "HardwareOrderApproval"
    HARDWARE_FULFILLMENT = "HardwareFulfillment"
    COMMUNICATE_TPM = "CommunicateTPMToDownstream"
    UPDATE_THROTTLING = "UpdateThrottlingInSDC"
    GATHER_DESCALE_PROJECTIONS = "GatherDescaleProjections"
    PLACE_DESCALE_ORDER = "PlaceDescaleOrder"
    DESCALE_FULFILLMENT = "DescaleFulfillment"
    RESTORE_THROTTLING = "RestoreThrottling"


class MilestoneStatus(StrEnum):
    NOT_STARTED = "NotStarted"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    PENDING_ON_EPIC = "PendingOnEPIC"
    PENDING_ON_SERVICE_OWNER = "PendingOnServiceOwner"
    BLOCKED = "Blocked"


def action_pending_on(milestone: MilestoneId, status: MilestoneStatus, owner: str | None) -> str | None:
    """Who has to act on an open milestone, the first that fits of 6.6.13 to 6.6.18; ``owner`` is the service's."""
    if status is MilestoneStatus.PENDING_ON_SERVICE_OWNER:
        return owner
    if milestone is MilestoneId.HARDWARE_ORDER_APPROVAL:
        return "AWS"
    if status is MilestoneStatus.PENDING_ON_EPIC:
        return "EPIC"
    if milestone is MilestoneId.HARDWARE_FULFILLMENT:
        return "FMC"
    return "EPIC" if milestone is MilestoneId.PLACE_HARDWARE_ORDER else owner


class PeakReadyStatus(StrEnum):
    GREEN = "Green"
    YELLOW = "Yellow"
    RED = "Red"


ONLY_EPIC_SETS: Final = "Only EPIC sets it; in a request it is ignored."


def _only_epic_sets() -> Any:
    return Field(default=None, description=ONLY_EPIC_SETS)


class SubMilestone(WireModel):
    event_milestone_id: MilestoneId
    milestone_completion_status: MilestoneStatus
    milestone_message: Text | None = None
    source: Name | None = _only_epic_sets()
    last_updated_timestamp: Instant | None = _only_epic_sets()


class Milestone(SubMilestone):
    peak_ready_status: PeakReadyStatus | None = _only_epic_sets()
    eta: WireDate | None = None
    sub_milestones: list[SubMilestone] | None = None


class Closed(WireModel):
    reason: Text
    since: Instant


class EventPlan(WireModel):
    """One fleet's milestones for one event."""

    event_plan_id: JoinedKey
    fleet_id: Id
    event_id: Id
    service_id: Id
    event_milestone: list[Milestone]
    event_descale_milestone: list[Milestone]
    peak_ready_status: PeakReadyStatus | None = None
    hosts_missing: Count | None = None
    closed: Closed | None = None


class EventPlanSnapshot(EventPlan, Snapshot):
    """``eventplan.{created,updated}`` and ``eventplan.ready``."""


class TPMRequested(WireModel):
    """``eventplan.tpm.requested``: the PeakTPM of a fleet is to be mailed to the services downstream of its service."""

    event_id: Id
    fleet_id: Id
    service_id: Id
    peak_tpm: Count
    downstream_service_ids: list[Id]


# -- commands: the body of HTTP plus the path's ids --------------------------------------------------------------------


class _NeverNull:
    """Annotates a member that a request may leave out and may not set to null, as its JSON Schema then says."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        given: dict[str, Any] = handler(schema)["anyOf"][0]
        return given


class PlanCommand(CommandBody):
    """The plan a command is about. ``EventPlanId`` and ``ServiceId`` may be repeated, as the plan has them."""

    event_id: Id
    fleet_id: Id
    event_plan_id: SkipJsonSchema[JoinedKey | None] = None
    service_id: SkipJsonSchema[Id | None] = None


class CreateEventPlan(PlanCommand):
    pass


_OneMilestone = Annotated[
    Id,
    Field(
        examples=[MilestoneId.GATHER_PROJECTION.value], json_schema_extra={"enum": [one.value for one in MilestoneId]}
    ),
]
"""The milestone that a request is about. One that no plan has is not found (6.2.25), as with any other id."""


class SetMilestoneStatus(PlanCommand):
    """``PUT /eventplan/{EventId}/{FleetId}/status``."""

    event_milestone_id: _OneMilestone
    milestone_completion_status: MilestoneStatus
    milestone_message: Text | None = None


class SetMilestone(PlanCommand):
    """``PUT /eventplan/{EventId}/{FleetId}/milestone``: what is given changes; ``ETA`` null is automatic again."""

    event_milestone_id: _OneMilestone
    milestone_completion_status: Annotated[MilestoneStatus | None, _NeverNull()] = None
    milestone_message: Text | None = None
    eta: WireDate | None = None


class ReplaceMilestones(PlanCommand):
    """``PUT /eventplan/{EventId}/{FleetId}/milestones``: exactly the known ids, in order; any of the descale ids."""

    event_milestone: list[Milestone]
    event_descale_milestone: list[Milestone] | None = None


class RestoreEventPlan(PlanCommand, RestoreVersion):
    """Makes the milestones of a plan what a former version holds, by the rules of a change."""


class PlanKeys(WireModel):
    """Plans of one event: those of these fleets."""

    event_id: Id
    fleet_ids: list[Id] = Field(max_length=MOST_KEYS)


_LONGEST_CURSOR: Final = 512 * 1024
"""Characters. A sorted dashboard's cursor has 15 for each service that was shown, so this is enough for 30,000."""


class DashboardSort(StrEnum):
    """By what services are sorted: by their worst row, then by ServiceId (6.6.11a to 6.6.11d)."""

    COLOUR = "Colour"
    ETA = "ETA"
    HOSTS_MISSING = "HostsMissing"


class DashboardQuery(CommandBody):
    """Filters of ``PUT /event/{EventId}/dashboard``; pages by service.

    An Organization stands for all of its subtree. ``Search`` is a part of a ServiceId, FleetId, Owner or LeaderAlias,
    in whatever case. Without ``Sort`` the services are in the order of their ids.
    """

    service_ids: list[Id] | None = None
    leader_alias: Name | None = None
    owner: Name | None = None
    region: Name | None = None
    colour: PeakReadyStatus | None = None
    organization: Id | None = None
    search: Name | None = None
    sort: DashboardSort | None = None
    limit: PageSize | None = None
    cursor: Annotated[str, Field(max_length=_LONGEST_CURSOR, pattern="^[A-Za-z0-9_-]+$")] | None = None


EVENT_PLAN: Final = ResourceContract(
    model=EventPlan,
    owner="eventplan_svc",
    key=("EventId", "FleetId"),
    given_snapshot=EventPlanSnapshot,
    managed=("closed", "hosts_missing", "peak_ready_status"),
    given_commands=(CreateEventPlan, SetMilestoneStatus, SetMilestone, ReplaceMilestones, RestoreEventPlan),
    events=("created", "updated"),
    extra_events=(ExtraEvent("ready", "Every milestone of a plan turned Green."),),
    consumers=("eventplan_svc", "hotw_svc"),
    partitions=12,
)
