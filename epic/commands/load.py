"""``epic load``: load NDJSON files into EPIC."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from epic.api import Api
from epic.configuration import AsJson, Url, run, url_of
from epic.failure import SOME_FAILED
from epic.loading import CONCURRENCY, Loaded, RowFailure, files_of, load, read_rows
from epic.terminal import Terminal, json_text

_SHOWN: Final = 100


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

    The same line is the same request: a file may be loaded twice, and a resource that exists is not changed.
    Exit code 0: every row was loaded; 1: some rows failed, each is named with its line; 2: nothing was sent.
    """
    output = Terminal(sys.stderr) if as_json else Terminal()
    errors = Terminal(sys.stderr)
    shown = 0

    def failed(failure: RowFailure) -> None:
        nonlocal shown
        shown += 1
        if not as_json and shown <= _SHOWN:
            errors.print(failure.text(), style="red")

    files = files_of(path)
    outcome = run(_load(files, url_of(url), output, failed, concurrency))
    if as_json:
        Terminal().raw(json_text(outcome.wire()))
    else:
        if shown > _SHOWN:
            errors.print(f"and {shown - _SHOWN} more rows failed; --json lists them all", style="red")
        output.print(outcome.text())
    if outcome.failures:
        raise typer.Exit(SOME_FAILED)


async def _load(
    files: list[Path], url: str, terminal: Terminal, failed: Callable[[RowFailure], None], concurrency: int
) -> Loaded:
    async with Api(url, connections=concurrency) as api:
        return await load(read_rows(files), api, terminal, failed=failed, concurrency=concurrency)
