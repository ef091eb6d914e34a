"""Withdrawn fleets, over HTTP: event_svc, hotw_svc and notify_svc up to the mail file (7.9.25, 8.1.18a)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from epic.configuration import load_settings
from services.event_svc.bootstrap import build as build_event
from services.hotw_svc.bootstrap import build as build_hotw
from services.notify_svc.bootstrap import build as build_notify
from services.notify_svc.domain.open_orders import GATHERING
from tests.support.clock import FixedClock
from tests.support.embedded_stack import Stack, open_stack
from tests.support.hotw_store import (
    AZ_FACTORS,
    EVENT,
    FLEET,
    event_body,
    fleet_body,
    inventory_body,
    projection_body,
    service_body,
)
from tests.support.notify import RealTime
from tests.support.waiting import eventually

pytestmark = pytest.mark.embedded
FLEETS = (FLEET, "FORTRESSService-EU-X0")


@dataclass
class Company:
    """The three services, and who else speaks: ``others``."""

    event: httpx.AsyncClient
    hotw: httpx.AsyncClient
    notify: httpx.AsyncClient
    others: Stack
    real_time: RealTime
    mail: Path

    async def order(self) -> list[str]:
        """Both fleets' orders, placed and approved; of the first 5 hosts are delivered."""
        assert (await self.event.post("/event", json=event_body())).status_code == 200
        await self.others.say(("service.created", service_body()))
        for fleet in FLEETS:
            await self.others.say(
                ("fleet.created", fleet_body(fleet)),
                ("projection.created", projection_body(fleet)),
                ("fleet.inventory.reported", inventory_body(fleet)),
            )
        await self.others.settled()
        for fleet in FLEETS:
            assert (await self.hotw.post(f"/hotw/atomic/{fleet}/{EVENT}")).json()["OrderedHosts"] == 50
        items = (await self.hotw.get("/hotw/order", params={"EventId": EVENT})).json()["Items"]
        orders = [order["FulfillmentId"] for order in items]
        for order in orders[1:]:
            await self.hotw.put(f"/hotw/order/{order}", json={"Decision": "Approve"})
        await self.hotw.put(f"/hotw/order/{orders[1]}/delivery", json={"FulfilledHosts": 5})
        return orders

    async def warnings(self) -> list[dict[str, Any]]:
        answer = await self.notify.get("/notification", params={"Kind": "InactiveEventOrders"})
        found: list[dict[str, Any]] = answer.json()["Items"]
        return found

    async def files(self) -> list[Path]:
        return list(self.mail.glob("InactiveEventOrders*.eml"))


@pytest.fixture
async def company(tmp_path: Path, clock: FixedClock) -> AsyncIterator[Company]:
    settings = load_settings({}, data_dir=tmp_path, az_factor_map=AZ_FACTORS, mail_domain="example.com")
    real_time = RealTime()
    async with open_stack(Stack, settings, clock) as stack:
        event, hotw = await stack.start(build_event), await stack.start(build_hotw)
        notify = await stack.start(partial(build_notify, real_now=real_time))
        yield Company(event.http, hotw.http, notify.http, stack, real_time, tmp_path / "mail")


@pytest.mark.parametrize("end", ["event made inactive", "event deleted", "service deleted"])
async def test_owner_and_leader_get_one_mail_about_the_approved_orders_of_all_fleets(
    end: str, company: Company
) -> None:
    pending, first, *rest = await company.order()
    if end == "service deleted":
        await company.others.say(("service.deleted", service_body(version=4, Deleted=True)))
    elif end == "event deleted":
        assert (await company.event.delete(f"/event/{EVENT}")).status_code == 200
    else:
        assert (await company.event.put(f"/event/{EVENT}", json={"IsActive": False})).status_code == 200
    await company.others.settled()
    [waiting] = await company.warnings()
    assert "5 approved orders of FORTRESSService still open" in waiting["Subject"]
    assert waiting["Status"] == "Pending"
    assert await company.files() == []
    company.real_time.pass_by(GATHERING.total_seconds())
    [file] = await eventually(company.files, len, "the mail is sent")
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert mail["To"] == "fortress-owner@amazon.com, jsmith@example.com"
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert f"{first} (Approved): 20 hosts in us-east-1b" in text
    assert "5 delivered, due by 2024-06-29" in text
    assert all(f"{order} (Approved)" in text for order in rest)
    assert f"{pending} " not in text
    await eventually(
        company.warnings, lambda found: [item["Status"] for item in found] == ["Sent"], "the mail is known to be sent"
    )
    cancelled = (await company.hotw.get("/hotw/order", params={"EventId": EVENT, "Status": "Cancelled"})).json()
    assert [order["FulfillmentId"] for order in cancelled["Items"]] == [pending]
