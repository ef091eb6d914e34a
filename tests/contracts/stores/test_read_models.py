"""Read models: the newest snapshot of each key, never an older one again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import pytest

from shared.documents import ReadModel, State


def snapshot(key: str, version: int, **more: object) -> tuple[str, int, dict]:
    return key, version, {"FleetId": key, "VersionId": version, **more}


async def version(read_model: ReadModel, key: str) -> int:
    body = await read_model.get(key)
    assert body is not None
    return int(body["VersionId"])


async def test_the_newest_is_kept(read_models: list[ReadModel]) -> None:
    read_model = read_models[0]
    assert await read_model.get("F1") is None
    assert await read_model.put([snapshot("F1", 2), snapshot("F2", 1)]) == {"F1", "F2"}
    assert await read_model.put([snapshot("F1", 1), snapshot("F2", 2)]) == {"F2"}
    assert await version(read_model, "F1") == 2
    assert await version(read_model, "F2") == 2
    assert await read_model.put([]) == set()


async def test_a_batch_with_several_versions_keeps_the_last(read_models: list[ReadModel]) -> None:
    assert await read_models[0].put([snapshot("F1", n) for n in (1, 3, 2)]) == {"F1"}
    assert await version(read_models[1], "F1") == 3


async def test_a_snapshot_that_comes_again_is_in_the_result_each_time(read_models: list[ReadModel]) -> None:
    """A handler that died between its read model and what follows from it then does what follows."""
    await read_models[0].put([snapshot("F1", 2)])
    assert await read_models[1].put([snapshot("F1", 2)]) == {"F1"}
    assert await read_models[1].put([snapshot("F1", 1)]) == set()
    assert await read_models[1].put([snapshot("F1", 2, Other=True)]) == set()
    assert await read_models[0].get("F1") == snapshot("F1", 2)[2]


async def test_of_two_that_merge_at_once_one_has_to_do_it_again(read_models: list[ReadModel]) -> None:
    async def add(read_model: ReadModel, name: str) -> None:
        while True:
            lines = (await read_model.get("D1") or {"Lines": []})["Lines"]
            digest = {"Lines": [*lines, name]}
            if await read_model.put([("D1", len(digest["Lines"]), digest)]):
                return

    await asyncio.gather(*(add(read_models[n % 2], f"line {n}") for n in range(20)))
    digest = await read_models[0].get("D1")
    assert digest is not None
    assert sorted(digest["Lines"]) == sorted(f"line {n}" for n in range(20))


async def found(read_model: ReadModel, where: Mapping[str, Any]) -> list[State]:
    return [state async for page in read_model.scan(where, page=3) for state in page]


async def test_a_tombstone_stays_and_is_read_by_none(read_models: list[ReadModel]) -> None:
    read_model = read_models[0]
    await read_model.put([snapshot("F1", 1, ServiceId="S")])
    assert await read_model.put([snapshot("F1", 2, ServiceId="S", Deleted=True)]) == {"F1"}
    assert await read_model.put([snapshot("F1", 1, ServiceId="S")]) == set()
    assert await read_model.get("F1") is None
    assert await read_model.get_many(["F1"]) == {}
    assert await found(read_model, {"ServiceId": "S"}) == []
    assert await read_model.put([snapshot("F1", 3, ServiceId="S")]) == {"F1"}
    assert await version(read_model, "F1") == 3


async def test_found_by_declared_fields(read_models: list[ReadModel]) -> None:
    read_model = read_models[0]
    await read_model.put(
        [snapshot(f"F{n}", 1, ServiceId=f"S{n % 2}", Place={"Region": "NA", "c5.2xlarge": n}) for n in range(10)]
    )
    odd = await found(read_model, {"ServiceId": "S1", "Place.Region": "NA"})
    assert [state["FleetId"] for state in odd] == ["F1", "F3", "F5", "F7", "F9"]
    assert odd[0]["Place"] == {"Region": "NA", "c5.2xlarge": 1}
    assert await found(read_model, {"ServiceId": "S1", "Place.Region": None}) == []
    pages = [page async for page in read_model.scan(page=4)]
    assert [len(page) for page in pages] == [4, 4, 2]
    assert [state["FleetId"] for page in pages for state in page] == [f"F{n}" for n in range(10)]
    assert set(await read_model.get_many(["F3", "F8", "none"])) == {"F3", "F8"}
    with pytest.raises(ValueError, match="Owner"):
        await found(read_model, {"Owner": "x"})


async def test_a_read_model_never_goes_back(read_models: list[ReadModel]) -> None:
    """Two processes are given all versions in any order and mixture; a reader meanwhile sees them only rise."""
    keys, last = [f"F{n}" for n in range(5)], 40
    going, seen = True, dict.fromkeys(keys, 0)

    async def feed(read_model: ReadModel, seed: int) -> None:
        given = [snapshot(key, version) for key in keys for version in range(1, last + 1)]
        random.Random(seed).shuffle(given)
        while given:
            await read_model.put(given[:7])
            del given[:7]

    async def watch() -> None:
        while going:
            for key, state in (await read_models[0].get_many(keys)).items():
                assert state["VersionId"] >= seen[key]
                seen[key] = state["VersionId"]
            await asyncio.sleep(0.001)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(feed(read_model, seed) for seed, read_model in enumerate(read_models)))
    going = False
    await watching
    assert {key: state["VersionId"] for key, state in (await read_models[1].get_many(keys)).items()} == dict.fromkeys(
        keys, last
    )


async def test_a_scan_goes_on_from_behind_any_key(read_models: list[ReadModel]) -> None:
    await read_models[0].put([snapshot(f"F{number}", 1) for number in range(6)])

    async def scanned(after: str) -> list[str]:
        return [state["FleetId"] async for page in read_models[1].scan(after=after, page=2) for state in page]

    assert await scanned("") == ["F0", "F1", "F2", "F3", "F4", "F5"]
    assert await scanned("F3") == ["F4", "F5"]
    assert await scanned("F3#") == ["F4", "F5"]
    assert await scanned("F5") == []
