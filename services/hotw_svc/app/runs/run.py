"""Owns what a run is to the use cases: how it stands, how it is read, and the facts it publishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from services.hotw_svc.domain.orders.order import OrderType
from services.hotw_svc.domain.runs.scope import Progress, RunStatus
from shared.clock import iso
from shared.envelope import Message
from shared.trace import Trace

__all__ = ["SOURCE", "Run", "ServiceShare", "run_message", "user_of"]

SOURCE = "hotw_svc"
_AUTO = "auto"
_AUTOMATION = frozenset({"EPICAutomation", "HOTWAutomation", _AUTO})


def user_of(user: str) -> str:
    """Who is written as the asker: a person, or ``auto``."""
    return _AUTO if user in _AUTOMATION else user


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceShare:
    """What a run ordered for one service: in how many executions, and how many hosts."""

    service_id: str
    ordering_executions: int
    ordered_hosts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run; ``fleets`` is how many it was started with, ``trace`` what its facts are caused by."""

    run_id: int
    event_id: str
    event_index_id: int
    status: RunStatus
    order_type: OrderType
    purpose: str
    user: str
    fleets: int
    created_at: datetime
    trace: Trace
    ended_at: datetime | None = None
    dry_run: bool = False
    engine: str = "EPIC"
    by_status: Mapping[str, int] = field(default_factory=dict)
    ordered_hosts: int = 0

    @property
    def progress(self) -> Progress:
        return Progress(self.fleets, self.by_status)

    @property
    def locked_by(self) -> str:
        """What its fleets' locks are marked with."""
        return f"HOTW-Run-{self.run_id}"

    def wire(self) -> dict[str, Any]:
        """The run as it is read."""
        return {
            "RunId": self.run_id,
            "EventId": self.event_id,
            "RunStatus": self.status.value,
            "OrderType": self.order_type.value,
            "Purpose": self.purpose,
            "User": self.user,
            "Engine": self.engine,
            "DryRun": self.dry_run,
            "Fleets": self.fleets,
            "Executions": self.progress.executions,
            "ByStatus": dict(self.by_status),
            "OrderedHosts": self.ordered_hosts,
            "CreatedAt": iso(self.created_at),
            "EndedAt": None if self.ended_at is None else iso(self.ended_at),
        }


def run_message(topic: str, run: Run, *, now: datetime, services: Sequence[ServiceShare] = ()) -> Message:
    """``hotw.run.{started,completed,cancelled}``; a run publishes each at most once."""
    fact: dict[str, Any] = {
        "RunId": run.run_id,
        "EventId": run.event_id,
        "Purpose": run.purpose,
        "OrderType": run.order_type.value,
        "RunStatus": run.status.value,
        "User": run.user,
        "Fleets": run.fleets,
        "Executions": run.progress.executions,
        "ByStatus": dict(run.by_status),
        "OrderedHosts": run.ordered_hosts,
        "Services": [
            {
                "ServiceId": share.service_id,
                "OrderingExecutions": share.ordering_executions,
                "OrderedHosts": share.ordered_hosts,
            }
            for share in services
        ],
        "CreatedAt": iso(run.created_at),
    }
    if run.ended_at is not None:
        fact["EndedAt"] = iso(run.ended_at)
    key = str(run.run_id)
    return Message(topic, topic, key, orjson.dumps(fact), SOURCE, now, run.trace, id=f"{key}:{topic}")
