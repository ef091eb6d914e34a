"""The sentences of an execution's Reasoning: the outcome first, then the numbers it follows from (HOTW rule 6)."""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Final

from services.hotw_svc.domain.custom_inputs import WIRE_NAMES
from services.hotw_svc.domain.inputs import Inputs, OrderDates
from services.hotw_svc.domain.runs.distribution import Distribution
from services.hotw_svc.domain.runs.eligibility import unknown_preferred
from services.hotw_svc.domain.runs.presence import CUSTOM_INPUT, DESIRED_CAPACITY, INVENTORY, Presence
from services.hotw_svc.domain.runs.requirement import Requirement
from services.hotw_svc.domain.runs.zone_loss import Survival
from services.hotw_svc.domain.wording import hosts, listed, plain, whole
from shared.capacity import ONE
from shared.clock import iso

DRY_RUN = "Dry run: this is what a run would do."
NOTHING_TO_ORDER = "No hosts to order."
NOT_ENROLLED = "the fleet is not enrolled in EAP (EAPEnrolledStatus is false)"
_BASES: Final = {
    INVENTORY: "the inventory",
    CUSTOM_INPUT: "a custom input",
    DESIRED_CAPACITY: "DesiredCapacity, as there is no inventory,",
}


def ordered(distribution: Distribution, *, expected: date) -> str:
    """The outcome when every host found room."""
    return f"{hosts(distribution.ordered)} ordered ({_by_zone(distribution)}), expected by {expected}."


def partly_ordered(need: int, distribution: Distribution, *, expected: date) -> str:
    """The outcome when some hosts found no room."""
    return (
        f"{whole(distribution.ordered)} of {hosts(need)} ordered ({_by_zone(distribution)}), expected by {expected}; "
        f"{whole(distribution.shortfall)} found no room: {full(distribution)}."
    )


def none_ordered(need: int, reasons: Sequence[str]) -> str:
    """The outcome when hosts are needed and none could be ordered."""
    verb = "is" if need == 1 else "are"
    return f"{hosts(need)} {verb} needed, none could be ordered: {'; '.join(reasons)}."


def full(distribution: Distribution) -> str:
    """Why hosts found no room."""
    verb = "is" if len(distribution.full_zones) == 1 else "are"
    return f"{listed(distribution.full_zones)} {verb} full (MaxOverrideCapacity)"


def not_order_time(inputs: Inputs, dates: OrderDates) -> str:
    """Why nothing may be ordered in the region today."""
    first = f" from {dates.first}" if dates.first else ""
    last = f" until {dates.last}" if dates.last else ""
    region = inputs.fleet.region
    return f"hardware for {inputs.event.event_id} in {region} may be ordered only{first}{last} (its SPCO dates)"


def no_asg(inputs: Inputs) -> str:
    """Why there is no ASG to order for."""
    count = len(inputs.fleet.asgs)
    if count and inputs.preferred_asgs is not None:
        return f"none of its {count:,} ASGs is preferred"
    if not count:
        return "the fleet has no ASG"
    return f"none of its {count:,} ASGs may take an automatic override (EAPOnboardingStatus is false)"


def no_zone(zones: Sequence[str]) -> str:
    """Why there is no zone to order in."""
    return f"every zone it could order in is excluded by an AZ factor of 0 ({listed(zones)})"


def beyond_plannable(end: date, last: date) -> str:
    """Why no override can be planned."""
    return f"an override until {end} cannot be recorded ({last} is the last day)"


def late(expected: date, peak_start: date) -> str:
    """The warning about hosts that come too late."""
    return f"Late: {expected} is not before the peak, which starts on {peak_start}."


def preference(inputs: Inputs) -> str | None:
    """Which ASGs alone may take hosts, and which preferred names are ignored; None where nobody prefers any."""
    if inputs.preferred_asgs is None:
        return None
    unknown = unknown_preferred(inputs)
    chosen = [name for name in inputs.preferred_asgs.names if name not in unknown]
    only = f"Only its preferred ASGs may take hosts ({listed(chosen)})." if chosen else ""
    ignored = f"Preferred, but no ASG of the fleet, and so ignored: {listed(unknown)}." if unknown else ""
    return f"{only} {ignored}".strip()


