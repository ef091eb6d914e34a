"""A run as the use cases know it: its state, how it is read, and the facts about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from services.hotw_svc.domain.inputs import RunFacts
from services.hotw_svc.domain.runs.progress import NOTHING_DONE, Tally, pace
from shared.clock import iso
from shared.envelope import Message
from shared.schemas.hotw_svc import Engine, OrderType, Purpose, RunStatus, ServiceOrders
from shared.trace import Trace

SOURCE: Final = "hotw_svc"
AUTO: Final = "auto"
_AUTOMATION: Final = frozenset({"EPICAutomation", "HOTWAutomation", AUTO})


def user_of(user: str) -> str:
    """The user to write down: a person, or ``auto``."""
    return AUTO if user in _AUTOMATION else user


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that is about to start. ``order_type_reason`` is for Reasoning; its facts are caused by ``trace``.

    Only an outside engine's run has no ``order_type``.
    """

    event_id: str
    order_type: OrderType | None
    purpose: Purpose
    user: str
    created_at: datetime
    trace: Trace
    order_type_reason: str | None = None
    dry_run: bool = False
    engine: Engine = Engine.EPIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(NewRun):
    """A run; ``fleets`` is how many it was started with, ``tally`` what became of them so far."""

    run_id: int
    event_index_id: int
    status: RunStatus
    fleets: int
    ended_at: datetime | None = None
    tally: Tally = NOTHING_DONE

    @property
    def ordering(self) -> OrderType:
        """The type of its orders. RuntimeError for a run without one, which EPIC does not work on."""
        if self.order_type is None:
            raise RuntimeError(f"run {self.run_id} has no order type")
        return self.order_type

    @property
    def facts(self) -> RunFacts:
        """The run as its executions work with it."""
        return RunFacts(
            run_id=self.run_id,
            created_at=self.created_at,
            order_type=self.ordering,
            order_type_reason=self.order_type_reason,
            user=self.user,
            purpose=self.purpose,
            dry_run=self.dry_run,
        )

    @property
    def locked_by(self) -> str:
        """What the locks of its fleets are marked with."""
        return f"HOTW-Run-{self.run_id}"


def run_view(run: Run, now: datetime) -> dict[str, Any]:
    """The run as it is read ``now``."""
    ended = None if run.ended_at is None else iso(run.ended_at)
    going = pace(run.tally, fleets=run.fleets, begun=run.created_at, ended=run.ended_at, now=now)
    return _members(run) | {
        "Progress": going.share,
        "FleetsPerSecond": going.fleets_per_second,
        "RemainingSeconds": going.remaining_seconds,
        "Engine": run.engine,
        "DryRun": run.dry_run,
        "EndedAt": ended,
    }


def run_messages(topic: str, run: Run, *, now: datetime, services: Sequence[ServiceOrders] = ()) -> list[Message]:
    """``hotw.run.{started,completed,cancelled}``; a run publishes each at most once, a dry run nothing (7.16.2)."""
    if run.dry_run:
        return []
    fact = _members(run) | {"Services": [orders.wire() for orders in services]}
    if run.ended_at is not None:
        fact["EndedAt"] = iso(run.ended_at)
    key = str(run.run_id)
    return [Message(topic, topic, key, orjson.dumps(fact), SOURCE, now, run.trace, id=f"{key}:{topic}")]


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
        "Executions": run.tally.executions,
        "ByStatus": dict(run.tally.by_status),
        "OrderedHosts": run.tally.ordered_hosts,
        "CreatedAt": iso(run.created_at),
    }
