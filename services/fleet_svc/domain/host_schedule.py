"""Whether a BAUHostJob can fall due by what it gives as its schedule and time zone."""

from __future__ import annotations

from shared.cron import EXAMPLE, fault_of, zones
from shared.errors import BadInput, FieldError


def check_schedule(schedule: str, time_zone: str | None) -> None:
    """BadInput that names what is wrong with the schedule or the time zone, and the remedy."""
    errors = []
    if (fault := fault_of(schedule)) is not None:
        errors.append(FieldError("/Schedule", f"{fault}; {EXAMPLE}"))
    if time_zone is not None and time_zone not in zones():
        errors.append(FieldError("/TimeZone", "no such time zone; give one of IANA's names, such as Europe/Berlin"))
    if errors:
        raise BadInput("the job has no usable schedule", errors, slug="bad-schedule")
