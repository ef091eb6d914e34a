"""The facts that an execution publishes about its fleet's order book, in their order (7.7.8 to 7.7.10)."""

from services.hotw_svc.domain.orders.order_book import BookFact
from services.hotw_svc.domain.orders.override import OverrideStatus
from services.hotw_svc.domain.runs.execution import Execution


def execution_facts(execution: Execution) -> tuple[BookFact, ...]:
    """That it is completed; if it ordered, its orders; if a rule approved them, that; then the overrides it began."""
    placed = tuple(order.fulfillment_id for order in execution.orders)
    facts = [BookFact("hotw.execution.completed", placed)]
    if placed:
        facts.append(BookFact("hotw.order.placed", placed))
    if execution.approval_rule is not None:
        facts.append(BookFact("hotw.order.reviewed", placed))
        begun = _begun(execution)
        if begun:
            facts.append(BookFact("hotw.override.started", begun))
    return tuple(facts)


def _begun(execution: Execution) -> tuple[str, ...]:
    """The event's orders on the ASGs whose override begins by the approval, because its window has begun already."""
    event_id, started = execution.inputs.event.event_id, OverrideStatus.STARTED
    before = {o.asg_name for o in execution.inputs.overrides if o.event_id == event_id and o.status is started}
    begun = {o.asg_name for o in execution.overrides if o.status is started} - before
    orders = (*execution.inputs.event_orders, *execution.orders)
    return tuple(order.fulfillment_id for order in orders if order.asg_name in begun)
