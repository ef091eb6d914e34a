"""Reviews of many orders in the store: accepted once, worked off in chunks, by whoever lives (7.8.22 to 7.8.25)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.app.orders import review_orders as module
from services.hotw_svc.app.orders.review_orders import review_worker, work_review
from services.hotw_svc.entrypoints.http import routes
from shared.errors import Conflict
from tests.support.hotw_store import EVENT, FLEET, SUMMER, Replica, counted, many, summer
from tests.support.http import app_of, calling
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def seen(orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The orders as a review names them."""
    return [{"Id": order["FulfillmentId"], "OrdersVersionId": order["OrdersVersionId"]} for order in orders]


async def test_named_orders_are_decided_at_once_and_changed_ones_are_named(hotw: Replica) -> None:
    """7.8.22, 7.8.25"""
    await hotw.settle_in()
    await hotw.execute()
    orders = await hotw.orders()
    await hotw.review(orders[1]["FulfillmentId"], "Delay", FulfillmentDate="2024-07-02")
    named = [*seen(orders), {"Id": "Größe✓", "OrdersVersionId": 1}]
    review = await hotw.review_many("Approve", FulfillmentIds=named, Reason="fine")
    assert (review["ReviewStatus"], review["Orders"], review["Decided"], review["Skipped"]) == ("Completed", 4, 2, 2)
    assert review["SkippedOrders"] == [
        {
            "FulfillmentId": orders[1]["FulfillmentId"],
            "Reason": f"Order {orders[1]['FulfillmentId']} has changed since OrdersVersionId 2; its last change is 3.",
        },
        {"FulfillmentId": "Größe✓", "Reason": "There is no order Größe✓."},
    ]
    assert await hotw.read_review(review["ReviewId"]) == review
    after = await hotw.orders()
    assert [(o["FulfillmentStatus"], o["OrdersVersionId"]) for o in after] == [
        ("Approved", 4),
        ("Delayed", 3),
        ("Approved", 4),
    ]
    facts = (await hotw.published()).facts("hotw.order.reviewed")
    assert [(len(fact["FulfillmentIds"]), fact["OrdersVersionId"], fact["User"]) for fact in facts] == [
        (1, 3, "jsmith"),
        (2, 4, "jsmith"),
    ]
    asgs = (await hotw.queries.asgs(FLEET, None)).items
    assert [asg["EAPEnableStatus"] for asg in asgs] == [True, False, True]


async def test_a_filter_is_refused_unless_it_fits_as_many_as_expected(hotw: Replica) -> None:
    """7.8.24: the answer has the count, and nothing is decided."""
    await many(hotw, 3)
    await hotw.run()
    for expected in (8, 10, 0):
        with pytest.raises(Conflict, match="The filter fits 9 orders") as refused:
            await hotw.review_many("Approve", Filter={"EventId": EVENT}, ExpectedCount=expected)
        assert refused.value.slug == "order-count"
    assert await counted(hotw, t.order_review) == 0
    done = await hotw.review_many("Reject", Filter={"FleetId": "Fleet-1", "Status": "Pending"}, ExpectedCount=3)
    assert (done["Decided"], done["ReviewStatus"]) == (3, "Completed")
    none = await hotw.review_many("Reject", Filter={"EventId": EVENT, "FleetId": "Nope"}, ExpectedCount=0)
    assert (none["Orders"], none["ReviewStatus"]) == (0, "Completed")
    assert Counter(o["FulfillmentStatus"] for o in await hotw.orders()) == {"Rejected": 3, "Pending": 6}


