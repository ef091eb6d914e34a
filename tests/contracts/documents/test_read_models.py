"""What is kept of another service's resource: the newest snapshot, never an older one again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from shared.documents import ReadModel
from tests.contracts.documents.conftest import Backend


def snapshot(key: str, version: int, **more: object) -> tuple[str, int, dict]:
    return key, version, {"FleetId": key, "VersionId": version, **more}


@pytest.fixture
async def replicas(backend: Backend) -> AsyncIterator[list[ReadModel]]:
    """The same replica as two processes have it."""
    made = []
    for _ in range(2):
        store = backend.make()
        made.append(store.read_model("fleet", filters=("ServiceId", "Place.Region")))
        await store.start()
        backend.stores.append(store)
    return made


async def test_the_newest_is_kept(replicas: list[ReadModel]) -> None:
    replica = replicas[0]
    assert await replica.get("F1") is None
    assert await replica.put([snapshot("F1", 2), snapshot("F2", 1)]) == {"F1", "F2"}
    assert await replica.put([snapshot("F1", 1), snapshot("F2", 2)]) == {"F2"}
    assert (await replica.get("F1"))["VersionId"] == 2
    assert (await replica.get("F2"))["VersionId"] == 2
    assert await replica.put([]) == set()


async def test_a_batch_with_several_versions_keeps_the_last(replicas: list[ReadModel]) -> None:
    assert await replicas[0].put([snapshot("F1", n) for n in (1, 3, 2)]) == {"F1"}
    assert (await replicas[1].get("F1"))["VersionId"] == 3


async def test_what_comes_again_is_told_as_the_first_time(replicas: list[ReadModel]) -> None:
    """So that a handler that died between its replica and what follows from it does what follows."""
    await replicas[0].put([snapshot("F1", 2)])
    assert await replicas[1].put([snapshot("F1", 2)]) == {"F1"}
    assert await replicas[1].put([snapshot("F1", 1)]) == set()
    assert await replicas[1].put([snapshot("F1", 2, Other=True)]) == set()
    assert await replicas[0].get("F1") == snapshot("F1", 2)[2]


async def test_of_two_that_merge_at_once_one_is_told_to_do_it_again(replicas: list[ReadModel]) -> None:
    async def add(replica: ReadModel, name: str) -> None:
        while True:
            lines = (await replica.get("D1") or {"Lines": []})["Lines"]
            digest = {"Lines": [*lines, name]}
            if await replica.put([("D1", len(digest["Lines"]), digest)]):
                return

    await asyncio.gather(*(add(replicas[n % 2], f"line {n}") for n in range(20)))
    assert sorted((await replicas[0].get("D1"))["Lines"]) == sorted(f"line {n}" for n in range(20))


async def test_a_tombstone_stays_and_is_read_by_none(replicas: list[ReadModel]) -> None:
    replica = replicas[0]
    await replica.put([snapshot("F1", 1, ServiceId="S")])
    assert await replica.put([snapshot("F1", 2, ServiceId="S", Deleted=True)]) == {"F1"}
    assert await replica.put([snapshot("F1", 1, ServiceId="S")]) == set()
    assert await replica.get("F1") is None
    assert await replica.get_many(["F1"]) == {}
    assert await replica.find({"ServiceId": "S"}) == []
    assert await replica.put([snapshot("F1", 3, ServiceId="S")]) == {"F1"}
    assert (await replica.get("F1"))["VersionId"] == 3


async def test_found_by_declared_fields(replicas: list[ReadModel]) -> None:
    replica = replicas[0]
    await replica.put(
        [snapshot(f"F{n}", 1, ServiceId=f"S{n % 2}", Place={"Region": "NA", "c5.2xlarge": n}) for n in range(10)]
    )
    found = await replica.find({"ServiceId": "S1", "Place.Region": "NA"}, limit=3)
    assert [state["FleetId"] for state in found] == ["F1", "F3", "F5"]
    assert found[0]["Place"] == {"Region": "NA", "c5.2xlarge": 1}
    found = await replica.find({"ServiceId": "S1"}, after="F5")
    assert [state["FleetId"] for state in found] == ["F7", "F9"]
    pages = [page async for page in replica.scan(page=4)]
    assert [len(page) for page in pages] == [4, 4, 2]
    assert [state["FleetId"] for page in pages for state in page] == [f"F{n}" for n in range(10)]
    assert set(await replica.get_many(["F3", "F8", "none"])) == {"F3", "F8"}
    with pytest.raises(ValueError, match="Owner"):
        await replica.find({"Owner": "x"})


async def test_replicas_never_go_back(replicas: list[ReadModel]) -> None:
    """Two processes are given all versions in any order and mixture; a reader meanwhile sees them only rise."""
    keys, last = [f"F{n}" for n in range(5)], 40
    going, seen = True, dict.fromkeys(keys, 0)

    async def feed(replica: ReadModel, seed: int) -> None:
        given = [snapshot(key, version) for key in keys for version in range(1, last + 1)]
        random.Random(seed).shuffle(given)
        while given:
            await replica.put(given[:7])
            del given[:7]

    async def watch() -> None:
        while going:
            for key, state in (await replicas[0].get_many(keys)).items():
                assert state["VersionId"] >= seen[key]
                seen[key] = state["VersionId"]
            await asyncio.sleep(0.001)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(feed(replica, seed) for seed, replica in enumerate(replicas)))
    going = False
    await watching
    assert {key: state["VersionId"] for key, state in (await replicas[1].get_many(keys)).items()} == dict.fromkeys(
        keys, last
    )
