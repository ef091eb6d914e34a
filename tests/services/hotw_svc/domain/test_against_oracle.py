"""Any inputs, two runs, and any decisions and deliveries between them: EPIC and tests/support/hotw_oracle.py agree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.hotw_svc.adapters.inputs import facts
from services.hotw_svc.domain.custom_formula import FormulaFacts
from services.hotw_svc.domain.inputs import Inputs, PreferredAsgs, RunFacts
from services.hotw_svc.domain.orders.order import Order, decide, deliver
from services.hotw_svc.domain.orders.order_book import OrderBook, OrderBookKey, SettledUnder, update_order_book
from services.hotw_svc.domain.orders.override import Override
from services.hotw_svc.domain.runs.execution import Execution, execute
from shared.errors import Conflict
from shared.schemas.hotw_svc import Decision, OrderType, Purpose
from tests.support.hotw_oracle import Expected, Formula, Placed, World, expected
from tests.support.hotw_store import (
    EVENT,
    FLEET,
    bau_body,
    custom_input_body,
    event_body,
    exception_body,
    inventory_body,
    philosophy_body,
    projection_body,
    service_body,
)

pytestmark = pytest.mark.slow

FIRST = datetime(2024, 6, 15, 9, tzinfo=UTC)
SECOND = (datetime(2024, 7, 5, 9, tzinfo=UTC), datetime(2024, 7, 15, 12, tzinfo=UTC))  # before and while overrides run
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
FORMULA_INPUTS = ("PeakTPM", "BAUTPM", "HostThroughPutTPM", "BufferFactor", "CTFactor")

SIMPLE: Formula = ("/", "PeakTPM", "HostThroughPutTPM")

tpms = st.integers(0, 12_000)
factors = st.sampled_from([0.5, 1, 1.1, 1.333333, 2])
instants = st.integers(0, 40).map(lambda days: f"{(FIRST + timedelta(days - 10)).isoformat()[:10]}T00:00:00Z")
days = st.integers(0, 40).map(lambda number: f"{(FIRST + timedelta(number - 10)).date()}")


def often(usual: Any, other: Any) -> Any:
    """One of two values, the first four times as often."""
    return st.sampled_from([usual, usual, usual, usual, other])


def maybe(**members: Any) -> Any:
    """A document with any of these members."""
    return st.fixed_dictionaries({}, optional=members)


asgs = st.lists(
    st.fixed_dictionaries(
        {"AvailabilityZone": st.sampled_from(ZONES), "DesiredCapacity": st.integers(0, 9)},
        optional={"MaxOverrideCapacity": st.integers(0, 60), "EAPOnboardingStatus": often(True, False)},
    ),
    max_size=4,
    min_size=1,
).map(lambda drawn: [{"AutoScalingGroupName": f"asg-{n}", **asg} for n, asg in enumerate(drawn)])
configurations = maybe(
    HostThroughPutTPM=st.sampled_from([200, 250]),
    BufferPercentage=st.sampled_from([0, 10, 12.5]),
    CTFactor=factors,
    MaxHostCount=st.integers(20, 120),
    EAPEnrolledStatus=often(True, False),
).map(lambda some: {"HostThroughPutTPM": 250} | some)
bounds = st.fixed_dictionaries(
    {"CapacityStrategy": st.sampled_from(["PerformanceBased", "CostBased", "Fixed"]), "MinHosts": st.integers(0, 40)},
    optional={"HeadroomPercentage": st.sampled_from([5, 33.3]), "MaxHosts": st.integers(40, 120)},
)
philosophies = st.builds(lambda some, failures: some | failures, bounds, maybe(ZoneFailures=st.just(1)))
figures = maybe(
    PeakTPM=tpms,
    BAUTPM=tpms,
    CTFactor=factors,
    BufferFactor=factors,
    HostThroughPutTPM=st.integers(150, 300),
    HostsPresentInApollo=st.integers(0, 60),
    MaxHostCount=st.integers(0, 120),
)
custom_inputs = st.lists(
    st.builds(
        lambda own, at, until, of_fleet, of_all: custom_input_body(
            fleet_id=FLEET if own else None,
            Input=of_fleet if own else of_all,
            AuditMetadata={"Timestamp": at},
            **({} if until is None else {"ExpiresOn": until}),
        ),
        st.booleans(),
        instants,
        st.none() | days,
        figures,
        maybe(CTFactor=factors, BufferFactor=factors),
    ),
    max_size=3,
).map(lambda drawn: [body | {"CustomInputId": f"input-{n}"} for n, body in enumerate(drawn)])
formulas: st.SearchStrategy[Formula] = st.recursive(
    st.sampled_from([*FORMULA_INPUTS, "PeakTPM", 0, 1, 7, Fraction(1, 4)]),
    lambda inner: (
        st.tuples(st.sampled_from(["+", "-", "*", "/", "min", "max"]), inner, inner)
        | st.tuples(st.sampled_from(["ceil", "floor"]), inner)
    ),
    max_leaves=5,
) | st.just(SIMPLE)
events = maybe(
    DefaultBufferPercentage=st.sampled_from([15, 7.25]),
    SPCOEventDatesByRegion=often({}, {"us-east-1": {"SPCOStartDate": "2024-06-20", "SPCOEndDate": "2024-07-20"}}),
    RegionList=often(["us-east-1"], ["eu-west-1"]),
    StartOffset=st.integers(1, 3),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """One fleet with any of the inputs; each is absent at times."""

    def either(strategy: Any) -> Any:
        return draw(st.none() | strategy)

    own = draw(tpms) if draw(often(True, False)) else None
    fleet_projection = [] if own is None else [{"TotalInputTPMProperties": {"TotalInputTPM": own}}]
    names = [f"asg-{n}" for n in range(5)]
    formula, philosophy = (
        draw(often(None, SIMPLE) | formulas),
        either(philosophies.map(lambda some: philosophy_body(**some))),
    )
    if philosophy is not None and formula not in (None, SIMPLE):
        philosophy.pop("ZoneFailures", None)  # the oracle tries every sum, and any formula may need thousands
    return World(
        event=event_body() | {"SPCOEventDatesByRegion": {}} | draw(events),
        fleet=fleet(draw(configurations), draw(asgs), FIRST - timedelta(days=3), FleetProjection=fleet_projection),
        service=service_body(**draw(maybe(Philosophy=bounds))),
        philosophy=philosophy,
        exception=either(
            st.builds(
                lambda status, until: exception_body(Status=status, ExpiresOn=until),
                st.sampled_from(["Approved", "Expired", "Pending", "Revoked"]),
                days,
            )
        ),
        projection=either(
            maybe(ManualOverride=tpms, CloudTuneProjection=tpms, TotalInputTPM=tpms).map(
                lambda some: {k: v for k, v in projection_body().items() if k != "TotalInputTPM"} | some
            )
        ),
        inventory=either(st.integers(0, 30).map(lambda hosts: inventory_body(hosts=hosts))),
        traffic=either(maybe(BAUTPM=tpms).map(lambda some: bau_body(**some))),
        custom_inputs=draw(custom_inputs),
        formula=formula,
        preferred=either(st.lists(st.sampled_from(names), min_size=1, unique=True)),
        factors=draw(st.dictionaries(st.sampled_from(ZONES), st.sampled_from([Fraction(n) for n in (0, 1, 2, 3)]))),
    )


def fleet(configuration: Any, of_asgs: Any, as_of: datetime, **others: Any) -> dict[str, Any]:
    given = {"Region": "us-east-1", "ASGProperties": of_asgs, **configuration}
    head = {"FleetId": FLEET, "VersionId": 5, "ServiceId": "FORTRESSService", "CapacityAsOf": f"{as_of.isoformat()}"}
    return head | {"FleetConfiguration": given} | others


def text(formula: Formula) -> str:
    """The formula as a person writes it."""
    if isinstance(formula, Fraction):
        return f"({formula.numerator}/{formula.denominator})"
    if isinstance(formula, int | str):
        return str(formula)
    name, *parts = formula
    inner = [text(part) for part in parts]
    return f"{name}({', '.join(inner)})" if name.isalpha() else f"({inner[0]} {name} {inner[1]})"


def inputs_of(world: World, run_id: int, now: datetime, orders: Any = (), overrides: Any = ()) -> Inputs:
    """The world as EPIC reads it."""
    preferred = world.preferred
    return Inputs(
        run=RunFacts(run_id=run_id, created_at=now, order_type=OrderType.STANDARD),
        fleet_index_id=42,
        event=facts.event_facts(world.event),
        fleet=facts.fleet_facts(base=world.fleet),
        service=facts.service_facts(world.service),
        philosophy_facts=None if world.philosophy is None else facts.philosophy_facts(world.philosophy),
        exception=None if world.exception is None else facts.exception_facts(world.exception),
        projection=None if world.projection is None else facts.projection_facts(world.projection),
        inventory=None if world.inventory is None else facts.inventory_facts(world.inventory),
        bau_traffic=None if world.traffic is None else facts.bau_traffic_facts(world.traffic),
        orders=orders,
        overrides=overrides,
        az_factors=facts.az_factors(world.factors),
        preferred_asgs=None if preferred is None else PreferredAsgs(tuple(preferred), "jsmith", now),
        custom_inputs=tuple(facts.custom_input_facts(one) for one in world.custom_inputs),
        formula=None if world.formula is None else FormulaFacts(1, text(world.formula)),
    )


def found(done: Execution) -> Expected:
    """What EPIC came to, in the oracle's words."""
    return Expected(
        done.status.value,
        None if done.peak is None else done.peak.value,
        done.inputs.bau_tpm,
        done.buffer_factor,
        done.needed,
        done.required_hosts,
        None if done.need is None or done.presence is None else done.presence.hosts,
        None if done.need is None else done.pending,
        done.need,
        tuple((order.asg_name, order.value) for order in done.orders),
    )


