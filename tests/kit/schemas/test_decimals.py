"""Decimals are exact, of at most six places, as a JSON number and as a string (rules 2.15 to 2.15c)."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import exact_json
from shared.errors import BadInput
from shared.schemas.base import MAX_COUNT, MAX_DECIMAL, Count, DecimalNumber, WireModel
from shared.schemas.decoding import decode_object
from shared.schemas.validation import validated

decimals = st.decimals(0, MAX_DECIMAL, allow_nan=False, allow_infinity=False, places=6)
longer = st.decimals(0, MAX_DECIMAL, allow_nan=False, allow_infinity=False, places=20)


class Thing(WireModel):
    number: DecimalNumber
    count: Count = 0


def taken(number: str) -> Decimal:
    """What a contract takes the text of a JSON value for."""
    return validated(Thing, decode_object(b'{"Number": %s}' % number.encode())).number


@given(decimals, st.booleans())
def test_a_decimal_of_six_places_is_taken_stored_and_given_back_exactly(number: Decimal, quoted: bool) -> None:
    text = f"{number:f}"
    found = taken(f'"{text}"' if quoted else text)
    assert found == number

    stored = orjson.dumps(Thing(number=found).wire())
    assert validated(Thing, decode_object(stored)).number == number
    assert Decimal(str(orjson.loads(stored)["Number"])) == number, "any reader of a JSON number gets it"


@given(longer, st.booleans())
def test_a_seventh_place_is_refused_unless_it_is_nought(number: Decimal, quoted: bool) -> None:
    text = f"{number:f}"
    given_as = f'"{text}"' if quoted else text
    if text.partition(".")[2][6:].strip("0"):
        with pytest.raises(BadInput) as refused:
            taken(given_as)
        assert [error.pointer for error in refused.value.errors] == ["/Number"]
    else:
        assert taken(given_as) == number


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize(
    "number",
    [
        "10.000000000000000001",
        "10.0000000000000000000000000000000000000000000000000001",
        "0.0000001",
        "0.000000000000000000000000000000000000000001",
        "999999999.1234567",
        "123456789.00000000001",
    ],
)
def test_more_than_six_places_are_refused_and_named_2_15a(number: str, quoted: bool) -> None:
    with pytest.raises(BadInput) as refused:
        taken(f'"{number}"' if quoted else number)
    assert [(error.pointer, error.detail) for error in refused.value.errors] == [
        ("/Number", "give at most 6 decimal places")
    ]


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("1.50000000000000000000", "1.5"),
        ("15e-1", "1.5"),
        ("1e3", "1000"),
        ("0.1", "0.1"),
        ("2147483647.0", "2147483647"),
    ],
)
def test_the_value_counts_not_how_it_is_written(number: str, value: str) -> None:
    assert taken(number) == Decimal(value)


@pytest.mark.parametrize("number", ["1e-7", "1E-400", "15e-8"])
def test_an_exponent_hides_no_place_2_15a(number: str) -> None:
    with pytest.raises(BadInput) as refused:
        taken(number)
    assert refused.value.errors[0].detail == "give at most 6 decimal places"


@pytest.mark.parametrize("text", ["1_0", "٣", "１０", " 10", "10 ", "+10", "-0", "1e1", "0x10", ".5", "5.", "1,5", ""])
def test_a_string_that_is_more_than_digits_and_a_point_is_refused_and_named(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        validated(Thing, {"Number": text, "Count": text})
    assert [(error.pointer, error.detail) for error in refused.value.errors] == [
        ("/Number", "give a number, such as 1.5"),
        ("/Count", f"give a whole number from 0 to {MAX_COUNT}, also as a string of digits"),
    ]


def test_what_is_read_exactly_is_written_with_the_same_digits() -> None:
    text = b'{"A":[10.000000000000000001,12345678901234567890,1E+2,"x"]}'
    assert exact_json.dumps(exact_json.loads(text)) == text
