"""The contract of ApprovalRule: which orders HOTW may approve in place of people (7.8.17 to 7.8.21a)."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from shared.schemas.base import Count, DecimalNumber, Flag, Id, Name, Snapshot, WireModel
from shared.schemas.resource_contract import ResourceContract


class ApprovalRule(WireModel):
    """Approves the orders of one fleet for one event that fit every criterion given; an absent one does not bind."""

    rule_id: Id
    name: Name
    service_tiers: list[Name] | None = Field(default=None, min_length=1)
    regions: list[Name] | None = Field(default=None, min_length=1)
    max_hosts: Count | None = None
    max_percentage: DecimalNumber | None = None
    enabled: Flag = True


class ApprovalRuleSnapshot(ApprovalRule, Snapshot):
    """``approvalrule.{created,updated,deleted}``."""


APPROVAL_RULE: Final = ResourceContract(
    model=ApprovalRule,
    owner="fleet_svc",
    key=("RuleId",),
    given_snapshot=ApprovalRuleSnapshot,
    consumers=("hotw_svc",),
)
