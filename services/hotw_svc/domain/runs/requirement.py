"""How many hosts a fleet must have at the peak: the TPM that counts, buffer, headroom and bounds (HOTW rules 3, 4)."""

from dataclasses import dataclass
from fractions import Fraction

from services.hotw_svc.domain.inputs import FleetFacts, Inputs, Philosophy
from services.hotw_svc.domain.wording import plain, whole
from shared.capacity import needed_hosts, one_plus, proposed_tpm, required_hosts
from shared.schemas.base import MAX_COUNT
from shared.schemas.fleet_svc.service import CapacityStrategy

FLEETS_OWN = "FleetProjection"
BAU = "BAUTPM × CTFactor"
MAX_FACTOR = Fraction(99_999, 100)  # of a thousand times what is needed, some number must be a typing error


@dataclass(frozen=True, slots=True)
class PeakTPM:
    """The transactions per minute a fleet is sized for, where they came from, and who has not verified them.

    `working` says how the value was worked out, where nobody gave it.
    """

    value: int
    source: str
    version_id: int
    unverified_by: tuple[str, ...] = ()
    working: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Needed and RequiredHosts, and the bound that made them differ.

    `peak` is None only for a Fixed need. `cap` names the bound that lowered the need or MinHosts, as in "200 is
    MaxHostCount" (7.4.10); `crossed`: it is MinHosts, above the need, that it lowered (7.4.9).
    """

    needed: int
    required: int
    fixed: bool
    peak: PeakTPM | None
    buffer_factor: Fraction
    headroom: Fraction
    cap: str | None = None
    raised: bool = False
    crossed: bool = False


def peak_tpm(inputs: Inputs) -> PeakTPM | None:
    """The first TPM there is (7.3.5); None where there is none, and where the last resort is no count.

    ManualOverride, CloudTuneProjection, TotalInputTPM, the fleet's own, BAUTPM × CTFactor rounded half up.
    """
    fleet, projection, bau = inputs.fleet, inputs.projection, inputs.bau_traffic
    if projection is not None:
        for source, value in (
            ("ManualOverride", projection.manual_override),
            ("CloudTuneProjection", projection.cloud_tune),
            ("TotalInputTPM", projection.total_input),
        ):
            if value is not None:
                owner = () if projection.verified_by_owner else ("its owner",)
                return PeakTPM(value, source, projection.version_id, (*owner, *projection.unverified_upstreams))
    if fleet.own_tpm is not None:
        return PeakTPM(fleet.own_tpm, FLEETS_OWN, fleet.version_id, () if fleet.own_tpm_verified else ("its owner",))
    if bau is None or bau.bau_tpm is None or fleet.ct_factor is None:
        return None
    value = proposed_tpm(bau.bau_tpm, fleet.ct_factor)
    if value > MAX_COUNT:
        return None
    return PeakTPM(value, BAU, bau.version_id, ("its owner",), _product(bau.bau_tpm, fleet.ct_factor))


def buffer_factor(inputs: Inputs) -> Fraction:
    """The value of an exception that counts, else 1 + BufferPercentage/100, exactly (7.3.8, 7.3.9)."""
    exception = inputs.counting_exception
    return one_plus(inputs.buffer_percentage) if exception is None else exception.requested_value


def missing(inputs: Inputs) -> tuple[str, ...]:
    """What keeps the need from being worked out, in sentences; nothing when all is there."""
    philosophy, fleet = inputs.philosophy, inputs.fleet
    if philosophy.strategy is CapacityStrategy.FIXED:
        return () if philosophy.min_hosts is not None else ("CapacityStrategy is Fixed, but there is no MinHosts.",)
    found = []
    if peak_tpm(inputs) is None:
        found.append(_no_peak(inputs))
    if not fleet.host_throughput_tpm:
        found.append("No HostThroughPutTPM: what one host can take is not known.")
    own = "DefaultBufferPercentage" if fleet.buffer_percentage is None else "BufferPercentage"
    for name, percentage, factor in (
        (own, inputs.buffer_percentage, buffer_factor(inputs)),
        ("HeadroomPercentage", philosophy.headroom_percentage, philosophy.headroom),
    ):
        if not 0 <= factor <= MAX_FACTOR:
            found.append(f"{name} {plain(percentage)} cannot be right: its factor is from 0 to {plain(MAX_FACTOR)}.")
    return tuple(found)


def required(inputs: Inputs) -> Requirement:
    """The requirement; call it only where nothing is `missing`. `too_large` judges the answer."""
    fleet, philosophy = inputs.fleet, inputs.philosophy
    peak = peak_tpm(inputs)
    factor, headroom = buffer_factor(inputs), philosophy.headroom
    fixed = philosophy.strategy is CapacityStrategy.FIXED
    if fixed:
        needed = philosophy.min_hosts or 0
    else:
        needed = needed_hosts(
            0 if peak is None else peak.value,
            buffer=factor,
            headroom=headroom,
            throughput=fleet.host_throughput_tpm or 1,
        )
    minimum = philosophy.min_hosts or 0
    name, cap = _cap(fleet, philosophy)
    floored = max(needed, minimum)
    bounded = required_hosts(needed, least=minimum, most=cap)
    return Requirement(
        needed=needed,
        required=bounded,
        fixed=fixed,
        peak=peak,
        buffer_factor=factor,
        headroom=headroom,
        cap=name if bounded < floored else None,
        raised=bounded > needed,
        crossed=bounded < floored > needed,
    )


def too_large(requirement: Requirement) -> str | None:
    """The sentence that refuses a need that no contract can carry; None for any other."""
    if max(requirement.needed, requirement.required) <= MAX_COUNT:
        return None
    return f"{whole(requirement.needed)} hosts needed cannot be right: {whole(MAX_COUNT)} is the most EPIC can plan."


def _no_peak(inputs: Inputs) -> str:
    """Each source of a PeakTPM, and why it gives none."""
    bau_tpm, factor = inputs.bau_tpm, inputs.fleet.ct_factor
    if bau_tpm is None:
        last = "BAUTPM is not known"
    elif factor is None:
        last = f"there is no CTFactor for BAUTPM {whole(bau_tpm)}"
    else:
        last = f"{_product(bau_tpm, factor)} is more than {whole(MAX_COUNT)}"
    given = f"neither a projection for {inputs.event.event_id} nor FleetProjection gives a TPM"
    return f"No PeakTPM: {given}, and {last}."


def _product(bau_tpm: int, factor: Fraction) -> str:
    return f"BAUTPM {whole(bau_tpm)} × CTFactor {plain(factor)}"


def _cap(fleet: FleetFacts, philosophy: Philosophy) -> tuple[str, int | None]:
    own, theirs = fleet.max_host_count, philosophy.max_hosts
    if own is not None and (theirs is None or own <= theirs):
        return "MaxHostCount", own
    return "the service's MaxHosts", theirs
