"""What an execution works from: frozen facts, each with the version it came from (HOTW rule 3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from functools import cached_property

from services.hotw_svc.domain.custom_formula import FormulaFacts
from services.hotw_svc.domain.custom_inputs import NO_CUSTOM_INPUTS, CustomInputFacts, JoinedInputs, joined
from services.hotw_svc.domain.instants import end_of, shifted
from services.hotw_svc.domain.orders.approval import ApprovalRule
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.override import Override, Window
from services.hotw_svc.domain.orders.shared_asgs import SharedAsgs
from services.hotw_svc.domain.runs.distribution import EVEN, AzFactors
from shared.capacity import ONE, one_plus
from shared.clock import day_start
from shared.schemas.event_svc.event import EMERGENT_DAYS_BEFORE_PEAK, OVERRIDE_OFFSET
from shared.schemas.fleet_svc.exception import BUFFER_FACTOR, ExceptionStatus
from shared.schemas.fleet_svc.service import CapacityStrategy, ServiceType
from shared.schemas.hotw_svc import OrderType, Purpose


class Line(StrEnum):
    """Which line of a fleet was read: the one for the event, or the fleet's own."""

    EVENT = "event"
    BASE = "base"


@dataclass(frozen=True, slots=True)
class OrderDates:
    """The days on which hardware may be ordered in a region; an absent end leaves that side open."""

    first: date | None
    last: date | None

    def hold(self, now: datetime) -> bool:
        """Whether hardware may be ordered at this instant."""
        return (self.first is None or now >= day_start(self.first)) and (self.last is None or now < end_of(self.last))