async def test_a_large_review_fixes_its_orders_at_acceptance(
    hotw: Replica, another: Callable[[], Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    """7.8.23, 7.8.25: orders placed later are none of it; several workers share it; the same cause changes nothing."""
    monkeypatch.setattr(module, "CHUNK", 2)
    fleets = await many(hotw, 9)
    await hotw.run(FleetIds=fleets[:8])
    cause = hotw.cause()
    asked: dict[str, Any] = {"Filter": {"EventId": EVENT, "Status": "Pending"}, "ExpectedCount": 24}
    accepted = await hotw.review_many("Approve", cause, **asked)
    assert (accepted["ReviewStatus"], accepted["Decided"], accepted["EndedAt"]) == ("Running", 0, None)
    await hotw.run(FleetIds=fleets[8:])
    cancelled = (await hotw.orders(fleet_id="Fleet-3"))[0]["FulfillmentId"]
    await hotw.review(cancelled, "Cancel")
    replicas = [hotw, another(), another()]
    while (await hotw.read_review(accepted["ReviewId"]))["ReviewStatus"] == "Running":
        await asyncio.gather(*(work_review(one.store, one.clock, accepted["ReviewId"]) for one in replicas))
    done = await hotw.read_review(accepted["ReviewId"])
    assert (done["Decided"], [one["FulfillmentId"] for one in done["SkippedOrders"]]) == (23, [cancelled])
    assert Counter(o["FulfillmentStatus"] for o in await hotw.orders()) == {
        "Approved": 23,
        "Cancelled": 1,
        "Pending": 3,
    }
    assert await hotw.review_many("Approve", cause, **asked) == accepted
    facts = (await hotw.published()).facts("hotw.order.reviewed")
    assert Counter(fact["FleetId"] for fact in facts) == {f: 1 + (f == "Fleet-3") for f in fleets[:8]}
    assert await counted(hotw, t.order_review_book) == 0


async def test_a_chunk_that_dies_is_decided_once_by_the_next_worker(
    hotw: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    await many(hotw, 4)
    await hotw.run()
    review = await hotw.review_many("Approve", Filter={"EventId": EVENT}, ExpectedCount=12)
    with monkeypatch.context() as patched:

        def dying(*_: Any, **__: Any) -> None:
            raise asyncio.CancelledError  # the process ends before the transaction does

        patched.setattr(module, "book_messages", dying)
        with pytest.raises(asyncio.CancelledError):
            await work_review(hotw.store, hotw.clock, review["ReviewId"])
    assert {o["FulfillmentStatus"] for o in await hotw.orders()} == {"Pending"}
    done = await hotw.work_review(review["ReviewId"])
    assert (done["ReviewStatus"], done["Decided"]) == ("Completed", 12)
    facts = (await hotw.published()).facts("hotw.order.reviewed")
    assert sorted(fact["FleetId"] for fact in facts) == [f"Fleet-{number}" for number in range(4)]


async def test_a_chunk_takes_as_many_statements_however_many_orders_it_has(hotw: Replica) -> None:
    await many(hotw, 13)
    await hotw.run()
    taken = []
    for fleets in (["Fleet-0"], [f"Fleet-{number}" for number in range(1, 13)]):
        orders = [order for fleet in fleets for order in await hotw.orders(fleet_id=fleet)]
        with hotw.statements() as statements:
            await hotw.review_many("Approve", FulfillmentIds=seen(orders))
        taken.append(len([one for one in statements if "outbox" not in one]))
    assert taken[0] == taken[1]


async def test_orders_of_several_events_are_decided_by_one_review(hotw: Replica) -> None:
    await hotw.settle_in(configuration={"MaxHostCount": 1000})
    await hotw.execute()
    await summer(hotw, [FLEET], tpm=90_000)
    await hotw.execute(EventId=SUMMER)
    orders = [*await hotw.orders(), *await hotw.orders(event_id=SUMMER)]
    done = await hotw.review_many("Approve", FulfillmentIds=seen(orders))
    assert (done["Decided"], done["ReviewStatus"]) == (len(orders), "Completed")
    assert {o["EventId"] for o in orders} == {EVENT, SUMMER}


async def test_reviews_over_http_are_worked_off_in_the_background(
    hotw: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4.218"""
    monkeypatch.setattr(module, "CHUNK", 1)
    await many(hotw, 3)
    await hotw.run()
    worker = review_worker(hotw.store, hotw.clock, poll=0.05)
    await worker.start()
    app = app_of(routes(hotw.commands, hotw.queries, hotw.clock), keep_refusal=hotw.database.keep_refusal)
    async with calling(app) as http:
        body = {"Filter": {"EventId": EVENT}, "ExpectedCount": 9, "Decision": "Approve"}
        assert (await http.post("/hotw/order/review", json=body | {"ExpectedCount": 1})).status_code == 409
        accepted = await http.post("/hotw/order/review", json=body, headers={"X-Epic-User": "aws-capacity"})
        assert (accepted.status_code, accepted.json()["User"]) == (200, "aws-capacity")
        path = f"/hotw/order/review/{accepted.json()['ReviewId']}"

        async def look() -> dict[str, Any]:
            return dict((await http.get(path)).json())

        done = await eventually(look, lambda found: found["ReviewStatus"] == "Completed", "the review to complete")
        assert (done["Decided"], done["Skipped"]) == (9, 0)
        again = (await http.post("/hotw/order/review", json=body | {"Decision": "Reject"})).json()
        path = f"/hotw/order/review/{again['ReviewId']}"
        done = await eventually(look, lambda found: found["ReviewStatus"] == "Completed", "the review to complete")
        assert (done["Decided"], done["Skipped"]) == (0, 9)
        assert await _pages(http, f"{path}/skipped") == done["SkippedOrders"]
        assert (await http.get("/hotw/order/review/99")).status_code == 404
        assert (await http.get("/hotw/order/review/99/skipped")).status_code == 404
        assert (await http.get("/hotw/order/review/x")).status_code == 400
    await worker.stop()


async def _pages(http: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await http.get(f"{path}?Limit=4{cursor and f'&Cursor={cursor}'}")).json()
        found, cursor = found + page["Items"], page["NextCursor"]
    return found
