"""Use case: an emergent order opens one Sev2 ticket per service and event; later ones comment on it.

Its assignee is the service's owner, also where the order is told of before the service: the ticket is stored, then the
service is looked for; ``heard_of`` looks the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from services.notify_svc.app.ask import Mails
from services.notify_svc.domain import delivery
from services.notify_svc.domain.tickets import (
    assigned,
    commented,
    emergent_comment,
    emergent_ticket,
    emergent_ticket_id,
    is_emergent,
)
from shared.cause import Cause
from shared.documents.contract import Change, Document, Documents, OutgoingEvent, ReadModel
from shared.errors import NotFound
from shared.schemas.hotw_svc import HardwareFact, OrderType

__all__ = ["OpenTickets"]


class OpenTickets:
    """Idempotent by the executions a ticket already speaks of, so a redelivered fact adds nothing."""

    def __init__(
        self, *, tickets: Documents, services: ReadModel, events: ReadModel, mails: Mails,
        describe: Callable[[Mapping[str, Any]], str],
    ) -> None:  # fmt: skip
        self._tickets, self._services, self._events, self._mails = tickets, services, events, mails
        self._describe = describe

    async def placed(self, facts: Sequence[tuple[HardwareFact, Cause]]) -> None:
        """Takes in ``hotw.order.placed`` facts, each with its cause; those not emergent are none of its business."""
        comments: dict[tuple[str, str], list[dict[str, Any]]] = {}
        causes: dict[tuple[str, str], Cause] = {}
        for fact, cause in facts:
            emergent = fact.execution is not None and fact.execution.order_type == OrderType.EMERGENT
            comment = emergent_comment(fact) if emergent else None
            if comment is not None:
                comments.setdefault((fact.event_id, fact.service_id), []).append(comment)
                causes.setdefault((fact.event_id, fact.service_id), cause)
        if not causes:
            return
        services = await self._services.get_many(sorted({service_id for _, service_id in causes}))
        events = await self._events.get_many(sorted({event_id for event_id, _ in causes}))
        unknown: dict[str, Cause] = {}
        for (event_id, service_id), cause in causes.items():
            event = events.get(event_id) or {"EventId": event_id}
            owner = (services.get(service_id) or {}).get("Owner")
            await self._open(event, service_id, owner, comments[event_id, service_id], cause)
            if owner is None:
                unknown[service_id] = cause
        if unknown:
            await self.heard_of(unknown, next(iter(unknown.values())))

    async def heard_of(self, service_ids: Collection[str], cause: Cause) -> None:
        """Assigns the tickets that were opened before their service was known."""
        async for page in self._tickets.scan({"Assignee": None}):
            mine = [ticket for ticket in page if is_emergent(ticket.state) and ticket.state["ServiceId"] in service_ids]
            services = await self._services.get_many(sorted({ticket.state["ServiceId"] for ticket in mine}))
            for ticket in mine:
                service = services.get(ticket.state["ServiceId"])
                if service is not None:
                    await self._assign(ticket.key, service["Owner"], cause)

    async def _assign(self, ticket_id: str, owner: str, cause: Cause) -> None:
        def to_owner(present: Document | None) -> Change | None:
            state = None if present is None else assigned(present.state, owner)
            if state is None:
                return None
            return Change(state, (OutgoingEvent("ticket.updated"),), message="Its service is known")

        with suppress(NotFound):  # deleted meanwhile
            await self._tickets.update(ticket_id, to_owner, _unkept(cause))

    async def _open(
        self, event: Mapping[str, Any], service_id: str, owner: str | None, comments: list[dict[str, Any]],
        cause: Cause,
    ) -> None:  # fmt: skip
        event_id, event_name = event["EventId"], event.get("EventName", event["EventId"])
        about = {"EventName": event_name, "PeakStartDate": event.get("PeakStartDate"), "ServiceId": service_id,
                 "EventId": event_id, "Comments": comments}  # fmt: skip
        ticket = emergent_ticket(
            event_id=event_id, service_id=service_id, event_name=event_name, assignee=owner,
            description=self._describe(about), comments=comments,
        )  # fmt: skip

        def opened(present: Document | None) -> Change | None:
            if present is None:
                return Change(ticket, (OutgoingEvent("ticket.created"),), message="Emergent hardware order")
            state = commented(present.state, comments)
            if state is None:
                return None
            return Change(state, (OutgoingEvent("ticket.updated"),), message="Another emergent hardware order")

        ticket_id = emergent_ticket_id(event_id, service_id)
        await self._tickets.update(ticket_id, opened, _unkept(cause))
        await self._mails.ask([(_notification(ticket_id, about, event_id, service_id), cause)])


def _unkept(cause: Cause) -> Cause:
    """One message may open several tickets, so its id cannot stand for the answer of one."""
    return Cause(now=cause.now, user="HOTWAutomation", trace=cause.trace)


def _notification(ticket_id: str, about: Mapping[str, Any], event_id: str, service_id: str) -> dict[str, Any]:
    return delivery.pending(
        of=(ticket_id,),
        kind="EmergentOrder",
        cause=f"ticket.created {ticket_id}",
        subject=f"Sev2 {ticket_id}: emergent hardware order for {service_id}, {about['EventName']}",
        template="emergent_order",
        context={**about, "TicketId": ticket_id},
        EventId=event_id,
        ServiceId=service_id,
        TicketId=ticket_id,
    )
