"""The contract of Schema: a JSON Schema that judges the values of dimensions, or custom inputs."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from shared.schemas.base import Id, Name, WireModel
from shared.schemas.json_object import JsonObject
from shared.schemas.resource_contract import ResourceContract


class AppliesTo(StrEnum):
    DIMENSION = "Dimension"
    CUSTOM_INPUT = "CustomInput"


class Schema(WireModel):
    """A JSON Schema (2020-12) that judges each value of a dimension, or the input of a custom input."""

    schema_id: Id
    name: Name
    definition: JsonObject
    applies_to: AppliesTo


SCHEMA: Final = ResourceContract(model=Schema, owner="fleet_svc", key=("SchemaId",))
