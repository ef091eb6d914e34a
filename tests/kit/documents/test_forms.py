"""How state gets into MongoDB and out again."""

from __future__ import annotations

from datetime import UTC, datetime

import bson
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cause import Cause
from shared.documents.filters import Filters, check_name
from shared.documents.mongo.codec import decode, decode_state, encode_item, encode_state
from shared.documents.versions import first_version
from shared.errors import BadInput
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


def stored(state: dict) -> dict:
    """What is read of a state that was written."""
    return bson.decode(bson.encode(encode_state(state)))


def names_in(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(name for member in value.values() for name in names_in(member))]
    return [name for member in value for name in names_in(member)] if isinstance(value, list) else []


@given(STATE)
def test_any_json_comes_back_as_it_was(state: dict) -> None:
    assert orjson.dumps(decode_state(stored(state))) == orjson.dumps(state)


@given(STATE)
def test_no_name_has_a_meaning_to_mongodb(state: dict) -> None:
    assert not [name for name in names_in(stored(state)["State"]) if set(name) & set(".$\0")]


@given(STATE)
def test_a_version_comes_back_as_it_was(state: dict) -> None:
    cause = Cause(datetime(2024, 6, 15, 9, tzinfo=UTC), "ann", Trace("c"))
    document = first_version("F1", state, cause, 1)
    assert decode("F1", bson.decode(bson.encode(encode_item(document)))) == document


def test_ordinary_states_lie_as_they_are() -> None:
    state = {"Name": 'a.b $c%: "ünï.code"\\', "Count": 1.5, "List": [{"ETA": "2024-06-01T00:00:00.000Z"}]}
    assert stored(state) == {"State": state, "Rewritten": False}


def test_names_with_signs_are_rewritten() -> None:
    state = {"HostDistribution": {"c5.2xlarge": "$5.00"}, "5%": {'"$x"': 1, "\0": 2}}
    names = {"HostDistribution": {"c5%2E2xlarge": "$5.00"}, "5%25": {'"%24x"': 1, "%00": 2}}
    assert stored(state) == {"State": names, "Rewritten": True}


def test_later_changes_of_a_state_do_not_reach_what_is_stored() -> None:
    state: dict = {"List": [1]}
    encoded = encode_state(state)
    state["List"].append(2)
    assert encoded["State"]["List"] == [1]


def test_what_mongodb_cannot_hold_is_refused() -> None:
    with pytest.raises(BadInput, match="64 bits"):
        encode_state({"Count": 2**63})


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
