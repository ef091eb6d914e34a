"""Use case: record what an outside engine's run came to for a fleet, with its orders (7.0.27 to 7.0.45)."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import orjson

from services.hotw_svc.app.external.known import known_event, known_service
from services.hotw_svc.app.external.record_run import own_run
from services.hotw_svc.app.external.rows import NewExecution
from services.hotw_svc.app.orders.facts import book_messages, refuse_too_large
from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.run import user_of
from services.hotw_svc.domain.external.recorded_execution import (
    Recording,
    execution_numbers,
    recorded_book,
    recording,
)
from services.hotw_svc.domain.inputs import EventFacts, FleetFacts
from services.hotw_svc.domain.orders.order_book import OrderBook, OrderBookChange, OrderBookKey, update_order_book
from services.hotw_svc.domain.runs.scope import choose_order_type
from shared.cause import Cause
from shared.errors import Conflict
from shared.schemas.hotw_external import RecordExecution


async def record_execution(command: RecordExecution, cause: Cause, *, store: Store) -> View:
    """The recorded execution's ids. The same body again for its run and fleet has the same answer (7.0.36).

    NotFound for an unknown event, run, fleet or service. Conflict for another body (7.0.37), a run of EPIC's own, and
    an order that may not become what the body says.
    """
    digest = _digest_of(command)

    async def record(unit: Unit) -> View:
        await unit.recorded.lock(command.fleet_id)
        before = await unit.recorded.execution(command.run_id, command.fleet_id)
        if before is None:
            return await _record(unit, command, cause, digest)
        if before.digest == digest:
            return View("ExecutionId", dict(before.answer))
        what = f"run {command.run_id} has an execution of {command.fleet_id} already"
        raise Conflict(f"{what}, from another body", slug="execution-recorded")

    return await store.run_once(cause, "ExecutionId", record)


async def _record(unit: Unit, command: RecordExecution, cause: Cause, digest: str) -> View:
    event = await known_event(unit, command.event_id)
    service_id = await known_service(unit, command.fleet_id)
    run = await own_run(unit, command.run_id, command.event_id)
    fleet = await unit.recorded.fleet(command.fleet_id, command.event_id)
    key, user = OrderBookKey(command.event_id, command.fleet_id, run.purpose), user_of(cause.user)
    book = await _book(unit, command, key, event, fleet)
    new = NewExecution(
        command=command,
        numbers=execution_numbers(command, book),
        purpose=run.purpose,
        order_type=run.order_type or choose_order_type(event, cause.now).order_type,
        user=user,
        created_at=cause.now,
        digest=digest,
    )
    latest = await unit.recorded.add_execution(new, fleet)
    made = recording(
        command, book, execution_id=latest.execution_id, order_type=new.order_type, user=user, now=cause.now
    )
    await unit.recorded.add_details(command, fleet, made)
    change = _joined(made, update_order_book(replace(recorded_book(book, made), latest=latest), now=cause.now))
    await unit.order_books.write([change])
    await unit.runs.add_recorded(run.run_id)
    facts = book_messages(change.facts, change.after, now=cause.now, trace=cause.trace, user=user)
    refuse_too_large(facts, ordering=bool(made.new_orders))
    await unit.work.emit(facts)
    answer = {
        "ExecutionId": latest.execution_id,
        "RunId": run.run_id,
        "EventId": command.event_id,
        "FleetId": command.fleet_id,
        "ServiceId": service_id,
        "Status": command.status.value,
    }
    return View("ExecutionId", answer)


async def _book(
    unit: Unit, command: RecordExecution, key: OrderBookKey, event: EventFacts, fleet: FleetFacts
) -> OrderBook:
    """The fleet's book, opened where there is none yet. Conflict where an order of the body is another's (7.0.43)."""
    ids = [detail.fulfillment_id for detail in command.fulfillment_details]
    for order_id, owner in (await unit.recorded.orders_elsewhere(ids, key)).items():
        raise Conflict(f"order {order_id} is one of {owner}", slug="order-elsewhere")
    await unit.recorded.open_book(key, event, fleet)
    (book,) = await unit.order_books.get([key])
    return book


def _joined(made: Recording, settled: OrderBookChange) -> OrderBookChange:
    """What was recorded and what the settling made of it, as one change; the facts of the former come first."""
    orders = {order.fulfillment_id: order for order in (*made.changed_orders, *settled.orders)}
    overrides = {(o.run_id, o.asg_name): o for o in (*made.superseded_overrides, *settled.overrides)}
    granted = [o.asg_name for o in (*made.new_orders, *made.changed_orders) if o.approved_at is not None]
    return replace(
        settled,
        orders=tuple(orders.values()),
        overrides=tuple(overrides.values()),
        facts=(*made.facts, *settled.facts),
        enabled_asgs=(*dict.fromkeys((*granted, *settled.enabled_asgs)),),
    )


def _digest_of(command: RecordExecution) -> str:
    """Of the body's meaning: a number as a string is the same number."""
    body = {name: value for name, value in command.wire().items() if name != "AuditMetadata"}
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
