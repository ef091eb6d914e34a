"""The generated files are current: the reference pages and the gateway's routes."""

from __future__ import annotations

import pytest

from docs import build, golden_messages


def test_the_generated_files_are_current() -> None:
    for path, text in build.files().items():
        if path.read_text() != text:
            pytest.fail(f"{path} is not what follows from the code; run `make docs`")


def test_no_golden_message_is_missing() -> None:
    assert [path.name for path in golden_messages.missing()] == [], "run `make docs`"
