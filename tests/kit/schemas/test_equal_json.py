"""Equal JSON values have one canonical text, however each is written (rules 3.35, 3.35a)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.exact_json import canonical
from shared.schemas.decoding import decode_object


def text_of(number: str) -> bytes:
    return canonical(decode_object(b'{"A": %s}' % number.encode()))


@pytest.mark.parametrize(
    "equal",
    [
        ("10", "10.0", "10.00", "1e1", "1E+1", "100e-1", "10.00000000000000000000", "1.0e1"),
        ("0", "-0", "0.0", "-0.0", "0e9", "0.00000000000000000000"),
        ("0.5", "5e-1", "0.50", "0.50000000000000000000"),
        ("0.0000001", "1e-7", "0.00000010"),
        ("-12.25", "-1225e-2", "-12.2500"),
        ("1000000000000000000000", "1e21", "1000000000000000000000.0", "10e20"),
        ("1e400", "10e399", "1" + "0" * 400, "1.0E+400"),
        ("10.000000000000000001", "10000000000000000001e-18"),
    ],
)
def test_a_number_is_one_value_however_it_is_written(equal: tuple[str, ...]) -> None:
    assert len({text_of(number) for number in equal}) == 1


def test_other_numbers_and_their_texts_are_other_values() -> None:
    others = ["1", "10", "-10", "100", "10.5", "10.000000000000000001", "1e400", "1e401", '"10"', '"10.0"', "[10]"]
    assert len({text_of(number) for number in others}) == len(others)


def test_a_text_that_looks_like_a_number_stays_as_it_is() -> None:
    assert canonical({"A": 1.0, "B": "1.0,", "C": '"2.0]'}) == orjson.dumps({"A": 1, "B": "1.0,", "C": '"2.0]'})


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
WAYS = (str, "{:f}".format, "{:e}".format, "{:E}".format, lambda number: f"{number:f}" + "0" * ("." in f"{number:f}"))


@given(NUMBERS, NUMBERS, st.sampled_from(WAYS), st.sampled_from(WAYS))
def test_two_numbers_have_one_text_only_if_they_are_equal(a: Decimal, b: Decimal, first: Any, second: Any) -> None:
    assert text_of(first(a)) == text_of(second(a))
    assert (text_of(first(a)) == text_of(second(b))) == (a == b)


@given(st.dictionaries(st.text(), NUMBERS | st.text(), max_size=4))
def test_the_order_of_members_does_not_matter_3_35a(value: dict[str, Any]) -> None:
    assert canonical({"A": [value]}) == canonical({"A": [dict(reversed(value.items()))]})
