"""A JSON object names each member once: a parser would silently take the last one (RFC 8259, section 4)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadInput
from shared.schemas.decoding import decode_object

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b'{"A": 1, "A": 1}', ["/A"]),
        (b'{"A": 1, "B": 2, "A": {"C": 3}, "B": 4}', ["/A", "/B"]),
        (b'{"A": [{"B": 1}, {"B": 1, "B": 2}]}', ["/A/1/B"]),
        (b'{"A/B": {"~": 1, "~": 2}}', ["/A~1B/~0"]),
        (b'{"A": 1, "\\u0041": 2}', ["/A"]),
        (b'{"A": "\\u003a", "B": 1, "B": 2}', ["/B"]),  # an escaped colon stands for the one that is lost
        (b'{"A": "\\u003A", "B": 1, "B": 2}', ["/B"]),
    ],
)
def test_a_member_that_comes_twice_is_named(body: bytes, pointers: list[str]) -> None:
    with pytest.raises(BadInput, match="names a member twice") as refused:
        decode_object(body)
    assert [error.pointer for error in refused.value.errors] == pointers


@pytest.mark.parametrize(
    "body",
    [
        b'{"A": {"A": {"A": 1}}, "B": [{"A": 1}, {"A": 1}]}',
        b'{ "A" : "x:y", "B\\":" : "\\u003a\\u003A\\\\u003a" }',
    ],
)
def test_equal_names_in_different_objects_and_colons_in_texts_are_fine(body: bytes) -> None:
    assert decode_object(body) == orjson.loads(body)


def test_what_is_nested_too_deep_to_look_at_is_400() -> None:
    for depth in (300, 1000):
        for begin in (b'{"A": ', b'{"A": 1, "A": ', b'{"A": "\\u003a", "B": '):
            with pytest.raises(BadInput):
                decode_object(begin + b"[" * depth + b"]" * depth + b"}")


@given(st.dictionaries(st.text(), JSON, max_size=4), st.booleans())
def test_no_object_is_refused_that_names_each_member_once(value: dict[str, Any], indented: bool) -> None:
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indented else None)
    assert decode_object(body).keys() == value.keys()


@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=4), JSON)
def test_every_object_is_refused_that_names_a_member_twice(value: dict[str, Any], again: object) -> None:
    name = orjson.dumps(next(iter(value)))
    body = orjson.dumps(value)[:-1] + b"," + name + b":" + orjson.dumps(again) + b"}"
    with pytest.raises(BadInput, match="names a member twice"):
        decode_object(body)
