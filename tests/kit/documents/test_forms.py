"""How state gets into MongoDB and out again."""

from __future__ import annotations

from datetime import UTC, datetime

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cause import Cause
from shared.documents.filters import Filters, check_name
from shared.documents.mongo.codec import decode, decode_state, encode_item, encode_state
from shared.documents.versions import first_version
from shared.trace import Trace

AWKWARD = st.text(st.sampled_from('.$%2E4"\\:,{ax ．\n'), max_size=6)
TEXT = st.one_of(AWKWARD, st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), TEXT).filter(
        lambda value: value not in (float("inf"), float("-inf"))
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)
STATE = st.dictionaries(TEXT, JSON, max_size=5)


@given(STATE)
def test_any_json_comes_back_as_it_was(state: dict) -> None:
    assert decode_state(encode_state(state, Filters([]))) == state


@given(STATE)
def test_a_version_comes_back_as_it_was(state: dict) -> None:
    cause = Cause(datetime(2024, 6, 15, 9, tzinfo=UTC), "ann", Trace("c"))
    document = first_version("F1", state, cause, 1)
    assert decode("F1", bson.decode(bson.encode(encode_item(document, Filters([]))))) == document


def test_filtered_fields_lie_beside_the_state() -> None:
    filters = Filters(["ServiceId", "Place.Region", "Owner.Name"])
    fields = encode_state({"ServiceId": "S", "Place": {"Region": "NA"}, "Owner": 1}, filters)["Fields"]
    assert fields == {"ServiceId": "S", "Place/Region": "NA", "Owner/Name": None}


def test_only_declared_fields_are_asked_for() -> None:
    filters = Filters(["ServiceId", "Place.Region", "ServiceId"])
    assert filters.fields == ("ServiceId", "Place.Region")
    assert filters.wanted({"Place.Region": "NA"}) == {"Place.Region": "NA"}
    assert filters.wanted(None) == {}
    with pytest.raises(ValueError, match="Owner"):
        filters.wanted({"Owner": "x"})
    for bad in ("a'b", "a..b", "", "$x"):
        with pytest.raises(ValueError, match="filter"):
            Filters([bad])
    for bad in ("Fleet", 'x"', "", "a.b"):
        with pytest.raises(ValueError, match="name"):
            check_name(bad)
