"""How many hosts a fleet must have at the peak: the TPM that counts, buffer, headroom and bounds (HOTW rules 3, 4)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from services.hotw_svc.domain.custom_formula import FormulaFacts
from services.hotw_svc.domain.inputs import Inputs
from services.hotw_svc.domain.wording import plain, whole
from shared.capacity import needed_hosts, one_plus, proposed_tpm, required_hosts
from shared.formulas import BadFormula, FormulaFailed
from shared.schemas.base import MAX_COUNT
from shared.schemas.fleet_svc.service import CapacityStrategy
from shared.schemas.hotw_svc import Purpose

CUSTOM = "custom input"
FLEETS_OWN = "FleetProjection"
BAU = "BAUTPM × CTFactor"
MAX_FACTOR = Fraction(99_999, 100)  # of a thousand times what is needed, some number must be a typing error
_OWN_FORMULA: Final = frozenset({"PeakTPM", "HostThroughPutTPM", "BufferFactor"})  # what 7.4.1 is over


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
    """Needed and RequiredHosts, and the bound that made them differ. `most` is the upper bound; None where none is.

    `peak` is None only for a Fixed need, or a custom formula that does without. `formula` is the custom formula that
    gave the need, with `formula_inputs` as it took them. `cap` names the bound that lowered the need or MinHosts, as in
    "200 is MaxHostCount" (7.4.10); `crossed`: it is MinHosts, above the need, that it lowered (7.4.9).
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
    most: int | None = None
    formula: FormulaFacts | None = None
    formula_inputs: Mapping[str, Fraction] = field(default_factory=dict)

    @property
    def used_peak(self) -> PeakTPM | None:
        """The PeakTPM that the need follows from; None where it follows from something else."""
        if self.fixed or (self.formula is not None and "PeakTPM" not in self.formula_inputs):
            return None
        return self.peak


def peak_tpm(inputs: Inputs) -> PeakTPM | None:
    """The first TPM there is (7.3.5, 7.3.11); None where there is none, and where the last resort is no count.

    A custom input's, ManualOverride, CloudTuneProjection, TotalInputTPM, the fleet's own, BAUTPM × CTFactor (half up).
    """
    if inputs.run.purpose is Purpose.DESCALING:
        return _peak_to_descale(inputs)
    fleet, projection, custom = inputs.fleet, inputs.projection, inputs.custom
    given = custom.source_of("peak_tpm")
    if given is not None:
        return PeakTPM(given.values.peak_tpm or 0, CUSTOM, given.version_id)
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
    bau_tpm, factor = inputs.bau_tpm, inputs.ct_factor
    traffic = custom.source_of("bau_tpm") or inputs.bau_traffic
    if traffic is None or bau_tpm is None or factor is None:
        return None
    value = proposed_tpm(bau_tpm, factor)
    if value > MAX_COUNT:
        return None
    return PeakTPM(value, BAU, traffic.version_id, ("its owner",), _product(bau_tpm, factor))


def buffer_factor(inputs: Inputs) -> Fraction:
    """A custom input's, else that of a counting exception, else 1 + BufferPercentage/100, exactly (7.3.8, 7.3.9)."""
    given = inputs.custom.values.buffer_factor
    if given is not None:
        return given
    exception = inputs.counting_exception
    return one_plus(inputs.buffer_percentage) if exception is None else exception.requested_value


def missing(inputs: Inputs) -> tuple[str, ...]:
    """What keeps the need from being worked out, in sentences; nothing when all is there.

    A custom formula misses only what it names.
    """
    philosophy, formula = inputs.philosophy, inputs.formula
    if inputs.run.purpose is Purpose.DESCALING and inputs.bau_tpm is None:
        return ("No BAUTPM: the traffic that the fleet has outside events is not known.",)
    if philosophy.strategy is CapacityStrategy.FIXED:
        return () if philosophy.min_hosts is not None else ("CapacityStrategy is Fixed, but there is no MinHosts.",)
    try:
        used = _OWN_FORMULA if formula is None else formula.compiled.inputs
    except BadFormula as error:
        return (_without_value(formula, error),)
    found = []
    if "PeakTPM" in used and peak_tpm(inputs) is None:
        found.append(_no_peak(inputs))
    if "HostThroughPutTPM" in used and not inputs.host_throughput_tpm:
        found.append("No HostThroughPutTPM: what one host can take is not known.")
    found += [
        f"{name} {plain(given)} cannot be right: its factor is from 0 to {plain(MAX_FACTOR)}."
        for name, given, factor in _factors(inputs, used)
        if not _is_likely(factor)
    ]
    if formula is not None and not found:
        found += _formula_fault(inputs, formula)
    return tuple(found)


