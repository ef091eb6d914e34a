"""Organizations: what may not be done to their tree, and that writers who race break it no more than one does."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest

from services.fleet_svc.resources.organization import ORGANIZATIONS
from shared.resources import Declared
from shared.schemas.fleet_svc.organization import MAX_LEVELS
from tests.support.clock import FixedClock
from tests.support.document_stores import MONGO, Backend
from tests.support.fleet import ok
from tests.support.http import app_of, calling, pointers

pytestmark = pytest.mark.slow

PATH = "/organization"


async def made(http: httpx.AsyncClient, name: str, parent: str | None = None, **members: Any) -> httpx.Response:
    body = {"OrganizationId": name, "Name": name.title(), **members}
    return await http.post(PATH, json=body if parent is None else {**body, "ParentId": parent})


async def moved(http: httpx.AsyncClient, name: str, parent: str | None) -> httpx.Response:
    return await http.put(f"{PATH}/{name}", json={"ParentId": parent})


async def test_a_tree_is_made_and_listed_level_by_level(http: httpx.AsyncClient) -> None:
    await ok(made(http, "retail", Leader="kim"))
    await ok(made(http, "checkout", "retail", Services=["FORTRESSService"]))
    listed = await ok(http.get(PATH, params={"ParentId": "retail"}))
    assert [one["OrganizationId"] for one in listed["Items"]] == ["checkout"]
    assert [one["OrganizationId"] for one in (await ok(http.get(PATH, params={"Leader": "kim"})))["Items"]] == [
        "retail"
    ]


async def test_a_parent_that_is_not_there_is_404_and_named(http: httpx.AsyncClient) -> None:
    answer = await made(http, "checkout", "retail")
    assert (answer.status_code, pointers(answer)) == (404, ["/ParentId"])
    assert "create it first" in answer.json()["detail"]


@pytest.mark.parametrize("below", ["a", "b", "c"])
async def test_an_organization_is_moved_below_neither_itself_nor_its_own_child_4_502(
    http: httpx.AsyncClient, below: str
) -> None:
    for name, parent in (("a", None), ("b", "a"), ("c", "b")):
        await ok(made(http, name, parent))
    answer = await moved(http, "a", below)
    assert (answer.status_code, pointers(answer)) == (409, ["/ParentId"])
    await ok(moved(http, "c", "a"))
    await ok(moved(http, "b", None))


async def test_the_tree_has_at_most_32_levels_however_it_is_made_4_501(http: httpx.AsyncClient) -> None:
    assert MAX_LEVELS == 32
    for level in range(1, 33):
        await ok(made(http, f"o{level}", f"o{level - 1}" if level > 1 else None))
    assert (await made(http, "o33", "o32")).status_code == 409
    await ok(made(http, "above"))
    answer = await moved(http, "o1", "above")
    assert (answer.status_code, pointers(answer)) == (409, ["/ParentId"])
    assert "33 levels" in answer.json()["detail"]
    await ok(moved(http, "o2", "above"))


async def test_a_service_of_another_organization_is_409_and_named_4_503(http: httpx.AsyncClient) -> None:
    await ok(made(http, "a", Services=["S1", "S2"]))
    answer = await made(http, "b", Services=["S3", "S2"])
    assert (answer.status_code, pointers(answer)) == (409, ["/Services/1"])
    await ok(http.put(f"{PATH}/a", json={"Services": ["S1"]}))
    await ok(made(http, "b", Services=["S3", "S2"]))
    assert (await http.put(f"{PATH}/b", json={"Services": ["S1"]})).status_code == 409


async def test_a_service_is_named_once(http: httpx.AsyncClient) -> None:
    answer = await made(http, "a", Services=["S1", "S1"])
    assert (answer.status_code, pointers(answer)) == (400, ["/Services"])


async def test_an_organization_with_others_below_it_is_not_deleted(http: httpx.AsyncClient) -> None:
    await ok(made(http, "a"))
    await ok(made(http, "b", "a"))
    answer = await http.delete(f"{PATH}/a")
    assert answer.status_code == 409
    assert "b" in answer.json()["detail"]
    await ok(http.delete(f"{PATH}/b"))
    await ok(http.delete(f"{PATH}/a"))


async def test_a_deleted_organization_sets_its_services_free(http: httpx.AsyncClient) -> None:
    await ok(made(http, "a", Services=["S1"]))
    await ok(http.delete(f"{PATH}/a"))
    await ok(made(http, "b", Services=["S1"]))
    assert (await made(http, "a", Services=["S1"])).status_code == 409


async def test_a_repeated_request_is_answered_as_the_first_time_whatever_others_did(http: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one"}
    body = {"OrganizationId": "a", "Name": "A", "Services": ["S1"]}
    first = await ok(http.post(PATH, json=body, headers=headers))
    await ok(http.put(f"{PATH}/a", json={"Services": None}))
    await ok(made(http, "b", Services=["S1"]))
    assert await ok(http.post(PATH, json=body, headers=headers)) == first


# -- races ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", MONGO])
async def processes(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock
) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Three processes of the service on one database."""
    place: Path | str = tmp_path / "fleet.db"
    if request.param != "sqlite":
        place = request.getfixturevalue("mongo_url")
    backend = Backend(place, f"t{uuid.uuid4().hex[:12]}")
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(3):
            store = backend.make()
            declared = Declared([ORGANIZATIONS], store, clock)
            await store.start()
            backend.stores.append(store)
            clients.append(await stack.enter_async_context(calling(app_of(*declared.routes()))))
        yield clients
    await backend.close()
    if isinstance(place, str):
        with pymongo.MongoClient[dict[str, object]](place) as client:
            client.drop_database(backend.database)


