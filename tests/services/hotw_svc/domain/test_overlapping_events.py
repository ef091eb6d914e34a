"""Three events whose peaks overlap share one fleet: no host is ordered twice, and none is missing at any peak (7.3.25).

The hosts that are really in the fleet are worked out here by a timeline of their own, from the orders' deliveries and
the overrides' windows. What an execution counts must agree with it, however old its inventory is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from services.hotw_svc.domain.inputs import EventFacts, InventoryFacts, Philosophy
from services.hotw_svc.domain.orders.order import Order, decide, deliver
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from services.hotw_svc.domain.orders.settlement import settle
from services.hotw_svc.domain.runs.execution import Execution, execute
from shared.errors import Conflict
from shared.schemas.hotw_svc import Decision
from tests.support.hotw_inputs import SUCCESS, asgs, fortress

START = datetime(2024, 6, 18, tzinfo=UTC)
FLEET = {
    "host_throughput_tpm": 1,  # so that a fleet requires as many hosts as its projection has TPM
    "buffer_percentage": Fraction(0),
    "max_host_count": None,
    "asgs": asgs(None, None, desired=20),
    "capacity_as_of": START,
}
OWN_HOSTS = 40
EVENTS = ("A", "B", "C")
# Peaks of one to six days begin within nine days, with up to three days before and after: most of them overlap.
dates = st.tuples(st.integers(0, 8), st.integers(0, 5), st.integers(0, 3), st.integers(0, 3))


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

    @initialize(windows=st.tuples(dates, dates, dates), required=st.tuples(*[st.integers(30, 120)] * 3))
    def begin(self, windows: tuple[tuple[int, int, int, int], ...], required: tuple[int, ...]) -> None:
        self.events = {name: event(name, *window) for name, window in zip(EVENTS, windows, strict=True)}
        self.required = dict(zip(EVENTS, required, strict=True))
        self.now = START
        self.inventory = InventoryFacts(OWN_HOSTS, START - timedelta(hours=1))
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
        self.inventory = InventoryFacts(self._in_fleet(self.now), self.now)
        self.time_passes(hours=1)  # a host that comes at the very instant of a count is in it

    @rule(name=st.sampled_from(EVENTS), approved=st.booleans(), delivered=st.booleans())
    def runs_before_the_peak(self, name: str, *, approved: bool, delivered: bool) -> None:
        if self.now < self.events[name].peak_start:
            self._run(name)
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

    def _approve(self, name: str) -> None:
        for order in list(self.orders.values()):
            if order.is_open and order.event_id == name:
                self._change(decide(order, Decision.APPROVE, now=self.now, user="u"))

    def _deliver_what_was_approved(self) -> None:
        for order in list(self.orders.values()):
            if order.is_open and order.approved_at is not None:
                self._change(deliver(order, fulfilled_hosts=order.value, now=self.now))

    # -- what must hold at each run -------------------------------------------------------------------------------

    def _run(self, name: str) -> Execution:
        self.runs += 1
        inputs = fortress(
            run={"run_id": self.runs},
            projection={"manual_override": self.required[name]},
            fleet=FLEET,
            philosophy=Philosophy(),
            inventory=self.inventory,
            orders=tuple(self.orders.values()),
            overrides=tuple(self.overrides),
        )
        done = execute(replace(inputs, event=self.events[name]), now=self.now)
        assert (done.status, done.required_hosts) == (SUCCESS, self.required[name])
        self.orders |= {order.fulfillment_id: order for order in (*done.superseded_orders, *done.orders)}
        self._keep(done.superseded_overrides)
        self.overrides += done.overrides
        self._settle()
        self._check(self.events[name], done)
        return done

    def _check(self, peak: EventFacts, done: Execution) -> None:
        """Once all that may still come has come, the fleet has what the peak requires, and nothing was added to more.

        Another event's hosts are relied on where its override runs over the whole peak.
        """
        reliable = OWN_HOSTS
        for order in self.orders.values():
            window = self._window(order)
            own = order.event_id == peak.event_id
            if own or (window and window.start <= peak.peak_start and peak.peak_end <= window.end):
                reliable += self._to_come(order, own=own) + order.fulfilled_hosts
        required = self.required[peak.event_id]
        assert reliable >= required, f"{required - reliable} hosts are missing at {peak.event_id}"
        assert not done.ordered_hosts or reliable == required, f"{reliable - required} hosts are ordered twice"
        assert self._least(peak, promised=True) >= required

    def _to_come(self, order: Order, *, own: bool) -> int:
        return order.outstanding_hosts if order.is_open and (own or order.approved_at is not None) else 0

    # -- the hosts that are really there --------------------------------------------------------------------------

    def _least(self, peak: EventFacts, *, promised: bool = False) -> int:
        """The fewest hosts in the fleet at any instant of the peak; ``promised``: with those that may still come."""
        changes = [instant for override in self.overrides for instant in (override.start, override.end)]
        instants = [peak.peak_start, *(one for one in changes if peak.peak_start < one < peak.peak_end)]
        return min(self._in_fleet(one, peak.event_id if promised else None) for one in instants)

    def _in_fleet(self, instant: datetime, promised_to: str | None = None) -> int:
        hosts = OWN_HOSTS
        for order in self.orders.values():
            window = self._window(order)
            if window is None or not window.start <= instant < window.end:
                continue
            hosts += sum(delivery.hosts for delivery in order.deliveries if delivery.delivered_at <= instant)
            if promised_to is not None:
                hosts += self._to_come(order, own=order.event_id == promised_to)
        return hosts

    def _window(self, order: Order) -> Override | None:
        """The override that the order's hosts are in under: the live one of its event and ASG, else the last."""
        mine = [o for o in self.overrides if (o.event_id, o.asg_name) == (order.event_id, order.asg_name)]
        live = [override for override in mine if override.is_live]
        ran = [override for override in mine if override.status is OverrideStatus.EXPIRED]
        return next(iter([*live, *reversed(ran)]), None)

    # -- the fleet's rows ------------------------------------------------------------------------------------------

    def _change(self, order: Order) -> None:
        self.orders[order.fulfillment_id] = order
        self._settle()

    def _settle(self) -> None:
        inputs = fortress(fleet=FLEET)
        for one in self.events.values():
            orders, overrides = list(self.orders.values()), list(self.overrides)
            changed = settle(orders, overrides, event=one, fleet=inputs.fleet, service=inputs.service, now=self.now)
            self.orders |= {order.fulfillment_id: order for order in changed.orders}
            self._keep(changed.overrides)

    def _keep(self, changed: Iterable[Override]) -> None:
        new = {(override.run_id, override.asg_name): override for override in changed}
        self.overrides = [new.get((override.run_id, override.asg_name), override) for override in self.overrides]


TestOneFleetThreeEvents = OneFleetThreeEvents.TestCase
TestOneFleetThreeEvents.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
