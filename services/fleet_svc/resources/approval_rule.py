"""Approval rules: kept here, applied by HOTW."""

from __future__ import annotations

from typing import Final

from shared.resources import Resource
from shared.schemas.fleet_svc.approval_rule import APPROVAL_RULE

APPROVAL_RULES: Final = Resource(contract=APPROVAL_RULE, path="/approvalrule", sort=("Name",))
