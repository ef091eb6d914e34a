"""The JSON Schemas of contracts: bounds as keywords, requests closed, answers open, merge patches without a duty."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.schemas.base import RESERVED_IDS, Count, Flag, Id, Name, PositiveCount, WireDate, WireModel
from shared.schemas.fleet_svc.service import SERVICE
from shared.schemas.json_schema import ANSWER, REQUEST, Schemas
from shared.schemas.merge_patch import patch_of
from shared.schemas.notify_svc.ticket import Severity


class Rack(WireModel):
    rack_id: Id
    hosts: Count = 0
    label: Name | None = None


class Room(WireModel):
    room_id: Id
    size: PositiveCount
    opened: WireDate | None = None
    main_rack: Rack | None = None
    racks: list[Rack]
    racks_by_zone: dict[Name, Rack] | None = None
    open: Flag | None = None


def schema_of(model: type[WireModel], mode: Any) -> dict[str, Any]:
    return Schemas([(model, mode)]).component(model, mode)


def test_a_whole_number_has_its_bounds_and_in_a_request_its_digits() -> None:
    number = {"type": "integer", "minimum": 1, "maximum": 2_147_483_647}
    assert schema_of(Room, ANSWER)["properties"]["Size"] == number
    assert schema_of(Room, REQUEST)["properties"]["Size"] == {
        "anyOf": [number, {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"}]
    }


@pytest.mark.parametrize("kind", [Count, PositiveCount, Severity])
@given(value=st.one_of(st.integers(-1, 2**31), st.text("0123456789", max_size=9)))
def test_what_fits_the_schema_of_a_number_is_taken(kind: Any, value: Any) -> None:
    adapter: TypeAdapter[int] = TypeAdapter(kind)
    try:
        jsonschema.validate(value, adapter.json_schema(mode="validation"))
    except jsonschema.ValidationError:
        return
    assert adapter.validate_python(value) == int(value)


@given(st.text(max_size=130))
def test_the_pattern_of_an_id_takes_what_the_contract_takes(text: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(Id)
    pattern = adapter.json_schema()["pattern"]
    try:
        adapter.validate_python(text)
    except ValidationError:
        assert re.fullmatch(pattern, text) is None or text in RESERVED_IDS
    else:
        assert re.fullmatch(pattern, text)


@given(st.dates())
def test_the_schema_of_a_day_takes_what_the_contract_takes(day: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(WireDate)
    fits = re.match(adapter.json_schema()["pattern"], day.isoformat()) is not None
    try:
        adapter.validate_python(day.isoformat())
    except ValidationError:
        assert not fits
    else:
        assert fits


def test_a_request_is_closed_and_may_hold_null_where_an_answer_leaves_out() -> None:
    request, answer = schema_of(Room, REQUEST), schema_of(Room, ANSWER)
    assert request["additionalProperties"] is False
    assert "additionalProperties" not in answer
    assert {"type": "null"} in request["properties"]["Opened"]["anyOf"]
    assert answer["properties"]["Opened"] == {"type": "string", "format": "date", "pattern": _PATTERN}
    assert request["required"] == answer["required"] == ["RoomId", "Size", "Racks"]
    assert "title" not in str(request)


_PATTERN = TypeAdapter(WireDate).json_schema()["pattern"]


def test_names_of_a_map_are_bounded() -> None:
    zones = schema_of(Room, ANSWER)["properties"]["RacksByZone"]
    assert zones["propertyNames"]["maxLength"] == 255
    assert zones["propertyNames"]["pattern"]
    assert zones["additionalProperties"] == {"$ref": "#/components/schemas/Rack"}


def test_a_patch_requires_nothing_merges_objects_and_replaces_lists() -> None:
    patch = patch_of(Room)
    schemas = Schemas([(patch, REQUEST)]).components()
    room, rack = schemas["RoomPatch"], schemas["RackPatch"]
    assert "required" not in room
    assert "required" not in rack
    assert room["properties"]["RoomId"]["type"] == "string"  # not null: a room has an id
    assert {"$ref": "#/components/schemas/RackPatch"} in room["properties"]["MainRack"]["anyOf"]
    assert room["properties"]["Racks"]["items"] == {"$ref": "#/components/schemas/Rack"}
    zones = room["properties"]["RacksByZone"]["anyOf"][0]
    assert {"type": "null"} in zones["additionalProperties"]["anyOf"]
    assert "default" not in str(room)
    assert schemas["Rack"]["required"] == ["RackId"]


def test_the_update_command_of_a_resource_is_described_as_a_patch() -> None:
    update = schema_of(SERVICE.update, REQUEST)
    assert update["required"] == ["ServiceId"]
    assert set(update["properties"]) == {field.alias for field in SERVICE.create.model_fields.values()}
    assert update["additionalProperties"] is False
    assert set(Schemas([(SERVICE.update, REQUEST)]).components()) >= {"UpdateService", "ServicePhilosophyPatch"}
    assert "ServicePatch" not in Schemas([(SERVICE.update, REQUEST)]).components()
