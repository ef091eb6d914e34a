from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epic.rows import BadRow, kinds, read_row


def line(**members: object) -> bytes:
    return orjson.dumps(members)


FLEET = {"FleetId": "F", "ServiceId": "S", "FleetConfiguration": {}}
EVENT = {"EventId": "E", "EventName": "n", "RegionList": [], "PeakStartDate": "2024-07-16", "PeakEndDate": "2024-07-16"}


@pytest.mark.parametrize(
    ("row", "kind", "method", "path"),
    [
        ({"ServiceId": "S", "ServiceType": "Registered", "Owner": "o"}, "Service", "POST", "/service"),
        (FLEET, "Fleet", "POST", "/fleet"),
        ({**FLEET, "EventId": "E"}, "Fleet", "POST", "/fleet"),
        ({**EVENT, "VersionId": 3}, "Event", "POST", "/event"),
        ({"EventId": "E", "EventName": "n"}, "Event", "POST", "/event"),
        ({"FleetId": "F", "EventId": "E", "FleetConfiguration": {}}, "Fleet", "POST", "/fleet"),
        ({"FleetId": "F", "EventId": "E", "ManualOverride": 1}, "Projection", "POST", "/projection"),
        ({"FleetId": "F", "EventId": "E", "CloudTuneProjection": 1}, "Projection", "POST", "/projection"),
        ({"FleetId": "F", "HostsPresent": 3}, "Inventory", "PUT", "/fleet/F/inventory"),
        ({"EventId": "E", "EventName": "n", "EventProfileId": "P"}, "Event", "POST", "/event"),
        ({"EventProfileId": "P", "Name": "n", "FromEventId": "E"}, "EventProfile", "POST", "/eventprofile"),
        ({"EventId": "E", "Title": "T", "Kind": "Freeze", "Start": "d", "End": "d"}, "Calendar", "POST", "/calendar"),
        ({"Title": "T", "EventId": "E", "FleetId": "F"}, "Ticket", "POST", "/ticket"),
    ],
)
def test_a_row_without_resource_is_known_by_its_members(
    row: dict[str, object], kind: str, method: str, path: str
) -> None:
    request = read_row(orjson.dumps(row))
    assert (request.kind, request.method, request.path) == (kind, method, path)


@pytest.mark.parametrize("row", [{**FLEET, "Regoin": "x"}, {"FleetId": "F"}, {"FleetId": "F", "ServiceId": "S"}])
def test_a_row_that_may_be_several_things_is_not_guessed(row: dict[str, object]) -> None:
    with pytest.raises(BadRow, match="not those of one resource"):
        read_row(orjson.dumps(row))
    assert read_row(orjson.dumps({"Resource": "Fleet", **row})).kind == "Fleet"


def test_what_belongs_to_a_fleet_is_loaded_after_it() -> None:
    assert kinds()["Service"].phase < kinds()["Fleet"].phase
    assert kinds()["Fleet"].phase < kinds()["Projection"].phase == kinds()["Inventory"].phase
    assert kinds()["Schema"].phase < kinds()["Dimension"].phase


def test_an_event_is_loaded_after_its_profile_and_its_calendar_after_it() -> None:
    phases = [kinds()[name].phase for name in ("EventProfile", "Event", "Calendar")]
    assert phases == sorted(set(phases))


def test_the_members_go_out_as_they_stand_without_resource() -> None:
    request = read_row(line(Resource="Service", ServiceId="S", VersionId=3, Anything=[1]))
    assert orjson.loads(request.body) == {"ServiceId": "S", "VersionId": 3, "Anything": [1]}


def test_an_inventory_names_its_fleet_in_the_path_only() -> None:
    request = read_row(line(FleetId="A/B#C", HostsPresent=3, AsOf="2024-06-15T08:00:00Z"))
    assert request.path == "/fleet/A%2FB%23C/inventory"
    assert orjson.loads(request.body) == {"HostsPresent": 3, "AsOf": "2024-06-15T08:00:00Z"}
    assert request.id == "A/B#C"


def test_the_same_row_has_the_same_key_whatever_the_order_of_its_members() -> None:
    first = read_row(b'{"Resource":"Service","ServiceId":"S","Owner":"o"}')
    second = read_row(b'{ "Owner": "o", "ServiceId": "S", "Resource": "Service" }')
    other = read_row(b'{"Resource":"Service","ServiceId":"S","Owner":"p"}')
    assert first.idempotency_key == second.idempotency_key
    assert first.idempotency_key != other.idempotency_key


def test_inventories_of_two_fleets_alike_in_all_else_have_two_keys() -> None:
    assert (
        read_row(line(FleetId="A", HostsPresent=3)).idempotency_key
        != read_row(line(FleetId="B", HostsPresent=3)).idempotency_key
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "not JSON"),
        (b"[1]", "must be one JSON object"),
        (b"NaN", "not JSON"),
        (b'{"Resource":"Fleeet","FleetId":"F"}', "'Fleeet' is not known; use one of "),
        (b'{"Resource":["Fleet"]}', "is not known"),
        (b'{"FleetId":"F","FleetId":"G"}', "/FleetId: give it once"),
        (rb'{"FleetId":"\ud800"}', "/FleetId: give whole characters"),
        (b'{"Resource":"Fleet"}', "Fleet needs FleetId"),
        (b'{"Resource":"Fleet","FleetId":7}', "Fleet needs FleetId, a string"),
        (b'{"Resource":"Projection","FleetId":"F"}', "Projection needs EventId"),
        (b'{"MemberOfNone":"x"}', f'add "Resource": one of {", ".join(kinds())}'),
    ],
)
def test_a_line_that_is_no_resource_is_refused_with_the_remedy(text: bytes, reason: str) -> None:
    with pytest.raises(BadRow) as refused:
        read_row(text)
    assert reason in str(refused.value)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_make_a_request_or_a_bad_row(text: bytes) -> None:
    try:
        read_row(text)
    except BadRow:
        return
