"""An outside engine's overrides in an order book: EPIC follows their status and leaves window and value alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.hotw_svc.domain.orders.order import Order, decide
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from services.hotw_svc.domain.orders.settlement import settle
from shared.schemas.hotw_svc import Decision, Engine
from tests.support.hotw_inputs import NOW, fortress, order, override, run

STATUS = OverrideStatus
START = datetime(2024, 7, 16, tzinfo=UTC)
END = START + timedelta(seconds=2200)


def recorded(**others: Any) -> Override:
    given = {"engine": Engine.EXTERNAL, "start": START, "end": END, "value": 99, "status": STATUS.PROPOSED}
    return override("a", **given | others)


def settled(given: Override, *orders: Order, now: datetime = NOW, **event: Any) -> Override:
    """The override after its book was settled, which gives it back where nothing changed."""
    inputs = fortress(event=event)
    after = settle(
        orders, [given], event=inputs.event, fleet=inputs.fleet, service=inputs.service, windows={}, now=now
    ).overrides
    return after[0] if after else given


def decided(decision: Decision) -> Order:
    return decide(order(), decision, now=NOW, user="jsmith")


def test_it_is_proposed_until_an_order_of_its_asg_is_approved() -> None:
    """7.9.6."""
    assert settled(recorded()) == recorded()
    assert settled(recorded(), order()) == recorded()
    assert settled(recorded(), decided(Decision.APPROVE)) == recorded(status=STATUS.APPROVED)
    assert settled(recorded(), decided(Decision.REJECT)) == recorded(status=STATUS.CANCELLED)


def test_it_starts_and_ends_with_its_own_window_to_the_instant() -> None:
    """7.0.31: not with the event's, which is days longer."""
    approved = recorded(status=STATUS.APPROVED)
    moment = timedelta(microseconds=1)
    assert settled(approved, decided(Decision.APPROVE), now=START - moment) == approved
    assert settled(approved, decided(Decision.APPROVE), now=START) == recorded(status=STATUS.STARTED)
    assert settled(approved, decided(Decision.APPROVE), now=END - moment) == recorded(status=STATUS.STARTED)
    assert settled(approved, decided(Decision.APPROVE), now=END) == recorded(status=STATUS.EXPIRED)


def test_a_moved_event_leaves_its_window_as_it_was_recorded() -> None:
    """7.0.21."""
    approved = recorded(status=STATUS.APPROVED)
    moved: dict[str, Any] = {
        "peak_start_date": START.date() + timedelta(9),
        "peak_end_date": START.date() + timedelta(10),
    }
    assert settled(approved, decided(Decision.APPROVE), **moved) == approved


def test_a_withdrawn_fleet_loses_it_unless_it_has_started() -> None:
    """7.9.23; a fleet that takes part again gets it back."""
    approved = recorded(status=STATUS.APPROVED)
    gone = settled(approved, decided(Decision.APPROVE), is_active=False)
    assert gone == recorded(status=STATUS.CANCELLED)
    assert settled(gone, decided(Decision.APPROVE)) == approved
    assert settled(gone, decided(Decision.REJECT)) == gone
    started = recorded(status=STATUS.STARTED)
    assert settled(started, decided(Decision.APPROVE), now=START, is_active=False) == started


def test_epics_next_override_of_the_asg_takes_its_place() -> None:
    """7.9.1: the new one is EPIC's own, with the event's window and a value of its orders."""
    done = run(orders=(decided(Decision.APPROVE),), overrides=(recorded(status=STATUS.APPROVED),))
    assert recorded(status=STATUS.SUPERSEDED) in done.superseded_overrides
    made = next(o for o in done.overrides if o.asg_name == recorded().asg_name)
    assert (made.engine, made.end, made.value) == (Engine.EPIC, datetime(2024, 7, 19, tzinfo=UTC), 70)


def test_another_events_orders_do_not_change_its_value() -> None:
    """7.9.13 and ADR 0016 set the values of EPIC's own overrides only."""
    inputs = fortress()
    other = recorded(event_id="BF2024", status=STATUS.APPROVED, run_id=3)
    mine = replace(override("a", status=STATUS.PROPOSED), value=50)
    after = settle(
        [decided(Decision.APPROVE)],
        [mine, other],
        event=inputs.event,
        fleet=inputs.fleet,
        service=inputs.service,
        windows={"BF2024": inputs.event.override_window},
        now=NOW,
    )
    assert {(o.event_id, o.value) for o in after.overrides} == {("PD2024", 70)}
