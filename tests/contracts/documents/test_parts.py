"""Parts: bytes in numbered pieces, alike in every store."""

from __future__ import annotations

import pytest

from shared.documents.mongo import parts as mongo_parts
from shared.documents.sqlite import parts as sqlite_parts
from shared.durability.parts import MAX_PART_BYTES
from tests.support.document_stores import Backend


async def test_a_part_is_read_back_as_it_was_put_last(backend: Backend) -> None:
    parts = (await backend.open())[0].parts()
    await parts.put("job1", 0, b"first")
    await parts.put("job1", 1, bytes(range(256)))
    await parts.put("job1", 0, b"again")
    assert await parts.get("job1", 0) == b"again"
    assert await parts.get("job1", 1) == bytes(range(256))
    assert await parts.get("job1", 2) is None
    assert await parts.get("job", 0) is None


async def test_deleting_a_name_leaves_every_other_name(backend: Backend) -> None:
    parts = (await backend.open())[0].parts()
    for name in ("job", "job1", "job-1", "joa", "job/failures"):
        await parts.put(name, 0, name.encode())
    await parts.put("job", 12, b"more")
    await parts.delete("job")
    await parts.delete("job")
    assert await parts.get("job", 0) is None
    assert await parts.get("job", 12) is None
    for name in ("job1", "job-1", "joa", "job/failures"):
        assert await parts.get(name, 0) == name.encode()


async def test_one_part_can_be_deleted_by_its_number(backend: Backend) -> None:
    parts = (await backend.open())[0].parts()
    for number in (0, 1, 2**60):
        await parts.put("day", number, b"data")
    await parts.delete("day", 2**60)
    await parts.delete("day", 2**60)
    assert [await parts.get("day", number) for number in (0, 1, 2**60)] == [b"data", b"data", None]


async def test_another_replica_reads_the_largest_part(backend: Backend) -> None:
    mine, theirs = (await backend.open())[0].parts(), (await backend.open())[0].parts()
    largest = b"x" * MAX_PART_BYTES
    await mine.put("job", 0, largest)
    assert await theirs.get("job", 0) == largest
    with pytest.raises(ValueError, match="at most"):
        await mine.put("job", 1, largest + b"x")
    with pytest.raises(ValueError, match="@"):
        await mine.put("job@1", 0, b"")


async def test_every_name_of_a_prefix_is_found_once_page_by_page(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (mongo_parts, sqlite_parts):
        monkeypatch.setattr(module, "NAMES_AT_ONCE", 2)
    parts = (await backend.open())[0].parts()
    names = ["job", "job-1", "job/failures", "job1", "jobA", "joc"]
    for name in names:
        for number in range(3):
            await parts.put(name, number, b"")
    found: list[str] = []
    while page := await parts.names("job", found[-1] if found else ""):
        found += page
        assert len(page) <= 2
    assert sorted(found) == sorted(names[:-1])
