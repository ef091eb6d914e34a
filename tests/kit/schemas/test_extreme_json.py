"""JSON that goes beyond a parser's limits is JSON all the same, and is refused by its field (4.9b, 5.24b)."""

from __future__ import annotations

import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import exact_json
from shared.errors import BadInput
from shared.schemas.base import MAX_COUNT, MAX_DECIMAL, Count, DecimalNumber, Name, Text, WireModel
from shared.schemas.decoding import NO_OBJECT, decode_object
from shared.schemas.validation import validated


class Thing(WireModel):
    name: Name | None = None
    text: Text | None = None
    number: DecimalNumber | None = None
    count: Count | None = None
    parts: list[Thing] | None = None


def refused(body: bytes) -> dict[str, str]:
    """The fields that the refusal of this body names, each with the remedy."""
    with pytest.raises(BadInput) as error:
        validated(Thing, decode_object(body))
    assert error.value.slug not in NO_OBJECT
    orjson.dumps(error.value.problem())
    return {one.pointer: one.detail for one in error.value.errors}


@pytest.mark.parametrize("number", [b"1e400", b"1E+999999", b"9" * 5000, b"9" * 400 + b".5"])
def test_a_number_that_no_float_holds_is_named_with_its_bounds(number: bytes) -> None:
    body = b'{"Name": "a", "Number": %s, "Count": %s}' % (number, number)
    assert refused(body) == {
        "/Number": f"give {MAX_DECIMAL} or less",
        "/Count": f"give a whole number from 0 to {MAX_COUNT}",
    }
    assert refused(b'{"Parts": [{}, {"Name": -%s}]}' % number) == {"/Parts/1/Name": "give a text"}


@pytest.mark.parametrize("number", [b"1e99999999999999999999", b"-1E-99999999999999999999"])
def test_an_exponent_without_bounds_is_named(number: bytes) -> None:
    assert refused(b'{"Parts": [{"Number": %s}]}' % number) == {
        "/Parts/0/Number": "give a number with a smaller exponent"
    }


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'{"Text": "a\ud800"}', "/Text"),
        (rb'{"Text": "\udc00\ud800", "Name": "\ud83d\ude00"}', "/Text"),
        (rb'{"Parts": [{"Text": "\uDFFF"}]}', "/Parts/0/Text"),
        (rb'{"Te\ud800xt": "a"}', r"/Te\ud800xt"),
    ],
)
def test_half_a_character_is_named(body: bytes, pointer: str) -> None:
    assert refused(body) == {pointer: r"give whole characters: an escape such as \ud800 is half of one"}


@pytest.mark.parametrize("depth", [260, 300, 900, 1030, 100_000])
@pytest.mark.parametrize("before", [b'{"Name": "a", "Parts": ', b'{"Name": "a]", "Name": 1e400, "Parts": '])
def test_a_nesting_without_bounds_is_named_by_its_outermost_member(depth: int, before: bytes) -> None:
    body = before + b"[" * depth + b"]" * depth + b"}"
    assert refused(body) == {"/Parts": "give at most 250 levels; no contract has more than a few"}


def test_a_member_that_comes_twice_is_named_beside_the_others() -> None:
    body = rb'{"Number": 1e99999999999999999999, "Text": "\ud800", "Count": 1, "Count": 1e400}'
    assert set(refused(body)) == {"/Number", "/Text", "/Count"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"A": NaN}',
        b'{"A": -Infinity, "B": 1e400}',
        b'{"A": 01, "B": 1e400}',
        b'{"A": "\n", "B": 1e400}',
        b'{"A": "\xed\xa0\x80"}',
        b'{"A": "\\x", "B": 1e400}',
        b'{"A": 1e400,}',
        b'{"A": 1e400',
        b'{"A": 1e400} {}',
        b'\xef\xbb\xbf{"A": 1e400}',
        b"[1e400]",
        b"[" * 100_000,
        b"",
    ],
)
def test_what_is_no_json_object_stays_none_5_24a(body: bytes) -> None:
    with pytest.raises(BadInput) as error:
        decode_object(body)
    assert error.value.slug in NO_OBJECT


def test_a_field_that_is_ignored_may_hold_any_number() -> None:
    assert decode_object(b'{"Name": "a", "VersionId": 1e400}')["Name"] == "a"


def test_a_large_body_is_refused_in_a_bounded_time_whatever_it_holds() -> None:
    for body in (b'{"A": ' + b"[" * 1_048_000, b'{"A": 1e400, "B": [' + b"{}," * 340_000 + b"{}]}"):
        began = time.process_time()
        with pytest.raises(BadInput):
            validated(Thing, decode_object(body))
        assert time.process_time() - began < 3


SPACES = st.text(" \t\r\n", max_size=2)


@given(st.dictionaries(st.text(), st.text() | st.lists(st.dictionaries(st.text(), st.none()))), SPACES)
def test_the_members_of_an_object_are_found_as_they_stand(value: dict[str, object], space: str) -> None:
    texts = {name: orjson.dumps(inner) for name, inner in value.items()}
    pairs = [orjson.dumps(name) + space.encode() + b":" + text for name, text in texts.items()]
    assert exact_json.members((space + "{").encode() + b",".join(pairs) + (space + "}").encode()) == texts


@given(st.binary(max_size=30) | st.text('{}[],:"\\a1 ', max_size=12).map(str.encode))
def test_what_has_members_each_of_them_json_is_an_object(text: bytes) -> None:
    try:
        found = {name: exact_json.loads(value) for name, value in exact_json.members(text).items()}
    except ValueError:
        with pytest.raises(BadInput):
            decode_object(text + b" ")
    else:
        assert isinstance(exact_json.loads(text), dict), found
