"""Lists that are sorted by a declared field, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from shared.documents import Change, Document, Documents, OutgoingEvent, Place
from tests.support.document_stores import Backend, cause

FIELDS = ("ServiceId", "Place.Region", "Rank")

WHOLE = [3, None, 1, 3, 2**53, 0, None, -1, 3, 2]
NUMBERS = [1.5, 1, None, 2, 1.25, 1, 3, None, 0.1, 2]
TEXTS = ["b", "a", None, "B", "ä", "", "a#", "aa", None, "é"]
FLAGS = [True, None, False, True, None, False, True, True, False, None]
ALIKE = ["same"] * 10
ABSENT = [None] * 10


async def make(documents: Documents, field: str, values: Sequence[Any]) -> None:
    def state(number: int, value: Any) -> dict[str, Any]:
        made: dict[str, Any] = {"ServiceId": f"S{number % 2}"}
        *outer, name = field.split(".")
        inside = made.setdefault(outer[0], {}) if outer else made
        if value is not None:
            inside[name] = value
        return made

    states = [(f"F{number}", state(number, value)) for number, value in enumerate(values)]
    await documents.create_many(states, "thing.created", cause())


async def delete(documents: Documents, key: str) -> None:
    await documents.update(key, lambda _: Change(None, (OutgoingEvent("thing.deleted"),)), cause())


def _becoming(state: dict[str, Any], _: Document | None) -> Change:
    return Change(state, ())


async def pages(
    documents: Documents, by: str, where: dict[str, Any], size: int, *, descending: bool
) -> list[list[str]]:
    after: Place | None = None
    found: list[list[str]] = []
    while not found or after is not None:
        page = await documents.list_sorted(by, where, descending=descending, after=after, limit=size)
        found.append([document.key for document in page.items])
        after = page.next_after
    return found


def in_order(values: dict[str, Any], *, descending: bool) -> list[str]:
    """The keys by value and then by key; where there is none is before all others."""

    def place(item: tuple[str, Any]) -> tuple[bool, Any, str]:
        key, value = item
        return value is not None, 0 if value is None else value, key

    return [key for key, _ in sorted(values.items(), key=place, reverse=descending)]


@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("Rank", WHOLE),
        ("Rank", NUMBERS),
        ("Place.Region", TEXTS),
        ("Rank", FLAGS),
        ("Place.Region", ALIKE),
        ("Rank", ABSENT),
    ],
    ids=["whole", "numbers", "texts", "flags", "alike", "absent"],
)
async def test_a_list_is_sorted_and_each_page_goes_on_where_the_last_ended(
    backend: Backend, field: str, values: Sequence[Any], descending: bool
) -> None:
    _, documents = await backend.open(filters=FIELDS)
    await make(documents, field, values)
    await delete(documents, "F1")
    await delete(documents, "F7")
    left = {f"F{number}": value for number, value in enumerate(values) if number not in (1, 7)}
    of_one = {key: value for key, value in left.items() if int(key[1:]) % 2 == 0}
    for where, expected in (({}, left), ({"ServiceId": "S0"}, of_one), ({"ServiceId": "S9"}, {})):
        order = in_order(expected, descending=descending)
        for size in (1, 3, len(order) or 1, 100):
            found = await pages(documents, field, where, size, descending=descending)
            assert found == ([order[start : start + size] for start in range(0, len(order), size)] or [[]])


async def test_a_list_may_be_sorted_by_the_field_that_it_is_filtered_by(backend: Backend) -> None:
    _, documents = await backend.open(filters=FIELDS)
    await make(documents, "Rank", [2, 1, 2, None, 2])
    assert await pages(documents, "Rank", {"Rank": 2}, 2, descending=True) == [["F4", "F2"], ["F0"]]
    assert await pages(documents, "Rank", {"Rank": None}, 2, descending=False) == [["F3"]]
    assert await pages(documents, "Rank", {"Rank": [1, 2]}, 2, descending=False) == [["F1", "F0"], ["F2", "F4"]]


async def test_what_did_not_change_between_two_pages_is_read_once(backend: Backend) -> None:
    _, documents = await backend.open(filters=FIELDS)
    await make(documents, "Rank", [5, 3, 1, 4, 2])
    first = await documents.list_sorted("Rank", limit=2)
    assert [document.key for document in first.items] == ["F2", "F4"]

    for key, state in (("F2", {"Rank": 9}), ("F3", {}), ("G0", {"Rank": 0})):
        await documents.update(key, partial(_becoming, state), cause())
    await delete(documents, "F4")
    rest = await documents.list_sorted("Rank", after=first.next_after)
    assert [document.key for document in rest.items] == ["F1", "F0", "F2"]


async def test_only_a_declared_field_can_be_sorted_by(backend: Backend) -> None:
    _, documents = await backend.open(filters=FIELDS)
    with pytest.raises(ValueError, match="Owner"):
        await documents.list_sorted("Owner")
    with pytest.raises(ValueError, match="Owner"):
        await documents.list_sorted("Rank", {"Owner": "ann"})


async def test_what_a_sorted_list_gives_is_the_latest_version(backend: Backend) -> None:
    _, documents = await backend.open(filters=FIELDS)
    await make(documents, "Rank", [1])

    def raised(document: Document | None) -> Change:
        assert document is not None
        return Change({**document.state, "Rank": document.state["Rank"] + 1}, ())

    written = await documents.update("F0", raised, cause())
    page = await documents.list_sorted("Rank")
    assert page.items == [written.document]
    assert page.next_after is None
