"""Schemas: what is no JSON Schema, or has no bounds, is refused at the write (4.480a)."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.domain.json_schemas import check_definition
from shared.cause import Cause
from shared.resources import Others, Resource
from shared.schemas.fleet_svc.schema import SCHEMA, Schema


def _checked(before: Schema | None, after: Schema, others: Others, cause: Cause) -> Schema:
    if before is None or before.definition != after.definition:
        check_definition(after.definition, ("Definition",))
    return after


SCHEMAS: Final = Resource(contract=SCHEMA, path="/schema", filters=("AppliesTo",), sort=("Name",), on_write=_checked)
