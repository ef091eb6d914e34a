"""Rules 1 and 13: whether a run may start, its order type, and when it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.hotw_svc.adapters.inputs.facts import event_facts
from services.hotw_svc.domain.runs.scope import OrderTypeChoice, check_may_run, check_not_ended, choose_order_type
from shared.errors import Conflict
from shared.schemas.hotw_svc import OrderType, Purpose, RunStatus
from tests.support.hotw_inputs import EVENT, NOW

PD2024 = event_facts(EVENT)
EARLY = replace(PD2024, emergent_scale_start_date=date(2024, 6, 20))
A_MOMENT = timedelta(milliseconds=1)


def test_orders_are_emergent_from_the_first_instant_of_emergent_scale_start() -> None:
    """7.1.2, 7.1.4"""
    start = datetime(2024, 6, 20, tzinfo=UTC)
    assert choose_order_type(EARLY, start - A_MOMENT) == OrderTypeChoice(OrderType.STANDARD)
    assert choose_order_type(EARLY, start) == OrderTypeChoice(OrderType.EMERGENT)


def test_emergent_scale_start_is_seven_days_before_the_peak_unless_given() -> None:
    later = replace(PD2024, emergent_scale_start_date=None, peak_start_date=date(2024, 7, 17))
    assert later.emergent_from == datetime(2024, 7, 10, tzinfo=UTC)


def test_an_order_that_standard_delivery_would_not_bring_before_the_peak_is_emergent() -> None:
    """7.1.3: from the first instant of the fourteenth day before PeakStart on."""
    first = datetime(2024, 7, 2, tzinfo=UTC)
    assert choose_order_type(PD2024, first - A_MOMENT) == OrderTypeChoice(OrderType.STANDARD)
    assert choose_order_type(PD2024, first) == OrderTypeChoice(
        OrderType.EMERGENT,
        "Emergent: a Standard order would arrive on 2024-07-16, not before the peak, which starts on 2024-07-16.",
    )


@pytest.mark.parametrize("asked", OrderType)
def test_a_run_takes_the_type_that_is_asked_for(asked: OrderType) -> None:
    """7.1.1"""
    for now in (NOW, datetime(2024, 7, 2, tzinfo=UTC), datetime(2024, 7, 9, tzinfo=UTC)):
        assert choose_order_type(PD2024, now, asked) == OrderTypeChoice(asked)


@pytest.mark.parametrize("purpose", Purpose)
def test_a_run_of_an_inactive_event_is_refused(purpose: Purpose) -> None:
    with pytest.raises(Conflict, match="PD2024 is not active") as refusal:
        check_may_run(replace(PD2024, is_active=False), NOW, purpose=purpose, dry_run=True)
    assert refusal.value.slug == "event-inactive"


def test_upscaling_is_refused_from_the_instant_the_peak_is_over_and_descaling_before() -> None:
    """7.0.18, 7.12.3a"""
    end = datetime(2024, 7, 18, tzinfo=UTC)
    for dry_run in (False, True):
        check_may_run(PD2024, end - A_MOMENT, purpose=Purpose.UPSCALING, dry_run=dry_run)
        with pytest.raises(Conflict, match="ended on 2024-07-17") as refusal:
            check_may_run(PD2024, end, purpose=Purpose.UPSCALING, dry_run=dry_run)
        assert refusal.value.slug == "peak-over"
        check_may_run(PD2024, end, purpose=Purpose.DESCALING, dry_run=dry_run)
    check_may_run(PD2024, end - A_MOMENT, purpose=Purpose.DESCALING, dry_run=True)
    with pytest.raises(Conflict, match="ends on 2024-07-17") as refusal:
        check_may_run(PD2024, end - A_MOMENT, purpose=Purpose.DESCALING, dry_run=False)
    assert refusal.value.slug == "peak-not-over"


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.CANCELLED])
def test_a_run_that_has_ended_cannot_be_cancelled_7_13_7a(status: RunStatus) -> None:
    check_not_ended(RunStatus.RUNNING, 5)
    with pytest.raises(Conflict, match=f"Run 5 is {status}") as refusal:
        check_not_ended(status, 5)
    assert refusal.value.slug == "run-ended"
