"""Approval rules: which orders HOTW approves in place of people when it places them (7.8.17 to 7.8.21a)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.wording import hosts, plain, whole
from shared.schemas.hotw_svc import FulfillmentStatus, OrderType

AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """A rule's criteria; one that is None does not bind."""

    rule_id: str
    version_id: int
    service_tiers: frozenset[str] | None = None
    regions: frozenset[str] | None = None
    max_hosts: int | None = None
    max_percentage: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """What an execution is about to place: all that rules judge by.

    ``live_hosts`` is the sum of the fleet's live orders for the Event, this execution's included (7.8.19).
    """

    order_type: OrderType
    region: str
    service_tier: str | None
    live_hosts: int
    hosts_present: int


def approving_rule(rules: Iterable[ApprovalRule], placing: Placing) -> ApprovalRule | None:
    """The first rule by RuleId that fits; None where none does. No rule fits an Emergent execution (7.8.18)."""
    if placing.order_type is OrderType.EMERGENT:
        return None
    return min((rule for rule in rules if _fits(rule, placing)), key=lambda rule: rule.rule_id, default=None)


def approved_by(rule: ApprovalRule, orders: Iterable[Order], *, now: datetime) -> tuple[Order, ...]:
    """New orders as the rule approves them; each names it."""
    return tuple(
        replace(
            order,
            status=FulfillmentStatus.APPROVED,
            status_since=now,
            approved_at=now,
            decided_by=AUTO,
            approval_rule=rule.rule_id,
            reason=f"Approved by the approval rule {rule.rule_id}, version {rule.version_id}",
        )
        for order in orders
    )


def sentence(rule: ApprovalRule, placing: Placing, event_id: str) -> str:
    """Which rule approved, and how the sum lies within the rule's bounds."""
    bounds = []
    if rule.max_hosts is not None:
        bounds.append(f"at most {whole(rule.max_hosts)}")
    if rule.max_percentage is not None:
        bounds.append(f"at most {plain(rule.max_percentage)} % of {whole(placing.hosts_present)} present")
    within = f" ({' and '.join(bounds)})" if bounds else ""
    return (
        f"Approved by the approval rule {rule.rule_id}, version {rule.version_id}: "
        f"{hosts(placing.live_hosts)} on order or delivered for {event_id}{within}."
    )


def _fits(rule: ApprovalRule, placing: Placing) -> bool:
    if rule.service_tiers is not None and placing.service_tier not in rule.service_tiers:
        return False
    if rule.regions is not None and placing.region not in rule.regions:
        return False
    if rule.max_hosts is not None and placing.live_hosts > rule.max_hosts:
        return False
    return rule.max_percentage is None or placing.live_hosts * 100 <= rule.max_percentage * placing.hosts_present
