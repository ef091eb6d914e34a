"""``epic sample``: an invented company of any size as an NDJSON file."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from epic.failure import CommandFailed
from epic.files import STANDARD, writing
from epic.sample import DEFAULT_EVENT, DEFAULT_PEAK, SampleCompany, write


def sample(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The NDJSON file to write; - for stdout.", show_default=False)
    ],
    services: Annotated[int, typer.Option(min=1, help="How many services.")] = 12,
    fleets_per_service: Annotated[int, typer.Option(min=1, help="How many fleets each has, in three regions.")] = 4,
    seed: Annotated[int, typer.Option(help="The same number gives the same company.")] = 1,
    event: Annotated[str, typer.Option(help="The EventId its projections are for.")] = DEFAULT_EVENT,
    peak: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d"], help="The first day of the peak.", show_default=str(DEFAULT_PEAK)),
    ] = datetime(  # noqa: DTZ001
        DEFAULT_PEAK.year, DEFAULT_PEAK.month, DEFAULT_PEAK.day
    ),
    with_event: Annotated[
        bool, typer.Option("--with-event/--without-event", help="Whether the file creates the event too.")
    ] = True,
) -> None:
    """Generate a company: services, fleets, inventories, one event, projections.

    Writes one JSON object per line for `epic load`; the member Resource is the kind of a line. The same arguments
    write the same bytes. EPIC makes no plans for a past peak: for the default peak in July 2024 start
    `epic up --now 2024-06-15T09:00:00Z`, or give a future --peak.
    """
    from epic.terminal import Terminal
    from shared.schemas.base import check_id

    try:
        check_id(event)
    except ValueError as error:
        raise CommandFailed(f"--event {event}: {error}") from None
    company = SampleCompany(services, fleets_per_service, seed, event, date(peak.year, peak.month, peak.day))
    try:
        with writing(out) as file:
            count = write(company.rows(with_event=with_event), file)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise CommandFailed(f"{out} cannot be written: {error.strerror}; give another --out") from None
    fleets = services * fleets_per_service
    written = f"{count} rows: {services} services with {fleets} fleets."
    if out == STANDARD:
        Terminal(sys.stderr).print(written)
    else:
        Terminal().print(f"{out}: {written} Load it: epic load {out}")