def required(inputs: Inputs) -> Requirement:
    """The requirement; call it only where nothing is `missing`. `too_large` judges the answer."""
    philosophy = inputs.philosophy
    peak = peak_tpm(inputs)
    factor, headroom = buffer_factor(inputs), philosophy.headroom
    fixed = philosophy.strategy is CapacityStrategy.FIXED
    formula = None if fixed else inputs.formula
    given: Mapping[str, Fraction] = {}
    if fixed:
        needed = philosophy.min_hosts or 0
    elif formula is not None:
        given = _formula_inputs(inputs, formula)
        needed = math.ceil(formula.compiled.evaluate(given))
    else:
        needed = needed_hosts(
            0 if peak is None else peak.value,
            buffer=factor,
            headroom=headroom,
            throughput=inputs.host_throughput_tpm or 1,
        )
    minimum = philosophy.min_hosts or 0
    name, cap = _cap(inputs)
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
        most=cap,
        formula=formula,
        formula_inputs=given,
    )


def too_large(requirement: Requirement) -> str | None:
    """The sentence that refuses a need that no contract can carry; None for any other."""
    if max(requirement.needed, requirement.required) <= MAX_COUNT:
        return None
    return f"{whole(requirement.needed)} hosts needed cannot be right: {whole(MAX_COUNT)} is the most EPIC can plan."


def _factors(inputs: Inputs, used: frozenset[str]) -> list[tuple[str, Fraction, Fraction]]:
    """The factors on the need: what each is called, what was given for it, and the factor itself."""
    philosophy, found = inputs.philosophy, []
    if "BufferFactor" in used:
        factor = buffer_factor(inputs)
        if inputs.custom.values.buffer_factor is not None:
            found.append(("BufferFactor", factor, factor))
        else:
            own = "DefaultBufferPercentage" if inputs.fleet.buffer_percentage is None else "BufferPercentage"
            found.append((own, inputs.buffer_percentage, factor))
    if inputs.formula is None:
        found.append(("HeadroomPercentage", philosophy.headroom_percentage, philosophy.headroom))
    return found


def _is_likely(factor: Fraction) -> bool:
    """Whether a factor is from 0 to MAX_FACTOR; whole numbers compare several times as fast as fractions do."""
    numerator, most = factor.numerator, MAX_FACTOR.numerator * factor.denominator
    return 0 <= numerator * MAX_FACTOR.denominator <= most


def _formula_inputs(inputs: Inputs, formula: FormulaFacts) -> dict[str, Fraction]:
    """What the formula takes, by name; what is not known is left out."""
    peak = peak_tpm(inputs)
    known = {
        "PeakTPM": None if peak is None else peak.value,
        "BAUTPM": inputs.bau_tpm,
        "HostThroughPutTPM": inputs.host_throughput_tpm,
        "BufferFactor": buffer_factor(inputs),
        "CTFactor": inputs.ct_factor,
    }
    used = formula.compiled.inputs
    return {name: Fraction(value) for name, value in known.items() if value is not None and name in used}


def _formula_fault(inputs: Inputs, formula: FormulaFacts) -> tuple[str, ...]:
    """Why the formula gives no need (4.543), in a sentence; nothing where it gives one."""
    try:
        value = formula.compiled.evaluate(_formula_inputs(inputs, formula))
    except FormulaFailed as error:
        return (_without_value(formula, error),)
    if value <= MAX_COUNT:
        return ()
    return (
        f"The custom formula (version {formula.version_id}) cannot be right: its value is over {whole(MAX_COUNT)}.",
    )


def _without_value(formula: FormulaFacts | None, error: Exception) -> str:
    return f"The custom formula (version {formula and formula.version_id}) has no value: {error}."


def _peak_to_descale(inputs: Inputs) -> PeakTPM | None:
    """BAUTPM, which a Descaling run takes for the PeakTPM (7.12.7)."""
    traffic, bau_tpm = inputs.custom.source_of("bau_tpm") or inputs.bau_traffic, inputs.bau_tpm
    if traffic is None or bau_tpm is None:
        return None
    return PeakTPM(bau_tpm, "BAUTPM", traffic.version_id, working="BAUTPM")


def _no_peak(inputs: Inputs) -> str:
    """Each source of a PeakTPM, and why it gives none."""
    bau_tpm, factor = inputs.bau_tpm, inputs.ct_factor
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


def _cap(inputs: Inputs) -> tuple[str, int | None]:
    own, theirs = inputs.max_host_count, inputs.philosophy.max_hosts
    if own is not None and (theirs is None or own <= theirs):
        return "MaxHostCount", own
    return "the service's MaxHosts", theirs
