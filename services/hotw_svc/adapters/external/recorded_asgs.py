"""The rows of ASGs as an outside engine sees them; what it does not say stays as it was, or is as the fleet says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.rows import Row, replace_rows
from services.hotw_svc.domain.inputs import AsgFacts, FleetFacts
from shared.relational import insert_rows
from shared.schemas.hotw_external import AsgDetail


async def put_asgs(
    connection: AsyncConnection, fleet_index_id: int, fleet: FleetFacts, details: Sequence[AsgDetail]
) -> list[Row]:
    """Writes the rows of asg_details that the details name; those rows (7.0.48)."""
    if not details:
        return []
    table, names = t.asg_details, [detail.auto_scaling_group_name for detail in details]
    present = and_(table.c.FleetIndexId == fleet_index_id, table.c.AutoScalingGroupName.in_(names))
    rows = (await connection.execute(select(table).where(present))).mappings()
    before: dict[str, Mapping[Any, Any]] = {row["AutoScalingGroupName"]: row for row in rows}
    facts = {asg.name: asg for asg in fleet.asgs}
    after = [
        {"FleetIndexId": fleet_index_id}
        | _columns(detail, before.get(name, {}), _of_fleet(name, fleet, facts.get(name)))
        for name, detail in zip(names, details, strict=True)
    ]
    await replace_rows(connection, table, present, after)
    return after


async def put_asgs_of_run(
    connection: AsyncConnection,
    run_id: int,
    rows: Sequence[Row],
    details: Sequence[AsgDetail],
    ordered: Mapping[str, int],
) -> None:
    """Keeps the rows as the run saw them; ``ordered`` are its hosts by ASG, where nothing else is recommended."""
    of_run = []
    for row, detail in zip(rows, details, strict=True):
        given = detail.recommended_override_value
        recommended = ordered.get(detail.auto_scaling_group_name, 0) if given is None else given
        of_run.append(row | {"RunId": run_id, "RecommendedOverrideValue": recommended})
    await insert_rows(connection, t.asg_details_run, of_run)


def _columns(detail: AsgDetail, before: Mapping[Any, Any], of_fleet: Row) -> Row:
    given = detail.wire()
    return {
        column: next((source[column] for source in (given, before, of_fleet) if source.get(column) is not None), None)
        for column in of_fleet
    }


def _of_fleet(name: str, fleet: FleetFacts, asg: AsgFacts | None) -> Row:
    """The row by what the fleet says of the ASG; of one that it does not have, what is true of any."""
    return {
        "AutoScalingGroupName": name,
        "AsgTag": name.rpartition("/")[2] if asg is None else asg.tag,
        "HostType": fleet.host_type if asg is None or asg.host_type is None else asg.host_type,
        "AutoScalingGroupRegion": fleet.region,
        "EAPOnboardingStatus": True if asg is None else asg.eap_onboarding_status,
        "EAPEnableStatus": False,
        "AsgCapacityLowerBound": None if asg is None else asg.capacity_lower_bound,
        "AutoScalingGroupARN": None if asg is None else asg.arn,
    }
