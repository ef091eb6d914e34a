"""Whatever is sent is decided: accepted, or refused with each bad field named; never an error of ours."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.event_svc.events import EVENT
from services.fleet_svc.app import BASE_FILTERS, LINE_FILTERS, PROJECTION, SERVICE, Fleets, of_known_fleets
from services.fleet_svc.entrypoints.http import fleet_routes
from shared.clock import FixedClock
from shared.resources import Resources, resource_routes
from tests.doubles.documents import MemoryDocuments
from tests.doubles.http import app_of, calling
from tests.flows import reference

FLEET_ID = reference.FLEET["FleetId"]
WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/service", reference.SERVICE),
    ("PUT", "/service/FORTRESSService", reference.SERVICE),
    ("POST", "/fleet", reference.FLEET),
    ("PUT", f"/fleet/{FLEET_ID}", {k: v for k, v in reference.FLEET.items() if k != "EventId"}),
    ("PUT", f"/fleet/{FLEET_ID}/PD2024", reference.FLEET),
    ("PUT", f"/fleet/{FLEET_ID}/inventory", reference.INVENTORY),
    ("POST", "/projection", reference.PROJECTION),
    ("PUT", f"/projection/{FLEET_ID}/PD2024", reference.PROJECTION),
    ("POST", "/event", reference.EVENT),
    ("PUT", "/event/PD2024", reference.EVENT),
]
ODD = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6)
    | st.sampled_from(["", "a#b", "a/b", "2024-02-30", "2024-07-16", "-1", "0", "9" * 30, "NaN", 2**31, -1, 0, 1e308])
    | st.lists(st.integers() | st.none() | st.text(max_size=3), max_size=3)
    | st.dictionaries(st.text(max_size=4), st.none() | st.integers() | st.text(max_size=3), max_size=3)
)  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document."""
    yield at
    for name, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(inner, (*at, name))


def put(value: Any, at: tuple[Any, ...], odd: Any) -> Any:
    if not at:
        return odd
    changed = copy.deepcopy(value)
    inner = changed
    for name in at[:-1]:
        inner = inner[name]
    inner[at[-1]] = odd
    return changed


def application() -> Any:
    clock = FixedClock("2024-06-15T09:00:00Z")
    bases = MemoryDocuments(tuple(BASE_FILTERS.values()))
    fleets = Fleets(bases, MemoryDocuments(LINE_FILTERS))
    return app_of(
        resource_routes(Resources(SERVICE, MemoryDocuments()), clock),
        fleet_routes(fleets, clock),
        resource_routes(Resources(PROJECTION, MemoryDocuments(), admit=of_known_fleets(bases)), clock),
        resource_routes(Resources(EVENT, MemoryDocuments()), clock),
    )


async def answers_to(method: str, path: str, body: Any) -> httpx.Response:
    async with calling(application()) as http:
        for verb, collection, document in WRITES:
            if verb == "POST" and (method == "PUT" or collection != path):
                assert (await http.post(collection, json=document)).status_code in (200, 404)
        answer = await http.request(method, path, json=body)
        if answer.status_code == 200:
            read = await http.get(path if method == "PUT" and not path.endswith("inventory") else "/fleet")
            assert read.status_code == 200
        return answer


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_document_with_one_odd_value_is_decided(data: st.DataObject) -> None:
    method, path, document = data.draw(st.sampled_from(WRITES))
    at = data.draw(st.sampled_from(list(places(document))))
    body = put(document, at, data.draw(ODD))
    answer = asyncio.run(answers_to(method, path, body))
    assert answer.status_code in (200, 400, 404, 409), (answer.status_code, answer.text)
    if answer.status_code == 400:
        problem = answer.json()
        assert problem["detail"]
        assert problem.get("errors") or problem["type"].endswith(("not-an-object", "not-json")), problem
        for error in problem.get("errors", ()):
            assert error["detail"]
            assert error["pointer"].startswith("/"), problem
