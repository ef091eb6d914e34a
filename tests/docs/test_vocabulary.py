"""The code uses the terms of the glossary, and none of the words that once stood in their place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("shared", "services", "epic", "bench", "tests", "docs")
LONGEST_TEST_NAME = 80
FORMATTED_BY_HAND = 20  # the table of metrics
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
FORBIDDEN = re.compile(
    "told|untold|said|unsaid|heard|unheard|hear|hears|hearing|tell|tells|telling|tellings|teller|untelling"
    "|news|desk|desks|bury|buries|buried|burying"
)
MAY_BE_FORBIDDEN = re.compile(FORBIDDEN.pattern, re.IGNORECASE)  # parsing a module takes long; most need not be
TERMS = {
    "an event on its way out": "OutgoingEvent",
    "its place in the store until it is published": "OutboxEntry",
    "the stored outcome of a command": "IdempotencyRecord",
    "what a service keeps of another's resource": "ReadModel",
    "an exclusive right for a limited time": "Lease",
    "taking a piece of work": "claim",
    "giving it back": "release",
    "sending and being sure": "publish",
    "storing a position": "commit",
    "going back to one": "rewind",
    "what finishes interrupted work": "Relay",
    "what is given up, with its reason": "DeadLetter",
    "a pause that grows": "Backoff",
}


@cache
def modules() -> dict[str, str]:
    """The text of every module by its path."""
    paths = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths}


def matches(pattern: str, *, under: tuple[str, ...] = FOLDERS) -> list[str]:
    """Where a pattern matches, each with its module."""
    texts = {path: text for path, text in modules().items() if path.startswith(under)}
    found = re.compile(pattern, re.MULTILINE)
    return [f"{path}: {match[0].strip()}" for path, text in texts.items() for match in found.finditer(text)]


def identifiers(text: str) -> Iterator[tuple[str, int]]:
    """Every name that a module defines or uses, with its line."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name, node.lineno
            case ast.alias():
                yield (node.asname or node.name).rpartition(".")[2], node.lineno


def is_forbidden(name: str) -> bool:
    return any(FORBIDDEN.fullmatch(word.lower()) for word in WORD.findall(name))


def test_no_identifier_uses_a_word_that_a_standard_term_replaced() -> None:
    found = [path for path in modules() if is_forbidden(Path(path).stem)]
    for path, text in modules().items():
        if MAY_BE_FORBIDDEN.search(text):
            found += sorted({f"{path}:{line} {name}" for name, line in identifiers(text) if is_forbidden(name)})
    assert not found, "\n".join(found)


@pytest.mark.parametrize("term", TERMS.values(), ids=TERMS.keys())
def test_each_concept_has_its_term_in_the_code_and_in_the_glossary(term: str) -> None:
    assert matches(rf"^ *(class|def|async def) {term}\b", under=("shared", "services")), f"no code is named {term}"
    words = " ".join(word.lower() for word in WORD.findall(term))
    assert re.search(rf"^\| [^|]*\b{words}\b[^|]* \|", GLOSSARY, re.MULTILINE), f"docs/glossary.md lacks {words}"


def test_no_module_docstring_begins_with_owns() -> None:
    assert not [path for path, text in modules().items() if text.startswith('"""Owns ')]


def test_no_test_name_is_too_long() -> None:
    assert not matches(rf"^ *(async )?def test_\w{{{LONGEST_TEST_NAME + 1 - len('test_')},}}")


def test_nothing_imports_from_a_conftest() -> None:
    assert not matches(r"^\s*(from|import) \S*\bconftest\b.*")


def test_ruff_formats_all_but_a_few_statements() -> None:
    assert len(matches("# fmt: (skip|off)$")) <= FORMATTED_BY_HAND
