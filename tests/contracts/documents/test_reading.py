"""What can be read of versioned documents, alike on every store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.clock import iso
from shared.documents import Change, Documents, OutgoingEvent, Store
from tests.support.document_stores import NOW, Backend, adding, cause, creating, setting

REFERENCE = {
    "FleetId": "FORTRESSService-NA-X0",
    "FleetConfiguration": {"Region": "us-east-1", "CTFactor": 1.5, "ASGs": [{"Name": "a", "Hosts": 3}, {"Name": "b"}]},
    "Nothing": None,
    "IsActive": True,
    "Text": 'a "quoted" line.\n$5 – ünïcode',
}


async def make_versions(documents: Documents, key: str, count: int) -> None:
    for _ in range(count):
        await documents.update(key, adding(), cause())


async def test_the_latest_is_the_state_as_it_was_given(documents: Documents) -> None:
    written = await documents.update("F1", creating(REFERENCE), cause(message="first"))
    read = await documents.latest("F1")
    assert read == written.document
    assert read is not None
    assert read.state == REFERENCE
    assert list(read.state) == list(REFERENCE)
    assert read.wire() == REFERENCE | {
        "VersionId": 1,
        "LatestVersionId": 1,
        "CreatedAt": "2024-06-15T09:00:00.123Z",
        "CreatedBy": "ann",
        "SchemaVersion": 1,
        "AuditMetadata": {"Message": "first", "User": "ann", "Timestamp": "2024-06-15T09:00:00.123Z"},
    }
    assert read.changed == iso(NOW)


async def test_what_was_never_there_is_nothing(documents: Documents) -> None:
    assert await documents.latest("F1") is None
    assert await documents.version("F1", 1) is None
    assert (await documents.history("F1")).items == []
    assert await documents.latest_many(["F1", "F2"]) == {}
    assert (await documents.list()).items == []


async def test_only_item_zero_carries_what_is_of_the_whole(documents: Documents) -> None:
    await make_versions(documents, "F1", 3)
    old = await documents.version("F1", 2)
    latest = await documents.version("F1", 3)
    assert old is not None
    assert latest is not None
    assert old.state == {"Count": 2}
    assert (old.version, old.latest_version) == (2, 3)
    for document in (old, latest):
        assert not {"LatestVersionId", "CreatedAt", "CreatedBy"} & set(document.wire())
    assert await documents.version("F1", 4) is None
    assert await documents.version("F1", 0) is None


async def test_history_is_paged_newest_first(documents: Documents) -> None:
    await make_versions(documents, "F1", 7)
    seen, before = [], None
    while True:
        page = await documents.history("F1", before=before, limit=3)
        seen.append([document.version for document in page.items])
        before = page.next_before
        if before is None:
            break
    assert seen == [[7, 6, 5], [4, 3, 2], [1]]
    assert [document.state["Count"] for document in (await documents.history("F1", limit=7)).items] == list(
        range(7, 0, -1)
    )
    assert (await documents.history("F1", limit=7)).next_before is None


async def test_many_are_read_at_once(documents: Documents) -> None:
    for number in range(5):
        await documents.update(f"F{number}", creating({"Number": number}), cause())
    await documents.update("F3", lambda _: Change(None, ()), cause())
    found = await documents.latest_many(["F4", "F1", "F1", "none", "F3"])
    assert {key: document.state["Number"] for key, document in found.items()} == {"F4": 4, "F1": 1}
    assert await documents.latest_many([]) == {}


async def test_lists_are_filtered_by_declared_fields_and_ordered_by_key(documents: Documents) -> None:
    await documents.create_many(
        (
            (
                f"F{n:02}",
                {
                    "ServiceId": f"S{n % 3}",
                    "Place": {"Region": "NA" if n % 2 else "EU"},
                    "Active": n != 9,
                    "Rank": n % 5,
                },
            )
            for n in range(20)
        ),
        "thing.created",
        cause(),
    )
    await documents.update("F03", lambda _: Change(None, ()), cause())

    async def keys(where: dict[str, object]) -> list[str]:
        return [document.key for document in (await documents.list(where)).items]

    assert await keys({"ServiceId": "S0"}) == ["F00", "F06", "F09", "F12", "F15", "F18"]
    assert await keys({"ServiceId": "S0", "Place.Region": "NA"}) == ["F09", "F15"]
    assert await keys({"Active": False}) == ["F09"]
    assert await keys({"Rank": 4}) == ["F04", "F09", "F14", "F19"]
    assert await keys({"Rank": "4"}) == []
    assert await keys({"ServiceId": None}) == []
    with pytest.raises(ValueError, match="Owner"):
        await documents.list({"Owner": "ann"})


async def test_a_list_goes_on_where_its_cursor_says(documents: Documents) -> None:
    await documents.create_many(((f"F{n}", {"ServiceId": "S"}) for n in range(6)), "thing.created", cause())
    first = await documents.list({"ServiceId": "S"}, limit=4)
    rest = await documents.list({"ServiceId": "S"}, after=first.next_after, limit=4)
    assert [document.key for document in (*first.items, *rest.items)] == [f"F{n}" for n in range(6)]
    assert rest.next_after is None
    assert (await documents.list(limit=6)).next_after is None


@pytest.mark.parametrize("gone", [set(), {0, 1}, {1, 2, 5}, {3, 4, 5, 6}, {8, 9}, set(range(9)), set(range(10))])
async def test_a_page_is_full_however_many_between_were_deleted(documents: Documents, gone: set[int]) -> None:
    for number in range(10):
        await documents.update(f"F{number}", creating({"ServiceId": "S"}), cause())
        if number in gone:
            await documents.update(f"F{number}", lambda _: Change(None, (OutgoingEvent("thing.deleted"),)), cause())
    left = [f"F{number}" for number in range(10) if number not in gone]
    for where in ({}, {"ServiceId": "S"}):
        after, pages = None, []
        while not pages or after is not None:
            page = await documents.list(where, after=after, limit=3)
            pages.append([document.key for document in page.items])
            after = page.next_after
        assert pages == ([left[start : start + 3] for start in range(0, len(left), 3)] or [[]])


async def test_a_scan_gives_all_that_a_list_would(documents: Documents) -> None:
    await documents.create_many(((f"F{n}", {"ServiceId": f"S{n % 2}"}) for n in range(9)), "thing.created", cause())
    pages = [[document.key for document in page] async for page in documents.scan(page=4)]
    assert [key for page in pages for key in page] == [f"F{n}" for n in range(9)]
    assert max(map(len, pages)) <= 4
    odd = [document.key async for page in documents.scan({"ServiceId": "S1"}) for document in page]
    assert odd == ["F1", "F3", "F5", "F7"]


@pytest.mark.parametrize(
    "state",
    [
        {"HostDistribution": {"c5.2xlarge": 50, "m5.large": 1}},
        {"$set": {"$inc": [{"$ref": "x", "$id": 1}]}, "a.b": {".": 1}},
        {"．": 1, "＄": {"％．": 2, "％": 3}, "x": "a.b $c"},
        {'say "a.b"': 1, "back\\slash.": 2},
        {"": {"": 1, "_id": 2}, "zero\0": "\0", "Largest": [2**63 - 1, -(2**63), 1.0, 1e300]},
    ],
)
async def test_any_name_of_json_is_kept_as_it_is(backend: Backend, documents: Documents, state: dict) -> None:
    await documents.update("F1", creating(state), cause())
    await documents.update("F1", lambda present: setting(present.state | {"More": 1}), cause())
    await documents.create_many([("F2", state)], "thing.created", cause())
    await documents.amend("F2", lambda _: (state, ()), cause())
    await backend.stores[0].drain()
    assert (await documents.latest("F1")).state == state | {"More": 1}
    assert (await documents.version("F1", 1)).state == state
    assert (await documents.latest("F2")).state == state
    assert (await documents.latest("F2")).side == state
    assert {key: value for key, value in backend.broker.bodies("F1")[0].items() if key in state} == state


async def test_what_is_read_is_the_callers_to_change(backend: Backend, documents: Documents) -> None:
    state = {"List": [1]}
    written = await documents.update("F1", lambda _: Change(state, (OutgoingEvent("thing.created"),)), cause())
    written.document.state["List"].append(2)
    state["List"].append(3)
    first, second = await asyncio.gather(documents.latest("F1"), documents.latest("F1"))
    first.state["List"].append(4)
    await backend.stores[0].drain()
    assert second.state == (await documents.latest("F1")).state == {"List": [1]}
    assert backend.broker.bodies("F1")[0]["List"] == [1]


async def test_two_resource_types_do_not_meet(backend: Backend) -> None:
    store = backend.make()
    fleets, events = store.documents("fleet"), store.documents("event")
    await store.start()
    backend.stores.append(store)
    await fleets.update("X", creating({"A": 1}), cause("c"))
    await events.update("X", creating({"B": 1}), cause("c"))
    assert (await fleets.latest("X")).state == {"A": 1}
    assert (await events.latest("X")).state == {"B": 1}
    assert store.documents("fleet") is fleets
    with pytest.raises(RuntimeError, match="before the store is started"):
        store.documents("late")


async def test_the_store_answers_and_knows_its_last_instant(store: Store, documents: Documents) -> None:
    await store.ping()
    assert await store.last_instant() is None
    await documents.update("F1", adding(), cause())
    await store.drain()
    assert await store.last_instant() == NOW


async def test_versions_of_many_documents_are_read_together(documents: Documents) -> None:
    for key, count in (("F1", 3), ("F2", 1)):
        await make_versions(documents, key, count)
    found = await documents.versions([("F1", 1), ("F1", 3), ("F2", 1), ("F2", 2), ("F3", 1)])
    assert {one: document.state["Count"] for one, document in found.items()} == {
        ("F1", 1): 1,
        ("F1", 3): 3,
        ("F2", 1): 1,
    }
    assert "LatestVersionId" not in found["F1", 3].wire()
    assert await documents.versions([]) == {}


async def test_the_versions_at_an_instant_are_the_latest_of_then(documents: Documents) -> None:
    """Each second one of the documents gets a version; every instant between them is asked for."""
    keys = ["F0", "F1", "F2", "F3"]
    seen = []
    for second in range(17):
        at = NOW + timedelta(seconds=second)
        await documents.update(keys[second % 3], adding(), replace(cause(), now=at))
        seen.append((at, {key: one.state for key, one in (await documents.latest_many(keys)).items()}))
    assert await documents.versions_at(keys, NOW - timedelta(milliseconds=1)) == {}
    for at, states in seen:
        for instant in (at, at + timedelta(milliseconds=999)):
            found = await documents.versions_at(keys, instant)
            assert {key: one.state for key, one in found.items()} == states


async def test_a_tombstone_is_not_among_the_versions_at_an_instant(documents: Documents) -> None:
    first, second, third = (replace(cause(), now=NOW + timedelta(seconds=number)) for number in range(3))
    await documents.update("F1", creating({"A": 1}), first)
    await documents.update("F1", lambda _: Change(None, ()), second)
    await documents.update("F1", creating({"A": 2}), third)
    found = [await documents.versions_at(["F1"], one.now) for one in (first, second, third)]
    assert [one["F1"].state if one else None for one in found] == [{"A": 1}, None, {"A": 2}]


async def test_a_list_of_values_matches_any_of_them(backend: Backend) -> None:
    _, documents = await backend.open(filters=("FleetId",))
    for number in range(6):
        fleet_id = {"FleetId": f"F{number // 2}"} if number < 5 else {}
        await documents.update(f"J{number}", creating({"Count": number, **fleet_id}), cause())
    page = await documents.list({"FleetId": ["F0", "F2", "F9"]}, limit=2)
    assert ([one.key for one in page.items], page.next_after) == (["J0", "J1"], "J1")
    rest = await documents.list({"FleetId": ["F0", "F2", "F9"]}, after="J1")
    assert [one.key for one in rest.items] == ["J4"]
    assert (await documents.list({"FleetId": []})).items == []
