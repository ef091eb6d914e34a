"""Reads a formula: it is parsed by a grammar and never run as code. An error names the place and what fits there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shared.errors import EpicError
from shared.formulas.formula import (
    FUNCTIONS,
    OF_ONE,
    Compute,
    Formula,
    Place,
    call,
    chain,
    constant,
    given,
    negation,
)

if TYPE_CHECKING:
    from lark import Lark, Token
    from lark.exceptions import UnexpectedInput

MAX_CHARACTERS: Final = 2000
MAX_DEPTH: Final = 32
"""How deep parentheses, functions, signs and chains stand in each other: Python's own stack is never at risk."""
MAX_NODES: Final = 200
"""The most numbers, inputs, signs and functions: an evaluation takes less than a millisecond."""
_MAX_DIGITS: Final = 32
_MAX_NAME: Final = 128  # as the names in 2.13
_KEPT: Final = 512
"""How many parsed formulas a process keeps, some kilobytes each. A run evaluates one for each of a service's fleets."""

_NOUNS: Final = {
    "NUMBER": "a number",
    "NAME": "an input",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "$END": "the end",
}
_SIGNS: Final = frozenset(("PLUS", "MINUS", "TIMES", "DIVIDED"))


class BadFormula(EpicError):
    """A text that is no formula. The error's text begins with the place."""

    def __init__(self, place: Place, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


@lru_cache(maxsize=_KEPT)
def parse(text: str, inputs: frozenset[str] | None = None) -> Formula:
    """The formula in ``text``; ``inputs`` are those that it may name, any unless given. BadFormula if it is none.

    A name that is not made of letters, digits and ``_`` stands in double quotes.
    """
    if len(text) > MAX_CHARACTERS:
        raise BadFormula(_place(text, MAX_CHARACTERS), f"a formula has at most {MAX_CHARACTERS} characters")
    # imported here: only who parses needs it, and it takes a tenth of a second
    from lark.exceptions import UnexpectedInput, UnexpectedToken

    try:
        part: _Part = _parser().parse(text)  # type: ignore[assignment]
    except UnexpectedInput as error:
        token = error.token if isinstance(error, UnexpectedToken) else None
        at_end = token is not None and token.type == "$END"
        index = len(text) if at_end else error.pos_in_stream or 0
        found = "the end" if at_end else repr(text[index] if token is None else str(token)[:40])
        raise BadFormula(_place(text, index), f"expected {_expected(error)}; found {found}") from None
    for name, place in part.inputs:
        if inputs is not None and name not in inputs:
            raise BadFormula(place, f"there is no input {name!r}; use {_listed(sorted(inputs))}")
    return Formula(text, frozenset(name for name, _ in part.inputs), part.compute)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a formula: what computes it, how deep and how large it is, and which inputs it names where."""

    compute: Compute
    depth: int = 1
    nodes: int = 1
    inputs: tuple[tuple[str, Place], ...] = ()


class _Builder:
    """Makes a part of each rule of the grammar, from the inside out. It refuses one that is too large at once."""

    def number(self, children: list[Token]) -> _Part:
        (digits,) = children
        if len(digits) > _MAX_DIGITS:
            raise BadFormula(_place_of(digits), f"a number has at most {_MAX_DIGITS} digits")
        return _Part(constant(Fraction(digits)))

    def input(self, children: list[Token]) -> _Part:
        (name,) = children
        if name in FUNCTIONS:
            raise BadFormula(_place_of(name), f"{name} is a function; write {name}(…)")
        return _input(name, str(name))

    def quoted(self, children: list[Token]) -> _Part:
        (name,) = children
        return _input(name, name[1:-1])

    def negated(self, children: list[Any]) -> _Part:
        minus, operand = children
        return _made(negation(operand.compute), [operand], [minus])

    def group(self, children: list[Any]) -> _Part:
        opening, inner, _ = children
        return _made(inner.compute, [inner], [opening], nodes=0)

    def call(self, children: list[Any]) -> _Part:
        name, _, *arguments = children
        parts: list[_Part] = arguments[0::2]
        if name not in FUNCTIONS:
            raise BadFormula(
                _place_of(name), f"there is no function {str(name)[:_MAX_NAME]!r}; use {_listed(FUNCTIONS)}"
            )
        if name in OF_ONE and len(parts) > 1:
            raise BadFormula(_place_of(name), f"{name} takes one argument, not {len(parts)}")
        return _made(call(str(name), [part.compute for part in parts]), parts, [name])

    def chain(self, children: list[Any]) -> _Part:
        first, signs, operands = children[0], children[1::2], children[2::2]
        steps = [(str(sign), _place_of(sign), operand.compute) for sign, operand in zip(signs, operands, strict=True)]
        return _made(chain(first.compute, steps), [first, *operands], signs, nodes=len(signs))


def _input(token: Token, name: str) -> _Part:
    if len(name) > _MAX_NAME:
        raise BadFormula(_place_of(token), f"a name has at most {_MAX_NAME} characters")
    return _Part(given(name), inputs=((name, _place_of(token)),))


def _made(compute: Compute, parts: list[_Part], signs: list[Token], *, nodes: int = 1) -> _Part:
    """What stands around ``parts``. BadFormula, at the first sign from which it is too large."""
    depth = 1 + max(part.depth for part in parts)
    if depth > MAX_DEPTH:
        raise BadFormula(_place_of(signs[0]), f"a formula is at most {MAX_DEPTH} levels deep")
    total = nodes
    for number, part in enumerate(parts):
        total += part.nodes
        if total > MAX_NODES:
            place = _place_of(signs[min(max(number - 1, 0), len(signs) - 1)])
            raise BadFormula(place, f"a formula has at most {MAX_NODES} numbers, inputs, signs and functions")
    return _Part(compute, depth, total, tuple(one for part in parts for one in part.inputs))


@cache
def _parser() -> Lark:
    from lark import Lark

    grammar = Path(__file__).with_name("grammar.lark").read_text()
    return Lark(grammar, parser="lalr", transformer=_Builder(), keep_all_tokens=True)


def _place(text: str, index: int) -> Place:
    return Place(text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


def _place_of(token: Token) -> Place:
    return Place(token.line or 1, token.column or 1)


def _expected(error: UnexpectedInput) -> str:
    """What could stand at the place of the error."""
    accepted: set[str] = error.interactive_parser.accepts()  # type: ignore[no-untyped-call]
    if accepted >= _SIGNS:  # after a value; a parenthesis would make a function of a name
        accepted = accepted - {"LPAR"}
    nouns = [noun for name, noun in _NOUNS.items() if name in accepted]
    return _listed([*nouns, *(["a sign (+ - * /)"] if accepted >= _SIGNS else [])], "or")


def _listed(words: Iterable[str], last: str = "and") -> str:
    """``a, b and c``."""
    *some, end = words
    return f"{', '.join(some)} {last} {end}" if some else end
