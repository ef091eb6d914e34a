"""hotw_svc with a provider: what is decided over HTTP is asked for in the background, in a rehearsal of nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from epic.configuration import load_settings
from services.hotw_svc import bootstrap
from services.hotw_svc.adapters import tables as t
from shared.settings import Settings
from tests.support.hotw_stack import COMPANY, Hotw
from tests.support.hotw_store import AZ_FACTORS, EVENT, FLEET
from tests.support.waiting import eventually

pytestmark = pytest.mark.embedded


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    rehearsal = {"hotw_provider": "aws", "now": "2024-06-15T09:00:00Z"}
    return load_settings({}, data_dir=tmp_path, az_factor_map=AZ_FACTORS, **rehearsal)


async def test_an_approval_is_asked_of_the_provider(stack: Hotw, monkeypatch: pytest.MonkeyPatch) -> None:
    """7.8.21b, 7.8.37, 2.30b."""
    monkeypatch.setattr(bootstrap, "_ASK_EVERY", 0.05)
    replica = await stack.replica()
    await stack.company()
    path = f"/hotw/inputs/{EVENT}/{FLEET}"
    await eventually(lambda: replica.get(path), lambda held: held and all(held[name] for name in COMPANY), "all known")
    done = (await replica.http.post(f"/hotw/atomic/{FLEET}/{EVENT}")).json()
    order = done["FulfillmentDetails"][0]
    await replica.http.put(f"/hotw/order/{order['FulfillmentId']}", json={"Decision": "Approve"})

    async def asked() -> list[Any]:
        rows = await replica.service.store.rows(select(t.provider_group))  # type: ignore[attr-defined]
        return [action["Name"] for row in rows for action in row.Asked]

    names = await eventually(asked, bool, "the provider is asked")
    assert names == [f"{EVENT}-{order['AutoScalingGroupName']}-{number}" for number in (1, 2)]
