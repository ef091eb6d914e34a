"""The worked example leaves the same documents in every set-up, byte for byte but for assigned ids and times."""

from __future__ import annotations

import os

import httpx
import pytest

from tests.support.documents import EXPECTED, worked_example
from tests.support.scenario import Caller
from tests.support.stacks import WholeStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


async def test_the_worked_example_leaves_the_same_documents(stack: WholeStack, http: httpx.AsyncClient) -> None:
    seen = await worked_example(Caller(stack, http))
    if os.environ.get("WRITE_EXPECTED"):
        EXPECTED.write_text(seen)
    assert seen == EXPECTED.read_text()