def requirement(needed: Requirement, inputs: Inputs) -> str:
    """How Needed and RequiredHosts came about."""
    start = _need(needed, inputs)
    if needed.cap is not None:
        minimum = f", MinHosts is {whole(inputs.philosophy.min_hosts or 0)}" if needed.crossed else ""
        return f"{start}{minimum}, {whole(needed.required)} required ({whole(needed.required)} is {needed.cap})."
    if needed.raised:
        return f"{start}, {whole(needed.required)} required (MinHosts)."
    return f"{start}."


def _need(needed: Requirement, inputs: Inputs) -> str:
    if needed.fixed:
        return f"CapacityStrategy is Fixed: {hosts(needed.needed)} needed (MinHosts)"
    if needed.formula is not None:
        given = ", ".join(f"{name} {plain(value)}" for name, value in needed.formula_inputs.items())
        over = f" over {given}" if given else ""
        return f"Custom formula (version {needed.formula.version_id}){over} = {hosts(needed.needed)} needed"
    headroom = "" if needed.headroom == ONE else f" × {plain(needed.headroom)} headroom"
    buffer = "buffer" if inputs.counting_exception is None else "buffer (approved exception)"
    peak = needed.peak
    working = "" if peak is None or peak.working is None else f" ({peak.working})"
    return (
        f"{whole(0 if peak is None else peak.value)} TPM{working} × {plain(needed.buffer_factor)} {buffer}{headroom} / "
        f"{whole(inputs.host_throughput_tpm or 0)} TPM per host = {hosts(needed.needed)} needed"
    )


def present(there: Presence, pending: int) -> str:
    """What the fleet has already."""
    basis = _BASES[there.source]
    when = "" if there.as_of is None else f" of {iso(there.as_of)}"
    if there.arriving or there.leaving:
        parts = f"{whole(there.reported)} by {basis}{when}"
        arriving = f", {whole(there.arriving)} arriving" if there.arriving else ""
        leaving = f", {whole(there.leaving)} leaving before the peak ends" if there.leaving else ""
        return f"{whole(there.hosts)} present ({parts}{arriving}{leaving}), {whole(pending)} pending."
    return f"{whole(there.hosts)} present (by {basis}{when}), {whole(pending)} pending."


def zone_loss(survival: Survival, need: int) -> str:
    """Whether the fleet survives the loss of any one zone (7.14.6), and what that took beyond `need`."""
    if survival.lost is not None:
        return f"The fleet does not survive the loss of {survival.lost}, {whole(survival.short)} short."
    more = survival.total - need
    if more:
        return f"{hosts(more)} more than that, so that it survives the loss of any one zone."
    return "It survives the loss of any one zone."


def unverified(needed: Requirement) -> str | None:
    """Who has not verified the TPM that was used; None when all have."""
    peak = needed.used_peak
    if peak is None or not peak.unverified_by:
        return None
    return f"The TPM ({peak.source}, version {peak.version_id}) is not verified by {listed(peak.unverified_by)}."


def custom_inputs(inputs: Inputs) -> str | None:
    """The custom inputs that counted, with their figures; None where there are none."""
    figures: dict[str, list[str]] = {}
    for attribute, name in WIRE_NAMES.items():
        source = inputs.custom.source_of(attribute)
        if source is not None:
            figure = f"{name} {plain(Fraction(getattr(source.values, attribute)))}"
            figures.setdefault(f"{source.custom_input_id} (version {source.version_id})", []).append(figure)
    if not figures:
        return None
    given = "; ".join(f"{source} gives {', '.join(some)}" for source, some in figures.items())
    return f"Custom {'input' if len(figures) == 1 else 'inputs:'} {given}."


def counted(inputs: Inputs, needed: Requirement) -> str | None:
    """Which versions of what not every fleet has came into the need (7.3.1); None where nothing of it did."""
    found = []
    if inputs.philosophy_facts is not None:
        found.append(f"Philosophy version {inputs.philosophy_facts.version_id}")
    exception, peak, bau = inputs.counting_exception, needed.used_peak, inputs.bau_traffic
    if exception is not None and (needed.formula is None or "BufferFactor" in needed.formula_inputs):
        found += [] if needed.fixed else [f"Exception version {exception.version_id}"]
    named = "BAUTPM" in needed.formula_inputs or (peak is not None and peak.working is not None)
    if named and bau is not None and inputs.custom.source_of("bau_tpm") is None:
        found.append(f"BAUTPM version {bau.version_id}")
    return f"Counted: {listed(found)}." if found else None


def _by_zone(distribution: Distribution) -> str:
    return listed([f"{zone} {whole(share)}" for zone, share in distribution.by_zone.items()])
