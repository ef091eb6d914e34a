"""The harness that batches are settled at."""

from __future__ import annotations

import pytest

from tests.kit.messaging.harness import Harness


@pytest.fixture
def harness() -> Harness:
    return Harness()
