"""Use case: gather what a run ordered for each service, and mail owner and leader once all of it is known.

The orders and the run's end come in any order, twice, and to several replicas. Each is stored before the other side
is read, so whoever comes last finds the summary complete. A summary has an id of its own, so it is sent once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from services.notify_svc.app.request_mails import RequestMails
from services.notify_svc.domain.order_summary import (
    Digest,
    Line,
    digest_key,
    is_complete,
    line_of,
    merged,
    summary_mail,
)
from shared.cause import Cause
from shared.documents import ReadModel
from shared.schemas.hotw_svc import HardwareFact, RunFact, ServiceOrders

_AT_ONCE: Final = 500  # services; a run of thousands is mailed in parts, so that no digest query grows without bound


@dataclass(frozen=True, slots=True)
class OrderSummaries:
    """``runs`` and ``digests`` hold what is known so far of a run, and of a run and service."""

    runs: ReadModel
    digests: ReadModel
    events: ReadModel
    request_mails: RequestMails

    async def gather_orders(self, facts: Sequence[tuple[HardwareFact, Cause]]) -> None:
        """Adds ``hotw.order.placed`` facts to their digests, and mails those that are complete."""
        lines: dict[str, list[Line]] = {}
        causes: dict[int, dict[str, Cause]] = {}
        for fact, cause in facts:
            line = line_of(fact)
            if line is not None and fact.run_id is not None:
                lines.setdefault(digest_key(fact.run_id, fact.service_id), []).append(line)
                causes.setdefault(fact.run_id, {})[fact.service_id] = cause
        await self._add_lines(lines)
        ended = await self.runs.get_many([str(run_id) for run_id in causes])
        for run in (RunFact.model_validate(state, extra="ignore") for state in ended.values()):
            here = causes[run.run_id]
            services = [(orders, here[orders.service_id]) for orders in run.services if orders.service_id in here]
            await self._mail_complete(run, services)

    async def summarize_runs(self, facts: Sequence[tuple[RunFact, Cause]]) -> None:
        """Keeps ``hotw.run.completed`` facts, which count each service's ordering executions; mails the complete."""
        await self.runs.put([(str(run.run_id), 1, run.wire()) for run, _ in facts])
        for run, cause in facts:
            for start in range(0, len(run.services), _AT_ONCE):
                services = [(orders, cause) for orders in run.services[start : start + _AT_ONCE]]
                await self._mail_complete(run, services)

    async def _add_lines(self, lines: Mapping[str, Sequence[Line]]) -> None:
        """Adds lines to their digests, and reads them again until all are in.

        When two replicas add to one digest at once, one write is kept. The other replica finds its lines missing and
        adds them again.
        """
        while True:
            known = await self.digests.get_many(list(lines))
            wanted = {key: merged(_digest(known.get(key)), more) for key, more in lines.items()}
            changed = [
                (key, digest["Merges"], dict(digest)) for key, digest in wanted.items() if digest is not known.get(key)
            ]
            if not changed:
                return
            await self.digests.put(changed)

    async def _mail_complete(self, run: RunFact, services: Sequence[tuple[ServiceOrders, Cause]]) -> None:
        found = await self.digests.get_many([digest_key(run.run_id, orders.service_id) for orders, _ in services])
        event = await self.events.get(run.event_id) or {"EventId": run.event_id}
        mails = []
        for orders, cause in services:
            digest = _digest(found.get(digest_key(run.run_id, orders.service_id)))
            if digest is not None and is_complete(digest, orders):
                mail = summary_mail(run, orders.service_id, event=event, fleets=digest["Fleets"], trace=cause.trace)
                mails.append((mail, cause))
        await self.request_mails(mails)


def _digest(state: Mapping[str, Any] | None) -> Digest | None:
    """What this module put into the read model."""
    return cast("Digest | None", state)
