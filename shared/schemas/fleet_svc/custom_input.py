"""The contract of CustomInput (the source's CustomInputSF): figures that HOTW takes in place of its own."""

from __future__ import annotations

from typing import Final, Self

from pydantic import model_validator

from shared.schemas.base import (
    Count,
    DecimalNumber,
    Id,
    PositiveCount,
    Snapshot,
    Text,
    WireDate,
    WireModel,
    broken_rule,
)
from shared.schemas.resource_contract import ResourceContract

OF_ALL_FLEETS: Final = ("ct_factor", "buffer_factor")
"""What an input for all fleets may hold (4.551)."""


class InputValues(WireModel):
    """What HOTW takes in place of what it knows."""

    peak_tpm: Count | None = None
    bau_tpm: Count | None = None
    ct_factor: DecimalNumber | None = None
    buffer_factor: DecimalNumber | None = None
    host_through_put_tpm: PositiveCount | None = None
    hosts_present_in_apollo: Count | None = None
    max_host_count: Count | None = None


class CustomInput(WireModel):
    """Figures for an event that HOTW takes in place of its own, of one fleet or, without ``FleetId``, of all."""

    custom_input_id: Id
    event_id: Id
    fleet_id: Id | None = None
    schema_id: Id | None = None
    input: InputValues
    reason: Text
    expires_on: WireDate | None = None

    @model_validator(mode="after")
    def _of_all_fleets(self) -> Self:
        if self.fleet_id is not None:
            return self
        for name, field in InputValues.model_fields.items():
            if name not in OF_ALL_FLEETS and getattr(self.input, name) is not None:
                allowed = " and ".join(str(InputValues.model_fields[one].alias) for one in OF_ALL_FLEETS)
                detail = f"an input for all fleets holds only {allowed}; take it out, or give a FleetId"
                raise broken_rule(("Input", str(field.alias)), detail)
        return self


class CustomInputSnapshot(CustomInput, Snapshot):
    """``custominput.{created,updated,deleted}``."""


CUSTOM_INPUT: Final = ResourceContract(
    model=CustomInput,
    owner="fleet_svc",
    key=("CustomInputId",),
    given_snapshot=CustomInputSnapshot,
    consumers=("hotw_svc",),
)
