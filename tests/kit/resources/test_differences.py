"""The difference of two documents: its patch makes the one into the other, and it names each change once."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.resources.differences import difference
from tests.support.http import after_patch

SCALARS = st.none() | st.integers(0, 3) | st.text("a~/", max_size=2)
DOCUMENTS = st.recursive(
    st.dictionaries(st.text("ab~/01", min_size=1, max_size=3), SCALARS | st.lists(SCALARS, max_size=2), max_size=4),
    lambda inner: st.dictionaries(
        st.text("ab~/", min_size=1, max_size=2), inner | st.lists(inner | SCALARS, max_size=2) | SCALARS, max_size=4
    ),
    max_leaves=8,
)


@given(DOCUMENTS, DOCUMENTS)
def test_the_patch_makes_a_into_b_3_19a(a: dict[str, Any], b: dict[str, Any]) -> None:
    found = difference(a, b)
    assert after_patch(a, found["Patch"]) == b
    assert [one["path"] for one in found["Patch"]] == [one["Member"] for one in found["Changes"]]


def test_objects_are_compared_by_member_and_lists_as_a_whole_3_19b() -> None:
    a = {"Region": "us-east-1", "Configuration": {"Buffer": 10, "a/b": [1]}, "Gone": True}
    b = {"Region": "us-east-1", "Configuration": {"Buffer": 12.5, "a/b": [1, 2]}, "New": None}
    assert difference(a, b) == {
        "Patch": [
            {"op": "replace", "path": "/Configuration/Buffer", "value": 12.5},
            {"op": "replace", "path": "/Configuration/a~1b", "value": [1, 2]},
            {"op": "remove", "path": "/Gone"},
            {"op": "add", "path": "/New", "value": None},
        ],
        "Changes": [
            {"Member": "/Configuration/Buffer", "Before": 10, "After": 12.5},
            {"Member": "/Configuration/a~1b", "Before": [1], "After": [1, 2]},
            {"Member": "/Gone", "Before": True, "After": None},
            {"Member": "/New", "Before": None, "After": None},
        ],
    }


def test_lists_of_as_many_objects_are_compared_item_by_item() -> None:
    a = {"Milestones": [{"Id": "A", "Subs": [{"Status": "NotStarted"}]}, {"Id": "B"}], "Regions": [{"Id": "A"}]}
    b = {"Milestones": [{"Id": "A", "Subs": [{"Status": "Blocked"}]}, {"Id": "C"}], "Regions": []}
    assert difference(a, b)["Changes"] == [
        {"Member": "/Milestones/0/Subs/0/Status", "Before": "NotStarted", "After": "Blocked"},
        {"Member": "/Milestones/1/Id", "Before": "B", "After": "C"},
        {"Member": "/Regions", "Before": [{"Id": "A"}], "After": []},
    ]
