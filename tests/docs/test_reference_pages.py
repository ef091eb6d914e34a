"""The reference pages are what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_pages_are_current() -> None:
    spec = importlib.util.spec_from_file_location("docs_build", DOCS / "build.py")
    assert spec
    assert spec.loader
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    for name, text in build.pages().items():
        if (DOCS / "reference" / name).read_text() != text:
            pytest.fail(f"docs/reference/{name} is not what the code says; run `make docs`")
