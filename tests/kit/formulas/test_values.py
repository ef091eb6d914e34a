"""What a formula comes to: the same as Python's own parser and its fractions say."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.formulas import (
    BadFormula,
    FormulaFailed,
    MissingInput,
    NegativeValue,
    NotFinite,
    ZeroDivisor,
    parse,
)

INPUTS = frozenset(("PeakTPM", "BAUTPM", "CTFactor"))
EXAMPLE: dict[str, int | Decimal] = {"PeakTPM": 50_000, "BufferFactor": Decimal("1.1"), "HostThroughPutTPM": 250}

numbers = st.one_of(
    st.integers(0, 10**12).map(str),
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**6)).map(lambda digits: f"{digits[0]}.{digits[1]:06}"),
)
spaces = st.sampled_from(("", "", " ", "\n", "\t "))


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.tuples(spaces, st.sampled_from("+-*/"), spaces).map("".join)
    chains = st.tuples(inner, signs, inner).map("".join)
    longer = st.tuples(inner, signs, inner, signs, inner).map("".join)
    grouped = st.tuples(st.sampled_from(("(", "ceil(", "floor(", "-(")), spaces, inner, spaces).map("".join)
    called = st.tuples(st.sampled_from(("min(", "max(")), st.lists(inner, min_size=1, max_size=3).map(",".join))
    return st.one_of(chains, longer, grouped.map("{})".format), called.map("".join).map("{})".format))


formulas = st.recursive(st.one_of(numbers, st.sampled_from(sorted(INPUTS))), joined, max_leaves=25)
decimals = st.decimals(0, 2_147_483_647, places=6)
values = st.fixed_dictionaries(dict.fromkeys(sorted(INPUTS), decimals))


class Oracle(ast.NodeVisitor):
    """Python's own reading of the text, worked out in fractions."""

    def __init__(self, text: str, known: Mapping[str, Any]) -> None:
        self.text = text
        self.known = known

    def visit_Expression(self, node: ast.Expression) -> Fraction:
        return self.visit(node.body)

    def visit_Constant(self, node: ast.Constant) -> Fraction:
        return Fraction(ast.get_source_segment(self.text, node) or "")

    def visit_Name(self, node: ast.Name) -> Fraction:
        return Fraction(self.known[node.id])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Fraction:
        return -self.visit(node.operand)

    def visit_BinOp(self, node: ast.BinOp) -> Fraction:
        left, right = self.visit(node.left), self.visit(node.right)
        match node.op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
        return left / right

    def visit_Call(self, node: ast.Call) -> Fraction:
        arguments = [self.visit(argument) for argument in node.args]
        match node.func:
            case ast.Name("ceil"):
                return Fraction(math.ceil(*arguments))
            case ast.Name("floor"):
                return Fraction(math.floor(*arguments))
            case ast.Name("min"):
                return min(arguments)
        return max(arguments)


@given(formulas, values)
def test_a_formula_comes_to_what_an_independent_reading_says(text: str, known: dict[str, Decimal]) -> None:
    text = f"({text})"  # for Python a new line inside parentheses is a space
    try:
        formula = parse(text, INPUTS)
    except BadFormula as refused:
        assume("levels deep" not in str(refused))
        raise
    try:
        wanted = Oracle(text, known).visit(ast.parse(text, mode="eval"))
    except ZeroDivisionError:
        with pytest.raises(ZeroDivisor, match=r"line \d+, column \d+: the divisor is zero"):
            formula.evaluate(known)
        return
    assert formula.evaluate(known, may_be_negative=True) == wanted
    if wanted < 0:
        with pytest.raises(NegativeValue):
            formula.evaluate(known)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ceil(PeakTPM * BufferFactor / HostThroughPutTPM)", 220),  # 7.4.2: not 221
        ("PeakTPM * 1.1 / 250", 220),
        ("10 - 4 - 3", 3),
        ("48 / 4 / 3", 4),
        ("2 + 3 * 4", 14),
        ("-2 * -3", 6),
        ("--4", 4),
        ("0.1 + 0.2 - 0.3", 0),
        ("ceil(7 / 2) + floor(7 / 2)", 7),
        ("max(1, 2.5, min(9, 3))", 3),
        ('"PeakTPM" / 1000', 50),
    ],
)
def test_arithmetic_is_exact_and_goes_from_left_to_right(text: str, value: int) -> None:
    assert parse(text).evaluate(EXAMPLE) == value


def test_a_formula_names_its_inputs_also_those_that_need_quotes() -> None:
    formula = parse('"orders, per minute" / max(visits, 1) + visits')
    assert formula.inputs == {"orders, per minute", "visits"}
    assert formula.evaluate({"orders, per minute": 6, "visits": 2, "more": 1}) == 5


def test_only_the_inputs_that_the_caller_names_may_be_used() -> None:
    with pytest.raises(
        BadFormula, match=r"line 2, column 3: there is no input 'PeakTmp'; use BAUTPM, CTFactor and Peak"
    ):
        parse("1\n+ PeakTmp", INPUTS)


@pytest.mark.parametrize(
    ("text", "values", "error", "reason"),
    [
        ("A / (B - B)", {"A": 1, "B": 2}, ZeroDivisor, "line 1, column 3: the divisor is zero"),
        ("A - B", {"A": 1, "B": 2}, NegativeValue, "the value is negative"),
        ("A + C", {"A": 1}, MissingInput, "C is not known"),
        ("A", {"A": Decimal("NaN")}, NotFinite, "A is no finite number"),
        ("A", {"A": Decimal("Infinity")}, NotFinite, "A is no finite number"),
        ("A", {"A": Decimal("1e999999")}, NotFinite, "A is no finite number"),
        ("A", {"A": 10**1300}, NotFinite, "A has too many digits"),
        ("A * A", {"A": 10**1000}, NotFinite, "line 1, column 3: the value has too many digits"),
        ("1 / A / A", {"A": 10**1000}, NotFinite, "line 1, column 7: the value has too many digits"),
    ],
)
def test_what_has_no_value_says_why(text: str, values: dict[str, Any], error: type[FormulaFailed], reason: str) -> None:
    """4.543."""
    with pytest.raises(error) as failed:
        parse(text).evaluate(values)
    assert str(failed.value) == reason


def test_the_longest_formula_over_wire_numbers_has_a_value() -> None:
    text = "*".join(["PeakTPM"] * 100)
    assert parse(text).evaluate({"PeakTPM": 2_147_483_647}) == 2_147_483_647**100


def test_a_formula_is_parsed_once() -> None:
    assert parse("1 + 2", INPUTS) is parse("1 + 2", INPUTS)