async def all_of(http: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    return {one["OrganizationId"]: one for one in (await ok(http.get(PATH, params={"Limit": 1000})))["Items"]}


def levels_of(organizations: dict[str, dict[str, Any]]) -> int:
    """The levels of the tree. It fails where there is a cycle."""
    deepest = 0
    for name in organizations:
        at, seen = name, [name]
        while "ParentId" in organizations[at]:
            at = organizations[at]["ParentId"]
            assert at not in seen, f"a cycle: {seen}"
            seen.append(at)
        deepest = max(deepest, len(seen))
    return deepest


async def test_of_two_racing_moves_below_each_other_one_is_refused_4_502(processes: list[httpx.AsyncClient]) -> None:
    one, other, _ = processes
    for number in range(5):
        a, b = f"a{number}", f"b{number}"
        await ok(made(one, a))
        await ok(made(one, b))
        answers = await asyncio.gather(moved(one, a, b), moved(other, b, a))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert levels_of(await all_of(one)) == 2


async def test_of_racing_organizations_that_name_a_service_one_gets_it_4_503(
    processes: list[httpx.AsyncClient],
) -> None:
    answers = await asyncio.gather(*(made(processes[number % 3], f"o{number}", Services=["S1"]) for number in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    assert [one["OrganizationId"] for one in (await all_of(processes[0])).values() if one.get("Services")] == [
        f"o{number}" for number, answer in enumerate(answers) if answer.status_code == 200
    ]


async def test_whatever_races_the_tree_stays_one_4_501_to_4_503(processes: list[httpx.AsyncClient]) -> None:
    chance = random.Random(11)
    names = [f"o{number}" for number in range(8)]
    for name in names:
        await ok(made(processes[0], name))

    async def act(http: httpx.AsyncClient) -> None:
        for _ in range(12):
            name, other = chance.choice(names), chance.choice([*names, None])
            match chance.randrange(4):
                case 0 | 1:
                    answer = await moved(http, name, other)
                case 2:
                    body = {"Services": chance.sample(["S1", "S2", "S3"], chance.randrange(3))}
                    answer = await http.put(f"{PATH}/{name}", json=body)
                case _:
                    answer = await (http.delete(f"{PATH}/{name}") if chance.random() < 0.5 else made(http, name, other))
            assert answer.status_code in (200, 404, 409), answer.text

    await asyncio.gather(*(act(http) for http in processes for _ in range(2)))
    organizations = await all_of(processes[0])
    levels_of(organizations)
    assert all(one["ParentId"] in organizations for one in organizations.values() if "ParentId" in one)
    named = [service for one in organizations.values() for service in one.get("Services", ())]
    assert len(named) == len(set(named))
