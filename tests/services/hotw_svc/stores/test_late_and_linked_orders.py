"""What an order says of its date and of the system that fulfils it: Late (7.8.46) and FulfillmentLink."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.schemas.hotw_svc import ReviewOrder
from tests.support.hotw_store import Replica

LINK = "https://fmc.example.com/order/F1-1-1"


async def test_an_order_is_late_while_it_is_open_and_due_not_before_the_peak(hotw: Replica) -> None:
    """7.8.45, 7.8.46: the peak begins on 2024-07-16."""
    hotw.clock.set("2024-07-14T09:00:00Z")
    await hotw.settle_in()
    execution = await hotw.execute()
    assert "Late: 2024-07-16 is not before the peak" in execution["Reasoning"]
    first, second, _ = (o["FulfillmentId"] for o in execution["FulfillmentDetails"])
    await hotw.review(first, "Delay", FulfillmentDate="2024-07-15")
    await hotw.review(second, "Reject")
    broker = await hotw.published()
    [placed] = broker.facts("hotw.order.placed")
    assert [order["Late"] for order in placed["Orders"]] == [True, True, True]
    assert [order["Late"] for order in broker.facts("hotw.order.reviewed")[-1]["Orders"]] == [False, False, True]


async def test_a_decision_may_give_an_order_its_link_and_change_it(hotw: Replica) -> None:
    await hotw.settle_in()
    order = (await hotw.execute())["FulfillmentDetails"][0]["FulfillmentId"]
    assert (await hotw.orders())[0]["FulfillmentLink"] is None
    approved = await hotw.review(order, "Approve", FulfillmentLink=LINK)
    assert (approved["FulfillmentStatus"], approved["FulfillmentLink"]) == ("Approved", LINK)
    assert (await hotw.review(order, "Approve"))["FulfillmentLink"] == LINK
    moved = await hotw.review(order, "Approve", FulfillmentLink=f"{LINK}/2")
    assert moved == approved | {"FulfillmentLink": f"{LINK}/2", "OrdersVersionId": 4}
    facts = (await hotw.published()).facts("hotw.order.reviewed")
    assert [fact["Orders"][0]["FulfillmentLink"] for fact in facts] == [LINK, f"{LINK}/2"]
    assert (await hotw.executions())[0]["FulfillmentDetails"][0]["FulfillmentLink"] == f"{LINK}/2"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "fmc/1", "https://", "https://a b", ""])
def test_a_link_is_an_address_that_a_page_may_show(link: str) -> None:
    with pytest.raises(ValidationError):
        ReviewOrder.model_validate({"FulfillmentId": "F1-1-1", "Decision": "Approve", "FulfillmentLink": link})
