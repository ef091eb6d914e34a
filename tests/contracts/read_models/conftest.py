"""The stores whose read models the suite runs over."""

from __future__ import annotations

import pytest

from shared.documents import ReadModel
from tests.support.stores import MakeStore, make_store  # noqa: F401 - a fixture


@pytest.fixture
async def read_models(make_store: MakeStore) -> list[ReadModel]:  # noqa: F811
    """The same read model as two processes have it."""
    made = []
    for _ in range(2):
        store = make_store()
        made.append(store.read_model("fleet", filters=("ServiceId", "Place.Region")))
        await store.start()
    return made
