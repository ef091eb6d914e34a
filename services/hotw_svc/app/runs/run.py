"""A run as the use cases know it: its state, how it is read, and the facts about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from shared.clock import iso
from shared.envelope import Message
from shared.schemas.hotw_svc import OrderType, Purpose, RunStatus, ServiceOrders
from shared.trace import Trace

SOURCE: Final = "hotw_svc"
AUTO: Final = "auto"
_AUTOMATION: Final = frozenset({"EPICAutomation", "HOTWAutomation", AUTO})


def user_of(user: str) -> str:
    """The user to write down: a person, or ``auto``."""
    return AUTO if user in _AUTOMATION else user


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that is about to start. ``order_type_reason`` is for Reasoning; its facts are caused by ``trace``."""

    event_id: str
    order_type: OrderType
    purpose: Purpose
    user: str
    created_at: datetime
    trace: Trace
    order_type_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(NewRun):
    """A run; ``fleets`` is how many it was started with."""

    run_id: int
    event_index_id: int
    status: RunStatus
    fleets: int
    ended_at: datetime | None = None
    dry_run: bool = False
    engine: str = "EPIC"
    by_status: Mapping[str, int] = field(default_factory=dict)
    ordered_hosts: int = 0

    @property
    def executions(self) -> int:
        """Fleets that have their execution."""
        return sum(self.by_status.values())

    @property
    def locked_by(self) -> str:
        """What the locks of its fleets are marked with."""
        return f"HOTW-Run-{self.run_id}"


def run_view(run: Run) -> dict[str, Any]:
    """The run as it is read."""
    ended = None if run.ended_at is None else iso(run.ended_at)
    return _members(run) | {"Engine": run.engine, "DryRun": run.dry_run, "EndedAt": ended}


def run_message(topic: str, run: Run, *, now: datetime, services: Sequence[ServiceOrders] = ()) -> Message:
    """``hotw.run.{started,completed,cancelled}``; a run publishes each at most once."""
    fact = _members(run) | {"Services": [orders.wire() for orders in services]}
    if run.ended_at is not None:
        fact["EndedAt"] = iso(run.ended_at)
    key = str(run.run_id)
    return Message(topic, topic, key, orjson.dumps(fact), SOURCE, now, run.trace, id=f"{key}:{topic}")


def _members(run: Run) -> dict[str, Any]:
    """What the run and the facts about it have in common."""
    return {
        "RunId": run.run_id,
        "EventId": run.event_id,
        "RunStatus": run.status,
        "OrderType": run.order_type,
        "Purpose": run.purpose,
        "User": run.user,
        "Fleets": run.fleets,
        "Executions": run.executions,
        "ByStatus": dict(run.by_status),
        "OrderedHosts": run.ordered_hosts,
        "CreatedAt": iso(run.created_at),
    }
