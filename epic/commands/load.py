"""``epic load``: load NDJSON files into EPIC."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from epic.failure import SOME_FAILED
from epic.options import CONCURRENCY, AsJson, Url


def load_files(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE|DIR|-", help="An NDJSON file, a folder of *.ndjson and *.jsonl, or - for stdin."),
    ],
    url: Url = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="How many requests at once.")] = CONCURRENCY,
    as_json: AsJson = False,
) -> None:
    """Load resources over HTTP: one JSON object a line, as the API takes it.

    \b
    {"Resource": "Service", "ServiceId": "OrderService", "ServiceType": "Registered", "Owner": "nadia@example.com"}
    {"Resource": "Inventory", "FleetId": "OrderService-NA-X0", "HostsPresent": 120}

    Resource is the name of a resource, or Inventory; where it is missing, the members must be those of one resource.
    What others name goes first (services, then fleets), in whatever order the lines are.

    The same line is the same request: a file may be loaded twice, and a resource that exists is not changed. Many rows
    of one resource go as a bulk job.
    Exit code 0: every row was loaded; 1: some rows failed, each is named with its line; 2: nothing was sent.
    """
    from epic.loading import load_and_print

    if not load_and_print(path, url, concurrency=concurrency, as_json=as_json):
        raise typer.Exit(SOME_FAILED)
