"""Custom inputs: figures that people give for an event, in place of what EPIC knows (4.550 to 4.553, 7.3.11)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from fractions import Fraction
from typing import Final

from services.hotw_svc.domain.instants import end_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomValues:
    """The figures that a custom input can give; None for one that it does not give."""

    peak_tpm: int | None = None
    bau_tpm: int | None = None
    ct_factor: Fraction | None = None
    buffer_factor: Fraction | None = None
    host_throughput_tpm: int | None = None
    hosts_present: int | None = None
    max_host_count: int | None = None


WIRE_NAMES: Final[Mapping[str, str]] = {
    "peak_tpm": "PeakTPM",
    "bau_tpm": "BAUTPM",
    "ct_factor": "CTFactor",
    "buffer_factor": "BufferFactor",
    "host_throughput_tpm": "HostThroughPutTPM",
    "hosts_present": "HostsPresentInApollo",
    "max_host_count": "MaxHostCount",
}
"""The attributes of ``CustomValues``, in the order of 7.3, with their names in the contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomInputFacts:
    """A custom input of a fleet, or of all fleets of the event; `written_at` is the Timestamp of its version."""

    custom_input_id: str
    version_id: int
    written_at: datetime
    of_all_fleets: bool
    values: CustomValues
    expires_on: date | None = None

    def counts(self, instant: datetime) -> bool:
        """Whether its last day was not over at an instant."""
        return self.expires_on is None or instant < end_of(self.expires_on)


@dataclass(frozen=True, slots=True)
class JoinedInputs:
    """The figures that count, and by attribute of `values` the custom input that each is from."""

    values: CustomValues = CustomValues()
    sources: Mapping[str, CustomInputFacts] = field(default_factory=dict)

    def source_of(self, name: str) -> CustomInputFacts | None:
        """The custom input that gives the figure; None where none does."""
        return self.sources.get(name)


NO_CUSTOM_INPUTS: Final = JoinedInputs()


def joined(given: Iterable[CustomInputFacts], *, at: datetime) -> JoinedInputs:
    """The custom inputs that count at an instant, joined figure by figure (4.552).

    A fleet's own wins over one for all fleets, then the last written, then the greater id.
    """
    counting = [one for one in given if one.counts(at)]
    if not counting:
        return NO_CUSTOM_INPUTS
    counting.sort(key=lambda one: (not one.of_all_fleets, one.written_at, one.custom_input_id))
    sources = {
        attribute.name: one
        for one in counting
        for attribute in fields(CustomValues)
        if getattr(one.values, attribute.name) is not None
    }
    values = CustomValues(**{name: getattr(one.values, name) for name, one in sources.items()})
    return JoinedInputs(values, sources)
