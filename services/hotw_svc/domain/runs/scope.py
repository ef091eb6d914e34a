"""Which fleets a run takes, whether it may start, the type of its orders, and its cancel (HOTW rules 0, 1 and 13)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.hotw_svc.domain.inputs import EventFacts
from services.hotw_svc.domain.orders.order import expected_delivery
from shared.errors import Conflict, NotFound
from shared.schemas.fleet_svc.service import ServiceType
from shared.schemas.hotw_svc import OrderType, Purpose, RunStatus

_MOST_NAMED = 20  # ids in one sentence that a person reads


@dataclass(frozen=True, slots=True)
class Scope:
    """The fleets that a run takes: those of the event, or what is named of it.

    `fleet_ids` are taken whether or not they belong to the event (7.0.16). Of `service_ids` the event's fleets are
    taken. Where both are given, a run takes both.
    """

    fleet_ids: frozenset[str] = frozenset()
    service_ids: frozenset[str] = frozenset()
    whole_event: bool = False

    @classmethod
    def of(cls, fleet_ids: Collection[str] | None, service_ids: Collection[str] | None) -> Self:
        """The scope of a request; without any name it is the whole event."""
        return cls(frozenset(fleet_ids or ()), frozenset(service_ids or ()), fleet_ids is None and service_ids is None)


WHOLE_EVENT = Scope(whole_event=True)


@dataclass(frozen=True, slots=True)
class OrderTypeChoice:
    """The type of a run's orders; `reason` is a sentence for Reasoning where the type is not what the dates say."""

    order_type: OrderType
    reason: str | None = None


def choose_order_type(event: EventFacts, now: datetime, asked: OrderType | None = None) -> OrderTypeChoice:
    """The type that was asked for, else what the dates say (7.1.1 to 7.1.4).

    Orders are Emergent from EmergentScaleStartDate on, and before it when a Standard one would not arrive in time.
    """
    if asked is not None:
        return OrderTypeChoice(asked)
    if now >= event.emergent_from:
        return OrderTypeChoice(OrderType.EMERGENT)
    arrival = expected_delivery(OrderType.STANDARD, now)
    if arrival < event.peak_start_date:
        return OrderTypeChoice(OrderType.STANDARD)
    return OrderTypeChoice(
        OrderType.EMERGENT,
        f"Emergent: a Standard order would arrive on {arrival}, not before the peak, which starts on "
        f"{event.peak_start_date}.",
    )


def why_no_run(event: EventFacts, now: datetime, *, purpose: Purpose, dry_run: bool) -> str | None:
    """Why the event has no such run now: upscaling ends with the peak, and descaling begins then; None when it has.

    A dry run of descaling may come before (7.12.2).
    """
    if not event.is_active:
        return f"{event.event_id} is not active."
    if purpose is Purpose.UPSCALING and now >= event.peak_end:
        return f"The peak of {event.event_id} ended on {event.peak_end_date}: upscaling is over."
    if purpose is Purpose.DESCALING and now < event.peak_end and not dry_run:
        return f"The peak of {event.event_id} ends on {event.peak_end_date}: until then descaling has only dry runs."
    return None


def check_may_run(event: EventFacts, now: datetime, *, purpose: Purpose, dry_run: bool) -> None:
    """Raises Conflict when such a run of the event may not start (7.0.17, 7.0.18, 7.12.3a)."""
    reason = why_no_run(event, now, purpose=purpose, dry_run=dry_run)
    if reason is not None:
        after = "peak-over" if purpose is Purpose.UPSCALING else "peak-not-over"
        raise Conflict(reason, slug=after if event.is_active else "event-inactive")


def check_fleets_known(unknown: Sequence[str]) -> None:
    """Raises NotFound that names the fleets which are not known (7.0.16a)."""
    if unknown:
        raise NotFound(f"there is no fleet {_named(unknown)}")


def check_services_planned(asked: Sequence[str], known: Mapping[str, ServiceType]) -> None:
    """Raises NotFound that names the services which are not known, or Conflict for those not Registered (7.0.16b)."""
    unknown = [name for name in dict.fromkeys(asked) if name not in known]
    if unknown:
        raise NotFound(f"there is no service {_named(unknown)}")
    others = [f"{name} is {known[name]}" for name in dict.fromkeys(asked) if known[name] is not ServiceType.REGISTERED]
    if others:
        raise Conflict(f"HOTW runs for Registered services: {_named(others)}.", slug="service-not-registered")


def check_not_ended(status: RunStatus, run_id: int) -> None:
    """Raises Conflict when the run has ended, Completed or Cancelled, and can no longer be cancelled (7.13.7a)."""
    if status is not RunStatus.RUNNING:
        raise Conflict(f"Run {run_id} is {status} and can no longer be cancelled.", slug="run-ended")


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"