@dataclass
class Played:
    """A world that EPIC and the oracle go through side by side; further runs and steps may be played on it."""

    world: World
    orders: tuple[Order, ...] = ()
    overrides: tuple[Override, ...] = ()
    runs: int = 0

    def run(self, now: datetime) -> Execution:
        """One run, whose result must be the oracle's, and whose orders both sides take on."""
        self.settle(now)
        self.runs += 1
        done = execute(inputs_of(self.world, self.runs, now, self.orders, self.overrides), now=now)
        assert found(done) == expected(self.world, now), done.reasoning
        replaced = {(o.run_id, o.asg_name): o for o in (*done.superseded_overrides, *done.revalued_overrides)}
        self.overrides = (*(replaced.get((o.run_id, o.asg_name), o) for o in self.overrides), *done.overrides)
        lost = {order.fulfillment_id: order for order in done.superseded_orders}
        self.orders = (*(lost.get(order.fulfillment_id, order) for order in self.orders), *done.orders)
        self.world.orders += [Placed(order.asg_name, order.zone, order.value) for order in done.orders]
        return done

    def settle(self, now: datetime, changed: Order | None = None) -> None:
        inputs = inputs_of(self.world, self.runs, now)
        book = OrderBook(
            key=OrderBookKey(EVENT, FLEET, Purpose.UPSCALING),
            service_id="FORTRESSService",
            event=inputs.event,
            fleet=inputs.fleet,
            service=inputs.service,
            orders=self.orders,
            overrides=self.overrides,
            version_id=1,
            settled_under=SettledUnder(inputs.event.version_id),
            latest=None,
            windows={},
        )
        after = update_order_book(book, now=now, changed=() if changed is None else (changed,)).after
        self.orders, self.overrides = after.orders, after.overrides

    def step(self, number: int, decision: str, share: int, now: datetime) -> None:
        """A decision (or a delivery of a share in percent) on one of the orders; both sides allow or refuse it."""
        if not self.orders:
            return
        index = number % len(self.orders)
        order, placed = self.orders[index], self.world.orders[index]
        total = order.value * share // 100
        allowed = placed.deliver(total, now) if decision == "Deliver" else placed.decide(decision)
        try:
            if decision == "Deliver":
                changed = deliver(order, fulfilled_hosts=total, now=now)
            else:
                changed = decide(order, Decision(decision), now=now, user="jsmith")
        except Conflict:
            assert not allowed
        else:
            assert allowed
            self.settle(now, changed)
        assert [(o.status.value, o.fulfilled_hosts) for o in self.orders] == [
            (o.status, o.delivered) for o in self.world.orders
        ]


steps = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["Approve", "Approve", "Deliver", "Deliver", "Reject", "Cancel", "Delay"]),
        st.sampled_from([30, 50, 100]),
    ),
    max_size=8,
)
changes = st.fixed_dictionaries(
    {"second": st.sampled_from(SECOND), "hosts": st.none() | st.integers(0, 60), "at": instants}
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), steps, changes, st.none() | tpms)
def test_two_runs_come_to_what_the_oracle_comes_to(world: World, steps: Any, changes: Any, tpm: int | None) -> None:
    played = Played(world)
    played.run(FIRST)
    for number, (which, decision, share) in enumerate(steps):
        played.step(which, decision, share, FIRST + timedelta(days=number + 1))
    if changes["hosts"] is not None:
        world.inventory = inventory_body(
            hosts=changes["hosts"], as_of=min(changes["at"], changes["second"].isoformat())
        )
    if tpm is not None:
        world.projection = projection_body(version=9, ManualOverride=tpm)
    played.run(changes["second"])
