"""Whatever is sent is decided: accepted, or refused with each bad field named; never an error of ours."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.event_svc.resources import RESOURCES as EVENT_RESOURCES
from services.fleet_svc.app.fleets import Fleets
from shared.documents.sqlite import SqliteStore
from shared.resources import Declared
from tests.support import reference
from tests.support.broker import Broker
from tests.support.clock import FixedClock
from tests.support.fleet import routes_on
from tests.support.http import app_of, calling

pytestmark = pytest.mark.slow

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
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(["", "a#b", "a/b", "2024-02-30", "2024-07-16", "-1", "0", "9" * 30, "NaN", 2**31, -1, 0, 1e308])
    | st.lists(st.integers() | st.none() | st.text(max_size=3), max_size=3)
    | st.dictionaries(st.text(max_size=4), st.none() | st.integers() | st.text(max_size=3), max_size=3)
)


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


@asynccontextmanager
async def both_services(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    clock = FixedClock("2024-06-15T09:00:00Z")
    store = SqliteStore(folder / "store.db", Broker().publish, source="test_svc")
    events = Declared(EVENT_RESOURCES, store, clock)
    app = app_of(*routes_on(store, Fleets(store), clock), *events.routes())
    await store.start()
    async with calling(app) as client:
        yield client
    await store.stop()


async def answer_to(method: str, path: str, body: Any, folder: Path) -> httpx.Response:
    async with both_services(folder) as http:
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
def test_a_document_with_one_odd_value_is_decided(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    method, path, document = data.draw(st.sampled_from(WRITES))
    at = data.draw(st.sampled_from(list(places(document))))
    body = put(document, at, data.draw(ODD))
    answer = asyncio.run(answer_to(method, path, body, tmp_path_factory.mktemp("store")))
    assert answer.status_code in (200, 400, 404, 409), (answer.status_code, answer.text)
    if answer.status_code == 400:
        problem = answer.json()
        assert problem["detail"]
        assert problem.get("errors") or problem["type"].endswith(("not-an-object", "not-json")), problem
        for error in problem.get("errors", ()):
            assert error["detail"]
            assert error["pointer"].startswith("/"), problem
