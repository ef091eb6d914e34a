"""Three events whose peaks overlap share one fleet: no host is ordered twice, and none is missing at any peak (7.3.25).

The hosts that are really in the fleet are worked out here by a timeline of their own, from the orders' deliveries and
the overrides' windows, of which the highest that runs decides (7.9.13). What an execution counts must agree with it,
however old its inventory is, and the overrides' values must let those hosts in at every instant of every peak.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from services.hotw_svc.domain.inputs import EventFacts, InventoryFacts, Philosophy
from services.hotw_svc.domain.orders.approval import ApprovalRule
from services.hotw_svc.domain.orders.order import Order, decide, deliver
from services.hotw_svc.domain.orders.override import Override, OverrideStatus, Window
from services.hotw_svc.domain.orders.settlement import settle
from services.hotw_svc.domain.runs.execution import Execution, execute
from shared.errors import Conflict
from shared.schemas.hotw_svc import Decision
from tests.support.hotw_inputs import SUCCESS, asgs, fortress

pytestmark = pytest.mark.slow

START = datetime(2024, 6, 18, tzinfo=UTC)
ASGS = asgs(None, None, desired=20)
FLEET = {
    "host_throughput_tpm": 1,  # so that a fleet requires as many hosts as its projection has TPM
    "buffer_percentage": Fraction(0),
    "max_host_count": None,
    "asgs": ASGS,
    "capacity_as_of": START,
}
OWN_HOSTS = 40
EVENTS = ("A", "B", "C")
IN_FORCE = (OverrideStatus.APPROVED, OverrideStatus.STARTED, OverrideStatus.EXPIRED)
# Peaks of one to six days begin within nine days, with up to three days before and after: most of them overlap.
dates = st.tuples(st.integers(0, 8), st.integers(0, 5), st.integers(0, 3), st.integers(0, 3))
Windows = tuple[tuple[int, int, int, int], ...]
REQUIRED = st.tuples(*[st.integers(30, 120)] * 3)
any_windows = st.tuples(dates, dates, dates)
one_peak = st.tuples(*[st.tuples(st.just(4), st.just(1), st.integers(0, 3), st.integers(0, 3))] * 3)
# The overrides of A and B both run over the peak of C between theirs, and neither over the other's peak.
between = st.tuples(
    st.just((0, 2, 1, 3)),
    st.just((6, 2, 3, 1)),
    st.tuples(st.integers(3, 5), st.just(0), st.integers(0, 3), st.integers(0, 3)),
)


def event(event_id: str, first: int, length: int, before: int, after: int) -> EventFacts:
    day = date(2024, 6, 20) + timedelta(first)
    return EventFacts(
        event_id=event_id,
        version_id=1,
        peak_start_date=day,
        peak_end_date=day + timedelta(length),
        region_list=("us-east-1",),
        start_offset=before,
        end_offset=after,
    )


class OneFleetThreeEvents(RuleBasedStateMachine):
    """A fleet of two ASGs with room for any number of hosts, and whatever happens to its orders."""

    @initialize(windows=any_windows, required=REQUIRED)
    def begin(self, windows: Windows, required: tuple[int, ...]) -> None:
        self.events = {name: event(name, *window) for name, window in zip(EVENTS, windows, strict=True)}
        self.required = dict(zip(EVENTS, required, strict=True))
        self.now = START
        self.inventory = InventoryFacts(OWN_HOSTS, START - timedelta(hours=1))
        self.inventory_shows_all = True
        self.orders: dict[str, Order] = {}
        self.overrides: list[Override] = []
        self.runs = 0

    # -- what happens ---------------------------------------------------------------------------------------------

    @rule(hours=st.integers(1, 48))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self._settle()

    @rule()
    def hosts_are_counted(self) -> None:
        counted = self._in_fleet(self.now)
        self.inventory = InventoryFacts(counted, self.now)
        self.inventory_shows_all = counted == OWN_HOSTS + self._let_in_by_any_override(self.now)
        self.time_passes(hours=1)  # a host that comes at the very instant of a count is in it

    @rule(name=st.sampled_from(EVENTS), by_rule=st.booleans(), approved=st.booleans(), delivered=st.booleans())
    def runs_before_the_peak(self, name: str, *, approved: bool, delivered: bool, by_rule: bool = False) -> None:
        if self.now < self.events[name].peak_start:
            self._run(name, rules=(ApprovalRule(rule_id="all", version_id=1),) if by_rule else ())
            if approved:
                self._approve(name)
            if delivered:
                self._deliver_what_was_approved()

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), decision=st.sampled_from(Decision))
    def decides(self, data: st.DataObject, decision: Decision) -> None:
        order = data.draw(st.sampled_from(sorted(self.orders.values(), key=lambda order: order.fulfillment_id)))
        try:
            self._change(decide(order, decision, now=self.now, user="u"))
        except Conflict:
            return

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), share=st.integers(1, 4))
    def delivers(self, data: st.DataObject, share: int) -> None:
        order = data.draw(st.sampled_from(sorted(self.orders.values(), key=lambda order: order.fulfillment_id)))
        total = order.fulfilled_hosts + (order.outstanding_hosts * share + 3) // 4
        try:
            self._change(deliver(order, fulfilled_hosts=total, now=self.now))
        except Conflict:
            return

    def teardown(self) -> None:
        """In the end every event runs before its peak, and all that anybody approved is delivered before it."""
        for name in sorted(getattr(self, "events", ()), key=lambda name: self.events[name].peak_start):
            peak = self.events[name]
            if self.now >= peak.peak_start:
                continue
            self.now = max(self.now, peak.peak_start - timedelta(hours=1))
            self._settle()
            self._run(name)
            self._approve(name)
            self._deliver_what_was_approved()
            assert self._least(peak) >= self.required[name], f"hosts are missing at {name}"
            assert min(map(self._raised_to, self._instants(peak))) >= self.required[name], f"{name} is not raised to it"

    def _approve(self, name: str) -> None:
        for order in list(self.orders.values()):
            if order.is_open and order.event_id == name:
                self._change(decide(order, Decision.APPROVE, now=self.now, user="u"))

    def _deliver_what_was_approved(self) -> None:
        for order in list(self.orders.values()):
            if order.is_open and order.approved_at is not None:
                self._change(deliver(order, fulfilled_hosts=order.value, now=self.now))

    # -- what must hold at each run -------------------------------------------------------------------------------

    def _run(self, name: str, *, rules: tuple[ApprovalRule, ...] = ()) -> Execution:
        self.runs += 1
        inputs = fortress(
            run={"run_id": self.runs},
            projection={"manual_override": self.required[name]},
            fleet=FLEET,
            philosophy=Philosophy(),
            inventory=self.inventory,
            orders=tuple(self.orders.values()),
            overrides=tuple(self.overrides),
            windows=self._windows(but=name),
            approval_rules=rules,
        )
        done = execute(replace(inputs, event=self.events[name]), now=self.now)
        assert (done.status, done.required_hosts) == (SUCCESS, self.required[name])
        self.orders |= {order.fulfillment_id: order for order in (*done.superseded_orders, *done.orders)}
        self._keep((*done.superseded_overrides, *done.revalued_overrides))
        self.overrides += done.overrides
        self._check_values()
        self._check(self.events[name], done)
        return done

    def _check(self, peak: EventFacts, done: Execution) -> None:
        """Once all that may still come has come, the fleet has what the peak requires, and nothing was added to more.

        Another event's hosts are relied on where its override runs over the whole peak. Where the inventory was taken
        while the maximum kept hosts out, they are taken for leaving: more may be ordered than is missing, never less.
        """
        reliable = OWN_HOSTS
        for order in self.orders.values():
            own = order.event_id == peak.event_id
            if self._carried_by(peak.event_id, order):
                reliable += self._to_come(order, own=own) + order.fulfilled_hosts
        required = self.required[peak.event_id]
        assert reliable >= required, f"{required - reliable} hosts are missing at {peak.event_id}"
        if done.ordered_hosts and self.inventory_shows_all:
            assert reliable == required, f"{reliable - required} hosts are ordered twice"
        assert self._least(peak, promised=True) >= required

    def _to_come(self, order: Order, *, own: bool) -> int:
        return order.outstanding_hosts if order.is_open and (own or order.approved_at is not None) else 0

    # -- the hosts that are really there --------------------------------------------------------------------------

    def _least(self, peak: EventFacts, *, promised: bool = False) -> int:
        """The fewest hosts in the fleet at any instant of the peak; ``promised``: with those that may still come."""
        return min(self._in_fleet(one, peak.event_id if promised else None) for one in self._instants(peak))

    def _instants(self, peak: EventFacts) -> list[datetime]:
        """The peak's start, and every instant in it at which an override begins or ends."""
        changes = [instant for override in self.overrides for instant in (override.start, override.end)]
        return [peak.peak_start, *(one for one in changes if peak.peak_start < one < peak.peak_end)]

    def _in_fleet(self, instant: datetime, promised_to: str | None = None) -> int:
        """On each ASG the override that lets the most hosts in decides (7.9.13)."""
        highest: dict[str, int] = {}
        for override in self._running(instant, promised_to):
            hosts = sum(
                self._there(order, instant, promised_to)
                for order in self.orders.values()
                if order.asg_name == override.asg_name and self._carried_by(override.event_id, order)
            )
            highest[override.asg_name] = max(hosts, highest.get(override.asg_name, 0))
        return OWN_HOSTS + sum(highest.values())

    def _let_in_by_any_override(self, instant: datetime) -> int:
        """The delivered hosts that some override lets in, as if there were no other override on its ASG."""
        running = self._running(instant)
        return sum(
            self._there(order, instant)
            for order in self.orders.values()
            if any(o.asg_name == order.asg_name and self._carried_by(o.event_id, order) for o in running)
        )

    def _raised_to(self, instant: datetime) -> int:
        """The capacity that the overrides' own values give the fleet."""
        values = {asg.name: asg.desired_capacity for asg in ASGS}
        for override in self._running(instant):
            values[override.asg_name] = max(override.value, values[override.asg_name])
        return sum(values.values())

    def _running(self, instant: datetime, promised_to: str | None = None) -> list[Override]:
        """The overrides in force; an event to which hosts are promised also has those that wait for an approval."""
        return [
            override
            for override in self.overrides
            if override.start <= instant < override.end
            and (
                override.status in IN_FORCE
                or (override.status is OverrideStatus.PROPOSED and override.event_id == promised_to)
            )
        ]

    def _there(self, order: Order, instant: datetime, promised_to: str | None = None) -> int:
        hosts = sum(delivery.hosts for delivery in order.deliveries if delivery.delivered_at <= instant)
        return hosts if promised_to is None else hosts + self._to_come(order, own=order.event_id == promised_to)

    def _carried_by(self, event_id: str, order: Order) -> bool:
        """Whether the event's overrides hold the order's hosts: its own, or hosts that are in over its whole peak."""
        window, peak = self._window(order), self.events[event_id]
        over_it = window is not None and window.start <= peak.peak_start and peak.peak_end <= window.end
        return order.event_id == event_id or over_it

    def _check_values(self) -> None:
        """7.9.4: at each moment an override's value is its base and each order that it carries, once."""
        for override in self.overrides:
            if override.is_live:
                mine = [order for order in self.orders.values() if order.asg_name == override.asg_name]
                carried = sum(o.overriding_hosts for o in mine if self._carried_by(override.event_id, o))
                assert override.value == override.base_capacity + carried, f"{override.name} is out of date"

    def _window(self, order: Order) -> Override | None:
        """The override that the order's hosts are in under: the live one of its event and ASG, else the last."""
        mine = [o for o in self.overrides if (o.event_id, o.asg_name) == (order.event_id, order.asg_name)]
        live = [override for override in mine if override.is_live]
        ran = [override for override in mine if override.status is OverrideStatus.EXPIRED]
        return next(iter([*live, *reversed(ran)]), None)

    # -- the fleet's rows ------------------------------------------------------------------------------------------

    def _change(self, order: Order) -> None:
        """A decision or a delivery settles the order's own book alone."""
        self.orders[order.fulfillment_id] = order
        self._settle(order.event_id)

    def _settle(self, *names: str) -> None:
        inputs = fortress(fleet=FLEET)
        for name in names or EVENTS:
            changed = settle(
                list(self.orders.values()),
                list(self.overrides),
                event=self.events[name],
                fleet=inputs.fleet,
                service=inputs.service,
                windows=self._windows(but=name),
                now=self.now,
            )
            self.orders |= {order.fulfillment_id: order for order in changed.orders}
            self._keep(changed.overrides)
            self._check_values()

    def _windows(self, *, but: str) -> dict[str, Window]:
        return {name: one.override_window for name, one in self.events.items() if name != but}

    def _keep(self, changed: Iterable[Override]) -> None:
        new = {(override.run_id, override.asg_name): override for override in changed}
        self.overrides = [new.get((override.run_id, override.asg_name), override) for override in self.overrides]


TestOneFleetThreeEvents = OneFleetThreeEvents.TestCase
TestOneFleetThreeEvents.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@settings(max_examples=150, deadline=None)
@given(
    windows=any_windows | one_peak | between,
    required=REQUIRED,
    more=st.tuples(*[st.integers(0, 40)] * 3),
    names=st.permutations(EVENTS),
    hours=st.integers(0, 200),
)
def test_each_peak_is_raised_to_its_need_whatever_the_order_of_runs(
    windows: Windows, required: tuple[int, ...], more: tuple[int, ...], names: list[str], hours: int
) -> None:
    """Every event runs and is delivered to; the fleet is counted; the needs grow, and every event runs again."""
    fleet = OneFleetThreeEvents()
    fleet.begin(windows=windows, required=required)
    for name in names:
        fleet.runs_before_the_peak(name, approved=True, delivered=True)
    fleet.time_passes(hours)
    fleet.hosts_are_counted()
    fleet.required = {name: fleet.required[name] + more[number] for number, name in enumerate(EVENTS)}
    for name in names:
        fleet.runs_before_the_peak(name, approved=True, delivered=False)
    fleet.teardown()
