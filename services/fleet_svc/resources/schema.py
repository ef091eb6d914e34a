"""Schemas: what is no JSON Schema, or has no bounds, is refused at the write (4.480a)."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.domain.json_schemas import check_definition
from shared.cause import Cause
from shared.resources import Resource
from shared.schemas.fleet_svc.schema import SCHEMA, Schema


def _checked(schema: Schema, cause: Cause) -> Schema:
    check_definition(schema.definition, ("Definition",))
    return schema


def _checked_again(before: Schema, after: Schema, cause: Cause) -> Schema:
    return after if after.definition == before.definition else _checked(after, cause)


SCHEMAS: Final = Resource(
    contract=SCHEMA, path="/schema", filters=("AppliesTo",), on_create=_checked, on_update=_checked_again
)