@dataclass(frozen=True, kw_only=True)
class EventFacts:
    """A peak event; days are UTC days.

    An order is Emergent from `emergent_from` on; overrides are planned for `override_window`.
    """

    event_id: str
    version_id: int
    peak_start_date: date
    peak_end_date: date
    region_list: tuple[str, ...]
    is_active: bool = True
    order_dates: Mapping[str, OrderDates] = field(default_factory=dict)
    emergent_scale_start_date: date | None = None
    emergent_days_before_peak: int = EMERGENT_DAYS_BEFORE_PEAK
    start_offset: int = OVERRIDE_OFFSET
    end_offset: int = OVERRIDE_OFFSET
    default_buffer_percentage: Fraction = Fraction(0)

    @cached_property
    def peak_start(self) -> datetime:
        return day_start(self.peak_start_date)

    @cached_property
    def peak_end(self) -> datetime:
        return end_of(self.peak_end_date)

    @cached_property
    def emergent_from(self) -> datetime:
        given = self.emergent_scale_start_date
        return day_start(given) if given else shifted(self.peak_start, days=-self.emergent_days_before_peak)

    @cached_property
    def override_window(self) -> Window:
        return Window(
            start=shifted(self.peak_start, days=-self.start_offset),
            end=shifted(self.peak_end, days=self.end_offset),
            peak_start=self.peak_start,
            peak_end=self.peak_end,
            start_offset=self.start_offset,
            end_offset=self.end_offset,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Philosophy:
    """A service's bounds per fleet, how its need is counted, and how many zones its fleets survive the loss of."""

    max_hosts: int | None = None
    min_hosts: int | None = None
    strategy: CapacityStrategy | None = None
    headroom_percentage: Fraction = Fraction(0)
    zone_failures: int = 0

    @property
    def headroom(self) -> Fraction:
        """The factor on the need; only PerformanceBased has one above 1."""
        return one_plus(self.headroom_percentage) if self.strategy is CapacityStrategy.PERFORMANCE_BASED else ONE


NO_PHILOSOPHY = Philosophy()


@dataclass(frozen=True, slots=True)
class PhilosophyFacts:
    """The resource Philosophy of a service, which wins over what the Service itself says (4.491)."""

    version_id: int
    philosophy: Philosophy


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionFacts:
    """An exception of a fleet for an event: the buffer factor asked for, and what became of the request."""

    version_id: int
    exception_type: str
    status: ExceptionStatus
    requested_value: Fraction
    expires_on: date | None = None

    def counts(self, instant: datetime) -> bool:
        """Whether it was an approved, unexpired BufferFactor at an instant (4.516).

        One that has expired since was approved until the end of its last day.
        """
        if self.exception_type != BUFFER_FACTOR:
            return False
        if self.status not in (ExceptionStatus.APPROVED, ExceptionStatus.EXPIRED):
            return False
        return self.expires_on is None or instant < end_of(self.expires_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """The service a fleet belongs to."""

    service_id: str
    version_id: int
    service_type: ServiceType
    philosophy: Philosophy = NO_PHILOSOPHY
    is_deleted: bool = False
    tier: str | None = None

    @property
    def is_registered(self) -> bool:
        """Whether the service is planned for."""
        return self.service_type is ServiceType.REGISTERED


@dataclass(frozen=True, slots=True, kw_only=True)
class AsgFacts:
    """One Auto Scaling Group of a fleet, as ASGProperties last gave it."""

    name: str
    zone: str
    host_type: str | None = None
    desired_capacity: int = 0
    max_override_capacity: int | None = None
    eap_onboarding_status: bool = True
    capacity_lower_bound: int | None = None
    min_instance: int | None = None
    tag: str | None = None
    arn: str | None = None
    max_instance: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFacts:
    """A fleet, from the event's line if there is one, else the base; its ASGs from whichever changed them last.

    `capacity_as_of` is when the ASGs last changed in value. `own_tpm` is the first TotalInputTPM of FleetProjection.
    """

    fleet_id: str
    service_id: str
    region: str
    line: Line
    version_id: int
    asgs: tuple[AsgFacts, ...] = ()
    asgs_line: Line = Line.BASE
    asgs_version_id: int = 0
    capacity_as_of: datetime | None = None
    host_throughput_tpm: int | None = None
    buffer_percentage: Fraction | None = None
    ct_factor: Fraction | None = None
    max_host_count: int | None = None
    host_type: str | None = None
    homogeneous: bool | None = None
    eap_enrolled: bool = True
    child_desired_capacity: int = 0
    own_tpm: int | None = None
    own_tpm_verified: bool = False
    is_deleted: bool = False

    @property
    def desired_capacity(self) -> int:
        """Σ DesiredCapacity of the ASGs."""
        return sum(asg.desired_capacity for asg in self.asgs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionFacts:
    """The Peak projection of a fleet for an event; `unverified_upstreams` are the service ids nobody vouched for."""

    version_id: int
    manual_override: int | None = None
    cloud_tune: int | None = None
    total_input: int | None = None
    verified_by_owner: bool = False
    unverified_upstreams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InventoryFacts:
    """The hosts somebody counted in a fleet at `as_of`."""

    hosts_present: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class BAUTrafficFacts:
    """The traffic of a fleet outside events; `bau_tpm` is None while too few of its minutes are known."""

    version_id: int
    bau_tpm: int | None


@dataclass(frozen=True, slots=True)
class PreferredAsgs:
    """The names of the ASGs that somebody wants a fleet's hosts of an event in; at least one (7.0.6)."""

    names: tuple[str, ...]
    updated_by: str
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """The run an execution belongs to; `user` is who asked, or `auto`. `order_type_reason`: see `choose_order_type`.

    What expires is judged at `created_at`, so that all fleets of a run are worked out alike.
    """

    run_id: int
    created_at: datetime
    order_type: OrderType
    order_type_reason: str | None = None
    user: str = "auto"
    purpose: Purpose = Purpose.UPSCALING
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Everything one execution reads, as of the moment its fleet was locked.

    `orders` and `overrides` are the fleet's own of Upscaling, of every event, the ended ones included. `descales` are
    its overrides of Descaling, which only a Descaling run reads.
    `windows` are the planned windows of the other events with overrides, by EventId. `approval_rules` are the enabled
    ones.
    """

    run: RunFacts
    fleet_index_id: int
    event: EventFacts
    fleet: FleetFacts
    service: ServiceFacts | None
    philosophy_facts: PhilosophyFacts | None = None
    exception: ExceptionFacts | None = None
    projection: ProjectionFacts | None = None
    inventory: InventoryFacts | None = None
    bau_traffic: BAUTrafficFacts | None = None
    orders: tuple[Order, ...] = ()
    overrides: tuple[Override, ...] = ()
    windows: Mapping[str, Window] = field(default_factory=dict)
    az_factors: AzFactors = EVEN
    preferred_asgs: PreferredAsgs | None = None
    custom_inputs: tuple[CustomInputFacts, ...] = ()
    formula: FormulaFacts | None = None
    approval_rules: tuple[ApprovalRule, ...] = ()
    descales: tuple[Override, ...] = ()

    @cached_property
    def custom(self) -> JoinedInputs:
        """The figures of custom inputs that count in this run (7.3.11)."""
        given = self.custom_inputs
        return joined(given, at=self.run.created_at) if given else NO_CUSTOM_INPUTS

    @cached_property
    def event_orders(self) -> tuple[Order, ...]:
        """Those of the event."""
        return tuple(order for order in self.orders if order.event_id == self.event.event_id)

    @cached_property
    def shared(self) -> SharedAsgs:
        """What the orders and overrides of all events do to the fleet's ASGs."""
        windows = {**self.windows, self.event.event_id: self.event.override_window}
        return SharedAsgs.of(self.orders, self.overrides, windows)

    @property
    def philosophy(self) -> Philosophy:
        """The Philosophy, else the Service's own (4.491); one without bounds where there is neither."""
        if self.philosophy_facts is not None:
            return self.philosophy_facts.philosophy
        return NO_PHILOSOPHY if self.service is None else self.service.philosophy

    @property
    def buffer_percentage(self) -> Fraction:
        """The fleet's own BufferPercentage, else the Event's DefaultBufferPercentage (4.463), else none."""
        own = self.fleet.buffer_percentage
        return self.event.default_buffer_percentage if own is None else own

    @property
    def bau_tpm(self) -> int | None:
        """The BAUTPM of a custom input, else the fleet's own; None while it is not known."""
        given = self.custom.values.bau_tpm
        if given is not None:
            return given
        return None if self.bau_traffic is None else self.bau_traffic.bau_tpm

    @property
    def ct_factor(self) -> Fraction | None:
        """The CTFactor of a custom input, else the fleet's own."""
        given = self.custom.values.ct_factor
        return self.fleet.ct_factor if given is None else given

    @property
    def host_throughput_tpm(self) -> int | None:
        """The HostThroughPutTPM of a custom input, else the fleet's own."""
        given = self.custom.values.host_throughput_tpm
        return self.fleet.host_throughput_tpm if given is None else given

    @property
    def max_host_count(self) -> int | None:
        """The MaxHostCount of a custom input, else the fleet's own; None is no bound."""
        given = self.custom.values.max_host_count
        return self.fleet.max_host_count if given is None else given

    @property
    def counting_exception(self) -> ExceptionFacts | None:
        """The exception whose factor replaces the fleet's own buffer in this run (7.3.8); None where there is none.

        A custom input's BufferFactor replaces that of an exception too (7.3.11).
        """
        exception = self.exception
        if exception is None or self.custom.values.buffer_factor is not None:
            return None
        return exception if exception.counts(self.run.created_at) else None
