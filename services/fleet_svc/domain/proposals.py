"""The proposal of a projection: BAUTPM × CTFactor, and when it may become the projection (4.186, 4.187)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from shared.capacity import exact, proposed_tpm
from shared.errors import Conflict, FieldError, NotFound
from shared.schemas.base import MAX_COUNT
from shared.schemas.fleet_svc.projection import Projection
from shared.schemas.fleet_svc.proposal import Proposal

_WINS: Final = (("CloudTuneProjection", "cloud_tune_projection"), ("ManualOverride", "manual_override"))
"""What HOTW takes before a TotalInputTPM (7.3.5)."""


def proposed(fleet_id: str, *, bau_tpm: int | None, ct_factor: Decimal | None, line: str) -> Proposal:
    """The proposal. ``line`` says whose CTFactor it is. NotFound where a factor is not known, Conflict where the
    product is no count.
    """
    if bau_tpm is None:
        raise NotFound(
            f"the BAUTPM of {fleet_id} is not known; it takes 1,440 minutes of its Traffic in the last 28 days, "
            "without peak and game days of its region"
        )
    if ct_factor is None:
        raise NotFound(f"{fleet_id} has no CTFactor; give it in FleetConfiguration, for the Event or for the fleet")
    product = bau_tpm * ct_factor  # exact: at most 25 digits
    tpm = proposed_tpm(bau_tpm, exact(ct_factor))
    working = f"BAUTPM {bau_tpm:,} × CTFactor {_plain(ct_factor)} of {line} = {_plain(product)}"
    if tpm > MAX_COUNT:
        raise Conflict(f"{working}, which is more than {MAX_COUNT:,}; correct the CTFactor", slug="too-large")
    rounded = "" if tpm == product else f", rounded to {tpm:,}"
    return Proposal(tpm=tpm, bau_tpm=bau_tpm, ct_factor=ct_factor, working=working + rounded)


def check_accepted(proposal: Proposal, tpm: int, projection: Projection | None) -> None:
    """Conflict where the proposal is another one by now, and where a TotalInputTPM would not count."""
    if proposal.tpm != tpm:
        detail = f"the proposal is {proposal.tpm:,} TPM now, not {tpm:,} ({proposal.working}); read it again"
        raise Conflict(detail, slug="proposal-changed", errors=[FieldError("/TPM", f"is {proposal.tpm} now")])
    if projection is None:
        return
    set_ = [name for name, attribute in _WINS if getattr(projection, attribute) is not None]
    if set_:
        detail = f"{' and '.join(set_)} would count in place of the proposal; clear it by a PUT with null first"
        errors = [FieldError(f"/{name}", "is set, and wins over TotalInputTPM") for name in set_]
        raise Conflict(detail, slug="overridden", errors=errors)


def accepted(projection: Projection, tpm: int) -> Projection:
    """The projection with this TotalInputTPM, which nobody has verified, unless it is the one that it has."""
    if projection.total_input_tpm == tpm:
        return projection
    return projection.model_copy(update={"total_input_tpm": tpm, "is_verified_by_owner": False})


def _plain(value: Decimal) -> str:
    """1.5, 50,000: with thousands, without an exponent or zeros at the end."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
