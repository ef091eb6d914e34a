"""Use case: gather what a run ordered for a service, and tell its owner and leader once all of it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.notify_svc.app.ask import Mails
from services.notify_svc.domain import delivery
from services.notify_svc.domain.order_summary import (
    Line,
    digest_key,
    is_complete,
    line_of,
    merged,
    subject_of,
    summary_of,
)
from shared.cause import Cause
from shared.documents.contract import ReadModel
from shared.schemas.hotw_svc import HardwareFact, RunFact, ServiceOrders

__all__ = ["GatherOrders"]

_AT_ONCE = 500


class GatherOrders:
    """Facts and the run's end may come in any order, twice, and to several replicas: each is stored before the other
    side is read, and a summary is asked for under an id of its own, so it is sent once."""

    def __init__(self, *, runs: ReadModel, digests: ReadModel, events: ReadModel, mails: Mails) -> None:
        self._runs, self._digests, self._events, self._mails = runs, digests, events, mails

    async def placed(self, facts: Sequence[tuple[HardwareFact, Cause]]) -> None:
        """Takes in ``hotw.order.placed`` facts, each with its cause."""
        lines: dict[str, list[Line]] = {}
        causes: dict[int, dict[str, Cause]] = {}
        for fact, cause in facts:
            line = line_of(fact)
            if line is not None and fact.run_id is not None:
                lines.setdefault(digest_key(fact.run_id, fact.service_id), []).append(line)
                causes.setdefault(fact.run_id, {})[fact.service_id] = cause
        await self._merge(lines)
        ended = await self._runs.get_many([str(run_id) for run_id in causes])
        for run in (RunFact.model_validate(state, extra="ignore") for state in ended.values()):
            here = causes[run.run_id]
            await self._tell(run, [(told, here[told.service_id]) for told in run.services if told.service_id in here])

    async def completed(self, runs: Sequence[tuple[RunFact, Cause]]) -> None:
        """Takes in ``hotw.run.completed`` facts, which say how many executions of each service ordered."""
        await self._runs.put([(str(run.run_id), 1, run.wire()) for run, _ in runs])
        for run, cause in runs:
            for start in range(0, len(run.services), _AT_ONCE):
                await self._tell(run, [(told, cause) for told in run.services[start : start + _AT_ONCE]])

    async def _merge(self, lines: Mapping[str, Sequence[Line]]) -> None:
        """Adds lines to their digests, and reads them again until all are in.

        Of two replicas that add to one digest at once one is kept; the other finds its lines missing and adds anew.
        """
        while True:
            known = await self._digests.get_many(list(lines))
            wanted = {key: merged(known.get(key), more) for key, more in lines.items()}
            changed = [
                (key, digest["Merges"], digest) for key, digest in wanted.items() if digest is not known.get(key)
            ]
            if not changed:
                return
            await self._digests.put(changed)

    async def _tell(self, run: RunFact, services: Sequence[tuple[ServiceOrders, Cause]]) -> None:
        digests = await self._digests.get_many([digest_key(run.run_id, told.service_id) for told, _ in services])
        event = await self._events.get(run.event_id) or {"EventId": run.event_id}
        wanted = []
        for told, cause in services:
            key = digest_key(run.run_id, told.service_id)
            digest = digests.get(key)
            if digest is not None and is_complete(digest, told):
                wanted.append((_notification(run, told.service_id, event, digest["Fleets"], key), cause))
        await self._mails.ask(wanted)


def _notification(
    run: RunFact, service_id: str, event: Mapping[str, Any], fleets: Sequence[Line], key: str
) -> dict[str, Any]:
    summary = summary_of(
        service=service_id, event=event, order_type=run.order_type, run_id=run.run_id, fleets=fleets
    )  # fmt: skip
    return delivery.pending(
        of=(str(run.run_id), service_id),
        kind="HardwareOrder",
        cause=f"hotw.run.completed {key}",
        subject=subject_of(summary),
        template="hardware_order",
        context=summary,
        EventId=run.event_id,
        ServiceId=service_id,
        RunId=run.run_id,
    )
